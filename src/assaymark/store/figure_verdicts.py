"""What figures say of verdicts: how many, how soon, what they brought to light; what is judged at all; what runs, and since when.

Guarantees: all is read from rows that do not change any more (assessments that ended, `pasts`), so that a past instant keeps its numbers.
Times are counted in buckets that are 9 % wide, so that days can be joined; what is said is the bucket's upper end, so never too little.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, AssessmentState, Instant, SubjectId
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.store import bulk, pasts
from assaymark.store.figure_sums import ALL, day_of
from assaymark.store.tables import assessment, figure_day, subject

VERDICTS = ""
"""In `figure_day`: instead of a layer."""
a = assessment.c
STATES = (AssessmentState.PASS.value, AssessmentState.FAIL.value, AssessmentState.UNPROVEN.value)
UNASKED = (TriggerKind.IMPORT.value, TriggerKind.ADVISORY.value)
"""Triggers that are nobody's change: their verdicts are none of a change's speed or fault."""
_BOUNDS = [int(2 ** (n / 8) * 1000) for n in range(8 * 34)]
"""Microseconds: from a millisecond to five months."""


class Told(Struct, omit_defaults=True):
    """Of verdicts that came within a span."""

    passed: int = 0
    failed: int = 0
    unproven: int = 0
    stopped: int = 0
    """Of the failed ones: merge requests, so that nothing came in."""
    waits: dict[int, int] = msgspec.field(default_factory=dict)
    """From asking to the verdict: bucket -> how many."""
    deliveries: dict[int, int] = msgspec.field(default_factory=dict)
    """From the first time that a commit came to the server until it was told to be deployed."""
    brought: int = 0
    """New findings of changes."""
    unseen_seconds: int = 0
    """From when the change was made, as the forge says, or else came here, until its verdict named them: summed over these."""

    def add(self, other: Told) -> None:
        for name in ("passed", "failed", "unproven", "stopped", "brought", "unseen_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for mine, theirs in ((self.waits, other.waits), (self.deliveries, other.deliveries)):
            for bucket, many in theirs.items():
                mine[bucket] = mine.get(bucket, 0) + many


def bucket_of(microseconds: int) -> int:
    return bisect_left(_BOUNDS, microseconds, hi=len(_BOUNDS) - 1)


def percentile(buckets: Mapping[int, int], share: int) -> int | None:
    """Microseconds within which so many of a hundred were done; None when there were none."""
    left = -(-sum(buckets.values()) * share // 100)
    for bucket in sorted(buckets):
        left -= buckets[bucket]
        if left <= 0:
            return _BOUNDS[bucket]
    return None


def in_span(after: int, until: int, *more: sa.ColumnElement[bool]) -> list[sa.ColumnElement[bool]]:
    """Verdicts of changes that came after an instant and not after the other."""
    return [a.finished_at > after, a.finished_at <= until, a.state.in_(STATES), a.trigger.not_in(UNASKED), *more]


def told(connection: sa.Connection, after: int, until: int, *more: sa.ColumnElement[bool]) -> dict[int, Told]:
    """By team (`ALL` for everything), from the rows."""
    found: dict[int, Told] = {}
    columns = (a.team, a.state, a.queued_at, a.finished_at, a.new_findings, subject.c.kind)
    details = sa.case((a.new_findings > 0, a.trigger_details), else_="")
    query = sa.select(*columns, details).join(subject, subject.c.id == a.subject).where(*in_span(after, until, *more))
    for row in connection.execute(query):
        for each in _of(found, row[0]):
            _count(each, row)
    for team, took in _deliveries(connection, after, until, more):
        for each in _of(found, team):
            each.deliveries[bucket_of(took)] = each.deliveries.get(bucket_of(took), 0) + 1
    return found


def told_daily(connection: sa.Connection, after: int, until: int, *more: sa.ColumnElement[bool]) -> dict[int, Told]:
    """Day -> what verdicts said on it, from the rows, over all that is asked; without deliveries."""
    found: dict[int, Told] = {}
    columns = (a.team, a.state, a.queued_at, a.finished_at, a.new_findings, subject.c.kind)
    details = sa.case((a.new_findings > 0, a.trigger_details), else_="")
    query = sa.select(*columns, details).join(subject, subject.c.id == a.subject).where(*in_span(after, until, *more))
    for row in connection.execute(query):
        _count(found.setdefault(day_of(row[3]), Told()), row)
    return found


def _of(found: dict[int, Told], team: int | None) -> list[Told]:
    return [found.setdefault(number, Told()) for number in ((ALL,) if team is None else (ALL, team))]


def _count(each: Told, row: Any) -> None:
    _, state, queued, finished, new, kind, details = row
    bucket = bucket_of(finished - queued)
    each.waits[bucket] = each.waits.get(bucket, 0) + 1
    name = {"pass": "passed", "fail": "failed"}.get(state, "unproven")
    setattr(each, name, getattr(each, name) + 1)
    each.stopped += state == "fail" and kind == SubjectKind.MERGE_REQUEST
    if new:
        each.brought += new
        each.unseen_seconds += new * ((finished - _made(details, queued)) // SECOND)


def _made(details: str, queued: int) -> int:
    """When a change was made: what the forge says of its commit, unless that is later than when it came here, or is not said."""
    try:
        said = dt.datetime.fromisoformat(msgspec.json.decode(details, type=Trigger).at)
        when = int((said if said.tzinfo else said.replace(tzinfo=dt.UTC)).timestamp()) * SECOND
    except (*UNDECODABLE, OverflowError, ValueError):
        return queued
    return min(when, queued)


def _deliveries(connection: sa.Connection, after: int, until: int, more: Iterable[sa.ColumnElement[bool]]) -> list[tuple[int | None, int]]:
    """(team, microseconds) of deployments whose commit came to the server before."""
    # The trigger so written that no index is chosen for its sake: a span holds few verdicts, the deployments of years are many.
    is_deployment = a.trigger.op("||")("") == TriggerKind.DEPLOYMENT.value
    query = sa.select(a.team, a.queued_at, a.trigger_details).where(a.finished_at > after, a.finished_at <= until, is_deployment, *more)
    found = []
    for team, queued, details in connection.execute(query).all():
        commit = _commit(details)
        first = sa.select(sa.func.min(a.queued_at)).where(a.head == commit, a.trigger != TriggerKind.DEPLOYMENT.value)
        came = connection.execute(first).scalar() if commit else None
        if came is not None and came <= queued:
            found.append((team, queued - came))
    return found


def _commit(details: str) -> str:
    try:
        return msgspec.json.decode(details, type=Trigger).after
    except UNDECODABLE:
        return ""


def kept_told(connection: sa.Connection, first: int, last: int, teams: Sequence[int]) -> dict[int, Told]:
    """Day -> what verdicts said on it, over these teams, of the days that were summed up."""
    c = figure_day.c
    query = sa.select(c.day, c.counted).where(c.team.in_(teams), c.layer == VERDICTS, c.day >= first, c.day <= last)
    found: dict[int, Told] = {}
    for day, text in connection.execute(query):
        found.setdefault(day, Told()).add(msgspec.json.decode(text, type=Told))
    return found


# --- worse, judged, running ------------------------------------------------------------------------------------------


class Weakened(Struct, frozen=True):
    """When a change that made something worse came in last."""

    at: Instant | None
    """None: never since `since`."""
    assessment: int | None
    since: Instant | None
    """The first verdict of all; None when there was none."""


def weakened(connection: sa.Connection, at: int, narrowed: Sequence[sa.ColumnElement[bool]]) -> Weakened:
    """The last verdict `fail` of what exists (not of a merge request, which was stopped by it) that a change caused."""
    exists = sa.select(subject.c.id).where(subject.c.id == a.subject, subject.c.kind != SubjectKind.MERGE_REQUEST.value).exists()
    caused = (exists, a.trigger.not_in(UNASKED), a.finished_at <= at)
    query = sa.select(a.finished_at, a.id).where(a.state == AssessmentState.FAIL.value, *caused, *narrowed)
    last = connection.execute(query.order_by(a.finished_at.desc(), a.id.desc()).limit(1)).first()
    begin = sa.select(a.finished_at).where(a.state.in_(STATES), *caused, *narrowed).order_by(a.finished_at).limit(1)
    first = connection.execute(begin).scalar()
    return Weakened(last[0] if last else None, last[1] if last else None, None if first is None else Instant(first))


class Coverage(Struct, frozen=True):
    """Of everything that exists (merge requests left out)."""

    subjects: int = 0
    unproven: int = 0
    """Could not be judged whole the last time."""
    never: int = 0
    """Have never been judged."""


class Existing(Struct, frozen=True):
    """A subject that existed at an instant, with the state of its last verdict by then."""

    id: SubjectId
    kind: str
    state: str
    level: str
    team: TeamId | None


def existing(
    connection: sa.Connection, at: int, mine: Sequence[int] | None, narrowed: Sequence[sa.ColumnElement[bool]] = ()
) -> list[Existing]:
    """By id; of these teams, or (None) all; `narrowed` may only ask what of a subject does not change."""
    c = subject.c
    changed = pasts.then(connection, Instant(at))
    alive = sa.or_(c.ended_at.is_(None), c.ended_at > at)
    theirs = sa.true() if mine is None else c.team.in_(mine)
    now = sa.and_(alive, theirs)
    if changed:
        now = sa.or_(now, bulk.among(connection, c.id, sorted(changed)))
    query = sa.select(c.id, c.kind, c.team, c.ended_at, _last(a.state, at).label("state"), _last(a.level, at).label("level"))
    query = query.where(c.kind != SubjectKind.MERGE_REQUEST.value, c.created_at <= at, now, *narrowed).order_by(c.id)
    found = []
    for row in connection.execute(query):
        team, ended = (row.team, row.ended_at) if row.id not in changed else (changed[row.id].team, changed[row.id].ended_at)
        if (ended is None or ended > at) and (mine is None or team in mine):
            found.append(Existing(row.id, row.kind, row.state or "", row.level or "", team))
    return found


def _last(column: sa.ColumnElement[str], at: int) -> sa.ScalarSelect[str]:
    """Of a subject's last verdict by then. A scalar per column, since PostgreSQL reads all assessments to join one of them."""
    query = sa.select(column).where(
        a.subject == subject.c.id, a.finished_at <= at, a.state.in_(STATES), a.trigger != TriggerKind.IMPORT.value
    )
    return query.order_by(a.finished_at.desc(), a.id.desc()).limit(1).correlate(subject).scalar_subquery()


def coverage(rows: Sequence[Existing]) -> Coverage:
    states = [row.state for row in rows]
    return Coverage(len(rows), states.count(AssessmentState.UNPROVEN.value), states.count(""))


class Running(Struct, frozen=True):
    """What runs in the environments."""

    environments: int = 0
    untold: int = 0
    """Of which no deployment was ever told."""
    oldest: Instant | None = None
    """When the oldest of the present deployments was told."""
    subject: SubjectId | None = None


def running(connection: sa.Connection, at: int, rows: Sequence[Existing]) -> Running:
    """Environments among them, each with its last deployment by then."""
    ids = [row.id for row in rows if row.kind == SubjectKind.ENVIRONMENT]
    if not ids:
        return Running()
    told_at = sa.select(sa.func.max(a.queued_at)).where(
        a.trigger == TriggerKind.DEPLOYMENT.value, a.subject == subject.c.id, a.queued_at <= at
    )
    query = sa.select(subject.c.id, told_at.correlate(subject).scalar_subquery()).where(bulk.among(connection, subject.c.id, ids))
    found = {row[0]: row[1] for row in connection.execute(query)}
    since = sorted((when, number) for number, when in found.items() if when is not None)
    if not since:
        return Running(len(ids), len(ids))
    when, number = since[0]
    return Running(len(ids), len(ids) - len(since), Instant(when), SubjectId(number))
