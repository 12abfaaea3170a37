"""Commits: what a name stands for, and a commit as a subject.

Names are handed to git on its standard input, one per line, so that none can become an option. Nothing here reads blobs.
"""

# Names are bytes with surrogate escapes, and pathlib is slow to import on the path of a hook:
# ruff: noqa: PTH118, PTH123
from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence

from msgspec import Struct

from assaymark.errors import SubjectNotFound
from assaymark.model.digest import Digest, git_blob
from assaymark.model.subject import Entry, ReaderSpec, SubjectRef
from assaymark.subjects.empty import unreadable_file
from assaymark.subjects.listing import Wanted, everything, raw, read_tree
from assaymark.subjects.objects import GitReader, GitReaderSpec, read_header
from assaymark.subjects.repository import Repository

SHORT = 10
"""Digits of an abbreviated commit id: unique in histories of a million objects."""

_SUBJECT_BYTES = 64 * 1024
"""How much of a commit object is unpacked to find its subject line."""

_LINE_BYTES = 4096
"""A subject line or a name beyond this is no text for people; some decoders are quadratic."""


class Commit(Struct, frozen=True):
    """What a commit says of itself."""

    oid: str
    parents: tuple[str, ...]
    """As written in the commit, also where a shallow clone does not have them."""
    committed: int
    """Seconds since 1970."""
    author: str
    subject: str

    @property
    def title(self) -> str:
        """What people would call it."""
        return f"{self.oid[:SHORT]} {self.subject}".rstrip()


class CommitSubject:
    """A commit's tree."""

    def __init__(self, repo: Repository, commit: Commit, wanted: Wanted = everything) -> None:
        self._repo = repo
        self._wanted = wanted
        self._files: dict[str, bytes | None] = {}
        self.commit = commit
        self.ref = commit_ref(commit)

    def entries(self) -> Iterator[Entry]:
        """See `assaymark.model.subject.Subject`.

        Raises:
            SubjectUnreadable: when a tree is missing or damaged.
        """
        listed = self._repo.git.run("ls-tree", "-r", "-z", "--full-tree", self.commit.oid)
        return (entry for entry in read_tree(listed) if self._wanted(entry.path))

    def file(self, path: str, *, limit: int) -> bytes | None:
        """See `assaymark.model.subject.Subject`. One git process, whatever the size of the tree; kept for the next call."""
        if path not in self._files:
            reader = GitReaderSpec(self._repo.git).open()
            try:
                self._files[path] = _file(reader, self.commit.oid, path, limit)
            finally:
                reader.close()
        return self._files[path]

    def reader(self) -> ReaderSpec:
        return GitReaderSpec(git=self._repo.git)


def _file(reader: GitReader, commit: str, path: str, limit: int) -> bytes | None:
    """Walks from the root tree down, so that what is absent and what is only missing in this clone are told apart."""
    at, mode = f"{commit}^{{tree}}", b"40000"
    for part in raw(path).split(b"/"):
        tree = reader.tree(at) if mode == b"40000" else {}
        if part not in tree:
            return None
        mode, at = tree[part]
    if mode in {b"40000", b"160000"}:
        return None
    (content,) = reader.read([git_blob(at)], limit=limit)
    if content.data is None:
        raise unreadable_file(path, content.problem)
    return content.data


def commit_ref(commit: Commit) -> SubjectRef:
    """A commit's name in reports."""
    algorithm = "git-sha1" if len(commit.oid) == 40 else "git-sha256"
    return SubjectRef(kind="commit", name=commit.title, digest=Digest(f"{algorithm}:{commit.oid}"))


def look_up(repo: Repository, names: Sequence[str]) -> list[Commit | None]:
    """The commits that names stand for, None where there is none; one git process for all.

    Raises:
        SubjectNotFound: for a name that can be none, or that stands for several.
    """
    for name in names:
        if not name or name.startswith("-") or any(char in name for char in "\n\r\0"):
            raise SubjectNotFound(f"{name!r} names no commit", why="no revision is empty, begins with '-' or holds a line break")
    asked = "".join(f"{name}^{{commit}}\n" for name in names).encode("utf-8", "surrogateescape")
    rest = repo.git.run("cat-file", "--batch", stdin=asked)
    found: list[Commit | None] = []
    for name in names:
        line, _, rest = rest.partition(b"\n")
        header = read_header(line)
        if header.kind == "ambiguous":
            raise SubjectNotFound(f"{name} stands for several objects", why="the id is too short", advice="write more of its digits")
        if header.kind == "missing":
            found.append(None)
            continue
        found.append(read_commit(header.oid, rest[: header.size]))
        rest = rest[header.size + 1 :]
    return found


def resolve(repo: Repository, name: str) -> Commit:
    """The commit that a name stands for.

    Raises:
        SubjectNotFound: when there is none.
    """
    return required(repo, name, look_up(repo, [name])[0])


def required(repo: Repository, name: str, found: Commit | None) -> Commit:
    """`found`, or the reason why there is nothing.

    Raises:
        SubjectNotFound: when there is nothing.
    """
    if found is not None:
        return found
    if name == "HEAD":
        raise SubjectNotFound(f"{repo.shown} has no commit yet", why="its branch is unborn", advice="check the staged files instead")
    why = "this clone is shallow: the commit may lie behind its edge" if repo.shallow else "no branch, tag or commit has this name"
    advice = "git fetch --unshallow" if repo.shallow else "see `git branch --all`, `git log`"
    raise SubjectNotFound(f"{name!r} is no commit of {repo.shown}", why=why, advice=advice)


def read_commit(oid: str, data: bytes) -> Commit:
    """A commit object. What is malformed is left empty: hostile commits are allowed to be nonsense."""
    head, _, message = data.partition(b"\n\n")
    fields: dict[bytes, bytes] = {}
    parents: list[str] = []
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if key == b"parent":
            parents.append(value.decode("ascii", "replace"))
        elif key:
            fields.setdefault(key, value)
    encoding = fields.get(b"encoding", b"utf-8").decode("ascii", "replace")
    return Commit(
        oid=oid,
        parents=tuple(parents),
        committed=_time(fields.get(b"committer", b"")),
        author=_decode(fields.get(b"author", b"").partition(b" <")[0], encoding),
        subject=_decode(message.lstrip(b"\n").partition(b"\n\n")[0].replace(b"\n", b" "), encoding),
    )


def head_commit(repo: Repository, oid: str) -> Commit:
    """The commit HEAD stands at. Read without git when its object lies loose, as that of a commit just made does."""
    data = _loose(repo, oid)
    return read_commit(oid, data) if data is not None else resolve(repo, oid)


def _loose(repo: Repository, oid: str) -> bytes | None:
    """A small commit object from its own file; None when it is packed, large or odd, and git has to be asked."""
    objects = repo.git.env.get("GIT_OBJECT_DIRECTORY", os.path.join(repo.place.common_dir, "objects"))
    try:
        with open(os.path.join(objects, oid[:2], oid[2:]), "rb") as file:
            data = zlib.decompressobj().decompress(file.read(_SUBJECT_BYTES), _SUBJECT_BYTES)
    except (OSError, zlib.error):
        return None
    head, _, body = data.partition(b"\0")
    return body if head == b"commit %d" % len(body) else None


def _time(person: bytes) -> int:
    digits = person.rpartition(b"> ")[2].partition(b" ")[0]
    return int(digits) if digits.isdigit() and len(digits) < 19 else 0


def _decode(line: bytes, encoding: str) -> str:
    line = line[:_LINE_BYTES]
    try:
        text = line.decode(encoding, "replace")
    except (LookupError, ValueError):
        text = line.decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode("utf-8")
