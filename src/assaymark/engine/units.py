"""From names to units of input.

A blob is its own unit. A *directory* holds the selected files that stand in one folder and in the folders that these refer to, where the
check says so (`links`); a *tree* holds all selected files. Both are derived here from a listing. Package sets, layers, hosts, endpoints and
event batches are known only to the subject: it offers them (`OffersUnits`).

Guarantees that a unit's digest changes exactly when a name or a digest among its members does. A link that leads out of the subject, to
nowhere or in a circle is no error: the closure holds what there is, each folder once. Reads no content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from posixpath import normpath, relpath
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


def derive(check: Check, entries: Iterable[Entry], links: Mapping[Digest, Sequence[str]] | None = None) -> Iterator[tuple[Dialect, Unit]]:
    """The units of a check of directories or trees over a whole listing, one per folder and dialect.

    `links` says what each content refers to; a unit's members then are the folder's files and those of every folder that it reaches, named
    relative to the folder (``../net/main.tf``).
    """
    groups: dict[Dialect, dict[str, list[Member]]] = {}
    for entry in entries:
        dialect = check.select(entry.path) if entry.kind in READABLE else None
        if dialect is None:
            continue
        folder, _, name = entry.path.rpartition("/") if check.unit is UnitKind.DIRECTORY else ("", "", entry.path)
        groups.setdefault(dialect, {}).setdefault(folder, []).append(Member(name, entry.digest, entry.size))
    for dialect, folders in groups.items():
        for folder, members in _closed(folders, links) if links else folders.items():
            unit = Unit(check.unit, folder, unit_digest(check.unit, members), tuple(sorted(members, key=lambda m: m.name)))
            yield dialect, unit


def _closed(folders: Mapping[str, Sequence[Member]], links: Mapping[Digest, Sequence[str]]) -> Iterator[tuple[str, list[Member]]]:
    referred = {folder: [link for member in members for link in links.get(member.digest, ())] for folder, members in folders.items()}
    for folder, reached in closures(referred).items():
        members = list(folders[folder])
        for other in reached:
            if other != folder:
                way = relpath("/" + other, "/" + folder)  # both absolute, so that no working directory is asked for
                members += [Member(f"{way}/{member.name}", member.digest, member.size) for member in folders[other]]
        yield folder, members


def offered(check: Check, units: Sequence[Unit]) -> Iterator[tuple[Dialect, Unit]]:
    """Those of a subject's own units that the check asks for."""
    for unit in units:
        dialect = check.select(unit.name) if unit.kind is check.unit else None
        if dialect is not None:
            yield dialect, unit


def closures(folders: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Folder -> itself and all that it reaches, in order of name, from what the files of each folder refer to."""
    direct = {folder: {target for link in links if (target := _resolved(folder, link)) in folders} for folder, links in folders.items()}
    return {folder: tuple(sorted(_reached(folder, direct))) for folder in folders}


def _resolved(folder: str, link: str) -> str | None:
    """The folder that a link means, None when it leads out of the subject."""
    if link.startswith("/") or "\0" in link:
        return None
    path = normpath(f"{folder}/{link}") if folder else normpath(link)
    if path == ".." or path.startswith("../"):
        return None
    return "" if path == "." else path


def _reached(folder: str, direct: Mapping[str, Iterable[str | None]]) -> set[str]:
    seen = {folder}
    waiting = [folder]
    while waiting:
        for target in direct[waiting.pop()]:
            if target is not None and target not in seen:
                seen.add(target)
                waiting.append(target)
    return seen
