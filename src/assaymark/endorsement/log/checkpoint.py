"""What a log says of itself at a size (C2SP tlog-checkpoint): its name, how many leaves, their root; signed, and perhaps cosigned.

Guarantees: a checkpoint is believed only from the log's own key, under the log's own name; numbers and hashes have one spelling. What
witnesses signed is told, and how many of them are enough is the caller's rule.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from assaymark.endorsement.keys import Signer
from assaymark.endorsement.log import merkle, note
from assaymark.endorsement.log.note import Note, Verifier
from assaymark.errors import SignatureInvalid

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Checkpoint(Struct, frozen=True):
    origin: str
    """The log's name."""
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()
    """Further lines, which mean nothing here."""

    @property
    def text(self) -> str:
        """What is signed."""
        lines = (self.origin, str(self.size), note.base64_of(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


class Opened(Struct, frozen=True):
    """A checkpoint that its log signed."""

    checkpoint: Checkpoint
    note: Note
    witnesses: tuple[tuple[str, int], ...]
    """Name and time (seconds since 1970) of those among the known ones who cosigned it."""


def signed(checkpoint: Checkpoint, signer: Signer) -> bytes:
    """By the log.

    Raises:
        UsageError: when its name can be none of a key, or the key is no Ed25519.
    """
    return note.written(Note(checkpoint.text, (note.sign(checkpoint.text, checkpoint.origin, signer),)))


def cosigned(data: bytes, name: str, signer: Signer, at: int) -> bytes:
    """With one more signature: by a witness, who looked whether it goes on from what he saw before.

    Raises:
        SignatureInvalid: when these bytes are no note.
    """
    found = note.read(data)
    return note.written(Note(found.text, (*found.signatures, note.cosign(found.text, name, signer, at))))


def read(data: bytes) -> tuple[Checkpoint, Note]:
    """What it says, whoever signed it.

    Raises:
        SignatureInvalid: when it is no checkpoint.
    """
    found = note.read(data)
    lines = found.text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise _none("it has no three lines: name, size, root")
    if not _SIZE.fullmatch(lines[1]):
        raise _none(f"{lines[1][:40]!r} is no size")
    try:
        root = note.raw_of(lines[2])
    except ValueError as error:
        raise _none("its root is no base64") from error
    if len(root) != merkle.HASH:
        raise _none(f"its root has {len(root)} bytes")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:])), found


def opened(data: bytes, origin: str, keys: Sequence[Verifier], witnesses: Sequence[Verifier] = ()) -> Opened:
    """The checkpoint, when the log of this name signed it with one of these keys.

    Raises:
        SignatureInvalid: when it is none, of another log, or not signed by it.
    """
    found, text = read(data)
    if found.origin != origin:
        raise SignatureInvalid("the checkpoint is of another log", why=f"it is of {found.origin[:100]!r}, expected {origin[:100]!r}")
    if not note.verify(text, keys):
        raise SignatureInvalid("the checkpoint is not signed by the log", why="no signature is by a key that is known")
    seen = tuple((held.by.name, held.at) for held in note.verify(text, witnesses) if held.at is not None)
    return Opened(found, text, seen)


def _none(why: str) -> SignatureInvalid:
    return SignatureInvalid("this is no checkpoint", why=why, advice="get it anew from the log")
