"""What a reader of a format gives, and which reader a dialect has.

A reader is bounded in size and depth and never follows references. Text that does not parse raises `NotParsed`: the lines were read anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

MAX_BYTES = 2 * 1024 * 1024
"""Larger structured files are data, not configuration; lines are still read."""
MAX_PAIRS = 50_000
MAX_DEPTH = 200


class Pair(Struct, frozen=True):
    """One value under its key. Does not print its value."""

    key: str
    value: str
    start: int
    end: int
    certain: bool = False
    """The format itself says that this is a credential (``.netrc``, ``auths`` of Docker)."""

    def __repr__(self) -> str:
        return f"Pair(key={self.key!r}, start={self.start}, end={self.end})"


class NotParsed(Exception):  # noqa: N818 - an outcome of reading, not a failure of the program
    """The text is not of the format that its name says, or goes beyond the reader's limits."""


Reader = Callable[[bytes], Iterator[Pair]]


def reader_of(dialect: str) -> Reader | None:
    """The reader of a dialect; None for dialects that are only read line by line."""
    if dialect in {"json", "tfstate", "docker-config"}:
        from assaymark.checks.application.secrets.readers import json_reader  # noqa: PLC0415 - only for texts with a key word

        return json_reader.pairs
    if dialect in {"yaml", "kubeconfig"}:
        from assaymark.checks.application.secrets.readers import yaml_reader  # noqa: PLC0415 - loads libyaml

        return yaml_reader.pairs
    if dialect == "xml":
        from assaymark.checks.application.secrets.readers import xml_reader  # noqa: PLC0415 - loads expat

        return xml_reader.pairs
    from assaymark.checks.application.secrets.readers import line_formats  # noqa: PLC0415 - beside the others

    return line_formats.READERS.get(dialect)
