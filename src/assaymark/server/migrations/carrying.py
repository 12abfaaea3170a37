"""A plan is carried out: teams, subjects, findings, what is held, decisions, comments, one subject after the other.

Guarantees: carried out again, nothing is made twice, and what broke off goes on; each subject's findings are one transaction, its decisions
another; findings stand under the names of their tools, so that the tool's next report replaces them and what is still there keeps its age.
With `dry` nothing is written. Not done: rights of people; scheduling; looking whether a subject is looked after here under another name.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, Instant, SubjectId
from assaymark.model.decision import MOST_DAYS, Scope
from assaymark.model.digest import digest_of
from assaymark.model.finding import ComponentSite
from assaymark.model.identity import CURRENT, Seen, core_of, fingerprint
from assaymark.model.rules import catalogue
from assaymark.server.imports.found import Spoken
from assaymark.server.migrations.plan import Decided, Plan, Planned
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import importing
from assaymark.server.work.deciding import Deciding
from assaymark.store import arrivals, bulk, comments, teams, trail
from assaymark.store.arrivals import Place
from assaymark.store.comments import About, Thing, Words
from assaymark.store.decisions import By as Decider
from assaymark.store.decisions import Draft
from assaymark.store.tables import comment
from assaymark.store.tables import finding as findings

_OUTSIDE = re.compile(r"[^a-z0-9]+")
_DECISIONS_AT_ONCE = 500


class Migrated(Struct, frozen=True):
    """What came of it, or would."""

    source: str
    dry: bool
    subjects: int = 0
    teams: int = 0
    findings: int = 0
    opened: int = 0
    components: int = 0
    decisions: int = 0
    comments: int = 0
    taken: dict[str, int] = {}
    """What becomes what."""
    lost: dict[str, int] = {}
    """What is not taken over, and why."""


def carry_out(service: Service, plan: Plan, by: By, *, dry: bool = False) -> Migrated:
    """Do it; the numbers are of what was made now, and of everything that the plan holds in `findings`."""
    counts = dict.fromkeys(("teams", "opened", "components", "decisions", "comments"), 0)
    today = _day(service)
    for planned in plan.subjects:
        timely = [row for row in planned.decided if row.until is None or row.until >= today]
        plan.loses("decisions whose last day is over", len(planned.decided) - len(timely))
        planned.decided = timely
        if not dry:
            _one(service, planned, (plan, by), counts)
    if dry:
        counts |= {
            "teams": _unknown_teams(service, plan),
            "components": sum(len(held.packages) for planned in plan.subjects for _, held in planned.sets.values()),
            "decisions": sum(len(planned.decided) for planned in plan.subjects),
            "comments": sum(len(planned.notes) for planned in plan.subjects) if by.person is not None else 0,
        }
    if by.person is None:
        plan.loses("notes, because nobody is named in whose name they are said", sum(len(planned.notes) for planned in plan.subjects))
    findings_ = sum(len(planned.seen) for planned in plan.subjects)
    return Migrated(plan.source, dry, len(plan.subjects), findings=findings_, taken=dict(plan.taken), lost=dict(plan.lost), **counts)


def _day(service: Service) -> dt.date:
    return dt.datetime.fromtimestamp(service.now() / SECOND, dt.UTC).date()


def _unknown_teams(service: Service, plan: Plan) -> int:
    names = {_slug(planned.team) for planned in plan.subjects if planned.team}
    with service.database.read() as link:
        return sum(teams.by_slug(link, name) is None for name in names)


def _one(service: Service, planned: Planned, whose: tuple[Plan, By], counts: dict[str, int]) -> None:
    plan, by = whose
    number, team, is_new_team = _settled(service, planned, by)
    counts["teams"] += is_new_team
    names = {id(seen): fingerprint(core_of(seen, catalogue()), CURRENT) for seen in planned.seen}
    if planned.seen or planned.sets:
        spoken = Spoken(tuple(planned.seen), checks=tuple(planned.checks.items()), sets=planned.sets)
        mark = f"migration {digest_of([planned.key, sorted(names.values()), sorted(digest for digest, _ in planned.sets.values())])}"
        given = (mark, _ages(planned, names))
        done = importing.take_over(service, number, spoken, importing.By(by.actor, by.person, by.origin), given)
        counts["opened"] += done.opened
        counts["components"] += done.components
    for at in range(0, len(planned.decided), _DECISIONS_AT_ONCE):
        portion = planned.decided[at : at + _DECISIONS_AT_ONCE]
        counts["decisions"] += _decide(service, portion, (number, team, names), (plan, by))
    counts["comments"] += _say(service, planned, (team, names), by)


def _settled(service: Service, planned: Planned, by: By) -> tuple[SubjectId, TeamId | None, bool]:
    at = service.now()
    with service.database.write() as link:
        team, is_new = _team(link, planned.team, at)
        if is_new:
            trail.record(link, trail.Action(at=at, actor=by.actor, person=by.person, action="team.created", outcome="success",
                                            object_kind="team", object=str(team), origin=by.origin))  # fmt: skip
        row = arrivals.find(link, planned.kind, planned.key)
        if row is None:
            row = arrivals.settle(link, Place(planned.kind, planned.key, planned.name, ref="", repository=None, team=team), at)
        return row.id, row.team, is_new


def _slug(name: str) -> str:
    return _OUTSIDE.sub("-", name.lower()).strip("-")[:60] or "team"


def _team(link: sa.Connection, name: str, at: Instant) -> tuple[TeamId | None, bool]:
    if not name:
        return None, False
    slug = _slug(name)
    there = teams.by_slug(link, slug)
    if there is not None:
        return there.id, False
    return teams.add(link, slug, name[:200], at=at), True


def _ages(planned: Planned, names: Mapping[int, str]) -> dict[str, Instant]:
    found: dict[str, Instant] = {}
    for seen in planned.seen:
        day = planned.ages.get((seen.input, seen.sighting.rule))
        if day is not None:
            instant = Instant(int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp()) * SECOND)
            found[names[id(seen)]] = min(instant, found.get(names[id(seen)], instant))
    return found


def _decide(
    service: Service, rows: list[Decided], about: tuple[SubjectId, TeamId | None, Mapping[int, str]], given: tuple[Plan, By]
) -> int:
    (number, team, names), (plan, by) = about, given
    made = 0
    with service.database.write() as link:
        deciding = Deciding(service, link)
        today = _day(service)
        for row in rows:
            until = min(row.until or today + dt.timedelta(days=MOST_DAYS), today + dt.timedelta(days=MOST_DAYS))
            scope = _scope(row, number, names)
            draft = Draft(row.kind, scope, row.reason, row.owner or "unknown", until, Decider(by.actor, by.person), team,
                          justification=row.justification, source="import", origin=row.origin)  # fmt: skip
            try:
                made += deciding.make(draft, by) is not None
            except UsageError as error:
                plan.loses(f"decisions that cannot be taken over: {error.what}")
        deciding.finish()
    return made


def _scope(row: Decided, number: SubjectId, names: Mapping[int, str]) -> Scope:
    if row.seen is None:
        return Scope(package=row.package, version=row.version, advisory=row.advisory, subject=number)
    site = row.seen.sighting.site
    if isinstance(site, ComponentSite):
        return Scope(package=site.package, advisory=site.advisory, subject=number)
    return Scope(finding=names.get(id(row.seen)) or fingerprint(core_of(row.seen, catalogue()), CURRENT), subject=number)


def _say(service: Service, planned: Planned, about: tuple[TeamId | None, Mapping[int, str]], by: By) -> int:
    """Each word once; without somebody in whose name it is said, none."""
    team, names = about
    if by.person is None or not planned.notes:
        return 0
    wanted = sorted({_name(note.seen, names) for note in planned.notes})
    said = 0
    with service.database.write() as link:
        numbers: dict[str, int] = {}
        for portion in bulk.portions(wanted):
            chosen = sa.select(findings.c.fingerprint, findings.c.id).where(bulk.among(link, findings.c.fingerprint, portion))
            numbers |= {row[0]: row[1] for row in link.execute(chosen)}
        for note in planned.notes:
            number = numbers.get(_name(note.seen, names))
            if number is None or _is_said(link, number, note.text):
                continue
            comments.say(link, Words(Thing(About.FINDING, number), team, by.person, note.text), service.now())
            said += 1
    return said


def _name(seen: Seen, names: Mapping[int, str]) -> str:
    return names.get(id(seen), "")


def _is_said(link: sa.Connection, number: int, text: str) -> bool:
    c = comment.c
    return link.execute(sa.select(c.id).where(c.about == About.FINDING.value, c.number == number, c.text == text)).first() is not None
