"""The doors of the rooms beside this one: what was taken back, the log. Imported when they are needed.

Where a release has no list of what was taken back, nothing was; where it has no log, nothing is written there.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

import sqlalchemy as sa

from assaymark.endorsement.revocation import Revocation
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.store.tables import metadata


def revocations_of(link: sa.Connection) -> tuple[Revocation, ...]:
    """What was taken back."""
    room = _room("assaymark.store.revocations")
    return cast("tuple[Revocation, ...]", tuple(room.entries(link))) if room else ()


def append(link: sa.Connection, at: Instant, actor: str, about: tuple[tuple[str, ...], str, dict[str, str]], team: TeamId | None) -> None:
    """A line of the transparency log: (digests, name of the endorsement, details); late in the transaction, for it holds a lock."""
    room = _room("assaymark.store.log")
    if room:
        lines = import_module("assaymark.endorsement.log.entry")
        digests, name, details = about
        room.append(link, [lines.Entry(lines.EntryType.ENDORSE, at, actor, digests, name, details)], team=team)


def line_of(link: sa.Connection, name: str) -> Any:
    """The line of the log in which an endorsement was written down, with `seq`; None when it is not there."""
    if "log_entry" not in metadata.tables:
        return None
    query = sa.text("SELECT seq, at FROM log_entry WHERE endorsement = :name AND type = 'endorse' ORDER BY seq LIMIT 1")
    return link.execute(query, {"name": name}).first()


def _room(name: str) -> Any:
    """The module; None where it is not part of this release."""
    return import_module(name) if find_spec(name) is not None else None
