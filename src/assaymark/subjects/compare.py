"""Two subjects side by side.

`GitComparison` asks git what differs, so that it costs what changed. `ListingComparison` works for any two subjects by merging their
listings; where the digests are of different algorithms every name differs, which is more work for the engine and no other answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest
from assaymark.model.subject import Change, Entry, EntryKind, Subject
from assaymark.subjects.commits import CommitSubject
from assaymark.subjects.empty import EmptySubject
from assaymark.subjects.index import IndexSubject
from assaymark.subjects.listing import RAW, Wanted, differs, everything, path_of, raw, read_changes, read_raw
from assaymark.subjects.repository import Repository
from assaymark.subjects.touched import between, in_patches
from assaymark.subjects.worktree import WorktreeSubject

DISPLAY_BYTES = 4 << 20
"""Files larger than this are not compared line by line."""

_ARGUMENT_BYTES = 100_000
"""Names per git call; the system allows about 128 KiB for one argument and 2 MiB for all."""

Pairs = Sequence[tuple[str | None, str]]
LineRanges = dict[str, Sequence[tuple[int, int]]]


class ListingComparison:
    """Any two subjects."""

    def __init__(self, base: Subject, head: Subject) -> None:
        self.base = base
        self.head = head

    def changes(self) -> Sequence[Change]:
        """See `assaymark.model.subject.Comparison`."""
        return self._changes

    @cached_property
    def _changes(self) -> list[Change]:
        return list(merge(self.base.entries(), self.head.entries()))

    def passing(self) -> Sequence[Entry]:
        """Two states without a history between them."""
        return ()

    def touched_lines(self, paths: Pairs) -> Mapping[str, Sequence[tuple[int, int]]]:
        """See `assaymark.model.subject.Comparison`."""
        before = {path_of(change): change.before for change in self.changes()}
        after = {path_of(change): change.after for change in self.changes()}
        return read_and_compare(self, [(old, new) for old, new in paths if new in after], before, after)


class GitComparison:
    """A commit, the index or the working tree against a commit, or against nothing on an unborn branch."""

    def __init__(
        self,
        repo: Repository,
        base: CommitSubject | EmptySubject,
        head: CommitSubject | IndexSubject | WorktreeSubject,
        wanted: Wanted = everything,
    ) -> None:
        self._repo = repo
        self._wanted = wanted
        self.base: Subject = base
        self.head: Subject = head
        self._from = base.commit.oid if isinstance(base, CommitSubject) else None
        self._head = head

    def changes(self) -> Sequence[Change]:
        """See `assaymark.model.subject.Comparison`."""
        return self._changes

    @cached_property
    def _changes(self) -> list[Change]:
        if not isinstance(self._head, CommitSubject):
            return self._head.changes
        changes = read_changes(self._repo.git.run("diff-tree", "-r", *RAW, *self._sides(), "--"))
        return [change for change in changes if self._wanted(path_of(change))]

    def passing(self) -> Sequence[Entry]:
        """See `assaymark.model.subject.Comparison`."""
        if not isinstance(self._head, CommitSubject) or self._head.commit.parents == (self._from,):
            return ()
        git, head = self._repo.git, self._head.commit.oid
        between = git.run("rev-list", head, *([f"^{self._from}"] if self._from else []))
        if between.count(b"\n") <= 1:
            return ()
        output = git.run("diff-tree", "--stdin", "--no-commit-id", "--root", "-m", "-r", *RAW, stdin=between)
        ends = {entry.digest for change in self.changes() for entry in (change.before, change.after) if entry}
        brought = (line.after for line in read_raw(output) if line.after and line.after.digest not in ends and self._wanted(line.path))
        return list({(entry.path, entry.digest): entry for entry in brought}.values())

    def touched_lines(self, paths: Pairs) -> Mapping[str, Sequence[tuple[int, int]]]:
        """See `assaymark.model.subject.Comparison`."""
        before = {path_of(change): change.before for change in self.changes()}
        after = {path_of(change): change.after for change in self.changes()}
        known = [(old, new) for old, new in paths if new in after]
        mine = [new for old, new in known if old == new and "\n" not in new and not _only_on_disk(after.get(new))]
        found: LineRanges = {}
        with suppress(SubjectUnreadable):  # one unreadable blob ends git; without it the others are still told below
            for chunk in _chunks(mine):
                found.update(self._patched(chunk))
        rest = [(old, new) for old, new in known if new not in found]
        found.update(read_and_compare(self, rest, before, after))
        return found

    def _patched(self, paths: Sequence[str]) -> LineRanges:
        patch = ("--patch-with-raw", "-U0", "--no-color", "--full-index", *RAW[1:])
        if isinstance(self._head, CommitSubject):
            output = self._repo.git.run("diff-tree", "-r", *patch, *self._sides(), "--", *map(raw, paths))
        else:
            output = self._repo.git.run("diff-index", "--cached", *patch, *self._sides(), "--", *map(raw, paths))
        listed, _, patches = output.partition(b"\0\0")
        lines = list(read_raw(listed + b"\0")) if listed else []
        counted = [(line.path, 2 if line.status == "T" else 1) for line in lines]
        asked = set(paths)  # a name that is a folder on the other side brings its files along
        return {path: ranges for path, ranges in in_patches(patches, counted).items() if path in asked}

    def _sides(self) -> tuple[str, ...]:
        if isinstance(self._head, CommitSubject):
            to = self._head.commit.oid
            return (self._from or self._repo.empty_tree(like=to), to)
        return (self._from or self._repo.empty_tree(),)


def merge(base: Iterator[Entry], head: Iterator[Entry]) -> Iterator[Change]:
    """What differs between two sorted listings."""
    before, after = next(base, None), next(head, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before.path < after.path):
            yield Change(before=before, after=None)
            before = next(base, None)
        elif before is None or after.path < before.path:
            yield Change(before=None, after=after)
            after = next(head, None)
        else:
            if differs(before, after):
                yield Change(before=before, after=after)
            before, after = next(base, None), next(head, None)


def read_and_compare(
    sides: ListingComparison | GitComparison, pairs: Pairs, before: Mapping[str, Entry | None], after: Mapping[str, Entry | None]
) -> LineRanges:
    """Line ranges from the contents of both sides; what cannot be read is left out."""
    wanted = [(_digest(before.get(old)) if old else None, _digest(after[new]), new) for old, new in pairs]
    old_texts = _texts(sides.base, [old for old, _, _ in wanted])
    new_texts = _texts(sides.head, [new for _, new, _ in wanted])
    found: LineRanges = {}
    for old, new, path in wanted:
        if new in new_texts and (old is None or old in old_texts):
            found[path] = between(old_texts[old] if old else b"", new_texts[new])
    return found


def _texts(subject: Subject, digests: Sequence[Digest | None]) -> dict[Digest | None, bytes]:
    asked = sorted({digest for digest in digests if digest})
    if not asked:
        return {}
    reader = subject.reader().open()
    try:
        return {content.digest: content.data for content in reader.read(asked, limit=DISPLAY_BYTES) if content.data is not None}
    finally:
        reader.close()


def _digest(entry: Entry | None) -> Digest | None:
    return entry.digest if entry is not None and entry.kind in {EntryKind.FILE, EntryKind.SYMLINK} else None


def _only_on_disk(entry: Entry | None) -> bool:
    return entry is not None and entry.digest.startswith("sha256:")


def _chunks(paths: Sequence[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for path in paths:
        size += len(raw(path)) + 1
        if chunk and size > _ARGUMENT_BYTES:
            yield chunk
            chunk, size = [], len(raw(path)) + 1
        chunk.append(path)
    if chunk:
        yield chunk
