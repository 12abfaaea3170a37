"""What was found in any of the places, brought together: each endorsement once, with all its signatures. Pure; believes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assaymark.endorsement import bundle, dsse, statement, strict_json
from assaymark.errors import SignatureInvalid

MOST = 64
"""Endorsements of one digest that are looked at: one is enough, and whoever may write there could lay down any number."""


def gathered(found: Iterable[bytes], digest: str) -> tuple[bytes, ...]:
    """Those that are about the digest, in their order: of several signatures of one statement a line each, as `bundle.read` takes them.

    What is neither bundle nor envelope is passed over.
    """
    held: dict[tuple[str, str], list[bytes]] = {}
    for line in _lines(found):
        try:
            envelope = bundle.read(line)
            if not is_about(line, digest):
                continue
        except (SignatureInvalid, strict_json.NotStrictError):
            continue
        name = (envelope.payload, envelope.payload_type)
        if name not in held and len(held) >= MOST:
            continue
        lines = held.setdefault(name, [])
        if line not in lines and len(lines) < bundle.MOST_LINES:
            lines.append(line)
    return tuple(b"\n".join(lines) for lines in held.values())


def is_about(data: bytes, digest: str) -> bool:
    """Whether its statement names ``<algorithm>:<hex>``.

    Raises:
        SignatureInvalid, NotStrictError: when it holds no statement.
    """
    kind, _, value = digest.partition(":")
    return any(each.digest.get(kind) == value for each in named(data))


def named(data: bytes) -> tuple[statement.Named, ...]:
    """The subjects of its statement; raises like `is_about`."""
    return statement.read(dsse.payload_of(bundle.read(data))).subject


def one_line(data: bytes) -> tuple[bytes, ...]:
    """Its bundles or envelopes, a line each, for places that hold lines.

    Raises:
        SignatureInvalid, NotStrictError: when it is none.
    """
    if b"\n" not in data.strip():
        bundle.read(data)
        return (data.strip(),)
    lines = [line.strip() for line in data.splitlines() if line.strip()]
    try:
        for line in lines:
            bundle.read(line)
    except (SignatureInvalid, strict_json.NotStrictError):  # one document, written over several lines
        return bundle.one_each(bundle.read(data))
    return tuple(lines)


def _lines(found: Iterable[bytes]) -> Iterator[bytes]:
    for data in found:
        if len(data) > bundle.MOST_BYTES * MOST:
            continue
        if _is_one(data):
            yield from one_line(data)
            continue
        yield from (line.strip() for line in data.splitlines() if line.strip())


def _is_one(data: bytes) -> bool:
    try:
        bundle.read(data)
    except (SignatureInvalid, strict_json.NotStrictError):
        return False
    return True
