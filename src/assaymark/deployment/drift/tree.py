"""A tree of files as it is, compared with the manifest that was endorsed.

Guarantees: everything that a manifest of the owned form holds is compared, and nothing else (no time is); a path that cannot be read is a
drift of its own, and the rest is compared all the same; no fifo or device is opened, no link followed; names are bytes. Most entries are
compared as the bytes of their lines, which is what lets a whole pass cost little more than hashing.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from assaymark.deployment.drift.drifted import Drift, Weight
from assaymark.deployment.drift.lines import compared
from assaymark.deployment.drift.spelling import spelled
from assaymark.deployment.drift.stance import Found
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.subjects.confined import join, open_folder, open_root
from assaymark.subjects.listing import raw
from assaymark.subjects.manifest_lines import VERSION, Form, Head, Line
from assaymark.subjects.manifest_reading import Reading, UnreadableError

if TYPE_CHECKING:
    from assaymark.deployment.drift.remembered import Remembered

_ORDER = list(Weight)
_ADVICE = "make one: assay drift TREE --write-manifest FILE"
_decode = msgspec.json.Decoder(Line).decode


class Seen(Struct, frozen=True):
    """One pass, before anybody says what it means."""

    found: tuple[Found, ...]
    entries: int
    """That were looked at."""
    unseen: int
    recalled: int
    """Whose hash was remembered."""


class Scanned(Struct, frozen=True):
    """One pass."""

    drifts: tuple[Drift, ...]
    entries: int
    """That were looked at."""
    unseen: int
    recalled: int = 0
    """Whose hash was remembered."""


class Expected:
    """An endorsed manifest, and which of its paths are data, that is, not compared."""

    def __init__(self, text: bytes, data: Iterable[bytes] = ()) -> None:
        """Raises:
        UsageError: when it is no manifest of what runs.
        """
        self.lines = set(_lines(text))
        self._data = tuple(path.strip(b"/") for path in data)
        self._inside = tuple(path + b"/" for path in self._data)
        self._by_path: dict[bytes, bytes] | None = None

    def counts(self, path: bytes) -> bool:
        """Whether it is compared."""
        return not self._data or not (path in self._data or path.startswith(self._inside))

    def below(self, fd: int, path: bytes) -> Iterator[bytes]:
        """Everything below a path in the open tree: of the manifest, and of what is there."""
        inside = path + b"/" if path != b"." else b""
        if path == b".":
            return  # of the folder itself; what lies in it has events of its own
        self.at(path)
        yield from (each for each in self._by_path or () if each.startswith(inside))
        folders = [path]
        while folders:
            try:
                inner = open_folder(fd, above := folders.pop())
            except OSError:
                continue  # no folder: nothing is below it; one that cannot be read says so itself
            try:
                with os.scandir(inner) as names:
                    for name in names:
                        yield (each := join(above, raw(name.name)))
                        if name.is_dir(follow_symlinks=False):
                            folders.append(each)
            finally:
                os.close(inner)

    def at(self, path: bytes) -> bytes | None:
        """The line of a path."""
        if self._by_path is None:
            self._by_path = {_line(each).path: each for each in self.lines}
        return self._by_path.get(path)


def look(root: str, expected: Expected, remembered: Remembered | None = None, *, outside: bool = False) -> Seen:
    """All differences of the tree at `root`.

    With `outside`, a file that has further names outside of the tree is one too: not for trees whose files are shared by hard links.

    Raises:
        UsageError: when the manifest names a path twice.
        SubjectUnreadable: when the tree cannot be entered.
    """
    fd = open_root(root)
    try:
        unread: list[UnreadableError] = []
        reading = Reading(fd, Form.OWNED, unread.append, remembered)
        found, entries = _compare(reading, expected, unread)
        if outside:
            found += [_outside(path, more) for path, more in reading.outside if expected.counts(path)]
    finally:
        os.close(fd)
    unseen = sum(each.kind == "unseen" for each in found)
    return Seen(tuple(found), entries, unseen, remembered.recalled if remembered is not None else 0)


def scan(
    root: str, expected: Expected, drift: Callable[[Found], Drift], remembered: Remembered | None = None, *, outside: bool = False
) -> Scanned:
    """As `look`, as drifts, heaviest first."""
    seen = look(root, expected, remembered, outside=outside)
    drifts = sorted(map(drift, seen.found), key=lambda each: (_ORDER.index(each.weight), each.what, each.kind))
    return Scanned(tuple(drifts), seen.entries, seen.unseen, seen.recalled)


def at_path(fd: int, expected: Expected, path: bytes) -> Iterator[Found]:
    """The differences of one path as it is now; hard links are for a whole pass."""
    if not expected.counts(path):
        return
    wanted = expected.at(path)
    try:
        seen = Reading(fd, Form.OWNED).entry(path)
    except UnreadableError as error:
        yield _unread(error)
        return
    if seen != wanted:
        yield from compared(path, _alone(wanted), _line(seen) if seen is not None else None)


def _compare(reading: Reading, expected: Expected, unread: list[UnreadableError]) -> tuple[list[Found], int]:
    known, counts, entries = expected.lines, expected.counts, 0
    missing, paths, other = set(known), set[bytes](), dict[bytes, Line]()
    for path, line in reading.lines():
        if not counts(path):
            continue
        entries += 1
        paths.add(path)
        if line in known:
            missing.discard(line)
        else:
            other[path] = _line(line)
    failed = {error.path: error for error in unread if counts(error.path)}
    found = [_unread(error) for error in failed.values()]
    absent = [_line(each) for each in missing]
    if len({each.path for each in absent}) != len(absent):
        raise UsageError("this is no manifest", why="a path stands in it twice", advice=_ADVICE)
    for each in absent:
        path = each.path
        if path in failed or not counts(path):
            continue
        if path in paths and path not in other:
            raise UsageError("this is no manifest", why=f"{spelled(path)} stands in it twice", advice=_ADVICE)
        if path not in paths and _below(path, failed):
            continue
        found += compared(path, each, other.pop(path, None))
    for path, new in other.items():
        found += compared(path, None, new)
    return found, entries


def _below(path: bytes, failed: dict[bytes, UnreadableError]) -> bool:
    """Whether it lies in a folder that could not be listed: that is said once."""
    while path and failed:
        path = path.rpartition(b"/")[0]
        if path in failed or (not path and b"." in failed):
            return True
    return False


def _unread(error: UnreadableError) -> Found:
    return Found(spelled(error.path), "unseen", "to be read", error.why)


def _outside(path: bytes, more: int) -> Found:
    return Found(spelled(path), "hard-link", "no name outside of the tree", f"{more} more name{'s' * (more > 1)} outside of the tree")


def _alone(line: bytes | None) -> Line | None:
    return None if line is None else msgspec.structs.replace(_line(line), n="", nb64="")


def _line(text: bytes) -> Line:
    """A line of which every member can be read."""
    try:
        found = _decode(text)
        for value in (*found.x.values(), found.lb64, found.nb64):
            base64.b64decode(value, validate=True)
        if found.path and found.m != "x" and int(found.m or "0", 8) >= 0:
            return found
    except (*UNDECODABLE, ValueError) as error:
        raise UsageError("this is no manifest", why=str(error), advice=_ADVICE) from error
    raise UsageError("this is no manifest", why=f"{text[:100]!r} stands in it", advice=_ADVICE)


def _lines(text: bytes) -> list[bytes]:
    head, *lines = text.split(b"\n")
    try:
        first = msgspec.json.decode(head, type=Head)
    except UNDECODABLE as error:
        raise UsageError("this is no manifest", why=str(error), advice=_ADVICE) from error
    if first.manifest != VERSION or lines[-1:] != [b""]:
        raise UsageError(f"this is no manifest of version {VERSION}", advice=_ADVICE)
    if first.form is not Form.OWNED:
        raise UsageError("this manifest is of a checkout, not of what runs", why=f"its form is {first.form}", advice=_ADVICE)
    if len(set(lines)) != len(lines):
        raise UsageError("this is no manifest", why="a line stands in it twice", advice=_ADVICE)
    return lines[:-1]
