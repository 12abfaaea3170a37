"""What an administrator says of whom to believe: versions that only grow. The newest is in force."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.trust import TrustRoot
from assaymark.model.access import PersonId
from assaymark.model.assessment import Instant
from assaymark.store.tables import trust_version as table

_LOCK = 0x74727573


class Stated(Struct, frozen=True, omit_defaults=True):
    """What is said beside the server's own keys, which speak for it anyway."""

    roots: tuple[TrustRoot, ...] = ()
    """Of others."""
    max_age_days: int = 0
    log_required: bool = False
    """Whether an endorsement has to stand in this server's log."""


class TrustVersion(Struct, frozen=True):
    """A version."""

    id: int
    """Its number: the trust document's."""
    at: Instant
    person: PersonId | None
    actor: str
    comment: str
    stated: Stated


class Draft(Struct, frozen=True):
    """A version to come."""

    at: Instant
    actor: str
    comment: str
    stated: Stated
    person: PersonId | None = None


_columns = tuple(table.c[name] for name in TrustVersion.__struct_fields__)


def lock(link: sa.Connection) -> None:
    """Nobody else states anything until this transaction ends."""
    if link.dialect.name != "sqlite":
        link.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def newest(link: sa.Connection) -> TrustVersion | None:
    """What is in force; None when nobody has said anything yet."""
    row = link.execute(sa.select(*_columns).order_by(table.c.id.desc()).limit(1)).first()
    return _version(row) if row is not None else None


def get(link: sa.Connection, number: int) -> TrustVersion | None:
    row = link.execute(sa.select(*_columns).where(table.c.id == number)).first()
    return _version(row) if row is not None else None


def page(link: sa.Connection, *, before: int | None, limit: int) -> list[TrustVersion]:
    """Newest first."""
    query = sa.select(*_columns).order_by(table.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(table.c.id < before)
    return [_version(row) for row in link.execute(query)]


def add(link: sa.Connection, draft: Draft) -> int:
    """It is in force from now on; gives its number."""
    values = {"at": draft.at, "person": draft.person, "actor": draft.actor, "comment": draft.comment,
              "stated": msgspec.json.encode(draft.stated, order="deterministic").decode()}  # fmt: skip
    return int(link.execute(table.insert().returning(table.c.id), values).scalar_one())


def _version(row: sa.Row[Any]) -> TrustVersion:
    values = row._asdict()
    return TrustVersion(**values | {"stated": msgspec.json.decode(values["stated"], type=Stated)})
