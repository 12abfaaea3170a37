"""Reading objects by id: one ``git cat-file`` per reader, asked in bulk.

Guarantees: content larger than the limit is never loaded; what is handed out has the digest it was asked by (git does not verify that for
packed objects, and facts are remembered under digests); a missing, damaged or hostile object is a problem of that object alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import ClassVar, TypeVar

from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest
from assaymark.model.subject import Content
from assaymark.subjects import keeping
from assaymark.subjects.git import Git, bound, read_some, stop

CHUNK = 256
"""Questions per round: together they are smaller than the smallest pipe buffer (64 KiB on Linux, with 64-digit ids 19 KiB)."""

TREE_BYTES = 64 << 20
"""A folder of a million names."""

SILENCE_SECONDS = 10.0
"""How long one object may keep git busy. A damaged one may announce more bytes than it has, and git waits for our next question."""

GRACE_SECONDS = 0.2
"""A git whose input is closed ends at once, unless an object holds it."""

_USAGE = 129
"""git's exit code when it does not know an option."""

_ID = re.compile(r"git-(?:sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})\Z")
_T = TypeVar("_T")

LFS_SPEC = b"version https://git-lfs.github.com/spec/"
LFS_POINTER_BYTES = 1024
"""A pointer is smaller than this by its specification."""


def is_lfs_pointer(data: bytes) -> bool:
    """True when the bytes stand for a file that Git LFS keeps elsewhere."""
    return len(data) < LFS_POINTER_BYTES and data.startswith(LFS_SPEC)


class Header(Struct, frozen=True):
    """What git says of a name."""

    oid: str
    kind: str
    """``blob``, ``commit``, …, or ``missing`` or ``ambiguous``."""
    size: int


def read_header(line: bytes) -> Header:
    """One answer of ``cat-file --batch-check``. Names that were asked for may hold spaces; ids and types do not."""
    for word in (b" missing", b" ambiguous"):
        if line.endswith(word):
            return Header(oid="", kind=word[1:].decode(), size=0)
    try:
        oid, kind, size = line.rsplit(b" ", 2)
        return Header(oid=oid.decode("ascii"), kind=kind.decode("ascii"), size=int(size))
    except ValueError as error:
        raise SubjectUnreadable("git's answers are out of step", why="an object is damaged", advice="run `git fsck`") from error


class _Broken(Exception):  # noqa: N818 - not an error of the user, never leaves this module
    """The process ended or fell silent."""

    def __init__(self, *, silent: bool = False) -> None:
        super().__init__()
        self.silent = silent


class _Process:
    """One ``cat-file`` that answers line by line."""

    def __init__(self, git: Git, *options: str, flush: bytes) -> None:
        self._flush = flush
        self._buffer = b""
        self._at = 0
        self._process = subprocess.Popen(
            git.command("cat-file", *options),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=git.env,
            cwd=git.cwd,
            bufsize=0,
            pipesize=1 << 20,
        )
        bound(self._process)

    def ask(self, questions: Sequence[bytes]) -> None:
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        rest = memoryview(b"".join(question + b"\n" for question in questions) + self._flush)
        try:
            while rest:
                rest = rest[os.write(self._process.stdin.fileno(), rest) :]
        except OSError as error:
            raise _Broken from error

    def line(self) -> bytes:
        while (end := self._buffer.find(b"\n", self._at)) < 0:
            self._fill()
        line = self._buffer[self._at : end]
        self._at = end + 1
        return line

    def header(self) -> Header:
        try:
            return read_header(self.line())
        except SubjectUnreadable as error:
            raise _Broken from error

    def exactly(self, size: int) -> bytes:
        have = self._buffer[self._at : self._at + size]
        if len(have) == size:
            self._at += size
            return have
        parts, missing = [have], size - len(have)
        self._buffer, self._at = b"", 0
        while missing:
            part = self._receive(min(max(missing, 1 << 16), 1 << 20))
            parts.append(part[:missing])
            self._buffer = part[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def _fill(self) -> None:
        self._buffer = self._buffer[self._at :] + self._receive(1 << 16)
        self._at = 0

    def _receive(self, size: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - asked for above
        try:
            data = read_some(self._process.stdout.fileno(), size, SILENCE_SECONDS)
        except SubjectUnreadable as error:
            raise _Broken(silent=True) from error
        if not data:
            raise _Broken
        return data

    def stop(self) -> int:
        """Ends it; its exit code."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        stop(self._process)
        return self._process.returncode


class GitReaderSpec(Struct, frozen=True):
    """Recipe of a reader of git objects."""

    git: Git
    old_git: bool = False
    """True for a git before 2.36, which needs two processes; found out when first needed."""

    is_quick: ClassVar[bool] = True
    """Little content may be read before work is given out: nothing but git is waited for, and it is bounded."""

    def open(self) -> GitReader:
        return keeping.take(self.git) or GitReader(self.git, old_git=self.old_git)


def start_ahead(git: Git) -> None:
    """Start the reader that will be wanted soon, while something else is waited for; nothing outside of a scope of `keeping`."""
    if keeping.is_on():
        reader = GitReaderSpec(git).open()
        with suppress(OSError):  # whoever needs it will say why it cannot be started
            reader.get_ready()
        reader.close()


class GitReader:
    """Reads blobs by id."""

    def __init__(self, git: Git, *, old_git: bool = False) -> None:
        self._git = git
        self._old = old_git
        self._processes: dict[str, _Process] = {}
        self._unfinished = False
        self._present: frozenset[str] | None = None

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        """See `assaymark.model.subject.Reader`; contents come in the order asked for."""
        waiting = iter(digests)
        while chunk := list(islice(waiting, CHUNK)):
            if self._unfinished:  # an earlier caller went away before the answers had all come
                self.end()
            self._unfinished = True
            yield from self._read_chunk(chunk, limit)
            self._unfinished = False

    def tree(self, name: str) -> dict[bytes, tuple[bytes, str]]:
        """Names in one tree, with mode and object id.

        Raises:
            SubjectUnreadable: when it is missing, damaged, or no tree.
        """
        try:
            header = self._asked("info", [name]).header()
            if header.kind == "tree" and header.size <= TREE_BYTES:
                data = _body(self._asked("contents", [name]))
                return _names(data or b"", len(header.oid) // 2)
        except _Broken:
            self._drop("info")
        raise SubjectUnreadable(f"the tree {name} cannot be read", why="it is missing, damaged or too large", advice="run `git fsck`")

    def get_ready(self) -> None:
        """Let git start."""
        self._process("info")

    def close(self) -> None:
        """Give it back to its scope, or end it."""
        if self._unfinished or not keeping.give(self._git, self):
            self.end()

    def end(self) -> None:
        """Stop its processes; they are started again when needed."""
        for process in self._processes.values():
            process.stop()
        self._processes.clear()
        self._unfinished = False

    def _read_chunk(self, chunk: list[Digest], limit: int) -> Iterator[Content]:
        sizes: dict[Digest, int] = {}
        asked = [digest for digest in chunk if self._may_be_here(digest)]
        for digest, header in self._answers("info", asked, _header):
            problem = _unfit(header, limit) if self._may_be_here(digest) else "missing"
            if problem:
                yield Content(digest=digest, data=None, size=header.size if header else -1, problem=problem)
            elif header:
                sizes[digest] = header.size
        for digest in set(chunk).difference(asked):
            yield Content(digest=digest, data=None, size=-1, problem="missing")
        for digest, data in self._answers("contents", [digest for digest in chunk if digest in sizes], _content):
            if data is None:
                yield Content(digest=digest, data=None, size=sizes[digest], problem="unreadable")
            else:
                yield Content(digest=digest, data=data, size=len(data))

    def _answers(self, command: str, asked: list[Digest], take: Callable[[_Process, Digest], _T]) -> Iterator[tuple[Digest, _T | None]]:
        """One answer per digest; None where git breaks over that very object."""
        rest = list(reversed(asked))
        try:
            process = self._asked(command, asked) if asked else None
            while rest and process is not None:
                answer = take(process, rest[-1])
                yield rest.pop(), answer
        except _Broken as broken:
            self._drop(command)
            if broken.silent:
                yield rest.pop(), None
            elif not self._old:
                self._take_stock()
        while rest:  # whose fault it was only shows when each is asked for alone
            digest = rest.pop()
            yield digest, self._alone(command, digest, take)

    def _alone(self, command: str, digest: Digest, take: Callable[[_Process, Digest], _T]) -> _T | None:
        if not self._may_be_here(digest):
            return None
        try:
            return take(self._asked(command, [digest]), digest)
        except _Broken:
            self._drop(command)
            return None

    def _may_be_here(self, digest: Digest) -> bool:
        return bool(_ID.match(digest)) and (self._present is None or digest.partition(":")[2] in self._present)

    def _take_stock(self) -> None:
        """Notes what is here at all. In a partial clone git ends over every object that is not, and tries to fetch it first."""
        if self._present is None:
            with suppress(SubjectUnreadable):  # too many to list: then one by one
                listed = self._git.run("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
                self._present = frozenset(listed.decode("ascii").split("\n"))

    def _asked(self, command: str, asked: Sequence[str]) -> _Process:
        """The process that answers, after it was asked.

        Raises:
            _Broken: when it ends while being asked.
        """
        process = self._process(command)
        names = [name.removeprefix("git-sha1:").removeprefix("git-sha256:").encode() for name in asked]
        process.ask(names if self._old else [command.encode() + b" " + name for name in names])
        return process

    def _process(self, command: str) -> _Process:
        key = command if self._old else "both"
        if key not in self._processes:
            options = {"both": ("--batch-command", "--buffer"), "info": ("--batch-check",), "contents": ("--batch",)}[key]
            self._processes[key] = _Process(self._git, *options, flush=b"" if self._old else b"flush\n")
        return self._processes[key]

    def _drop(self, command: str) -> None:
        process = self._processes.pop(command if self._old else "both", None)
        if process is not None and process.stop() == _USAGE:
            self._old = True


def _header(process: _Process, digest: Digest) -> Header:
    """What git says of a digest.

    Raises:
        _Broken: when that is the answer to something else.
    """
    header = process.header()
    if header.oid and not digest.endswith(header.oid):
        raise _Broken
    return header


def _content(process: _Process, digest: Digest) -> bytes | None:
    """The bytes of a digest.

    Raises:
        _Broken: when they do not have it; what git prints next is then not to be relied on either.
    """
    data = _body(process)
    if data is not None and not _is_of(digest, data):
        raise _Broken
    return data


def _names(tree: bytes, width: int) -> dict[bytes, tuple[bytes, str]]:
    """Entries of a tree object: mode, space, name, NUL, binary id."""
    names: dict[bytes, tuple[bytes, str]] = {}
    at = 0
    while (end := tree.find(b"\0", at)) >= 0:
        mode, _, name = tree[at:end].partition(b" ")
        names[name] = (mode, tree[end + 1 : end + 1 + width].hex())
        at = end + 1 + width
    return names


def _unfit(header: Header | None, limit: int) -> str:
    if header is None:
        return "unreadable"
    if header.kind in {"missing", "ambiguous"}:
        return "missing"
    if header.kind != "blob":
        return "unreadable"
    return "too-large" if header.size > limit else ""


def _body(process: _Process) -> bytes | None:
    header = process.header()
    if header.kind in {"missing", "ambiguous"}:
        return None
    data = process.exactly(header.size)
    if process.exactly(1) != b"\n":
        raise _Broken
    return data


def _is_of(digest: Digest, data: bytes) -> bool:
    algorithm, _, oid = digest.partition(":")
    head = b"blob %d\0" % len(data)
    made = hashlib.sha1(head, usedforsecurity=False) if algorithm == "git-sha1" else hashlib.sha256(head)
    made.update(data)
    return made.hexdigest() == oid
