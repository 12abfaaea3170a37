"""The working tree: what ``git add --all`` would see.

Tracked files that git knows to be unmodified keep the index's digest (by the times and sizes that git noted, as ``git status`` does);
modified and untracked ones are known by the SHA-256 of their raw bytes, before any conversion of line ends or content filter.
Ignored files are not part of it. Submodules are the commit they stand at; their own modifications are not looked at.

Content filters of the repository's configuration would run when git is unsure whether a file is modified: every one that is configured is
replaced by nothing for these calls.
"""

# Names are bytes with surrogate escapes, and pathlib is slow to import on the path of a hook:
# ruff: noqa: PTH118
from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest, git_blob, sha256
from assaymark.model.subject import Change, Content, Entry, EntryKind, ReaderSpec, SubjectRef
from assaymark.subjects.commits import CommitSubject
from assaymark.subjects.confined import FilesReader, FilesSpec, describe, git_digest, open_folder, open_root
from assaymark.subjects.empty import read_one
from assaymark.subjects.git import Git
from assaymark.subjects.index import staged
from assaymark.subjects.listing import (
    RAW,
    Wanted,
    by_path,
    differs,
    digest_of_changes,
    everything,
    path_of,
    printable_name,
    raw,
    read_raw,
    text,
)
from assaymark.subjects.objects import GitReader, GitReaderSpec
from assaymark.subjects.repository import Repository, nested_head

_ASKED_SETTINGS = r"^(core\.excludesfile|filter\..*\.(clean|smudge|process|required))$"


class _Dirty(Struct, frozen=True):
    """Where the working tree differs from the index."""

    index: dict[str, Entry | None]
    """What the index holds under each name that differs."""
    now: dict[str, Entry]
    """What the working tree holds there; absent when deleted."""
    places: dict[Digest, str]


class WorktreeSubject:
    """Tracked and untracked files as they are on disk."""

    def __init__(self, repo: Repository, base: CommitSubject | None, wanted: Wanted = everything) -> None:
        """`base` is the commit that it is compared with; None on an unborn branch."""
        self._repo = repo
        self._root = repo.root
        self._base = base
        self._wanted = wanted
        anchor = base.commit.oid if base else None
        self._dirty = self._find_dirty()
        self._all = self._differences(anchor)
        self.changes = [change for change in self._all if wanted(path_of(change))]
        self.ref = SubjectRef(kind="worktree", name=printable_name(self._root), digest=digest_of_changes(anchor or "", self.changes))

    def _differences(self, anchor: str | None) -> list[Change]:
        pairs: dict[str, tuple[Entry | None, Entry | None]] = {}
        for line in staged(self._repo, anchor):
            pairs[line.path] = (line.before, line.after)
        for path, indexed in self._dirty.index.items():
            before = pairs[path][0] if path in pairs else indexed
            if path in pairs and before is not None:
                self._undone(path, before)
            pairs[path] = (before, self._dirty.now.get(path))
        changes = [Change(before=a, after=b) for a, b in pairs.values() if differs(a, b)]
        changes.sort(key=path_of)
        return changes

    def _undone(self, path: str, before: Entry) -> None:
        """Gives a file that was staged and then changed back the base's digest again."""
        now = self._dirty.now.get(path)
        if now is None or now.kind is not before.kind or not self._dirty.places.get(now.digest):
            return
        above, _, name = raw(path).rpartition(b"/")
        with suppress(OSError):
            top = open_root(self._root)
            try:
                folder = open_folder(top, above)
            finally:
                os.close(top)
            try:
                self._dirty.now[path] = _as_git_names_it(now, folder, name, before.digest)
            finally:
                os.close(folder)

    def file(self, path: str, *, limit: int) -> bytes | None:
        """See `assaymark.model.subject.Subject`. An ignored file is none; an unmodified one is the base's."""
        for change in self._all:
            if path_of(change) == path:
                return read_one(self.reader(), change.after, limit=limit)
        return self._base.file(path, limit=limit) if self._base else None

    def entries(self) -> Iterator[Entry]:
        """See `assaymark.model.subject.Subject`."""
        clean = (line.after for line in staged(self._repo, None) if line.path not in self._dirty.index)
        return iter(by_path(entry for entry in (*clean, *self._dirty.now.values()) if entry is not None and self._wanted(entry.path)))

    def reader(self) -> ReaderSpec:
        return WorktreeReaderSpec(objects=GitReaderSpec(git=self._repo.git), files=FilesSpec(root=self._root, places=self._dirty.places))

    def _find_dirty(self) -> _Dirty:
        git = without_filters(self._repo)
        modified = git.start("diff-files", *RAW)
        untracked = git.start("ls-files", "-z", "--others", "--exclude-standard")
        try:
            index: dict[str, Entry | None] = {}
            for line in read_raw(modified.output()):
                index.setdefault(line.path, None if line.status in {"U", "A"} else line.before)
            strangers = [text(name) for name in untracked.output().split(b"\0")[:-1]]
        finally:
            modified.abandon()
            untracked.abandon()
        index.update((path.rstrip("/"), None) for path in strangers)
        return _look(self._root, index)


def _look(root: str, index: dict[str, Entry | None]) -> _Dirty:
    """Hashes what may differ; what turns out to have the index's bytes after all is left to the index."""
    really: dict[str, Entry | None] = {}
    now: dict[str, Entry] = {}
    places: dict[Digest, str] = {}
    top = open_root(root)
    try:
        for path, indexed in index.items():
            entry, readable = _on_disk(top, root, path, indexed)
            if indexed is not None and entry is not None and not differs(indexed, entry):
                continue
            really[path] = indexed
            if entry is not None:
                now[path] = entry
                places[entry.digest] = path if readable else ""
    finally:
        os.close(top)
    return _Dirty(index=really, now=now, places=places)


def _on_disk(top: int, root: str, path: str, indexed: Entry | None) -> tuple[Entry | None, bool]:
    """What is there under a name, and whether it could be read."""
    above, _, name = raw(path).rpartition(b"/")
    try:
        folder = open_folder(top, above)
    except OSError:
        return None, True
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            return _nested(root, path), True
        entry, readable = describe(folder, name, path)
        if readable and indexed is not None and entry.kind is indexed.kind and entry.kind is not EntryKind.SPECIAL:
            entry = _as_git_names_it(entry, folder, name, indexed.digest)
    except FileNotFoundError:
        return None, True
    finally:
        os.close(folder)
    return entry, readable


def _as_git_names_it(entry: Entry, folder: int, name: bytes, digest: Digest) -> Entry:
    """The entry under the index's digest if those are its bytes: only touched, not modified."""
    with suppress(OSError):
        if git_digest(folder, name, digest) == digest:
            return replace(entry, digest=digest)
    return entry


def _nested(root: str, path: str) -> Entry | None:
    """A submodule, or a repository that ``git add`` would take for one; None for a plain folder, whose files are listed by themselves."""
    folder = os.path.join(root, path)
    if not os.path.lexists(os.path.join(folder, ".git")):
        return None
    oid = nested_head(folder)
    return Entry(path=path, digest=git_blob(oid) if oid else sha256(b"repository without a commit\0"), kind=EntryKind.SUBMODULE)


def without_filters(repo: Repository) -> Git:
    """A git under which no content filter of any configuration runs, and which ignores what the user ignores everywhere.

    Raises:
        SubjectUnreadable: for a filter whose name makes that impossible.
    """
    answer = repo.git.under_users_configuration().ask("config", "-z", "--get-regexp", _ASKED_SETTINGS)
    overrides: dict[str, None] = {}
    for pair in text(answer.output).split("\0")[:-1]:
        key, _, value = pair.partition("\n")
        if key == "core.excludesfile":
            overrides[f"{key}={value}"] = None
            continue
        driver = key.rpartition(".")[0]
        if "=" in driver:
            raise SubjectUnreadable(
                f"the repository configures a content filter named {printable_name(driver)!r}",
                why="a filter with '=' in its name cannot be kept from running",
                advice="remove it from .git/config",
            )
        overrides.update(dict.fromkeys((f"{driver}.clean=", f"{driver}.smudge=", f"{driver}.process=", f"{driver}.required=false")))
    return repo.git.configured(*overrides)


class WorktreeReaderSpec(Struct, frozen=True):
    """Recipe of a reader of a working tree: git's digests from git, the others from disk."""

    objects: GitReaderSpec
    files: FilesSpec

    def open(self) -> WorktreeReader:
        return WorktreeReader(self.objects.open(), self.files.open())


class WorktreeReader:
    """Reads unmodified files from the object store and modified ones from disk."""

    def __init__(self, objects: GitReader, files: FilesReader) -> None:
        self._objects = objects
        self._files = files

    def read(self, digests: Sequence[Digest], *, limit: int) -> Iterator[Content]:
        """See `assaymark.model.subject.Reader`."""
        on_disk = [digest for digest in digests if digest.startswith("sha256:")]
        in_git = [digest for digest in digests if not digest.startswith("sha256:")]
        yield from self._files.read(on_disk, limit=limit)
        yield from self._objects.read(in_git, limit=limit)

    def close(self) -> None:
        self._objects.close()
        self._files.close()
