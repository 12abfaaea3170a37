"""One hyperscan pass that says where to look closer.

The compiled database is derived data: kept in the cache folder under a name that holds everything it was built from, written atomically,
and built again whenever the file is missing, truncated or altered. It holds rules, never content.
"""

# On the path of every hook: pathlib would cost milliseconds.
# ruff: noqa: PTH103, PTH105, PTH108, PTH120, PTH123

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.checks.application.secrets import knowledge
from assaymark.checks.application.secrets.expressions import Expression
from assaymark.formats.undecodable import UNDECODABLE

_MAGIC = b"assaymark prefilter 1\n"


class _Stored(Struct, frozen=True, array_like=True):
    leads: tuple[str, ...]
    database: bytes


class Prefilter:
    """A loaded database. Not safe for several threads."""

    def __init__(self, leads: Sequence[str], database: Any) -> None:
        self.leads = tuple(leads)
        self._scan = database.scan

    def scan(self, data: bytes) -> list[tuple[int, int]]:
        """(index into `leads`, end offset) of everything that occurs; expressions marked `once` appear once."""
        marks: list[tuple[int, int]] = []
        if data:
            self._scan(data, match_event_handler=_note, context=marks)
        return marks


def _note(lead: int, _start: int, end: int, _flags: int, marks: list[tuple[int, int]]) -> None:
    marks.append((lead, end))


def load(cache_dir: str, identity: str, wanted: Callable[[], Sequence[Expression]]) -> Prefilter:
    """The database of this identity, from the cache or built now (some seconds) and stored.

    `wanted` is only called when there is something to build: asking kingfisher for its patterns loads it.
    """
    path = knowledge.database_at(cache_dir, identity)
    stored = _read(path)
    if stored is not None:
        prefilter = _open(stored)
        if prefilter is not None:
            return prefilter
    fresh = _build(wanted())
    _write(path, fresh)
    opened = _open(fresh)
    if opened is None:
        raise RuntimeError("hyperscan cannot load the database that it just made")
    return opened


def _open(stored: _Stored) -> Prefilter | None:
    import hyperscan  # noqa: PLC0415 - native library, only in processes that scan

    try:
        database = hyperscan.loadb(stored.database, mode=hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)
    except hyperscan.HyperscanError:
        return None
    return Prefilter(stored.leads, database)


def _build(wanted: Sequence[Expression]) -> _Stored:
    import hyperscan  # noqa: PLC0415 - native library, only in processes that scan

    leads = tuple(dict.fromkeys(expression.lead for expression in wanted))
    index = {lead: number for number, lead in enumerate(leads)}
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[expression.pattern.encode("utf-8") for expression in wanted],
        ids=[index[expression.lead] for expression in wanted],
        flags=[
            hyperscan.HS_FLAG_PREFILTER
            | hyperscan.HS_FLAG_ALLOWEMPTY
            | (hyperscan.HS_FLAG_SINGLEMATCH if expression.once else 0)
            | (hyperscan.HS_FLAG_CASELESS if expression.caseless else 0)
            for expression in wanted
        ],
    )
    return _Stored(leads, hyperscan.dumpb(database))


def _read(path: str) -> _Stored | None:
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except OSError:
        return None
    head, payload = raw[: len(_MAGIC) + 32], raw[len(_MAGIC) + 32 :]
    if head != _MAGIC + hashlib.sha256(payload).digest():
        return None
    try:
        return msgspec.msgpack.decode(payload, type=_Stored)
    except UNDECODABLE:
        return None


def _write(path: str, stored: _Stored) -> None:
    """Best effort: a cache that cannot be written costs time, never an answer."""
    import tempfile  # noqa: PLC0415 - needed once per installation, and slow to import

    payload = msgspec.msgpack.encode(stored)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".hsdb-")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + hashlib.sha256(payload).digest() + payload)
        os.replace(temporary, path)
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
