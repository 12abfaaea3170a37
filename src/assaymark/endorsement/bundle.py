"""Sigstore bundle v0.3: an envelope and a hint for which key it is signed with. No service is asked to make or to read one.

A bundle holds one signature, says its standard. What several keys signed is kept as one envelope with all signatures (`one_each` gives a
bundle per signature for others to read); reading takes a bundle, a bare envelope, or lines of them that hold the very same payload.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.endorsement import dsse, strict_json
from assaymark.endorsement.dsse import Envelope
from assaymark.errors import SignatureInvalid

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_FAMILY = re.compile(r"application/vnd\.dev\.sigstore\.bundle(?:\.v\d+\.\d+)?\+json(?:; ?version=v?\d+\.\d+)?", re.ASCII)
MOST_BYTES = 4 << 20
MOST_LINES = 16


class KeyHint(Struct, frozen=True):
    hint: str = ""


class Material(Struct, frozen=True, rename="camel", omit_defaults=True):
    public_key: KeyHint
    tlog_entries: tuple[Any, ...] = ()


class Bundle(Struct, frozen=True, rename="camel"):
    media_type: str
    verification_material: Material
    dsse_envelope: Envelope


class _Read(Struct, frozen=True, rename="camel"):
    """Either form: what is there says which."""

    media_type: str = ""
    dsse_envelope: Envelope | None = None
    payload: str | None = None
    payload_type: str = ""
    signatures: tuple[dsse.Signature, ...] = ()


def written(envelope: Envelope) -> bytes:
    """With the first signature's key as the hint; of one signature it is what other tools read."""
    return msgspec.json.encode(Bundle(MEDIA_TYPE, Material(KeyHint(envelope.signatures[0].keyid)), envelope))


def one_each(envelope: Envelope) -> tuple[bytes, ...]:
    """A bundle per signature, each as the standard wants it."""
    return tuple(written(replace(envelope, signatures=(each,))) for each in envelope.signatures)


def read(data: bytes) -> Envelope:
    """The envelope in it; several lines of one payload give one with all their signatures. Nothing is verified.

    Raises:
        SignatureInvalid: when it is none; `why` says what is wrong.
        NameTwiceError: when a name stands twice in one object.
    """
    if len(data) > MOST_BYTES:
        raise SignatureInvalid("the bundle is too large", why=f"it has {len(data)} bytes, at most {MOST_BYTES} are read")
    lines = [line for line in data.splitlines() if line.strip()]
    if len(lines) == 1 or not _is_lines(lines):
        return _one(data)
    if len(lines) > MOST_LINES:
        raise SignatureInvalid("these are too many bundles", why=f"there are {len(lines)}, at most {MOST_LINES} are read together")
    found = [_one(line) for line in lines]
    if len({(each.payload, each.payload_type) for each in found}) != 1:
        raise SignatureInvalid("these bundles do not say the same", why="their payloads differ", advice="give one endorsement at a time")
    return dsse.checked(replace(found[0], signatures=tuple(signature for each in found for signature in each.signatures)))


def _is_lines(lines: list[bytes]) -> bool:
    return all(line.startswith(b"{") and line.rstrip().endswith(b"}") for line in lines)


def _one(data: bytes) -> Envelope:
    try:
        found = strict_json.read(data, _Read)
    except strict_json.NameTwiceError:
        raise
    except strict_json.NotStrictError as error:
        raise SignatureInvalid("this is no bundle", why=str(error)) from error
    if found.dsse_envelope is not None:
        if found.payload is not None or found.signatures:
            raise SignatureInvalid("this is no bundle", why="it is a bundle and an envelope at once, and readers would differ")
        if not _FAMILY.fullmatch(found.media_type):
            raise SignatureInvalid("this is no bundle", why=f"its media type is {found.media_type[:100]!r}")
        return dsse.checked(found.dsse_envelope)
    if found.payload is None:
        raise SignatureInvalid("this is no bundle", why="it holds neither a DSSE envelope nor a payload")
    return dsse.checked(Envelope(found.payload, found.payload_type, found.signatures))
