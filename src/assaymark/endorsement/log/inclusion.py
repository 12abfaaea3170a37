"""A file that shows, without the log, that something stands in it (C2SP ``tlog-proof@v1``).

Guarantees: bounded, one spelling; nothing in it is believed that does not follow from the log's key: `verified` answers only when the path
leads from the leaf to the root of a checkpoint that the log signed. Knows nothing of what the leaf says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from assaymark.endorsement.log import checkpoint, merkle, note
from assaymark.endorsement.log.checkpoint import Opened
from assaymark.endorsement.log.note import Verifier
from assaymark.errors import SignatureInvalid

HEAD = "c2sp.org/tlog-proof@v1"
MOST_BYTES = note.MOST_BYTES + (128 << 10)
_MOST_PATH = 64
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Inclusion(Struct, frozen=True):
    index: int
    path: tuple[bytes, ...]
    """From the leaf's neighbour up."""
    checkpoint: bytes
    """The signed note, as the log gave it."""
    extra: bytes = b""
    """Not authenticated by the format. Ours is the leaf itself, which the path authenticates."""


class LogKeys(Struct, frozen=True):
    """Whom to believe about a log."""

    origin: str
    keys: tuple[Verifier, ...]
    witnesses: tuple[Verifier, ...] = ()
    enough: int = 0
    """How many different witnesses must have cosigned."""


def written(proof: Inclusion) -> bytes:
    lines = [HEAD]
    if proof.extra:
        lines.append(f"extra {note.base64_of(proof.extra)}")
    lines += [f"index {proof.index}", *(note.base64_of(each) for each in proof.path), ""]
    return "".join(f"{line}\n" for line in lines).encode() + proof.checkpoint


def read(data: bytes) -> Inclusion:
    """The proof, whatever it is worth.

    Raises:
        SignatureInvalid: when these bytes are none.
    """
    if len(data) > MOST_BYTES:
        raise _none(f"it has {len(data)} bytes, at most {MOST_BYTES} are read")
    head, gap, signed = data.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise _none("its head is no ASCII") from error
    if not gap or lines[0] != HEAD:
        raise _none(f"it does not begin with {HEAD}")
    try:
        extra = note.raw_of(lines[1].removeprefix("extra ")) if len(lines) > 1 and lines[1].startswith("extra ") else None
        rest = lines[1:] if extra is None else lines[2:]
        path = tuple(note.raw_of(line) for line in rest[1:])
    except ValueError as error:
        raise _none(str(error)) from error
    number = rest[0].removeprefix("index ") if rest and rest[0].startswith("index ") else ""
    if not _NUMBER.fullmatch(number):
        raise _none("it has no line with the index")
    if len(path) > _MOST_PATH or any(len(each) != merkle.HASH for each in path):
        raise _none(f"its path has {len(path)} hashes, or they are no SHA-256")
    return Inclusion(int(number), path, signed, extra or b"")


def verified(proof: Inclusion, leaf: bytes, trusted: LogKeys) -> Opened:
    """The checkpoint, when this leaf stands at that place in the tree that the log signed.

    Raises:
        SignatureInvalid: when it does not, or too few witnesses saw it.
    """
    found = checkpoint.opened(proof.checkpoint, trusted.origin, trusted.keys, trusted.witnesses)
    seen = len({name for name, _ in found.witnesses})
    if seen < trusted.enough:
        raise SignatureInvalid("too few witnesses saw the checkpoint", why=f"{seen} of the {trusted.enough} that are asked for cosigned it")
    head = found.checkpoint
    if not merkle.is_included(merkle.leaf_hash(leaf), proof.index, head.size, proof.path, head.root):
        raise SignatureInvalid(
            "the proof does not lead to the checkpoint",
            why=f"no entry of these bytes has the number {proof.index} in the tree of {head.size}",
        )
    return found


def keys_of(origin: str, lines: Sequence[str], witnesses: Sequence[str] = (), enough: int = 0) -> LogKeys:
    """From verifier keys as they are written.

    Raises:
        UsageError: when one is none.
    """
    return LogKeys(origin, tuple(map(note.verifier, lines)), tuple(map(note.verifier, witnesses)), enough)


def _none(why: str) -> SignatureInvalid:
    return SignatureInvalid("this is no proof of a transparency log", why=why, advice="get it anew with `assay log proof`")
