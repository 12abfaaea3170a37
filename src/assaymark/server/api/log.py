"""The transparency log: checkpoint and tiles of hashes for everybody, entries for those who may read all of them, proofs.

Checkpoint and hashes are public, so that a witness or an auditor without an account sees that the log only grows: they say how many entries
there are and nothing of what stands in them. A bundle holds entries of all teams, and is for those who may read all; the list and the proof
of one entry are narrowed to one's teams.
"""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from starlette.responses import Response

from assaymark.endorsement.log import tiles
from assaymark.endorsement.log.entry import EntryType
from assaymark.endorsement.log.proof import SUFFIX
from assaymark.endorsement.log.tiles import Tile
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of, viewed
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.logbook import heads, pins
from assaymark.server.problem import invalid, not_found
from assaymark.store import log, log_heads, trail
from assaymark.store.log import Filter, Line
from assaymark.store.log_heads import PinRow
from assaymark.store.trail import Action

router = Router("transparency log")
_READ = Permission.ENDORSEMENTS_READ
_FOR_EVER = {"Cache-Control": "max-age=31536000, immutable"}
_SHORT = {"Cache-Control": "max-age=5"}
_BYTES = "application/octet-stream"
_TEXT = "text/plain; charset=utf-8"


class LogIdentity(Struct, frozen=True):
    """How the log is known."""

    origin: str
    key: str
    """That signs now, in one line (C2SP signed-note): keep it, and every proof can be verified without this server."""
    keys: tuple[str, ...]
    """All that ever signed, the newest first."""


class LogEntry(Struct, frozen=True):
    seq: int
    at: Instant
    type: EntryType
    team: TeamId | None
    actor: str
    subjects: tuple[str, ...]
    endorsement: str
    details: dict[str, str]
    line: str
    """As it stands in the log: its bytes are the leaf."""


def view(row: Line) -> LogEntry:
    said = msgspec.json.decode(row.line, type=dict[str, Any])
    more = {name: said[name] for name in ("actor", "endorsement", "details")}
    return LogEntry(row.seq, row.at, EntryType(row.type), row.team, subjects=tuple(said["subjects"]), line=row.line, **more)


@router.add("GET", "/log", None, public=True)
def get_log(call: Call) -> LogIdentity:
    """Name and keys of the transparency log."""
    rows = heads.identity(call.service)
    return LogIdentity(rows[0].name, rows[0].verifier, tuple(each.verifier for each in rows))


@router.add("GET", "/log/checkpoint", None, public=True, produces=_TEXT)
def get_log_checkpoint(call: Call) -> Response:
    """The newest checkpoint (C2SP tlog-checkpoint): how many entries, their root, signed."""
    with call.service.database.read() as connection:
        row = heads.standing(connection)
    if row is None:
        with call.service.database.write() as connection:
            row = heads.current(call.service, connection)
    return Response(row.note, 200, _SHORT, media_type=_TEXT)


@router.add("GET", "/log/tile/{level}/{place:path}", None, public=True, produces=_BYTES)
def get_log_tile(call: Call, level: str, place: str) -> Response:
    """A tile of hashes (C2SP tlog-tiles), e.g. `/log/tile/0/000` or `/log/tile/1/000.p/17`."""
    with call.service.database.read() as connection:
        tile = _tile(connection, f"tile/{level}/{place}")
        data = log.hashes(connection, tile)
    return Response(data, 200, _FOR_EVER, media_type=_BYTES)


@router.add("GET", "/log/tile/entries/{place:path}", _READ, produces=_BYTES)
def get_log_bundle(call: Call, place: str) -> Response:
    """A bundle of entries (C2SP tlog-tiles), e.g. `/log/tile/entries/000.p/17`; needs the permission everywhere."""
    call.need(_READ, None)
    with call.service.database.read() as connection:
        tile = _tile(connection, f"tile/entries/{place}")
        data = log.bundle(connection, tile)
    return Response(data, 200, _FOR_EVER | {"Cache-Control": "private, max-age=31536000, immutable"}, media_type=_BYTES)


def _tile(connection: sa.Connection, path: str) -> Tile:
    tile = tiles.at(path)
    if tile is None or not tiles.is_in(log.size(connection), tile):
        raise not_found("this tile")
    return tile


class Wanted(Struct, frozen=True):
    """Which entries."""

    type: EntryType | None = None
    endorsement: str = ""
    subject: str = ""
    """A digest."""


@router.add("GET", "/log/entries", _READ)
def list_log_entries(call: Call, wanted: Wanted, after: str | None = None, limit: int = 50) -> Page[LogEntry]:
    """What happened to endorsements, newest first: by type, by endorsement, or by a digest that it is about."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    asked = Filter(wanted.type, wanted.endorsement, wanted.subject, call.who.teams_with(_READ))
    with call.service.database.read() as connection:
        rows = log.page(connection, asked, before=before, limit=limit + 1)
    return viewed(rows, limit, view, "seq")


@router.add("GET", "/log/entries/{seq}", _READ)
def get_log_entry(call: Call, seq: int) -> LogEntry:
    """One entry, by its number."""
    with call.service.database.read() as connection:
        return view(visible(call, connection, seq))


@router.add("GET", "/log/entries/{seq}/proof", _READ, produces=_TEXT)
def get_log_proof(call: Call, seq: int) -> Response:
    """The proof that this entry stands in the log (C2SP tlog-proof), to be verified anywhere with the log's key."""
    with call.service.database.write() as connection:
        visible(call, connection, seq)
        data = heads.proof_of(call.service, connection, seq)
    return _file(data, f"entry-{seq}{SUFFIX}")


@router.add("GET", "/log/endorsements/{endorsement}/proof", _READ, produces=_TEXT)
def get_endorsement_proof(call: Call, endorsement: str) -> Response:
    """The proof that this endorsement (by the digest of its statement) was logged, for `assay verify`."""
    with call.service.database.write() as connection:
        row = log.endorsed(connection, endorsement)
        if row is None or not call.who.may(_READ, row.team):
            raise not_found(f"endorsement {endorsement[:100]} in the log")
        data = heads.proof_of(call.service, connection, row.seq)
    return _file(data, f"{endorsement[-16:]}{SUFFIX}")


def visible(call: Call, connection: sa.Connection, seq: int) -> Line:
    """The entry, when it may be seen.

    Raises:
        ApiError: 404 otherwise.
    """
    row = log.get(connection, seq) if 0 <= seq < 1 << 62 else None
    if row is None or not call.who.may(_READ, row.team):
        raise not_found(f"entry {seq}")
    return row


def _file(data: bytes, name: str) -> Response:
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, 200, headers, media_type=_TEXT)


# --- pins ------------------------------------------------------------------------------------------------------------


@router.add("GET", "/log/pins", Permission.AUDIT_READ)
def list_log_pins(call: Call, after: str | None = None, limit: int = 50) -> Page[PinRow]:
    """Where checkpoints were kept elsewhere, newest first; `differs` says that what lies there is not of this log."""
    call.need(Permission.AUDIT_READ, None)
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as connection:
        return page_of(log_heads.pins(connection, limit=limit + 1, before=before), limit)


class Pinned(Struct, frozen=True):
    pins: tuple[PinRow, ...]


@router.add("POST", "/log/pins", Permission.TRUST_WRITE, status=201)
def pin_log_now(call: Call) -> Pinned:
    """Keep the present checkpoint at every place that the administrator named (`ASSAYMARK_LOG_PINS`)."""
    call.need(Permission.TRUST_WRITE, None)
    if not call.service.settings.log_pins:
        raise invalid("no place is named", "the administrator names places in ASSAYMARK_LOG_PINS")
    made = tuple(pins.pin_all(call.service))
    by = rights.by(call)
    details = {each.place[:200]: each.outcome for each in made}
    with call.service.database.write() as connection:
        at = call.service.now()
        trail.record(connection, Action(at, by.actor, "log.pinned", "success", by.person, "log", "", None, by.origin, details))
    return Pinned(made)
