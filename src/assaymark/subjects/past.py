"""A repository's whole past as one subject: every blob that any ref leads to, once, under the name it is listed with.

For content that does not stop being a problem when it is deleted: secrets. Entries come in the order of the packs, because reading in that
order is many times faster than by name; this is the one subject whose entries are not sorted by path.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.model.digest import Digest, git_blob, sha256
from assaymark.model.subject import Entry, EntryKind, ReaderSpec, SubjectRef
from assaymark.subjects.history import history_blobs
from assaymark.subjects.listing import text
from assaymark.subjects.objects import GitReaderSpec
from assaymark.subjects.repository import Repository


class PastSubject:
    """Everything that was ever committed and can still be reached."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        refs = repo.git.run("for-each-ref", "--format=%(objectname)")
        self.ref = SubjectRef(kind="history", name=f"whole history of {repo.shown}", digest=sha256(refs))

    def entries(self) -> Iterator[Entry]:
        """See `assaymark.model.subject.Subject`; here in the order of the packs.

        Raises:
            SubjectUnreadable: when the history is damaged.
        """
        names = self._names()
        for digest, size in history_blobs(self._repo):
            yield Entry(names.get(digest, ""), digest, EntryKind.FILE, size)

    def file(self, path: str, *, limit: int) -> bytes | None:
        """The past has no policy of its own: the working tree's is used, or HEAD's in a bare repository."""
        top = self._repo.place.work_tree
        if top is not None:
            try:
                with open(f"{top}/{path}", "rb") as file:  # noqa: PTH123 - as everywhere in this room
                    return file.read(limit)
            except OSError:
                return None
        answer = self._repo.git.ask("cat-file", "blob", f"HEAD:{path}")
        return answer.output if answer.code == 0 and len(answer.output) <= limit else None

    def reader(self) -> ReaderSpec:
        return GitReaderSpec(git=self._repo.git)

    def _names(self) -> dict[Digest, str]:
        """One name of each object; it decides only how a check reads it. Commits and tags have none, trees do no harm."""
        listed = self._repo.git.run("rev-list", "--objects", "--all", "--missing=allow-any")
        names: dict[Digest, str] = {}
        for line in listed.split(b"\n"):
            oid, space, name = line.partition(b" ")
            if space and name:
                names[git_blob(oid.decode("ascii"))] = text(name)
        return names
