"""Work: what waits and what was given up, to be tried again; and what is done again and again."""

from __future__ import annotations

from starlette.responses import Response

from assaymark.jobs.job import JobState
from assaymark.model.access import Permission
from assaymark.server.api import jobs as api
from assaymark.server.problem import invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, number_in, status_of
from assaymark.server.web.screen import Screen, Visit


def show_jobs(visit: Visit) -> Response:
    """In a state, newest first; the ones that were given up when nothing is said."""
    return _jobs(visit, None)


def _jobs(visit: Visit, error: Exception | None) -> Response:
    call, state = call_of(visit), asking.choice(visit, "state", JobState) or JobState.DEAD
    page = api.list_jobs(call, state, visit.request.query_params.get("after"))
    return visit.page(
        "settings/jobs.html",
        status=status_of(error),
        rows=page.items,
        onward=asking.address(visit, {"after": page.next}) if page.next else None,
        state=state.value,
        states=list(JobState),
        schedules=api.list_schedules(call).items,
        may_write=visit.who.may(Permission.JOBS_WRITE, None),
        error=error,
    )


def change_jobs(visit: Visit) -> Response:
    """Replay or cancel one; change or run what is done again and again."""
    form, call = visit.form, call_of(visit)
    actions = {
        "replay": lambda: api.replay_job(call, number_in(form, "job")),
        "cancel": lambda: api.cancel_job(call, number_in(form, "job")),
        "run": lambda: api.run_schedule(call, form.get("schedule", "")),
        "every": lambda: api.change_schedule(call, form.get("schedule", ""), api.ScheduleChange(number_in(form, "every_seconds"))),
    }
    if form.get("do") not in actions:
        raise invalid("nothing was chosen", "press one of the buttons")
    return acted(visit, _jobs, actions[form["do"]], "/settings/jobs")


SCREENS = [
    Screen("GET", "/settings/jobs", show_jobs, Permission.JOBS_READ),
    Screen("POST", "/settings/jobs", change_jobs, Permission.JOBS_WRITE),
]
