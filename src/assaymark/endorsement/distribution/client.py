"""What an enforcement point holds: read from its folder, without a network and without a library of TUF.

A folder has numbered states, each whole, and a link to the present one. A state was verified by TUF's rules when it was taken
(`updating`); here the documents are compared with the digests in its metadata, and its age with the clock.

Guarantees
* fresh until its timestamp ends; then the last known good for as long as the folder's settings allow; then nothing is believed, and
  `Held.refused` says so, while `Held.trust` is empty, so that who forgets to look at the state lets nothing pass;
* a clock that was set back does not make a state young again: it is never earlier than when the state was taken;
* what was damaged, cut short or exchanged in the folder is refused; a state that is being replaced meanwhile is read to its end.

Not here: who may write into the folder is up to the file system; `assay trust verify` proves the whole chain of signatures again.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from assaymark.endorsement import revocation, strict_json, trust
from assaymark.endorsement.approval import instant, stamp
from assaymark.endorsement.revocation import OpenRevocations
from assaymark.endorsement.trust import OpenTrust, Trust
from assaymark.endorsement.verify import Refusal, Refused
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant
from assaymark.subjects.given import read_given

SETTINGS, CURRENT, STATES, NOTE = "settings.json", "current", "states", "state.json"
TRUST, REVOCATIONS = "trust.json", "revocations.json"
MOST_BYTES = 64 << 20
"""Of one document."""
GRACE_HOURS = 72
"""For which a state is used after its timestamp ended, where the folder's settings say nothing else."""
_Shape = TypeVar("_Shape")


class Keeping(Struct, frozen=True, rename="camel"):
    """A folder's settings."""

    source: str
    """Address below which the files are; empty for a site that is only brought archives."""
    grace_hours: int = GRACE_HOURS
    environments: tuple[str, ...] = ()
    """Of which the approved digests are kept; empty: all."""


class Note(Struct, frozen=True, rename="camel"):
    """What a state says of itself beside TUF's metadata."""

    taken_at: Instant
    source: str


class Age(StrEnum):
    """How far a state may be believed."""

    FRESH = "fresh"
    STALE = "stale"
    """Its timestamp ended: newer revocations are not known here. It is used until the grace ends."""
    CLOSED = "closed"


class Held(Struct, frozen=True):
    """What there is to verify with."""

    trust: OpenTrust
    revocations: OpenRevocations
    state: Age
    fresh_until: Instant
    closes_at: Instant
    taken_at: Instant
    refused: Refused | None = None
    """Why nothing may be verified with it."""


class ApprovedDigest(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One thing that may run."""

    digest: str
    endorsement: str
    """Its id: digest of its statement."""
    expires: str
    """RFC 3339."""
    resource: str = ""


class Approved(Struct, frozen=True, rename="camel"):
    """What may run in one environment; a target ``approved/<environment>.json``."""

    environment: str
    digests: tuple[ApprovedDigest, ...]


class Length(Struct, frozen=True):
    length: int
    hashes: dict[str, str]


class _TargetsPart(Struct, frozen=True):
    targets: dict[str, Length]


class SignedTargets(Struct, frozen=True):
    """Of TUF's targets, what is read here."""

    signed: _TargetsPart


class _TimestampPart(Struct, frozen=True):
    expires: str
    version: int


class TimestampFile(Struct, frozen=True):
    """Likewise."""

    signed: _TimestampPart


class _VersionPart(Struct, frozen=True):
    version: int


class VersionedFile(Struct, frozen=True):
    """Any metadata, by its version."""

    signed: _VersionPart


def held(folder: Path, now: Instant) -> Held:
    """What the folder holds, and whether it may still be used.

    Raises:
        UsageError: when there is nothing, or it was damaged.
    """
    state = _state(folder)
    grace = keeping(folder).grace_hours
    note = read_document(state / NOTE, Note)
    fresh_until = _expiry(state)
    closes_at = Instant(fresh_until + grace * 3600 * SECOND)
    at = max(now, note.taken_at)
    if at >= closes_at:
        ended = f"its timestamp ended at {stamp(fresh_until)}, and the grace of {grace} hours is over"
        text = f"{folder} is too old: {ended}; run `assay trust update`"
        return Held(_NOBODY, {}, Age.CLOSED, fresh_until, closes_at, note.taken_at, Refused(Refusal.STALE_TRUST, text))
    named = read_document(state / "targets.json", SignedTargets).signed.targets
    opened = trust.read(_document(state, TRUST, named))
    revoked = revocation.read(_document(state, REVOCATIONS, named))
    return Held(opened, revoked, Age.FRESH if at < fresh_until else Age.STALE, fresh_until, closes_at, note.taken_at)


def approved(folder: Path, environment: str) -> Approved | None:
    """What was approved for an environment when the state was made; None when it says nothing of it. Its age is for `held` to say.

    Raises:
        UsageError: when there is no state, or it was damaged.
    """
    state = _state(folder)
    named = read_document(state / "targets.json", SignedTargets).signed.targets
    name = target_of(environment)
    if name not in named:
        return None
    try:
        return strict_json.read(_document(state, name, named), Approved)
    except strict_json.NotStrictError as error:
        raise UsageError(f"{name} makes no sense", why=str(error), advice="run `assay trust update`") from error


def target_of(environment: str) -> str:
    """Name of the target that holds an environment's digests: one path, whatever letters people gave it."""
    return f"approved/{quote(environment, safe='').replace('%', '=')}.json"


def file_of(target: str) -> str:
    """Name of a target's file in a state's folder."""
    return quote(target, safe="")


def keeping(folder: Path) -> Keeping:
    """The folder's settings.

    Raises:
        UsageError: when there are none.
    """
    if not (folder / SETTINGS).is_file():
        raise UsageError(f"{folder} holds no trust", advice="begin with `assay trust init`")
    return read_document(folder / SETTINGS, Keeping)


_NOBODY = OpenTrust(Trust(()), (), ())


def _state(folder: Path) -> Path:
    try:
        return (folder / CURRENT).resolve(strict=True)
    except OSError as error:
        raise UsageError(f"{folder} holds no trust", why=error.strerror or str(error), advice="begin with `assay trust init`") from error


def _document(state: Path, name: str, named: dict[str, Length]) -> bytes:
    said = named.get(name)
    if said is None or "sha256" not in said.hashes:
        raise UsageError(f"{state} names no {name}", advice="run `assay trust update`")
    data = read_bytes(state / file_of(name))
    if len(data) != said.length or hashlib.sha256(data).hexdigest() != said.hashes["sha256"]:
        raise UsageError(
            f"{name} in {state} was changed",
            why="it is not what the metadata names",
            advice="remove the folder, and begin with `assay trust init`",
        )
    return data


def _expiry(state: Path) -> Instant:
    text = read_document(state / "timestamp.json", TimestampFile).signed.expires
    try:
        return instant(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{state} makes no sense", why=str(error), advice="run `assay trust update`") from error


def read_document(path: Path, shape: type[_Shape]) -> _Shape:
    """A file of a state.

    Raises:
        UsageError: when it cannot be read.
    """
    try:
        return strict_json.read(read_bytes(path), shape)
    except strict_json.NotStrictError as error:
        raise UsageError(f"{path} makes no sense", why=str(error), advice="run `assay trust update`") from error


def read_bytes(path: Path) -> bytes:
    """Likewise, as it is."""
    return read_given(path, MOST_BYTES, "run `assay trust update`")


def written(document: Struct) -> bytes:
    """As JSON; the same input gives the same bytes."""
    return msgspec.json.encode(document, order="deterministic")
