"""A plain folder: every file below it, no ignore rules, no version control.

Guarantees of `assaymark.subjects.confined`. Version control's own folders are passed over; whatever cannot be read is listed all the same,
and its reader says ``unreadable``. Every file is hashed when the folder is listed.
"""

# Names are bytes with surrogate escapes, and pathlib is slow to import on the path of a hook:
# ruff: noqa: PTH100
from __future__ import annotations

import os
from collections.abc import Iterator

from assaymark.model.digest import Digest
from assaymark.model.subject import Entry, EntryKind, ReaderSpec, SubjectRef
from assaymark.subjects.confined import FilesSpec, describe, join, list_folder, open_folder, open_root, read_below, unreadable
from assaymark.subjects.listing import Wanted, by_path, digest_of_entries, everything, printable_name, text

VERSION_CONTROL = frozenset({b".git", b".hg", b".svn"})


class DirectorySubject:
    """A folder and everything below it."""

    def __init__(self, path: str, wanted: Wanted = everything, *, name: str = "") -> None:
        """Lists and hashes it. `name` is what the user calls it.

        Raises:
            SubjectUnreadable: when the folder itself cannot be entered.
        """
        self._root = os.path.abspath(path)
        self._wanted = wanted
        self._entries, self._places = self._list()
        self.ref = SubjectRef(kind="directory", name=printable_name(name or path), digest=digest_of_entries(self._entries))

    def entries(self) -> Iterator[Entry]:
        """See `assaymark.model.subject.Subject`."""
        return iter(self._entries)

    def file(self, path: str, *, limit: int) -> bytes | None:
        """See `assaymark.model.subject.Subject`."""
        return read_below(self._root, path, limit=limit)

    def reader(self) -> ReaderSpec:
        return FilesSpec(root=self._root, places=self._places)

    def _list(self) -> tuple[list[Entry], dict[Digest, str]]:
        entries: list[Entry] = []
        places: dict[Digest, str] = {}
        root = open_root(self._root)
        try:
            for entry, readable in _walk(root):
                if not self._wanted(entry.path):
                    continue
                entries.append(entry)
                if entry.kind is not EntryKind.SPECIAL:
                    places[entry.digest] = entry.path if readable else ""
        finally:
            os.close(root)
        return by_path(entries), places


def _walk(root: int) -> Iterator[tuple[Entry, bool]]:
    """Every name below a folder and whether it could be read; without recursion, for trees deeper than Python's stack."""
    folders = [b""]
    while folders:
        above = folders.pop()
        try:
            names = list_folder(root, above)
            fd = open_folder(root, above)
        except OSError as error:
            yield unreadable(text(above) or ".", f"folder/{error.errno}"), False
            continue
        try:
            folders.extend(join(above, name) for name, is_folder in names if is_folder and name not in VERSION_CONTROL)
            yield from _files(fd, above, [name for name, is_folder in names if not is_folder])
        finally:
            os.close(fd)


def _files(fd: int, above: bytes, names: list[bytes]) -> Iterator[tuple[Entry, bool]]:
    for name in names:
        try:
            yield describe(fd, name, text(join(above, name)))
        except FileNotFoundError:  # removed since the folder was read: as if it had never been seen
            continue
