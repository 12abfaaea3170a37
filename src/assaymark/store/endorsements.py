"""Endorsements: what was signed about which digest, how it is found again, and what it is made of.

Guarantees: an endorsement is known by the digest of its statement and stands here once; rows are never changed. Whether one is in force is
derived from its times and from what was taken back (`withdrawn`), for any instant; the signed statement, not a row, says what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NewType

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import AssessmentId, Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.store import bulk
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import (
    component,
    endorsed_digest,
    endorsement,
    endorsement_evidence,
    endorsement_key,
    endorsement_part,
    endorsement_withdrawal,
    package,
    package_set,
    subject,
    unordered_component,
)

EndorsementId = NewType("EndorsementId", int)
PACKAGES, LINEAGE, LAYERS = "packages", "lineage", "layers"
"""Kinds of parts: digests of package sets, of what it was built from, and of all layers of an image (`beginnings.chains_of`)."""
_TEXTS = ("levels", "environments", "approved_by")
c, d = endorsement.c, endorsed_digest.c


class New(Struct, frozen=True):
    """What is written down of one that was signed."""

    digest: Digest
    """Of the statement."""
    bundle: Digest
    """In the blobs."""
    assessment: AssessmentId
    subject: SubjectId
    team: TeamId | None
    kind: str
    """Of the subject."""
    head: str
    resource: str
    verifier: str
    engine: str
    rules: str
    policy: str
    advisories: str
    verdict: str
    levels: tuple[str, ...]
    environments: tuple[str, ...]
    approved_by: tuple[str, ...]
    verified_at: Instant
    expires_at: Instant
    made_at: Instant
    asked_by: str = ""
    person: PersonId | None = None


class Index(Struct, frozen=True):
    """By what it is found."""

    digests: tuple[str, ...]
    """``<algorithm>:<hex>`` of what it is about."""
    keys: tuple[str, ...]
    packages: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()
    layers: str = ""
    """Of an image: the digest of all its layers."""
    evidence: tuple[int, ...] = ()


class EndorsementRow(New, frozen=True, kw_only=True):
    """One as lists show it."""

    id: EndorsementId
    subject_name: str
    withdrawn_at: Instant | None = None
    """When it was taken back; None: it was not."""
    is_valid: bool
    """At the instant that was asked about: begun, not ended, not taken back."""


class Filter(Struct, frozen=True):
    """Which ones; what is empty is not asked."""

    digest: str = ""
    """``<algorithm>:<hex>``, or digits alone for any algorithm."""
    digests: tuple[str, ...] = ()
    resource: str = ""
    team: TeamId | None = None
    subject: SubjectId | None = None
    environment: str = ""
    """That may be run in, or that say nothing of where."""
    package_set: str = ""
    lineage: str = ""
    key: str = ""
    engine: str = ""
    rules: str = ""
    policy: str = ""
    valid: bool | None = None


class Part(Struct, frozen=True):
    before: int | None = None
    limit: int = 50


# --- written ---------------------------------------------------------------------------------------------------------


def add(connection: sa.Connection, new: New, index: Index) -> EndorsementId | None:
    """Within the caller's transaction; None, and nothing written, when this assessment was endorsed before."""
    row = {name: getattr(new, name) for name in New.__struct_fields__}
    row |= {name: msgspec.json.encode(getattr(new, name)).decode() for name in _TEXTS}
    number = insert_new(connection, endorsement, row, "assessment")
    if number is None:
        return None
    parts = [(PACKAGES, each) for each in index.packages] + [(LINEAGE, each) for each in index.lineage]
    parts += [(LAYERS, index.layers)] if index.layers else []
    bulk.add(connection, endorsed_digest, ("digest", "endorsement"), [(each, number) for each in dict.fromkeys(index.digests)])
    bulk.add(connection, endorsement_key, ("keyid", "endorsement"), [(each, number) for each in dict.fromkeys(index.keys)])
    bulk.add(connection, endorsement_part, ("kind", "digest", "endorsement"), [(*each, number) for each in dict.fromkeys(parts)])
    known = [(number, each) for each in dict.fromkeys(index.evidence)]
    bulk.add(connection, endorsement_evidence, ("endorsement", "evidence"), known)
    return EndorsementId(number)


# --- asked -----------------------------------------------------------------------------------------------------------


def one(connection: sa.Connection, number: int, now: Instant) -> EndorsementRow | None:
    return next(iter(_rows(connection, _query(now).where(c.id == number), now)), None)


def by_name(connection: sa.Connection, name: str, now: Instant) -> EndorsementRow | None:
    """By the digest of its statement."""
    return next(iter(_rows(connection, _query(now).where(c.digest == name), now)), None)


def of_assessment(connection: sa.Connection, number: AssessmentId, now: Instant) -> EndorsementRow | None:
    return next(iter(_rows(connection, _query(now).where(c.assessment == number), now)), None)


def by_digest(connection: sa.Connection, digest: str, now: Instant, *, teams: Teams = None, limit: int = 20) -> list[EndorsementRow]:
    """All about this digest, those in force first, then the newest."""
    rows = page(connection, teams, Filter(digest=digest), now, Part(limit=MOST_ROWS))[0]
    return sorted(rows, key=lambda row: (not row.is_valid, -row.id))[:limit]


def page(connection: sa.Connection, teams: Teams, asked: Filter, now: Instant, part: Part) -> tuple[list[EndorsementRow], int | None]:
    """The newest first, as of `now`: what was made later is not there yet."""
    limit = max(1, min(part.limit, MOST_ROWS))
    query = _query(now).where(c.made_at <= now, *of_teams(c.team, teams), *_conditions(asked, now))
    if part.before is not None:
        query = query.where(c.id < part.before)
    rows = _rows(connection, query.order_by(c.id.desc()).limit(limit + 1), now)
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def ending(connection: sa.Connection, now: Instant, until: Instant, *, after: int, limit: int) -> list[EndorsementRow]:
    """Those in force that end by then while no other one of the same head holds longer; in the order of their rows."""
    other = endorsement.alias()
    longer = sa.exists().where(other.c.subject == c.subject, other.c.head == c.head, other.c.expires_at > c.expires_at)
    which = [*_in_force(now), c.expires_at <= until, c.id > after, ~longer.correlate(endorsement)]
    return _rows(connection, _query(now).where(*which).order_by(c.id).limit(limit), now)


def ids(connection: sa.Connection, asked: Filter, now: Instant) -> list[EndorsementId]:
    """Of all that are meant, oldest first, however many."""
    query = sa.select(c.id).where(c.made_at <= now, *_conditions(asked, now)).order_by(c.id)
    return [EndorsementId(number) for number in connection.execute(query).scalars()]


def named(connection: sa.Connection, digest: str, teams: Teams) -> str:
    """What people call something that was endorsed; empty where nothing of this digest is of these teams."""
    query = sa.select(subject.c.name).join(endorsement, c.subject == subject.c.id).join(endorsed_digest, d.endorsement == c.id)
    found = connection.execute(query.where(d.digest == digest, *of_teams(c.team, teams)).order_by(c.id.desc()).limit(1)).scalar()
    return str(found or "")


def digests_of(connection: sa.Connection, numbers: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
    """Endorsement -> digests of what it is about."""
    return _grouped(connection, sa.select(d.endorsement, d.digest), d.endorsement, numbers)


def keys_of(connection: sa.Connection, numbers: Iterable[int]) -> Mapping[int, tuple[str, ...]]:
    """Endorsement -> ids of the keys that signed it."""
    k = endorsement_key.c
    return _grouped(connection, sa.select(k.endorsement, k.keyid), k.endorsement, numbers)


def parts_of(connection: sa.Connection, numbers: Iterable[int], kind: str) -> Mapping[int, tuple[str, ...]]:
    """Endorsement -> digests of its package sets, or of what it was built from."""
    p = endorsement_part.c
    return _grouped(connection, sa.select(p.endorsement, p.digest).where(p.kind == kind), p.endorsement, numbers)


def holding_package(connection: sa.Connection, name: str, version: str, now: Instant) -> list[EndorsementId]:
    """Endorsements in force of what holds a package (as the index of advisories names it) in this version, or (empty) in any."""
    sets = []
    for table in (component, unordered_component):
        query = sa.select(table.c.package_set).join(package, package.c.id == table.c.package).where(package.c.name == name)
        sets.append(query.where(table.c.version == version) if version else query)
    held = sa.select(package_set.c.digest).where(package_set.c.id.in_(sa.union(*sets)))
    return _made_of(connection, PACKAGES, endorsement_part.c.digest.in_(held), now)


def holding_sets(connection: sa.Connection, sets: Sequence[int], now: Instant) -> list[EndorsementId]:
    """Endorsements in force of what holds one of these package sets (numbers, as `affected.hit_by` gives them)."""
    found: set[EndorsementId] = set()
    for some in bulk.portions(sorted(set(sets))):
        digests = sa.select(package_set.c.digest).where(package_set.c.id.in_(some))
        found |= set(_made_of(connection, PACKAGES, endorsement_part.c.digest.in_(digests), now))
    return sorted(found)


def built_from(connection: sa.Connection, digest: str, now: Instant) -> list[EndorsementId]:
    """Endorsements in force of what was built from this."""
    return _made_of(connection, LINEAGE, endorsement_part.c.digest == digest, now)


def some(connection: sa.Connection, at: Instant) -> bool:
    """Whether anything had been endorsed by then."""
    return connection.execute(sa.select(c.id).where(c.made_at <= at).limit(1)).first() is not None


def in_force_where(connection: sa.Connection, digests: Sequence[str], at: Instant) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Digest -> environments of each endorsement of it that was in force then."""
    joined = endorsed_digest.join(endorsement, c.id == d.endorsement)
    query = sa.select(d.digest, c.environments).select_from(joined).where(c.made_at <= at, *_in_force(at))
    found: dict[str, list[tuple[str, ...]]] = {}
    for part in bulk.portions(digests):
        for digest, text in connection.execute(query.where(bulk.among(connection, d.digest, part)).order_by(c.id)):
            found.setdefault(digest, []).append(msgspec.json.decode(text, type=tuple[str, ...]))
    return {digest: tuple(named) for digest, named in found.items()}


def approved_among(connection: sa.Connection, digests: Sequence[str], teams: Teams, now: Instant) -> list[str]:
    """Those of these digests (at most some thousands) about which an endorsement of these teams is in force, in the order given."""
    joined = endorsed_digest.join(endorsement, c.id == d.endorsement)
    query = sa.select(d.digest).select_from(joined).where(*_in_force(now), *of_teams(c.team, teams))
    found: set[str] = set()
    for some in bulk.portions(digests):
        found |= set(connection.execute(query.where(bulk.among(connection, d.digest, some))).scalars())
    return [each for each in digests if each in found]


def approved_below(connection: sa.Connection, layers: Sequence[str], teams: Teams, now: Instant) -> list[str]:
    """Digests of images in force that are exactly the lower layers (digests by `beginnings.chains_of`) of another, the largest first."""
    p = endorsement_part.c
    joined = endorsement_part.join(endorsement, c.id == p.endorsement)
    query = sa.select(p.digest, c.head).select_from(joined).where(p.kind == LAYERS, *_in_force(now), *of_teams(c.team, teams))
    rows = connection.execute(query.where(bulk.among(connection, p.digest, layers)).order_by(c.id.desc())).all() if layers else []
    order = {layer: at for at, layer in enumerate(layers)}
    return list(dict.fromkeys(row.head for row in sorted(rows, key=lambda row: -order[row.digest])))


def _made_of(connection: sa.Connection, kind: str, which: sa.ColumnElement[bool], now: Instant) -> list[EndorsementId]:
    p = endorsement_part.c
    joined = endorsement_part.join(endorsement, c.id == p.endorsement)
    query = sa.select(c.id).select_from(joined).where(p.kind == kind, which, *_in_force(now))
    return [EndorsementId(number) for number in connection.execute(query.distinct().order_by(c.id)).scalars()]


# --- how -------------------------------------------------------------------------------------------------------------


def _in_force(now: Instant) -> list[sa.ColumnElement[bool]]:
    return [c.verified_at <= now, c.expires_at > now, ~_was_taken(now)]


def _query(now: Instant) -> sa.Select[Any]:
    w = endorsement_withdrawal.c
    first = sa.select(sa.func.min(w.at)).where(w.endorsement == c.id, w.at <= now).correlate(endorsement).scalar_subquery()
    joined = endorsement.join(subject, subject.c.id == c.subject)
    return sa.select(endorsement, subject.c.name.label("subject_name"), first.label("withdrawn_at")).select_from(joined)


def _conditions(asked: Filter, now: Instant) -> list[sa.ColumnElement[bool]]:
    exact = {c.resource: asked.resource, c.team: asked.team, c.subject: asked.subject, c.engine: asked.engine, c.rules: asked.rules}
    exact[c.policy] = asked.policy
    found: list[sa.ColumnElement[bool]] = [column == value for column, value in exact.items() if value not in ("", None)]
    wanted = [*_spelled(asked.digest), *asked.digests]
    if wanted:
        found.append(c.id.in_(sa.select(d.endorsement).where(d.digest.in_(wanted))))
    if asked.key:
        k = endorsement_key.c
        found.append(c.id.in_(sa.select(k.endorsement).where(k.keyid == asked.key)))
    for kind, value in ((PACKAGES, asked.package_set), (LINEAGE, asked.lineage)):
        if value:
            p = endorsement_part.c
            found.append(c.id.in_(sa.select(p.endorsement).where(p.kind == kind, p.digest == value)))
    if asked.environment:
        named = msgspec.json.encode(asked.environment).decode()
        found.append(sa.or_(c.environments == "[]", c.environments.contains(named, autoescape=True)))
    if asked.valid is not None:
        force = sa.and_(*_in_force(now))
        found.append(force if asked.valid else ~force)
    return found


def _was_taken(now: Instant) -> sa.ColumnElement[bool]:
    w = endorsement_withdrawal.c
    return sa.exists().where(w.endorsement == c.id, w.at <= now).correlate(endorsement)


def _spelled(digest: str) -> list[str]:
    """With its algorithm; digits alone may be of any."""
    if not digest or ":" in digest:
        return [digest] if digest else []
    return [f"{kind}:{digest}" for kind in ("sha256", "gitCommit", "gitTree")]


def _rows(connection: sa.Connection, query: sa.Select[Any], now: Instant) -> list[EndorsementRow]:
    found = []
    for row in connection.execute(query):
        values = row._asdict()
        values |= {name: msgspec.json.decode(values[name], type=tuple[str, ...]) for name in _TEXTS}
        force = row.verified_at <= now < row.expires_at and row.withdrawn_at is None
        found.append(EndorsementRow(**values, is_valid=force))
    return found


def _grouped(
    connection: sa.Connection, query: sa.Select[Any], column: sa.ColumnElement[Any], numbers: Iterable[int]
) -> Mapping[int, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    for some in bulk.portions(sorted(set(numbers))):
        for number, text in connection.execute(query.where(column.in_(some)).order_by(column)):
            found.setdefault(number, []).append(text)
    return {number: tuple(sorted(texts)) for number, texts in found.items()}
