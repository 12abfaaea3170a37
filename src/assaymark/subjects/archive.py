"""An archive (zip, wheel, jar; tar plain or packed by gzip, bzip2, xz) as a subject.

Nothing is unpacked: members are read as a stream, once to list them by digest and again when their content is asked for.
Archives inside archives are files. Links are names with a target, never followed.

Refused as a whole, with the reason: names that would leave the archive, members below a link, more than the limits below allow.
Listed, and answered ``unreadable`` when read: encrypted members, damaged ones, those packed by a method that is not known here.
Listed under a name of its own, so that nothing hides: every further member of a name that occurs twice.
"""

# Names are bytes with surrogate escapes, and pathlib is slow to import on the path of a hook:
# ruff: noqa: PTH100
from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.model.digest import Digest, sha256
from assaymark.model.subject import Content, Entry, EntryKind, ReaderSpec, SubjectRef
from assaymark.subjects.empty import read_one
from assaymark.subjects.listing import Wanted, by_path, digest_of_entries, everything, printable_name

MAX_ENTRIES = 500_000
"""More names than any package or image layer in use; the listing of as many takes about 300 MB."""
MAX_BYTES = 16 << 30
"""Of all members unpacked: more than a minute of hashing."""
MAX_RATIO = 200
"""Unpacked bytes per packed byte. Logs and generated text reach about 100, deflate itself at most 1,032."""
RATIO_FLOOR = 64 << 20
"""Below this an archive may be as dense as it likes."""


class Member(Struct, frozen=True):
    """One member, while the archive is walked."""

    position: int
    """How many members came before it: its name in this archive, since paths may occur twice."""
    path: str
    kind: EntryKind
    executable: bool
    packed: int
    """What identifies a member that cannot be read."""
    pieces: Callable[[], Iterator[bytes]]
    """Its content (a link's target); to be read before the next member.

    Raises:
        MemberUnreadable: when it cannot be had.
    """
    same_as: str = ""
    """For a hard link: the path of the file it is."""


class MemberUnreadable(Exception):  # noqa: N818 - a state of one member, never meets a user
    """Encrypted, damaged, or packed by an unknown method."""


Walk = Callable[[BinaryIO], Iterator[Member]]


class Budget:
    """What an archive may still cost."""

    def __init__(self, path: str, packed: int) -> None:
        self._path = path
        self._packed = max(packed, 1)
        self._bytes = 0
        self._entries = 0

    def member(self) -> None:
        """One more member.

        Raises:
            SubjectUnreadable: when that is one too many.
        """
        self._entries += 1
        if self._entries > MAX_ENTRIES:
            raise refused(self._path, f"it has more than {MAX_ENTRIES} members")

    def spend(self, size: int) -> None:
        """More unpacked bytes.

        Raises:
            SubjectUnreadable: when that is too much.
        """
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise refused(self._path, f"unpacked it is larger than {MAX_BYTES >> 30} GiB")
        if self._bytes > RATIO_FLOOR and self._bytes > self._packed * MAX_RATIO:
            raise refused(self._path, f"it unpacks to more than {MAX_RATIO} times its size, as archives do that are made to exhaust memory")


class ArchiveSubject:
    """The members of an archive file."""

    def __init__(self, path: str, wanted: Wanted = everything, *, name: str = "") -> None:
        """Lists and hashes its members. `name` is what the user calls it.

        Raises:
            SubjectNotFound: when there is no such file.
            SubjectUnreadable: when it is no archive, damaged as a whole, or hostile.
        """
        self._path = os.path.abspath(path)
        self._wanted = wanted
        self._entries, self._positions = self._list()
        self.ref = SubjectRef(kind="archive", name=printable_name(name or path), digest=digest_of_entries(self._entries))

    def entries(self) -> Iterator[Entry]:
        """See `assaymark.model.subject.Subject`."""
        return iter(self._entries)

    def file(self, path: str, *, limit: int) -> bytes | None:
        """See `assaymark.model.subject.Subject`."""
        return read_one(self.reader(), next((entry for entry in self._entries if entry.path == path), None), limit=limit)

    def reader(self) -> ReaderSpec:
        return ArchiveReaderSpec(path=self._path, positions=self._positions)

    def _list(self) -> tuple[list[Entry], dict[Digest, int]]:
        entries: dict[str, Entry] = {}
        positions: dict[Digest, int] = {}
        links: set[str] = set()
        for member in walk(self._path):
            if member.kind is EntryKind.SYMLINK:
                links.add(member.path)
            name = _free(member.path, entries)
            entry, readable = self._linked(member, name, entries) if member.same_as else _entry(member, name)
            entries[name] = entry
            positions.setdefault(entry.digest, member.position if readable else -1)
        for path in entries if links else ():
            _not_below(path, links, self._path)
        return by_path(entry for entry in entries.values() if self._wanted(entry.path)), positions

    def _linked(self, member: Member, name: str, entries: dict[str, Entry]) -> tuple[Entry, bool]:
        """A hard link: its digest already has a position, so whether it could be read is known."""
        same = entries.get(member.same_as)
        if same is None:
            raise refused(self._path, f"its member {printable_name(name)} is a hard link to something that is not in it")
        return replace(same, path=name), True


def _free(path: str, taken: dict[str, Entry]) -> str:
    """The member's name, or one that tells that the name occurs again."""
    times = 2
    name = path
    while name in taken:
        name = f"{path} (occurrence {times})"
        times += 1
    return name


def _entry(member: Member, path: str) -> tuple[Entry, bool]:
    if member.kind is EntryKind.SPECIAL:
        return Entry(path=path, digest=sha256(b"special"), kind=member.kind, size=0), False
    seal, size = hashlib.sha256(), 0
    try:
        for piece in member.pieces():
            seal.update(piece)
            size += len(piece)
    except MemberUnreadable:
        name = member.path.encode("utf-8", "surrogateescape")
        return Entry(path=path, digest=sha256(b"unreadable\0%s\0%d" % (name, member.packed)), kind=member.kind), False
    return Entry(path=path, digest=Digest("sha256:" + seal.hexdigest()), kind=member.kind, size=size, executable=member.executable), True


def _not_below(path: str, links: set[str], archive: str) -> None:
    parts = path.split("/")
    for count in range(1, len(parts)):
        if "/".join(parts[:count]) in links:
            raise refused(archive, f"its member {printable_name(path)} lies below a link and would be written wherever that points")


def walk(path: str) -> Iterator[Member]:
    """Members of an archive in its own order.

    Raises:
        SubjectNotFound: when there is no such file.
        SubjectUnreadable: when it is no archive, damaged as a whole, or hostile.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SubjectNotFound(f"{printable_name(path)} cannot be opened", why=error.strerror or str(error)) from error
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise refused(path, "it is no regular file")
        yield from _opener(path, file, Budget(path, status.st_size))


def _opener(path: str, file: BinaryIO, budget: Budget) -> Iterator[Member]:
    head = file.read(512)
    file.seek(0)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        raise refused(path, "it is packed by zstd, which Python's library cannot read", "unpack it first: `zstd -d`")
    if head.startswith((b"7z\xbc\xaf\x27\x1c", b"Rar!")):
        raise refused(path, "7z and rar archives are not read", "unpack it, and check the folder")
    from assaymark.subjects import tarred, zipped  # noqa: PLC0415 - their libraries are not for the path of a hook

    if head.startswith(b"PK") or (not tarred.looks_packed(head) and zipped.looks_zipped(file)):
        return zipped.members(path, file, budget)
    return tarred.members(path, file, head, budget)


def refused(path: str, why: str, advice: str = "do not unpack it; ask where it comes from") -> SubjectUnreadable:
    """The refusal of a whole archive."""
    return SubjectUnreadable(f"{printable_name(path)} is not read", why=why, advice=advice)


def confined_name(path: str, archive: str) -> str:
    """A member's name relative to the archive's root.

    Raises:
        SubjectUnreadable: when unpacking it would write somewhere else.
    """
    parts = path.split("/")
    drive = len(path) > 1 and path[1] == ":" and path[0].isalpha()
    outside = path.startswith(("/", "\\", "..\\")) or ".." in parts or "\\..\\" in path
    if outside or drive or "\0" in path:
        raise refused(archive, f"its member {printable_name(path)} would be written outside of it")
    return "/".join(part for part in parts if part not in {"", "."}) or "."


class ArchiveReaderSpec(Struct, frozen=True):
    """Recipe of a reader of members."""

    path: str
    positions: dict[Digest, int]
    """Where a member of each digest is; -1 for those that could not be read."""

    def open(self) -> ArchiveReader:
        return ArchiveReader(self.path, self.positions)


class ArchiveReader:
    """Reads members: one pass over the archive for each call, so ask for many at once."""

    def __init__(self, path: str, positions: dict[Digest, int]) -> None:
        self._path = path
        self._positions = positions

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        """See `assaymark.model.subject.Reader`; contents come in the archive's order."""
        wanted: dict[int, Digest] = {}
        for digest in dict.fromkeys(digests):
            position = self._positions.get(digest)
            if position is None or position < 0:
                yield Content(digest=digest, data=None, size=-1, problem="missing" if position is None else "unreadable")
            else:
                wanted[position] = digest
        try:
            for member in walk(self._path) if wanted else ():
                if member.position in wanted:
                    yield _content(member, wanted.pop(member.position), limit)
                if not wanted:
                    break
        except (SubjectNotFound, SubjectUnreadable):
            pass  # it was listed a moment ago: whatever it is now, it is not what was listed
        for digest in wanted.values():
            yield Content(digest=digest, data=None, size=-1, problem="changed")

    def close(self) -> None:
        """Nothing stays open between calls."""


def _content(member: Member, digest: Digest, limit: int) -> Content:
    data = bytearray()
    size = 0
    try:
        for piece in member.pieces():
            size += len(piece)
            if size <= limit:
                data += piece
    except MemberUnreadable:
        return Content(digest=digest, data=None, size=-1, problem="unreadable")
    if size > limit:
        return Content(digest=digest, data=None, size=size, problem="too-large")
    if sha256(data) != digest:
        return Content(digest=digest, data=None, size=size, problem="changed")
    return Content(digest=digest, data=bytes(data), size=size)
