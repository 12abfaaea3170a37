"""Keys that endorse for this server: public parts for ever, one of them signs now."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant
from assaymark.store.tables import endorsing_key as table

_LOCK = 0x656E646F
_MOST = 1000


class EndorsingKey(Struct, frozen=True):
    """A key's public part."""

    id: int
    keyid: str
    public: str
    """PEM."""
    address: str
    """Where its private part is, without a secret; ``own:`` for one that the server's vault seals."""
    created_at: Instant
    ended_at: Instant | None
    """When it signed for the last time; what it had signed by then is believed further on."""


_columns = tuple(table.c[name] for name in EndorsingKey.__struct_fields__)


def lock(link: sa.Connection) -> None:
    """Nobody else makes or ends a key until this transaction ends. SQLite has one writer anyway."""
    if link.dialect.name != "sqlite":
        link.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def present(link: sa.Connection) -> EndorsingKey | None:
    """The one that signs now."""
    row = link.execute(sa.select(*_columns).where(table.c.ended_at.is_(None)).order_by(table.c.id.desc()).limit(1)).first()
    return EndorsingKey(*row) if row is not None else None


def sealed(link: sa.Connection, number: int) -> bytes | None:
    """The private part, where the vault has it."""
    found = link.execute(sa.select(table.c.sealed).where(table.c.id == number)).scalar()
    return bytes(found) if found is not None else None


def add(link: sa.Connection, row: EndorsingKey, private: bytes | None) -> None:
    """Another one, which signs from now on; the one before ends at that moment."""
    link.execute(table.update().where(table.c.ended_at.is_(None)).values(ended_at=row.created_at))
    values = {"keyid": row.keyid, "public": row.public, "address": row.address, "sealed": private, "created_at": row.created_at}
    link.execute(table.insert(), values)


def known(link: sa.Connection, keyid: str) -> EndorsingKey | None:
    """The key of this id."""
    row = link.execute(sa.select(*_columns).where(table.c.keyid == keyid)).first()
    return EndorsingKey(*row) if row is not None else None


def every(link: sa.Connection) -> list[EndorsingKey]:
    """Newest first."""
    return [EndorsingKey(*row) for row in link.execute(sa.select(*_columns).order_by(table.c.id.desc()).limit(_MOST))]
