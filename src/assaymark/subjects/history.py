"""The history of a repository: every blob once, where a blob came from, and the commits of a range.

"Reachable" is from any ref and from HEAD. What a partial clone does not have is listed with size -1, and its reader says ``missing``.
Stashes but the last, and other things that only a reflog knows, are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest, git_blob
from assaymark.subjects.commits import Commit, look_up, required
from assaymark.subjects.git import refuse
from assaymark.subjects.listing import RAW, text
from assaymark.subjects.repository import Repository

_SOUGHT = 1000
"""Object ids per search: 41 or 65 bytes each on a command line of at most 128 KiB."""


class BlobPlace(Struct, frozen=True):
    """Where a blob first was."""

    path: str
    commit: str


def history_blobs(repo: Repository) -> Iterator[tuple[Digest, int]]:
    """Digest and size of every reachable blob, each once, in the order of the packs: reading in this order is fastest.

    Raises:
        SubjectUnreadable: when the history is damaged.
    """
    everything = repo.git.start("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname) %(objecttype) %(objectsize)")
    try:
        reachable, missing = _reachable(repo)
        for line in everything.output().split(b"\n")[:-1]:
            oid, kind, size = line.split(b" ", 2)
            if kind == b"blob" and oid in reachable:
                yield git_blob(oid.decode("ascii")), int(size)
    finally:
        everything.abandon()
    for oid in sorted(missing):
        yield git_blob(oid.decode("ascii")), -1


def _reachable(repo: Repository) -> tuple[set[bytes], set[bytes]]:
    """Ids of objects that refs lead to, and of those that are not here. Trees and commits among them do no harm: kinds are asked for."""
    listed = repo.git.run("rev-list", "--objects", "--all", "--no-object-names", "--missing=print").split(b"\n")[:-1]
    return {oid for oid in listed if not oid.startswith(b"?")}, {oid[1:] for oid in listed if oid.startswith(b"?")}


def blob_places(repo: Repository, digests: Iterable[Digest]) -> Mapping[Digest, BlobPlace]:
    """For each blob the first commit that had it (parents come before children) and its path there.

    Walks the whole history: ask for the few blobs that have findings. A blob that no commit ever held (a tag of a blob) is left out.
    """
    found: dict[Digest, BlobPlace] = {}
    wanted = iter(dict.fromkeys(digest for digest in digests if digest.startswith("git-")))
    commits = b""
    while chunk := list(islice(wanted, _SOUGHT)):
        commits = commits or repo.git.run("rev-list", "--all", "--topo-order", "--reverse")
        sought = [f"--find-object={digest.partition(':')[2]}" for digest in chunk]
        output = repo.git.run("diff-tree", "--stdin", "-r", "-m", "--root", *RAW, *sought, stdin=commits)
        _first_places(output, frozenset(chunk), found)
    return found


def _first_places(output: bytes, wanted: frozenset[Digest], found: dict[Digest, BlobPlace]) -> None:
    commit = ""
    fields = iter(output.split(b"\0")[:-1])
    for field in fields:
        if not field.startswith(b":"):
            commit = field.split(b" ", 1)[0].strip().decode("ascii")
            continue
        digest = git_blob(field.split(b" ")[3].decode("ascii"))
        path = text(next(fields))
        if digest in wanted:
            found.setdefault(digest, BlobPlace(path=path, commit=commit))


def commits(repo: Repository, revisions: str, *, first_parent: bool = True) -> list[Commit]:
    """Commits of ``A..B`` or of everything up to a revision, newest first.

    Raises:
        SubjectNotFound: when an end of the range is no commit.
        SubjectUnreadable: when the history is damaged.
    """
    since, dots, until = revisions.partition("..")
    names = [since or "HEAD", until or "HEAD"] if dots else [since]
    found = [required(repo, name, commit).oid for name, commit in zip(names, look_up(repo, names), strict=True)]
    ends = [found[-1], f"^{found[0]}"] if dots else found
    options = ["--topo-order", *(["--first-parent"] if first_parent else [])]
    output = repo.git.run("rev-list", *options, "--no-commit-header", "--format=%H%x00%P%x00%ct%x00%an%x00%s", *ends, "--")
    return [_commit(line.split(b"\0")) for line in output.split(b"\n")[:-1]]


def _commit(fields: Sequence[bytes]) -> Commit:
    oid, parents, committed, author, subject = fields
    return Commit(
        oid=oid.decode("ascii"),
        parents=tuple(parents.decode("ascii").split()),
        committed=int(committed or b"0"),
        author=author.decode("utf-8", "replace"),
        subject=subject.decode("utf-8", "replace"),
    )


def merge_base(repo: Repository, one: str, other: str) -> str:
    """The best common ancestor of two commits, by id.

    Raises:
        SubjectUnreadable: when there is none, or it lies behind the edge of a shallow clone. It is never assumed to be empty.
    """
    answer = repo.git.ask("merge-base", one, other)
    if answer.code == 0:
        return answer.output.split(b"\n", 1)[0].decode("ascii")
    if answer.code != 1:
        refuse("git merge-base failed", answer)
    if repo.shallow:
        raise SubjectUnreadable(
            "the merge base is not in this clone",
            why="the clone is shallow and its history was cut off before it",
            advice="git fetch --unshallow (in a pipeline: fetch with full depth)",
        )
    raise SubjectUnreadable(
        f"{one[:10]} and {other[:10]} have no common ancestor",
        why="their histories are unrelated",
        advice="compare them directly: A..B",
    )


def first_known(repo: Repository, new: str, *, known: str) -> str | None:
    """The nearest commit on the way back from `new` that is already reachable from refs; None when all of its history is new.

    `known` says which refs count: ``--all``, or ``--remotes=<name>``.
    """
    output = repo.git.run("rev-list", "--parents", new, "--not", known, "--")
    parents = {ids[0]: ids[1:] for ids in (line.split() for line in output.decode("ascii").splitlines())}
    at = new
    while at in parents:
        if not parents[at]:
            return None
        at = parents[at][0]
    return at
