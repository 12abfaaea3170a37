"""What the refs of a repository were when it was last looked at."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant, RepositoryId
from assaymark.store.new_rows import insert_new
from assaymark.store.tables import ref_listing as table


class Listing(Struct, frozen=True):
    """One look."""

    refs: dict[str, str]
    seen_at: Instant


def read(connection: sa.Connection, repository: RepositoryId) -> Listing | None:
    """The last look; None before the first. Locked, so that of two looks one is taken in after the other."""
    row = connection.execute(sa.select(table).where(table.c.repository == repository).with_for_update()).first()
    return Listing(msgspec.json.decode(row.refs, type=dict[str, str]), Instant(row.seen_at)) if row else None


def write(connection: sa.Connection, repository: RepositoryId, refs: Mapping[str, str], at: Instant) -> None:
    """Keep a look in place of the one before."""
    row = {"refs": msgspec.json.encode(refs).decode(), "seen_at": at}
    done = connection.execute(table.update().where(table.c.repository == repository).values(**row))
    if not done.rowcount:
        insert_new(connection, table, {"repository": repository, **row}, "repository")
