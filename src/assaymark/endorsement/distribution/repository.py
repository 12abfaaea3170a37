"""A TUF repository as files: what is distributed, signed by its roles. Knows no server and no clock.

Rules kept (TUF specification, version numbers of its sections left out)
* versions rise by one with each change; the root, which stays for ever, is made in `roots`;
* snapshots are consistent: whoever reads while something is published gets one state or the other;
* target files have their digest in their name; a target that is not named any more is gone with the next state;
* timestamp ends after a day, snapshot and targets after a week: whoever is kept from newer ones knows it within that time.

Not here: mirrors, delegations, and where the private keys are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Signed, Snapshot, TargetFile, Targets, Timestamp

from assaymark.endorsement.distribution import roots
from assaymark.endorsement.distribution.roots import SNAPSHOT, TARGETS, TIMESTAMP, at, serializer
from assaymark.endorsement.distribution.tuf_keys import Signing
from assaymark.endorsement.keys import Signer
from assaymark.errors import SignatureInvalid
from assaymark.model.assessment import SECOND, Instant

TIMESTAMP_DAYS, OTHER_DAYS = 1, 7
TARGET_FOLDER = "targets/"
_TIMESTAMP_FILE = "timestamp.json"


class Published(Struct, frozen=True):
    """A state: everything a client may ask for."""

    files: dict[str, bytes]
    """Path -> bytes, without roots."""
    timestamp: bytes
    expires_at: Instant
    """When it ends, if nothing newer is published."""
    changed: bool
    """Whether the targets are others than before."""


class Before(Struct, frozen=True):
    """The metadata of the state before; empty before the first."""

    timestamp: bytes = b""
    snapshot: bytes = b""
    targets: bytes = b""


def publish(root: bytes, before: Before, documents: Mapping[str, bytes], signers: Mapping[str, Signer], now: Instant) -> Published:
    """The next state: these documents, signed for the roles of this root.

    Raises:
        SignatureInvalid: when a signer has no say in its role.
        UsageError: when the root is none.
    """
    files = {f"{TARGET_FOLDER}{path}": data for name, data in documents.items() for path in _prefixed(name, data)}
    targets, changed = _targets(before, documents, signers, now)
    snapshot = _snapshot(before, targets, signers, now)
    timestamp = Timestamp(version=_version(before.timestamp, Timestamp) + 1, expires=at(now, TIMESTAMP_DAYS))
    timestamp.snapshot_meta = _meta(snapshot)
    signed = _signed(timestamp, signers[TIMESTAMP])
    made = {TARGETS: targets, SNAPSHOT: snapshot, TIMESTAMP: signed}
    _check(root, made)
    files |= {f"{_version(targets, Targets)}.targets.json": targets, f"{_version(snapshot, Snapshot)}.snapshot.json": snapshot}
    files[_TIMESTAMP_FILE] = signed
    return Published(files, signed, Instant(int(timestamp.expires.timestamp()) * SECOND), changed)


def expires_at(timestamp: bytes) -> Instant:
    """When a state ends."""
    return Instant(int(Metadata[Timestamp].from_bytes(timestamp).signed.expires.timestamp()) * SECOND)


def before_of(files: Mapping[str, bytes]) -> Before:
    """The metadata among the files of the present state."""
    timestamp = files.get(_TIMESTAMP_FILE, b"")
    if not timestamp:
        return Before()
    snapshot = files[f"{Metadata[Timestamp].from_bytes(timestamp).signed.snapshot_meta.version}.snapshot.json"]
    version = Metadata[Snapshot].from_bytes(snapshot).signed.meta["targets.json"].version
    return Before(timestamp, snapshot, files[f"{version}.targets.json"])


def _prefixed(name: str, data: bytes) -> list[str]:
    return TargetFile.from_data(name, data, ["sha256"]).get_prefixed_paths()


def _targets(before: Before, documents: Mapping[str, bytes], signers: Mapping[str, Signer], now: Instant) -> tuple[bytes, bool]:
    named = {name: TargetFile.from_data(name, data, ["sha256"]) for name, data in documents.items()}
    if before.targets:
        old = Metadata[Targets].from_bytes(before.targets)
        same = old.signed.targets == named
        if same and old.signed.expires > at(now, OTHER_DAYS / 2) and _holds(old, signers[TARGETS]):
            return before.targets, False
    else:
        same = False
    made = Targets(version=_version(before.targets, Targets) + 1, expires=at(now, OTHER_DAYS), targets=named)
    return _signed(made, signers[TARGETS]), not same


def _snapshot(before: Before, targets: bytes, signers: Mapping[str, Signer], now: Instant) -> bytes:
    if before.snapshot and targets == before.targets:
        old = Metadata[Snapshot].from_bytes(before.snapshot)
        if old.signed.expires > at(now, OTHER_DAYS / 2) and _holds(old, signers[SNAPSHOT]):
            return before.snapshot
    made = Snapshot(version=_version(before.snapshot, Snapshot) + 1, expires=at(now, OTHER_DAYS))
    made.meta["targets.json"] = _meta(targets)
    return _signed(made, signers[SNAPSHOT])


def _holds(old: Metadata[Targets] | Metadata[Snapshot], signer: Signer) -> bool:
    """Whether the present signer signed it: after a change of keys the old signature counts no more."""
    return Signing(signer).public_key.keyid in old.signatures


def _meta(data: bytes) -> MetaFile:
    version = Metadata[Any].from_bytes(data).signed.version
    return MetaFile.from_data(version, data, ["sha256"])


def _version(data: bytes, kind: type[Signed]) -> int:
    if not data:
        return 0
    signed = Metadata[Any].from_bytes(data).signed
    assert isinstance(signed, kind)  # noqa: S101 - it was made here
    return signed.version


def _signed(made: Signed, signer: Signer) -> bytes:
    metadata: Metadata[Any] = Metadata(made)
    metadata.sign(Signing(signer))
    return metadata.to_bytes(serializer())


def _check(root: bytes, made: Mapping[str, bytes]) -> None:
    """What clients would refuse is not published."""
    signed = roots.read(root).signed
    for role, data in made.items():
        metadata = Metadata[Any].from_bytes(data)
        try:
            signed.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError as error:
            raise SignatureInvalid(f"the key of {role} has no say in the root", why=str(error)[:300], advice="make a new root") from error
