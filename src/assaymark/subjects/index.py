"""The index: what the next commit would hold.

It is known by what differs from an anchor (HEAD's commit, or nothing on an unborn branch), so that asking what is staged in a large
repository costs what is staged. Obeys the temporary index that git gives its hooks for ``commit -a`` and partial commits.
Names added with ``git add --intent-to-add`` are not in it: they would not be committed.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.errors import SubjectUnreadable
from assaymark.model.subject import Change, Entry, ReaderSpec, SubjectRef
from assaymark.subjects.commits import CommitSubject
from assaymark.subjects.empty import read_one
from assaymark.subjects.listing import (
    RAW,
    RawLine,
    Wanted,
    by_path,
    differs,
    digest_of_changes,
    everything,
    path_of,
    printable_name,
    read_raw,
)
from assaymark.subjects.objects import GitReaderSpec, start_ahead
from assaymark.subjects.repository import Repository


class IndexSubject:
    """What is staged."""

    def __init__(self, repo: Repository, base: CommitSubject | None, wanted: Wanted = everything) -> None:
        """`base` is the commit that it is compared with; None on an unborn branch.

        Raises:
            SubjectUnreadable: when a merge is unresolved: such an index can be no commit.
        """
        self._repo = repo
        self._base = base
        self._wanted = wanted
        anchor = base.commit.oid if base else None
        self._all = self._differences(anchor)
        self.changes = [change for change in self._all if wanted(path_of(change))]
        self.ref = SubjectRef(kind="index", name="staged changes", digest=digest_of_changes(anchor or "", self.changes))

    def _differences(self, anchor: str | None) -> list[Change]:
        changes = [Change(before=line.before, after=line.after) for line in self._against(anchor) if differs(line.before, line.after)]
        changes.sort(key=path_of)
        return changes

    def file(self, path: str, *, limit: int) -> bytes | None:
        """See `assaymark.model.subject.Subject`. What is not staged is the base's, which has probably been read already."""
        for change in self._all:
            if path_of(change) == path:
                return read_one(self.reader(), change.after, limit=limit)
        return self._base.file(path, limit=limit) if self._base else None

    def entries(self) -> Iterator[Entry]:
        """See `assaymark.model.subject.Subject`.

        Raises:
            SubjectUnreadable: when a merge is unresolved.
        """
        listed = (line.after for line in self._against(None) if self._wanted(line.path))
        return iter(by_path(entry for entry in listed if entry is not None))

    def reader(self) -> ReaderSpec:
        return GitReaderSpec(git=self._repo.git)

    def _against(self, commit: str | None) -> Iterator[RawLine]:
        for line in staged(self._repo, commit):
            if line.status == "U":
                raise SubjectUnreadable(
                    f"{printable_name(line.path)} has an unresolved merge conflict",
                    why="an index with conflicts cannot become a commit",
                    advice="resolve it and `git add` it, or check the working tree",
                )
            yield line


def staged(repo: Repository, commit: str | None) -> Iterator[RawLine]:
    """Index against a commit, or against nothing: then every line is a whole entry."""
    anchor = commit or repo.empty_tree()
    listing = repo.git.start("diff-index", "--cached", *RAW, "--ita-invisible-in-index", anchor, "--")
    start_ahead(repo.git)
    return read_raw(listing.output())
