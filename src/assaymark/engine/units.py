"""From names to units of input.

A blob is its own unit. A *directory* holds the selected files that stand in one folder, a *tree* all selected files; both are derived here
from a listing. Package sets, layers, hosts, endpoints and event batches are known only to the subject: it offers them (`OffersUnits`).

Guarantees that a unit's digest changes exactly when a name or a digest among its members does. Reads no content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

from assaymark.model.check import Check, Dialect, UnitKind
from assaymark.model.digest import Digest
from assaymark.model.subject import Entry, EntryKind

DERIVED = frozenset({UnitKind.DIRECTORY, UnitKind.TREE})
"""Kinds that follow from a whole listing."""
READABLE = frozenset({EntryKind.FILE, EntryKind.LFS})
"""Entries with content of their own; an LFS pointer is a small file like another."""


class Member(Struct, frozen=True, array_like=True):
    """One file of a unit."""

    name: str
    """Relative to the unit; empty for a blob."""
    digest: Digest
    size: int = -1


class Unit(Struct, frozen=True):
    """What one input of a wider kind is made of."""

    kind: UnitKind
    name: str
    """Where it stands in the subject: a folder, a lock file, a layer's diff id, a host, a URL. `Check.select` is asked with it."""
    digest: Digest
    members: tuple[Member, ...]
    """The subject's reader gives each one's content by digest."""


class OffersUnits(Protocol):
    """A subject that knows units of its own, beside `model.subject.Subject`."""

    def units(self, kind: UnitKind) -> Iterator[Unit]:
        """All units of this kind; none for a kind that the subject does not have."""
        ...


def unit_digest(kind: UnitKind, members: Iterable[Member]) -> Digest:
    """Digest over the sorted (name, digest) pairs; for subjects whose units have no digest of their own."""
    state = sha256(kind.encode() + b"\0")
    for member in sorted(members, key=lambda m: m.name):
        state.update(f"{member.name}\0{member.digest}\0".encode("utf-8", "surrogateescape"))
    return Digest("sha256:" + state.hexdigest())


def derive(check: Check, entries: Iterable[Entry]) -> Iterator[tuple[Dialect, Unit]]:
    """The units of a check of directories or trees over a whole listing, one per folder and dialect."""
    groups: dict[tuple[str, Dialect], list[Member]] = {}
    for entry in entries:
        dialect = check.select(entry.path) if entry.kind in READABLE else None
        if dialect is None:
            continue
        folder, _, name = entry.path.rpartition("/") if check.unit is UnitKind.DIRECTORY else ("", "", entry.path)
        groups.setdefault((folder, dialect), []).append(Member(name, entry.digest, entry.size))
    for (folder, dialect), members in groups.items():
        unit = Unit(check.unit, folder, unit_digest(check.unit, members), tuple(sorted(members, key=lambda m: m.name)))
        yield dialect, unit


def offered(check: Check, units: Sequence[Unit]) -> Iterator[tuple[Dialect, Unit]]:
    """Those of a subject's own units that the check asks for."""
    for unit in units:
        dialect = check.select(unit.name) if unit.kind is check.unit else None
        if dialect is not None:
            yield dialect, unit
