"""A text that several have signed (C2SP signed-note), and the keys that verify it in one line each.

Guarantees: a note is read only as the standard writes it: UTF-8, no control characters, signature lines after the last empty line; its
size and the number of signatures are bounded. A signature by a key that is not known is kept and does not count; one by a known key that
does not hold makes the whole note nothing. Ed25519 (kind 1) and timestamped cosignatures of checkpoints by Ed25519 (kind 4) are verified;
other kinds (ML-DSA among them) are carried along.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import unicodedata
from collections.abc import Sequence
from enum import IntEnum

from msgspec import Struct

from assaymark.endorsement.keys import PublicKey, Signer, of_key
from assaymark.errors import SignatureInvalid, UsageError

MOST_BYTES = 256 << 10
MOST_SIGNATURES = 64
_DASH = "\N{EM DASH} "
_ID = 4
_TIME = 8
_SIGNATURE = 64
_KEY = 32


class Kind(IntEnum):
    """How is signed; a byte."""

    ED25519 = 1
    COSIGNATURE = 4
    """Of a checkpoint by a witness, with the time."""


class Signature(Struct, frozen=True):
    """One line."""

    name: str
    id: bytes
    """Of the key, four bytes."""
    data: bytes


class Note(Struct, frozen=True):
    text: str
    """With the newline at its end."""
    signatures: tuple[Signature, ...]


class Verifier(Struct, frozen=True):
    """A key that verifies."""

    name: str
    kind: Kind
    key: PublicKey
    raw: bytes

    @property
    def id(self) -> bytes:
        return key_id(self.name, self.kind, self.raw)

    @property
    def line(self) -> str:
        """As it is written in one line (vkey)."""
        return f"{self.name}+{self.id.hex()}+{base64_of(bytes([self.kind]) + self.raw)}"


class Held(Struct, frozen=True):
    """A signature that holds."""

    by: Verifier
    at: int | None
    """When, in seconds since 1970; of cosignatures alone."""


def key_id(name: str, kind: int, raw: bytes) -> bytes:
    """Four bytes, by which a line says whose it is."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + raw).digest()[:_ID]


def verifier_of(name: str, public: PublicKey, kind: Kind = Kind.ED25519) -> Verifier:
    """Of a public key.

    Raises:
        UsageError: when the name is none, or the key is no Ed25519.
    """
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    if not _is_name(name):
        raise UsageError(
            f"{name[:100]!r} is no name of a key", why="it is empty or has spaces or a plus", advice="write it as example.org/log"
        )
    if not isinstance(public.key, ed25519.Ed25519PublicKey):
        raise UsageError("a log is signed with Ed25519", advice="make a key of that kind")
    return Verifier(name, kind, public, public.key.public_bytes_raw())


def verifier(line: str) -> Verifier:
    """Read a key's line.

    Raises:
        UsageError: when it is none, or of a kind that is not verified here.
    """
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

    name, _, rest = line.strip().partition("+")
    number, _, encoded = rest.partition("+")
    try:
        data = raw_of(encoded)
        kind, raw = Kind(data[0]), data[1:]
        key = of_key(ed25519.Ed25519PublicKey.from_public_bytes(raw))
    except (ValueError, IndexError) as error:
        raise UsageError(
            "this is no verifier key",
            why=f"{line[:80]!r} has no key as its third part",
            advice="write <name>+<id>+<base64>, as `assay log show` does",
        ) from error
    if not _is_name(name) or number != key_id(name, kind, raw).hex():
        raise UsageError("this is no verifier key", why="its id is not that of its name and key", advice="copy the whole line")
    return Verifier(name, kind, key, raw)


# --- reading and writing ---------------------------------------------------------------------------------------------


def read(data: bytes) -> Note:
    """The note.

    Raises:
        SignatureInvalid: when these bytes are none.
    """
    if len(data) > MOST_BYTES:
        raise _none(f"it has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        whole = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _none("it is no UTF-8") from error
    if any(letter < " " and letter != "\n" for letter in whole):
        raise _none("it has control characters")
    text, gap, rest = whole.rpartition("\n\n")
    if not gap or not rest.endswith("\n"):
        raise _none("there are no signatures after an empty line")
    lines = rest[:-1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise _none(f"it has {len(lines)} signatures, at most {MOST_SIGNATURES} are read")
    return Note(text + "\n", tuple(_signature(line) for line in lines))


def written(note: Note) -> bytes:
    lines = "".join(f"{_DASH}{each.name} {base64_of(each.id + each.data)}\n" for each in note.signatures)
    return f"{note.text}\n{lines}".encode()


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not _is_name(name):
        raise _none(f"{line[:80]!r} is no signature line")
    try:
        data = raw_of(encoded)
    except ValueError as error:
        raise _none(f"the signature of {name[:80]!r} is no base64") from error
    if len(data) <= _ID:
        raise _none(f"the signature of {name[:80]!r} is empty")
    return Signature(name, data[:_ID], data[_ID:])


# --- signing and verifying -------------------------------------------------------------------------------------------


def sign(text: str, name: str, signer: Signer) -> Signature:
    """By the owner of a log.

    Raises:
        UsageError: when the name is none or the key is no Ed25519.
    """
    return Signature(name, verifier_of(name, signer.public).id, signer.sign(text.encode()))


def cosign(text: str, name: str, signer: Signer, at: int) -> Signature:
    """By a witness who saw this checkpoint at that time (seconds since 1970).

    Raises:
        UsageError: as `sign`.
    """
    verifying = verifier_of(name, signer.public, Kind.COSIGNATURE)
    return Signature(name, verifying.id, at.to_bytes(_TIME) + signer.sign(_cosigned(text, at)))


def verify(note: Note, known: Sequence[Verifier]) -> tuple[Held, ...]:
    """Whose signatures hold, each key once; perhaps nobody's.

    Raises:
        SignatureInvalid: when one by a known key does not hold.
    """
    found: dict[tuple[str, bytes], Held] = {}
    for each in note.signatures:
        for by in known:
            if by.name == each.name and by.id == each.id:
                found.setdefault((by.name, by.id), _held(note.text, each, by))
    return tuple(found.values())


def _held(text: str, signature: Signature, by: Verifier) -> Held:
    data, at = signature.data, None
    message = text.encode()
    if by.kind is Kind.COSIGNATURE:
        at, data = int.from_bytes(data[:_TIME]), data[_TIME:]
        message = _cosigned(text, at)
    if len(data) != _SIGNATURE or (at is not None and at >> 63) or not by.key.holds(data, message):
        raise SignatureInvalid(f"the signature of {by.name[:100]} does not hold", why="the text was changed, or somebody else signed it")
    return Held(by, at)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(letter.isspace() or unicodedata.category(letter)[0] in "ZC" for letter in name)


def raw_of(text: str) -> bytes:
    """Base64 as it would be written; raises `ValueError`."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("it is no base64") from error
    if base64_of(data) != text:
        raise ValueError("its base64 has more than one form")
    return data


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _none(why: str) -> SignatureInvalid:
    return SignatureInvalid("this is no signed note", why=why, advice="get it anew from the log")
