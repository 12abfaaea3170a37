"""A line of the log: what happened to which digests, when, and by whom. Its bytes are the leaf.

Guarantees: one JSON object without white space, names in order, times in UTC to the microsecond: the same entry at the same place has the
same bytes everywhere, and bytes that are read are those that would be written (a second spelling of the same entry is none). At most
`MOST_BYTES`, which a bundle of tlog-tiles can hold. Says who in words of the installation (a login, ``server``).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache

import msgspec
from msgspec import Struct

from assaymark.endorsement import strict_json
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant

VERSION = 1
MOST_BYTES = (1 << 16) - 1
MOST_SUBJECTS = 256
_DIGEST = re.compile(r"[A-Za-z0-9_-]{1,40}:[0-9a-f]{32,128}")
_is_digest = _DIGEST.fullmatch
_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_encode = msgspec.json.Encoder(order="deterministic").encode  # sorts details; fields stand sorted below


class EntryType(StrEnum):
    """What happened."""

    ENDORSE = "endorse"
    REVOKE = "revoke"
    PROMOTE = "promote"
    DEPLOY = "deploy"
    BURN = "burn"
    DRIFT = "drift"
    BREAKGLASS = "breakglass"
    """Something ran without an endorsement, because somebody said so."""
    KEY = "key"
    """A key was made, is believed, or not any more."""


class Entry(Struct, frozen=True):
    """What is appended."""

    type: EntryType
    at: Instant
    actor: str
    """Login, or ``server``."""
    subjects: tuple[str, ...] = ()
    """Digests, as ``sha256:<hex>``, ``gitCommit:<hex>``."""
    endorsement: str = ""
    """Its name: digest of its statement."""
    details: Mapping[str, str] = {}
    """Never a secret."""


class Placed(Struct, frozen=True):
    """An entry with its place in the log, the first is 0."""

    seq: int
    entry: Entry


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    actor: str
    details: dict[str, str]
    endorsement: str
    seq: int
    subjects: tuple[str, ...]
    time: str
    type: EntryType
    v: int


def line(entry: Entry, seq: int) -> bytes:
    """The leaf.

    Raises:
        UsageError: when a digest is none, or there is more than a line holds.
    """
    named = (*entry.subjects, entry.endorsement) if entry.endorsement else entry.subjects
    for each in named:
        if not _is_digest(each):
            raise UsageError(f"{each[:200]!r} is no digest", advice="write <algorithm>:<hex>, as sha256:…")
    if len(entry.subjects) > MOST_SUBJECTS:
        raise UsageError(
            f"an entry names {len(entry.subjects)} digests", why=f"at most {MOST_SUBJECTS} stand in one", advice="append several"
        )
    try:
        data = _written(entry, seq)
    except UnicodeEncodeError as error:
        raise UsageError("an entry holds text that is none", why=str(error), advice="leave out halves of letters") from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"an entry has {len(data)} bytes", why=f"a line of the log holds {MOST_BYTES}", advice="shorten its details")
    return data


def read(data: bytes) -> Placed:
    """The entry that these bytes are.

    Raises:
        NotStrictError: when they are none, or not those that would be written for it.
    """
    if len(data) > MOST_BYTES:
        raise strict_json.NotStrictError(f"it has {len(data)} bytes, an entry at most {MOST_BYTES}")
    found = strict_json.read(data, _Line)
    if found.v != VERSION:
        raise strict_json.NotStrictError(f"it is of version {found.v}, this release reads {VERSION}")
    try:
        at = _instant(found.time)
    except (ValueError, TypeError, OverflowError) as error:
        raise strict_json.NotStrictError(f"{found.time[:40]!r} is no time") from error
    entry = Entry(found.type, at, found.actor, found.subjects, found.endorsement, found.details)
    if _written(entry, found.seq) != data:
        raise strict_json.NotStrictError("it is not written as entries are")
    return Placed(found.seq, entry)


def _written(entry: Entry, seq: int) -> bytes:
    details = dict(entry.details)
    return _encode(_Line(entry.actor, details, entry.endorsement, seq, entry.subjects, _stamp(entry.at), entry.type, VERSION))


def _stamp(at: Instant) -> str:
    return f"{_second(at // SECOND)}.{at % SECOND:06d}Z"


@lru_cache(maxsize=1024)
def _second(since: int) -> str:
    return dt.datetime.fromtimestamp(since, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _instant(text: str) -> Instant:
    return Instant((dt.datetime.fromisoformat(text) - _BEGINNING) // dt.timedelta(microseconds=1))
