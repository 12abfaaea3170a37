"""How an outcome is named and written down, and which outcomes are facts.

Guarantees that equal keys mean equal check, knowledge, dialect and content. Reads and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import msgspec

from assaymark.model.check import Checked, Dialect, Outcome, Unchecked
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId

CLEAN = Checked()
"""The commonest outcome, shared."""

DETERMINISTIC = frozenset({"syntax", "encoding", "schema", "format", "nesting", "unsupported", "complexity"})
"""Reason classes that follow from the content alone, so that trying again cannot help."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checked | Unchecked).decode
_CLEAN_BYTES = _encode(CLEAN)


def is_fact(outcome: Outcome) -> bool:
    """Whether the outcome may be remembered.

    A list of what is allowed, not of what is forbidden: a time-out, a full memory, a missing tool, a size limit of today or a reason that
    nobody has classified is asked again next time.
    """
    return isinstance(outcome, Checked) or outcome.reason_class in DETERMINISTIC


def encode(outcome: Outcome) -> bytes:
    """The outcome's bytes.

    Raises:
        UnicodeEncodeError: when a text holds half a surrogate pair.
    """
    return _encode(outcome)


def decode(data: bytes | memoryview) -> Outcome:
    """The outcome of such bytes.

    Raises:
        msgspec.MsgspecError: when they are none.
    """
    return CLEAN if data == _CLEAN_BYTES else _decode(data)


def fact_key(check: CheckId, version: str, knowledge: str) -> Callable[[Dialect, Digest], bytes]:
    """A function from (dialect, input digest) to the 32-byte key of the fact."""
    start = blake2b(digest_size=32, person=b"assay fact 1")
    for field in (check, version, knowledge):
        start.update(_framed(field))
    copy = start.copy

    def key(dialect: Dialect, digest: Digest) -> bytes:
        state = copy()
        state.update(_framed(dialect) + digest.encode())
        return state.digest()

    return key


def _framed(field: str) -> bytes:
    data = field.encode("utf-8", "surrogateescape")
    return len(data).to_bytes(4, "big") + data
