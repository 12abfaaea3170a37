"""Pages about environments: the list, and one with what runs in it, since when, by which approval, what drifted, what it went through.

Guarantees: what runs without an approval stands first, in words; each page asks what operations of the API ask, and does nothing else than
they do. There is no button that accepts a drift.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.assessment import SECOND
from assaymark.server.api import drifts as drifts_api
from assaymark.server.api import environments as api
from assaymark.server.api import phoenix
from assaymark.server.api import promotions as promotions_api
from assaymark.server.api.drifts import LookAway
from assaymark.server.api.environments import EnvironmentTerms
from assaymark.server.api.promotions import Agreed, Declined, NewPromotion
from assaymark.server.problem import invalid
from assaymark.server.web import asking
from assaymark.server.web.doing import acted, call_of, chosen, number_in, number_or_none, status_of
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import teams
from assaymark.store.environments import MOST_DAYS, MOST_PEOPLE, Unapproved
from assaymark.store.promotions import State
from assaymark.store.teams import TeamRow

_READ, _PROMOTE, _TERMS = Permission.DEPLOYMENTS_READ, Permission.DEPLOYMENTS_PROMOTE, Permission.POLICIES_WRITE
_ROOM = "/environments"
_STEPS = 8
_DRIFTS = 50
_WEEK = 7 * 86_400 * SECOND
"""An approval that ends within it is said to end soon."""
_MOST_TEAMS = 200


def show_environments(visit: Visit) -> Response:
    """By name."""
    return _list(visit, None)


def _list(visit: Visit, error: Exception | None) -> Response:
    call = call_of(visit)
    page = api.list_environments(call, visit.asked("name"), visit.request.query_params.get("after"))
    return visit.page(
        "environments.html",
        status=status_of(error),
        rows=page.items,
        name=visit.asked("name"),
        onward=asking.address(visit, {"after": page.next}) if page.next else None,
        waiting=promotions_api.list_promotions(call, State.WAITING).items,
        may_promote=visit.who.may_somewhere(_PROMOTE),
        may_everywhere=visit.who.may(_PROMOTE, None),
        teams=_promotable(visit),
        form=visit.form,
        error=error,
    )


def _promotable(visit: Visit) -> list[TeamRow]:
    with visit.service.database.read() as link:
        return list(teams.page(link, after="", limit=_MOST_TEAMS, teams=visit.who.teams_with(_PROMOTE)))


def promote(visit: Visit) -> Response:
    """A digest for an environment that is there, or begins with it."""
    form, call = visit.form, call_of(visit)

    def act() -> None:
        promotions_api.promote(call, _wish(form, form.get("environment", "").strip(), form.get("component", "").strip()))

    return acted(visit, _list, act, _ROOM)


def _wish(form: dict[str, str], environment: str, component: str, team: int | None = None) -> NewPromotion:
    for name, text in (("environment", environment), ("component", component)):
        if not 0 < len(text) <= 300:
            raise invalid(f"{name} is missing or too long", "at most 300 letters")
    return NewPromotion(
        environment, component, form.get("digest", "").strip()[:200], form.get("image", "").strip()[:1000], form.get("reason", "").strip(),
        pins=bool(form.get("pins")), releases=bool(form.get("releases")), team=number_or_none(form, "team") if team is None else team,
    )  # fmt: skip


def show_environment(visit: Visit) -> Response:
    """One, with what runs in it."""
    return _one(visit.number("number"))(visit, None)


def _one(number: int) -> Callable[[Visit, Exception | None], Response]:
    """The page of an environment, with why something was not done."""

    def show(visit: Visit, error: Exception | None) -> Response:
        call = call_of(visit)
        found = api.get_environment(call, number)
        pairs = api.list_running_pairs(call, number, visit.request.query_params.get("after"))
        drifts = drifts_api.list_drifts(call, number, resolved=False, limit=_DRIFTS)
        return visit.page(
            "environment.html",
            status=status_of(error),
            environment=found,
            pairs=pairs.items,
            loud=[each for each in pairs.items if _is_loud(each)],
            steps={each.pair.id: phoenix.list_steps(call, each.pair.id, limit=_STEPS).items for each in pairs.items},
            drifts=drifts.items,
            more_drifts=drifts.next is not None,
            waiting=promotions_api.list_promotions(call, State.WAITING, number).items,
            onward=asking.address(visit, {"after": pairs.next}) if pairs.next else None,
            may_promote=visit.who.may(_PROMOTE, found.team),
            may_set=visit.who.may(_TERMS, found.team),
            unapproved=[each.value for each in Unapproved],
            most=(MOST_PEOPLE, MOST_DAYS),
            now=visit.service.now(),
            week=_WEEK,
            form=visit.form,
            error=error,
        )

    return show


def _is_loud(each: Any) -> bool:
    """Whether it runs, and is not approved now."""
    runs = each.wanted.running
    return runs is not None and not runs.approved


def change_environment(visit: Visit) -> Response:
    """One of the things that the page offers."""
    number, call, form = visit.number("number"), call_of(visit), visit.form
    found = api.get_environment(call, number)

    def act() -> object:
        match form.get("do", ""):
            case "promote":
                return promotions_api.promote(call, _wish(form, found.name, form.get("component", "").strip(), found.team))
            case "agree":
                return promotions_api.agree_to_promotion(call, number_in(form, "promotion"), Agreed(form.get("reason", "").strip()))
            case "decline":
                reason = form.get("reason", "").strip()
                if not reason:
                    raise invalid("the reason is missing", "say why it is not to run there")
                return promotions_api.decline_promotion(call, number_in(form, "promotion"), Declined(reason))
            case "ignore":
                away = LookAway(_time(form.get("until", "")), form.get("reason", "").strip())
                return drifts_api.ignore_drift(call, number_in(form, "drift"), away)
            case "look":
                return drifts_api.look_at_drift_again(call, number_in(form, "drift"))
            case _:
                raise invalid("nothing was chosen", "press one of the buttons")

    return acted(visit, _one(number), act, f"{_ROOM}/{number}")


def _time(text: str) -> str:
    """As browsers write a moment, which is meant in UTC here."""
    text = text.strip()[:40]
    return f"{text}Z" if text and text[-1:] not in {"Z", "z"} and "+" not in text else text


def change_terms(visit: Visit) -> Response:
    """What it asks from now on."""
    number, call, form = visit.number("number"), call_of(visit), visit.form

    def act() -> None:
        people, days = number_in(form, "people"), number_in(form, "ignore_days")
        if people > MOST_PEOPLE or days > MOST_DAYS:
            raise invalid("that is too much", f"at most {MOST_PEOPLE} people, at most {MOST_DAYS} days")
        api.put_environment_terms(call, number, EnvironmentTerms(people, days, chosen(form, "unapproved", Unapproved)))

    return acted(visit, _one(number), act, f"{_ROOM}/{number}")


def show_pair(visit: Visit) -> Response:
    """What a component went through: its generations and their steps."""
    number, call = visit.number("pair"), call_of(visit)
    with visit.service.database.read() as link:
        row = phoenix.visible(call, link, number)
    generations = phoenix.list_generations(call, number)
    steps = phoenix.list_steps(call, number, after=visit.request.query_params.get("after"))
    return visit.page(
        "deployed-pair.html",
        row=row,
        generations=generations.items,
        steps=steps.items,
        onward=asking.address(visit, {"after": steps.next}) if steps.next else None,
        now=visit.service.now(),
    )


SCREENS = [
    Screen("GET", _ROOM, show_environments, _READ),
    Screen("POST", _ROOM, promote, _PROMOTE),
    Screen("GET", f"{_ROOM}/{{number}}", show_environment, _READ),
    Screen("POST", f"{_ROOM}/{{number}}", change_environment, _PROMOTE),
    Screen("POST", f"{_ROOM}/{{number}}/terms", change_terms, _TERMS),
    Screen("GET", f"{_ROOM}/pairs/{{pair}}", show_pair, _READ),
]
