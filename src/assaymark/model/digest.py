"""Digests and the canonical encoding they are taken over.

Guarantees that equal values give equal digests on every machine and in every process.
Does not read files: whoever has the bytes passes them in.
"""

from __future__ import annotations

import hashlib
from typing import Any, NewType

import msgspec

Digest = NewType("Digest", str)
"""``<algorithm>:<lower-case hex>``. ``git-sha1`` and ``git-sha256`` are git's own blob ids."""

_canonical = msgspec.json.Encoder(order="deterministic")


def sha256(data: bytes | bytearray | memoryview) -> Digest:
    """Digest of bytes that do not come from a git object store."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def git_blob(oid: str) -> Digest:
    """Digest of a blob that git already named; 40 hex digits are SHA-1, 64 are SHA-256."""
    return Digest(("git-sha1:" if len(oid) == 40 else "git-sha256:") + oid)


def canonical(value: Any) -> bytes:
    """Deterministic JSON of any msgspec-encodable value: sorted keys, no white space."""
    return _canonical.encode(value)


def digest_of(value: Any) -> Digest:
    """Digest of a value's canonical encoding."""
    return sha256(canonical(value))
