"""Which endorsements a revocation covers: asked of indexes, and written down in portions.

A withdrawal is an index of what `endorsement.verify` says by itself of a signed statement: both compare the same names and the same second.
Of keys a withdrawal is written when none is left that was not revoked; which number of keys is enough is for the trust document.

Guarantees: which endorsements are withdrawn does not depend on the order of revocations, nor on whether an endorsement came before or after
(`settle`); writing it again changes nothing; memory and statements are bounded by portions, however many endorsements there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.approval import instant
from assaymark.endorsement.revocation import Target
from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, AssessmentId, Instant, SubjectId
from assaymark.store import bulk
from assaymark.store.affected import Question
from assaymark.store.narrowing import MOST_COUNTED, Teams, counted, of_teams
from assaymark.store.revocations import RevocationRow
from assaymark.store.tables import (
    endorsed_digest,
    endorsement,
    endorsement_key,
    endorsement_part,
    endorsement_withdrawal,
    package_set,
    revocation,
    subject,
)
from assaymark.store.whereabouts import hits_of

AT_ONCE = 10_000
"""Endorsements that one transaction withdraws."""
e, w, r, k = endorsement.c, endorsement_withdrawal.c, revocation.c, endorsement_key.c
_VERIFIED = e.verified_at // SECOND * SECOND
"""A signed statement says it to the second."""


class Covered(Struct, frozen=True):
    """An endorsement that is, or would be, withdrawn."""

    id: int
    digest: str
    resource: str
    head: str
    subject: SubjectId
    subject_name: str
    team: TeamId | None
    assessment: AssessmentId
    verified_at: Instant
    expires_at: Instant


class Mark(Struct, frozen=True):
    """What a revocation is about, with its window as instants."""

    target: Target
    name: str
    since_at: Instant | None = None
    until_at: Instant | None = None


# --- what is covered -------------------------------------------------------------------------------------------------


def covering(mark: Mark) -> sa.Select[Any]:
    """Ids of the endorsements that it covers."""
    query = sa.select(e.id).where(*_named(mark.target, mark.name))
    if mark.since_at is not None:
        query = query.where(mark.since_at <= _VERIFIED)
    if mark.until_at is not None:
        query = query.where(mark.until_at >= _VERIFIED)
    return query


def _named(target: Target, name: str) -> list[sa.ColumnElement[bool]]:
    match target:
        case Target.ENDORSEMENT:
            return [e.digest == name]
        case Target.SUBJECT:
            return [e.id.in_(sa.select(endorsed_digest.c.endorsement).where(endorsed_digest.c.digest == name))]
        case Target.KEY:
            return [e.id.in_(sa.select(k.endorsement).where(k.keyid == name)), ~_key_left(name)]
        case Target.ENGINE:
            part, _, version = name.partition("@")
            return [e.rules == version] if part == "rules" else [e.engine == name]
        case Target.COMPONENT:
            return [e.id.in_(sa.select(endorsement_part.c.endorsement).where(endorsement_part.c.digest == name))]
        case Target.POLICY:
            return [e.policy == name]


def _key_left(name: str) -> sa.ColumnElement[bool]:
    """Whether a key besides this one signed it that no revocation covers."""
    other = endorsement_key.alias("other")
    revoked = sa.exists().where(r.target == Target.KEY.value, r.name == other.c.keyid, *_within_window())
    return sa.exists().where(other.c.endorsement == e.id, other.c.keyid != name, ~revoked)


def _within_window() -> list[sa.ColumnElement[bool]]:
    """Whether the row of `revocation` covers the time of the row of `endorsement`."""
    return [sa.or_(r.since_at.is_(None), r.since_at <= _VERIFIED), sa.or_(r.until_at.is_(None), r.until_at >= _VERIFIED)]


def holding(question: Question) -> sa.Select[Any]:
    """Ids of the endorsements of what holds packages that are asked for by name (`wanted.question_of`)."""
    if not (question.ranges or question.words):
        return sa.select(e.id).where(sa.false())
    hits = hits_of(question)
    parts = sa.select(endorsement_part.c.endorsement).join(package_set, package_set.c.digest == endorsement_part.c.digest)
    parts = parts.join(hits, hits.c.package_set == package_set.c.id)
    return sa.select(e.id).where(e.id.in_(parts))


def within(query: sa.Select[Any], since: str, until: str) -> sa.Select[Any]:
    """Of endorsements of what was verified within a window, as it is written."""
    for text, inside in ((since, _VERIFIED.__ge__), (until, _VERIFIED.__le__)):
        if text:
            query = query.where(inside(instant(text)))
    return query


def of_teams_only(query: sa.Select[Any], teams: Teams) -> sa.Select[Any]:
    """Of endorsements of these teams."""
    return query.where(*of_teams(e.team, teams))


def not_withdrawn(query: sa.Select[Any]) -> sa.Select[Any]:
    """Of endorsements that nothing withdrew."""
    return query.where(~sa.exists().where(w.endorsement == e.id))


def portion(connection: sa.Connection, query: sa.Select[Any], *, after: int, limit: int = AT_ONCE) -> list[int]:
    """The next ids of endorsements, in their order."""
    return list(connection.execute(query.where(e.id > after).order_by(e.id).limit(limit)).scalars())


def count(connection: sa.Connection, query: sa.Select[Any], most: int = MOST_COUNTED) -> int:
    """How many there are, counted up to `most`."""
    return counted(connection, query, most)


def by_team(connection: sa.Connection, query: sa.Select[Any]) -> dict[TeamId | None, int]:
    """How many of each team."""
    chosen = query.subquery()
    grouped = sa.select(e.team, sa.func.count()).join(chosen, chosen.c.id == e.id).group_by(e.team)
    return {row[0]: row[1] for row in connection.execute(grouped)}


def rows_of(connection: sa.Connection, ids: Sequence[int]) -> list[Covered]:
    """These endorsements, in the order of their ids."""
    columns = [e[name] for name in Covered.__struct_fields__ if name != "subject_name"]
    query = sa.select(*columns, subject.c.name.label("subject_name")).join(subject, subject.c.id == e.subject)
    rows = connection.execute(query.where(bulk.among(connection, e.id, ids)).order_by(e.id))
    return [Covered(**row._asdict()) for row in rows]


# --- writing it down -------------------------------------------------------------------------------------------------


def mark_of(row: RevocationRow) -> Mark:
    """What a row of the list is about."""
    ends = (instant(text) if text else None for text in (row.since, row.until))
    return Mark(Target(row.target), row.name, *ends)


def write(connection: sa.Connection, row: RevocationRow, at: Instant, *, after: int = 0, limit: int = AT_ONCE) -> tuple[int, int | None]:
    """Withdraw the next endorsements that a row of the list covers; (how many it looked at, where it goes on or None at the end)."""
    ids = portion(connection, covering(mark_of(row)), after=after, limit=limit)
    pairs = _by_keys(connection, ids) if row.target == Target.KEY else ((number, row.id) for number in ids)
    write_pairs(connection, pairs, at)
    return len(ids), ids[-1] if len(ids) == limit else None


def _by_keys(connection: sa.Connection, ids: Sequence[int]) -> Iterable[tuple[int, int]]:
    """(endorsement, revocation) for every revocation of a key that signed one of these: whichever came last."""
    query = sa.select(e.id, r.id).join(endorsement_key, k.endorsement == e.id)
    query = query.join(revocation, sa.and_(r.target == Target.KEY.value, r.name == k.keyid, *_within_window()))
    for some in bulk.portions(ids):
        for row in connection.execute(query.where(bulk.among(connection, e.id, some))):
            yield row[0], row[1]


def write_pairs(connection: sa.Connection, pairs: Iterable[tuple[int, int]], at: Instant) -> None:
    """(endorsement, revocation) that are known already."""
    rows = sorted((*pair, at) for pair in pairs)
    bulk.add_unless_there(connection, endorsement_withdrawal, ("endorsement", "revocation", "at"), rows)


def settle(connection: sa.Connection, numbers: Sequence[int], at: Instant) -> frozenset[int]:
    """Withdraw those of these new endorsements that the list covers already; gives which. For whoever records an endorsement."""
    found: set[tuple[int, int]] = set()
    for some in bulk.portions(numbers):
        for target, names in _names(connection, some).items():
            query = sa.select(names.c.endorsement, r.id).select_from(names).join(endorsement, e.id == names.c.endorsement)
            query = query.join(revocation, sa.and_(r.target == target.value, r.name == names.c.name, *_within_window()))
            rows = [(row[0], row[1]) for row in connection.execute(query)]
            if target is Target.KEY:
                left = _left(connection, [number for number, _ in rows])
                rows = [row for row in rows if row[0] not in left]
            found.update(rows)
    write_pairs(connection, found, at)
    return frozenset(number for number, _ in found)


def _names(connection: sa.Connection, numbers: Sequence[int]) -> dict[Target, sa.Subquery]:
    """By what each can be revoked."""

    def rows(table: sa.Table, number: sa.ColumnElement[Any], name: sa.ColumnElement[Any]) -> sa.Select[Any]:
        chosen = bulk.among(connection, number, numbers)
        return sa.select(number.label("endorsement"), name.label("name")).select_from(table).where(chosen)

    engines = sa.union_all(rows(endorsement, e.id, e.engine), rows(endorsement, e.id, sa.literal("rules@").concat(e.rules)))
    digests, parts = endorsed_digest.c, endorsement_part.c
    return {
        Target.ENDORSEMENT: rows(endorsement, e.id, e.digest).subquery(),
        Target.SUBJECT: rows(endorsed_digest, digests.endorsement, digests.digest).subquery(),
        Target.KEY: rows(endorsement_key, k.endorsement, k.keyid).subquery(),
        Target.ENGINE: engines.subquery(),
        Target.COMPONENT: rows(endorsement_part, parts.endorsement, parts.digest).subquery(),
        Target.POLICY: rows(endorsement, e.id, e.policy).subquery(),
    }


def _left(connection: sa.Connection, numbers: Sequence[int]) -> set[int]:
    """Which of these were signed by a key that was not revoked."""
    revoked = sa.exists().where(r.target == Target.KEY.value, r.name == k.keyid, *_within_window())
    query = sa.select(e.id).join(endorsement_key, k.endorsement == e.id).where(bulk.among(connection, e.id, numbers), ~revoked)
    return set(connection.execute(query).scalars())


# --- what was withdrawn ----------------------------------------------------------------------------------------------


def withdrawn(connection: sa.Connection, numbers: Sequence[int]) -> frozenset[int]:
    """Which of these endorsements were."""
    query = sa.select(w.endorsement).where(bulk.among(connection, w.endorsement, numbers))
    return frozenset(connection.execute(query).scalars())


def under(row: RevocationRow) -> sa.Select[Any]:
    """Ids of the endorsements that a row, or what it led to, withdrew."""
    led = sa.select(r.id).where(r.parent == row.id)
    mine = w.revocation == row.id if row.listed else w.revocation.in_(led)
    return sa.select(e.id).where(e.id.in_(sa.select(w.endorsement).where(mine)))


def news(row: RevocationRow, since: Instant) -> sa.Select[Any]:
    """Of those the ones that it was the first to withdraw, from this moment on."""
    led = sa.select(r.id).where(r.parent == row.id)
    mine = w.revocation == row.id if row.listed else w.revocation.in_(led)
    earlier = endorsement_withdrawal.alias("earlier").c
    before = sa.exists().where(earlier.endorsement == w.endorsement, earlier.revocation < w.revocation)
    return sa.select(e.id).where(e.id.in_(sa.select(w.endorsement).where(mine, w.at >= since, ~before)))


def of_endorsement(connection: sa.Connection, number: int) -> list[tuple[int, Instant]]:
    """(revocation, when it was written down) of an endorsement, the oldest first."""
    query = sa.select(w.revocation, w.at).where(w.endorsement == number).order_by(w.revocation)
    return [(row[0], row[1]) for row in connection.execute(query)]
