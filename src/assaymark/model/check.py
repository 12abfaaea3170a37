"""The seam between the engine and every check, of every layer and every unit of input.

A check is a pure function of content. It declares what it reads; the engine lists, reads, caches, parallelises and limits.
Built-in checks use the same door as third parties' (entry point group ``assaymark.checks``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NewType, Protocol

from msgspec import Struct

from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Layer, Sighting

Dialect = NewType("Dialect", str)
"""How a check reads an input of a given name (``python``, ``dotenv``, ``text``); part of what is remembered."""


class UnitKind(StrEnum):
    """The units of input that facts are about."""

    BLOB = "blob"
    DIRECTORY = "directory"
    PACKAGE_SET = "package-set"
    LAYER = "layer"
    TREE = "tree"
    HOST = "host"
    ENDPOINT = "endpoint"
    EVENT_BATCH = "event-batch"


class Part(Struct, frozen=True):
    """One file of an input."""

    name: str
    """Relative to the unit; empty for a blob: a check of blobs never learns a path."""
    content: bytes


class Input(Struct, frozen=True):
    """What a check is given."""

    digest: Digest
    dialect: Dialect
    parts: tuple[Part, ...]

    @property
    def content(self) -> bytes:
        """The only part's content (units of one file).

        Raises:
            ValueError: when the unit has several parts.
        """
        (part,) = self.parts
        return part.content


class Checked(Struct, frozen=True, tag="checked", omit_defaults=True):
    """The check ran to its end over this input; no sightings means clean."""

    sightings: tuple[Sighting, ...] = ()
    skipped: str = ""
    """Why there was nothing to read (``binary``, ``other-language``): counted and shown, not a gap."""
    undecided: int = 0
    """How often a rule asked for a value that the content does not give; counted and shown, and no finding."""
    links: tuple[str, ...] = ()
    """Only in what planning remembers: folders that this content refers to, see `engine.links`."""


class Unchecked(Struct, frozen=True, tag="unchecked"):
    """The check could not say anything about this input."""

    reason_class: str
    """Short stable word, e.g. ``syntax``."""
    reason: str
    """One sentence for people: what, where, what to do."""
    line: int = 0


Outcome = Checked | Unchecked


class Check(Protocol):
    """One check. Instances live in worker processes and are used for many inputs."""

    id: CheckId
    layer: Layer
    unit: UnitKind
    version: str
    """Raise it whenever the same input may give another answer."""
    # A check that spends its time in programs of its own may say `starts_processes = True`: small plans then run it beside the others.
    # One with much to import may have `preload()`: the daemon calls it once, so that every forked worker finds it loaded.
    # A check of directories may have `links(content)`: its units then are closures over the folders that it names (`engine.links`).

    def knowledge(self) -> str:
        """Digest of everything besides `version` that the answer depends on: rule packs, tool versions, parameters.

        Raises:
            EngineMissing: when a tool that the check needs is not installed.
        """
        ...

    def select(self, path: str) -> Dialect | None:
        """How to read a file of this name, or None to leave it alone. Cheap: judged by name only."""
        ...

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """One outcome per input, in any order, over a batch whose size the engine chooses.

        Whatever is not yielded is recorded as unchecked; an exception makes the whole batch unchecked after it was retried one by one.
        """
        ...
