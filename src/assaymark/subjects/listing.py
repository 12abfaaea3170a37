"""What git prints about trees, as entries and changes.

Formats are those of git-ls-tree and of "raw output" in git-diff-tree, always NUL-terminated. Names are kept byte for byte (UTF-8 with
surrogate escapes), whatever they contain; sorting is by code point, the same for subjects that do not come from git.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest, git_blob
from assaymark.model.subject import Change, Entry, EntryKind

RAW = ("--raw", "-z", "--no-renames", "--no-abbrev", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")
"""Options of every raw diff. Submodules are not entered: their own configuration would be obeyed there."""

_KINDS = {b"120": EntryKind.SYMLINK, b"160": EntryKind.SUBMODULE}
_ABSENT = b"000000"
_SURROGATES = re.compile("[\ud800-\udfff]")

Wanted = Callable[[str], bool]
"""Whether a path is asked about."""


class RawLine(Struct, frozen=True):
    """One line of a raw diff: an absent side is None; an object id of zeros means that only the work tree has the content."""

    path: str
    status: str
    before: Entry | None
    after: Entry | None


def text(raw: bytes) -> str:
    """A path as the model holds it."""
    return raw.decode("utf-8", "surrogateescape")


def raw(path: str) -> bytes:
    """A path as the file system holds it."""
    return path.encode("utf-8", "surrogateescape")


def by_path(entries: Iterable[Entry]) -> list[Entry]:
    """Entries in the order that every subject lists them in."""
    return sorted(entries, key=attrgetter("path"))


def everything(path: str) -> bool:
    """The filter that lets every path through."""
    del path
    return True


def only(paths: Sequence[str]) -> Wanted:
    """The filter for some files and folders, named relative to the subject's root; none means all."""
    if not paths or "" in paths:
        return everything
    names = frozenset(paths)
    folders = tuple(f"{path}/" for path in paths)
    return lambda path: path in names or path.startswith(folders)


def read_tree(output: bytes) -> list[Entry]:
    """Entries of ``git ls-tree -r -z``."""
    entries = []
    for line in output.split(b"\0")[:-1]:
        head, _, name = line.partition(b"\t")
        mode, _, oid = head.split(b" ", 2)
        entries.append(_entry(text(name), mode, oid))
    return by_path(entries)


def read_raw(output: bytes) -> Iterator[RawLine]:
    """Lines of a raw diff in git's order.

    Raises:
        SubjectUnreadable: when this is no raw diff.
    """
    fields = output.split(b"\0")
    if len(fields) % 2 != 1 or fields[-1]:
        raise SubjectUnreadable("git printed a diff that cannot be understood", why="a field is missing", advice="update git")
    for index in range(0, len(fields) - 1, 2):
        old_mode, new_mode, old, new, status = fields[index].removeprefix(b":").split(b" ")
        path = text(fields[index + 1])
        yield RawLine(
            path=path,
            status=status.decode("ascii"),
            before=None if old_mode == _ABSENT else _entry(path, old_mode, old),
            after=None if new_mode == _ABSENT else _entry(path, new_mode, new),
        )


def differs(before: Entry | None, after: Entry | None) -> bool:
    """True when the content or its kind is another; a changed permission is no change of content."""
    if before is None or after is None:
        return before is not after
    return before.digest != after.digest or before.kind is not after.kind


def read_changes(output: bytes) -> list[Change]:
    """A raw diff between two listings that git knows whole."""
    changes = [Change(before=line.before, after=line.after) for line in read_raw(output) if differs(line.before, line.after)]
    changes.sort(key=path_of)
    return changes


def path_of(change: Change) -> str:
    """The name that a change is about."""
    entry = change.after or change.before
    return entry.path if entry else ""


def digest_of_entries(entries: Iterable[Entry]) -> Digest:
    """Digest of a listing: names, kinds, permissions and digests, in order."""
    seal = hashlib.sha256(b"entries\0")
    for entry in entries:
        seal.update(_line(entry))
    return Digest("sha256:" + seal.hexdigest())


def digest_of_changes(anchor: str, changes: Iterable[Change]) -> Digest:
    """Digest of a listing that is given as what differs from `anchor`, which costs nothing in a large repository."""
    seal = hashlib.sha256(b"changes\0" + anchor.encode() + b"\0")
    for change in changes:
        seal.update(b"-" + _line(change.before) if change.before else b"")
        seal.update(b"+" + _line(change.after) if change.after else b"")
    return Digest("sha256:" + seal.hexdigest())


def printable_name(path: str) -> str:
    """A name for error messages: no control characters, no lone surrogates."""
    clean = _SURROGATES.sub("�", path)
    return "".join(char if char.isprintable() else "�" for char in clean)


def _line(entry: Entry) -> bytes:
    return b"\0".join((entry.kind.encode(), b"x" if entry.executable else b"", entry.digest.encode(), raw(entry.path), b""))


def _entry(path: str, mode: bytes, oid: bytes) -> Entry:
    kind = _KINDS.get(mode[:3], EntryKind.FILE)
    return Entry(path=path, digest=git_blob(oid.decode("ascii")), kind=kind, executable=mode == b"100755")
