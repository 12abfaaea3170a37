"""A sample organisation: three teams, four repositories and half a year of changes, each judged by the real checks as of its day.

Guarantees: what is shown is what the checks said of real commits; only the clock is another one. Made once; asking again changes nothing.
Nothing here can be mistaken for somebody's own: every name begins with ``sample/``, its people cannot sign in until somebody lets them.
Not for a server that holds real figures already: history that is written behind days that were summed up is not in those sums.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.jobs.job import Job, Priority
from assaymark.model.access import Grant, Role, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.decision import DecisionKind, Scope
from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server import sample, sample_deployed
from assaymark.server.people.accounts import By
from assaymark.server.sample_code import DECISIONS, HISTORY, PEOPLE, TEAMS, Step
from assaymark.server.service import Service
from assaymark.server.work.deciding import Deciding
from assaymark.server.work.handlers import Attempt, handler
from assaymark.server.work.intake import Source, accept
from assaymark.store import people, teams
from assaymark.store.decisions import By as DecidedBy
from assaymark.store.decisions import Draft as DecisionDraft
from assaymark.store.decisions import day_of
from assaymark.store.people import Draft
from assaymark.store.tables import assessment, team

DAY = 86_400 * SECOND
JOB = "make-sample"
_HOUR = 3_600 * SECOND


def order(service: Service) -> None:
    """Let a worker make it."""
    with service.database.write() as connection:
        service.queue.put(connection, Job(JOB, {"until": service.now()}, key=JOB, lock=JOB, priority=Priority.INVENTORY, seconds=3000))


class _Made(Struct, frozen=True):
    """A repository of the sample."""

    name: str
    folder: Path
    team: TeamId

    @property
    def remote(self) -> RemoteRepository:
        return RemoteRepository(self.name, self.folder.as_uri(), default_branch="main")


def make_organisation(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Make what is missing of it (arguments: ``until``), oldest first; a step that is there is not made again."""
    until = Instant(int(arguments["until"]))
    numbers = _teams_and_people(service, Instant(until - 200 * DAY))
    repositories = {name: _Made(name, _folder(service, name), numbers[slug]) for name, slug in TEAMS.items()}
    heads: dict[tuple[str, str], str] = {}
    for place, step in sorted(enumerate(HISTORY), key=lambda each: (-each[1].days_ago, each[0])):
        if attempt.should_stop():
            return
        at = Instant(until - step.days_ago * DAY - (len(HISTORY) - place) * _HOUR // 4)
        made = repositories[step.repository]
        before = heads.get((made.name, step.branch), "")
        head = _commit(made, step, heads, at)
        heads[made.name, step.branch] = head
        past = msgspec.structs.replace(service, now=_clock(at))
        for trigger in _triggers(made, step, heads, before):
            _judge(past, made.team, trigger, attempt)
        sample_deployed.deploy(past, step, sample_deployed.Place(made.folder, made.team, head), attempt)
    sample_deployed.drift(msgspec.structs.replace(service, now=_clock(Instant(until - 12 * DAY))), numbers[TEAMS["sample/checkout"]])
    _decide(msgspec.structs.replace(service, now=lambda: Instant(until - 40 * DAY)), numbers)
    handler("sum-up-days")(service, {}, attempt)


def _clock(start: Instant) -> Callable[[], Instant]:
    """As if it were then: it goes on as fast as the real one, so that what takes time is seen to."""
    began = time.monotonic_ns()
    return lambda: Instant(start + (time.monotonic_ns() - began) // 1_000)


def _decide(past: Service, numbers: Mapping[str, TeamId]) -> None:
    """What the security manager of the sample let through, and until when."""
    with past.database.write() as connection:
        doing, sven = Deciding(past, connection), people.by_login(connection, "sven")
        said = By("sven", sven.id if sven is not None else None)
        for each in DECISIONS:
            draft = DecisionDraft(
                kind=DecisionKind(each.kind),
                scope=Scope(rule=each.rule, team=numbers[each.team]),
                reason=each.reason,
                owner=each.owner,
                until=day_of(past.now() + each.days * DAY),
                by=DecidedBy("sven", said.person),
                team=numbers[each.team],
                source="sample",
                origin=f"sample:{each.rule}",
            )
            doing.make(draft, said)
        doing.finish()


def _folder(service: Service, name: str) -> Path:
    return service.settings.data / "sample" / f"{name.removeprefix('sample/')}.git"


def _teams_and_people(service: Service, at: Instant) -> dict[str, TeamId]:
    found: dict[str, TeamId] = {}
    with service.database.write() as connection:
        for slug in sorted(set(TEAMS.values())):
            made = teams.add(connection, slug, slug.removeprefix("sample-").title(), at=at)
            number = made if made is not None else connection.execute(sa.select(team.c.id).where(team.c.slug == slug)).scalar_one()
            found[slug] = TeamId(number)
        for login, (name, role, slug) in PEOPLE.items():
            person = people.add(connection, Draft(login, name, f"{login}@example.org"), at=at)
            if person is not None:
                teams.give(connection, person, Grant(Role(role), found.get(slug)), source=teams.LOCAL, at=at)
    return found


def _commit(made: _Made, step: Step, heads: Mapping[tuple[str, str], str], at: Instant) -> str:
    """Write the commit into the bare repository; the same for the same instant."""
    if not made.folder.exists():
        made.folder.mkdir(mode=0o700, parents=True)
        sample.git(made.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(made.folder))
    start = heads.get((made.name, step.branch)) or heads.get((made.name, "main"), "")
    who = f"{PEOPLE[step.actor][0]} <{step.actor}@example.org> {at // SECOND} +0000"
    ref, message = f"refs/heads/{step.branch}", step.title.encode()
    told = [f"commit {ref}\nauthor {who}\ncommitter {who}\ndata {len(message)}\n".encode() + message + b"\n"]
    told.append(f"from {start}\n".encode() if start else b"")
    for path, text in step.files.items():
        content = text.encode()
        told.append(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
    sample.git(made.folder, "fast-import", "--quiet", "--force", "--done", given=b"".join(told) + b"done\n")
    return sample.git(made.folder, "rev-parse", ref).decode().strip()


def _triggers(made: _Made, step: Step, heads: Mapping[tuple[str, str], str], before: str) -> list[Trigger]:
    """What a forge would have told of it."""
    ref, head = f"refs/heads/{step.branch}", heads[made.name, step.branch]
    if step.branch != "main":
        base = heads.get((made.name, "main"), "")
        request = MergeRequest(step.request, "main", head, base, step.title, head_ref=step.branch)
        return [
            Trigger(
                TriggerKind.MERGE_REQUEST,
                made.remote,
                SubjectKind.MERGE_REQUEST,
                ref=ref,
                after=head,
                merge_request=request,
                actor=step.actor,
            )
        ]
    found = [Trigger(TriggerKind.PUSH, made.remote, ref=ref, before=before, after=head, actor=step.actor)]
    if step.ends:
        ended = MergeRequest(step.ends, "main", head, "", step.title)
        found.append(Trigger(TriggerKind.ENDED, made.remote, SubjectKind.MERGE_REQUEST, ref=ref, merge_request=ended, actor=step.actor))
    if step.deployed:
        details = {"url": f"https://{step.deployed}.example.org/", "version": head[:12]}
        found.append(
            Trigger(
                TriggerKind.DEPLOYMENT,
                made.remote,
                SubjectKind.ENVIRONMENT,
                ref=step.deployed,
                after=head,
                actor=step.actor,
                details=details,
            )
        )
    return found


def _judge(past: Service, of: TeamId, trigger: Trigger, attempt: Attempt) -> None:
    """As a worker would have done on that day."""
    with past.database.write() as connection:
        numbers = accept(past, connection, trigger, source=Source(team=of, cause="sample"))
        for number in numbers:
            past.queue.cancel(connection, f"assess:{number}")
    for number in numbers:
        handler("assess")(past, {"assessment": number}, attempt)
        with past.database.read() as connection:
            about = connection.execute(sa.select(assessment.c.subject, assessment.c.head).where(assessment.c.id == number)).one()
        if trigger.kind is TriggerKind.PUSH:
            handler("inventory")(past, {"subject": about.subject, "head": about.head}, attempt)
