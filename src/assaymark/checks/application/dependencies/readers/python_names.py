"""Names of Python packages (PEP 503) and hashes as Python's lock files write them."""

from __future__ import annotations

import re

_RUN = re.compile(r"[-_.]+")
_HASH = re.compile(r"(?:sha(?:1|224|256|384|512)|md5|blake2b):[0-9a-fA-F]+\Z")


def normal(name: str) -> str:
    """The one form of a name; everything before an extra's bracket."""
    return _RUN.sub("-", name.partition("[")[0].strip()).lower()


def hash_of(value: str) -> str:
    """``sha256:<hex>`` when the value is one, otherwise empty."""
    return value.lower() if _HASH.match(value) else ""


ARCHIVE = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._]*?|[A-Za-z0-9][A-Za-z0-9._-]*?)-(?P<version>\d[0-9A-Za-z.!+_]*)"
    r"(?:-[0-9A-Za-z_.]+){0,5}?(?P<ending>\.whl|\.tar\.gz|\.tar\.bz2|\.zip)\Z"
)
"""File name of a wheel (PEP 427) or of an archive of sources (PEP 625): both hold the version."""
