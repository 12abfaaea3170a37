"""Whom to believe: a folder that `assay trust` keeps current, a folder or file that somebody brought, or one key.

A folder of TUF is fresh, or used for its grace, or closed: when it is closed nothing is believed and the answer is *unproven*. What
somebody brought has no age: whoever brings it answers for its being current, revocations included.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from assaymark.endorsement import keys, revocation, trust
from assaymark.endorsement.asking.bundles import read_file
from assaymark.endorsement.distribution import client
from assaymark.endorsement.revocation import OpenRevocations
from assaymark.endorsement.trust import OpenTrust, Trust, TrustRoot
from assaymark.endorsement.verify import Refused
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant
from assaymark.subjects.listing import printable_name

TRUST, REVOCATIONS = "trust.json", "revocations.json"


class Believed(Struct, frozen=True):
    """What to verify with."""

    trust: OpenTrust
    revocations: OpenRevocations
    refused: Refused | None = None
    """Why nothing may be verified with it."""
    notes: tuple[str, ...] = ()
    """What whoever relies on it should know."""


def from_place(place: str, revocations: str, now: Instant) -> Believed:
    """What a folder or a document says.

    Raises:
        UsageError: when it cannot be read or makes no sense.
    """
    path = Path(place)
    if path.is_dir() and (path / client.SETTINGS).is_file():
        if revocations:
            raise UsageError("--revocations is not for a folder that is kept current", why="its own list is signed", advice="leave it out")
        return _kept(path, now)
    document = path / TRUST if path.is_dir() else path
    if path.is_dir() and not document.exists():
        why = f"there is neither {client.SETTINGS} nor {TRUST} in it"
        raise UsageError(f"{printable_name(place)} holds no trust", why=why, advice="begin with `assay trust init`, or name another folder")
    listed = Path(revocations) if revocations else path / REVOCATIONS if path.is_dir() else None
    if listed is None or (not revocations and not listed.exists()):
        return Believed(trust.read(read_file(document)), {}, notes=("no list of revocations was given: what was taken back is not known",))
    return Believed(trust.read(read_file(document)), revocation.read(read_file(listed)))


def from_keys(files: Sequence[str], verifier: str, revocations: str) -> Believed:
    """Keys that may say anything in the name of one verifier, each alone.

    Raises:
        UsageError: when one is none.
    """
    if not verifier:
        raise UsageError(
            "--key needs --verifier",
            why="a key speaks for a verifier, and a statement names one",
            advice="add --verifier ID, the address that the endorsement names",
        )
    pems = tuple(keys.public_key(read_file(Path(file))).pem for file in files)
    opened = trust.opened(Trust((TrustRoot("--key", verifier, pems),)))
    if not revocations:
        return Believed(opened, {}, notes=("no list of revocations was given: what was taken back is not known",))
    return Believed(opened, revocation.read(read_file(Path(revocations))))


def _kept(folder: Path, now: Instant) -> Believed:
    held = client.held(folder, now)
    notes = () if held.state is client.Age.FRESH else (f"the trust in {folder} is {held.state}: newer revocations are not known here",)
    return Believed(held.trust, held.revocations, held.refused, notes)
