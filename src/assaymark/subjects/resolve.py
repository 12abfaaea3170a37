"""The door: what a user, a hook or a server asks for, as a comparison of two subjects.

A base that is missing is an error, never taken for empty; only a first commit and an unborn branch are compared with nothing.
Refs are resolved once, here: a comparison stays about the same commits whatever moves meanwhile.
"""

# Names are bytes with surrogate escapes, and pathlib is slow to import on the path of a hook:
# ruff: noqa: PTH109, PTH110, PTH112, PTH113, PTH118, PTH119, PTH120
from __future__ import annotations

import os
from collections.abc import Mapping
from typing import assert_never

from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.model.subject import Comparison, Subject
from assaymark.subjects.commits import Commit, CommitSubject, head_commit, look_up, required, resolve
from assaymark.subjects.compare import GitComparison, ListingComparison
from assaymark.subjects.empty import EmptySubject
from assaymark.subjects.index import IndexSubject
from assaymark.subjects.listing import Wanted, everything, only, printable_name
from assaymark.subjects.repository import Repository, discover
from assaymark.subjects.worktree import WorktreeSubject


class StagedRequest(Struct, frozen=True, tag="staged"):
    """What the next commit would change."""

    repo: str = "."
    """Any folder inside the repository."""
    paths: tuple[str, ...] = ()
    """Files and folders to look at, relative to `repo`; empty for all. Never patterns."""


class WorktreeRequest(Struct, frozen=True, tag="worktree"):
    """Tracked and untracked files against a commit."""

    repo: str = "."
    base: str = "HEAD"
    paths: tuple[str, ...] = ()


class CommitRequest(Struct, frozen=True, tag="commit"):
    """A commit against its first parent."""

    rev: str
    repo: str = "."
    paths: tuple[str, ...] = ()


class RangeRequest(Struct, frozen=True, tag="range"):
    """``A..B``: B against A. ``A...B``: B against the merge base of both. A missing end is HEAD."""

    spec: str
    repo: str = "."
    paths: tuple[str, ...] = ()


class MergeBaseRequest(Struct, frozen=True, tag="merge-base"):
    """A branch against where it left another."""

    base_ref: str
    head: str = "HEAD"
    repo: str = "."
    paths: tuple[str, ...] = ()


class PushRequest(Struct, frozen=True, tag="push"):
    """One line of what git tells pre-push and pre-receive; an id of zeros is no commit."""

    old: str
    new: str
    repo: str = "."
    remote: str = ""
    """The remote's name in pre-push; empty in pre-receive, where every ref counts as known."""


class DirectoryRequest(Struct, frozen=True, tag="directory"):
    """A folder, without version control, against another or against nothing."""

    path: str
    base_path: str | None = None


class ArchiveRequest(Struct, frozen=True, tag="archive"):
    """An archive against another archive, a folder, or nothing."""

    path: str
    base: str | None = None


class ImageRequest(Struct, frozen=True, tag="image"):
    """A container image against another image, or against nothing."""

    path: str
    """A docker archive, or an OCI layout in a folder or a tar; ``#name`` behind it where it holds several."""
    base: str | None = None
    cache: str = ""
    """Folder where what is known of layers is kept; empty keeps nothing."""


GitRequest = StagedRequest | WorktreeRequest | CommitRequest | RangeRequest | MergeBaseRequest | PushRequest
Request = GitRequest | DirectoryRequest | ArchiveRequest | ImageRequest


def open_comparison(request: Request, *, environ: Mapping[str, str] | None = None, cwd: str | None = None) -> Comparison:
    """The two subjects that a request is about.

    Args:
        request: what is asked.
        environ: environment of whoever asks, when that is another process: git tells its hooks there which index is meant.
        cwd: folder of whoever asks; relative paths are relative to it.

    Raises:
        SubjectNotFound: when something that the request names does not exist.
        SubjectUnreadable: when git or an archive cannot be read.
    """
    where = os.getcwd() if cwd is None else cwd
    match request:
        case DirectoryRequest():
            return _files(_folder(request.path, where), request.base_path, where)
        case ArchiveRequest():
            return _files(_archive(request.path, where), request.base, where)
        case ImageRequest():
            policies = _policy_folder(where, environ)
            base = _image(request.base, where, request.cache, policies) if request.base else EmptySubject()
            return ListingComparison(base, _image(request.path, where, request.cache, policies))
        case _:
            repo = discover(request.repo, environ=environ, cwd=where)
            return _in_git(request, repo, where)


def _in_git(request: GitRequest, repo: Repository, cwd: str) -> Comparison:
    wanted = everything if isinstance(request, PushRequest) else _wanted(repo, os.path.join(cwd, request.repo), request.paths)
    match request:
        case StagedRequest():
            oid = repo.head()
            base = CommitSubject(repo, head_commit(repo, oid), wanted) if oid else None
            return GitComparison(repo, base or EmptySubject(), IndexSubject(repo, base, wanted), wanted)
        case WorktreeRequest():
            return _worktree(repo, request.base, wanted)
        case CommitRequest():
            return _commit(repo, request.rev, wanted)
        case RangeRequest():
            return _range(repo, request.spec, wanted)
        case MergeBaseRequest():
            return _since(repo, request.base_ref, request.head, wanted)
        case PushRequest():
            return _push(repo, request)
        case _:
            assert_never(request)


def _worktree(repo: Repository, base: str, wanted: Wanted) -> Comparison:
    commit: Commit | None
    if base == "HEAD":
        oid = repo.head()
        commit = head_commit(repo, oid) if oid else None
    else:
        commit = resolve(repo, base)
    side = CommitSubject(repo, commit, wanted) if commit else None
    return GitComparison(repo, side or EmptySubject(), WorktreeSubject(repo, side, wanted), wanted)


def _commit(repo: Repository, rev: str, wanted: Wanted) -> Comparison:
    found, parent = look_up(repo, [rev, f"{rev}^{{commit}}^1"])
    commit = required(repo, rev, found)
    if not commit.parents:
        return GitComparison(repo, EmptySubject(), CommitSubject(repo, commit, wanted), wanted)
    if parent is None:
        raise SubjectUnreadable(
            f"the parent of {commit.title} is not in this clone",
            why="the clone is shallow" if repo.shallow else "an object is missing",
            advice="git fetch --deepen=1 (in a pipeline: fetch with depth 2 or more)" if repo.shallow else "run `git fsck`",
        )
    return _between(repo, parent, commit, wanted)


def _range(repo: Repository, spec: str, wanted: Wanted) -> Comparison:
    base, dots, head = spec.partition("...")
    if dots:
        return _since(repo, base or "HEAD", head or "HEAD", wanted)
    base, dots, head = spec.partition("..")
    if not dots:
        raise UsageError(f"{spec!r} is no range", why="a range has two ends", advice="write A..B, or A...B to start from their merge base")
    names = [base or "HEAD", head or "HEAD"]
    one, other = (required(repo, name, commit) for name, commit in zip(names, look_up(repo, names), strict=True))
    return _between(repo, one, other, wanted)


def _since(repo: Repository, base: str, head: str, wanted: Wanted) -> Comparison:
    from assaymark.subjects.history import merge_base  # noqa: PLC0415 - not on the path of the pre-commit hook

    one, other = (required(repo, name, commit) for name, commit in zip([base, head], look_up(repo, [base, head]), strict=True))
    common = merge_base(repo, one.oid, other.oid)
    return _between(repo, one if common == one.oid else resolve(repo, common), other, wanted)


def _push(repo: Repository, request: PushRequest) -> Comparison:
    from assaymark.subjects.history import first_known  # noqa: PLC0415 - not on the path of the pre-commit hook

    names = [name for name in (request.old, request.new) if name.strip("0")]
    found = dict(zip(names, look_up(repo, names), strict=True)) if names else {}
    old, new = found.get(request.old), found.get(request.new)
    if not request.new.strip("0"):  # a deleted branch brings nothing
        gone: Subject = CommitSubject(repo, old) if old else EmptySubject()
        return ListingComparison(gone, gone)
    new = required(repo, request.new, new)
    if old is not None:
        return _between(repo, old, new, everything)
    base = first_known(repo, new.oid, known=f"--remotes={request.remote}" if request.remote else "--all")
    if base is None:
        return GitComparison(repo, EmptySubject(), CommitSubject(repo, new))
    return _between(repo, resolve(repo, base), new, everything)


def _between(repo: Repository, base: Commit, head: Commit, wanted: Wanted) -> Comparison:
    return GitComparison(repo, CommitSubject(repo, base, wanted), CommitSubject(repo, head, wanted), wanted)


def _wanted(repo: Repository, start: str, paths: tuple[str, ...]) -> Wanted:
    """The filter for names that the user gave relative to where they stood."""
    if not paths:
        return everything
    top = repo.place.work_tree
    inside: list[str] = []
    for path in paths:
        if top is None:
            relative = os.path.normpath(path)
        else:
            above = os.path.realpath(os.path.dirname(os.path.join(start, path)) if not path.endswith("/") else os.path.join(start, path))
            last = "" if path.endswith("/") else os.path.basename(path)
            relative = os.path.relpath(os.path.normpath(os.path.join(above, last)), top)
        if relative == ".." or relative.startswith(("../", "/")):
            raise SubjectNotFound(f"{printable_name(path)} is outside of {repo.shown}", advice="name a path inside the repository")
        inside.append("" if relative == "." else relative)
    return only(inside)


def _files(head: Subject, base: str | None, cwd: str) -> Comparison:
    if base is None:
        return ListingComparison(EmptySubject(), head)
    if not os.path.exists(os.path.join(cwd, base)):
        raise SubjectNotFound(
            f"{printable_name(base)}: no such folder or archive",
            why="outside of a git repository there are no commits to compare with",
            advice="name a folder or an archive as the base, or go into a repository",
        )
    return ListingComparison(_folder(base, cwd) if os.path.isdir(os.path.join(cwd, base)) else _archive(base, cwd), head)


def _folder(path: str, cwd: str) -> Subject:
    from assaymark.subjects.directory import DirectorySubject  # noqa: PLC0415 - not on the path of the pre-commit hook

    if not os.path.isdir(os.path.join(cwd, path)):
        raise SubjectNotFound(f"{printable_name(path)} is no folder", why="a plain directory was asked for", advice="see `ls`")
    return DirectorySubject(os.path.join(cwd, path), name=path)


def _archive(path: str, cwd: str) -> Subject:
    from assaymark.subjects.archive import ArchiveSubject  # noqa: PLC0415 - not on the path of the pre-commit hook

    if not os.path.isfile(os.path.join(cwd, path)):
        raise SubjectNotFound(f"{printable_name(path)} is no file", why="an archive was asked for", advice="see `ls`")
    return ArchiveSubject(os.path.join(cwd, path), name=path)


def _image(path: str, cwd: str, cache: str, policies: str) -> Subject:
    from assaymark.subjects.image.subject import ImageSubject  # noqa: PLC0415 - not on the path of the pre-commit hook

    file, image = split_image(os.path.join(cwd, path))
    return ImageSubject(file, image=image, cache=cache, name=path, policies=policies)


def _policy_folder(cwd: str, environ: Mapping[str, str] | None) -> str:
    """The root of the repository in which one stands, or where one stands."""
    try:
        return discover(".", environ=environ, cwd=cwd).place.work_tree or cwd
    except (SubjectNotFound, SubjectUnreadable):
        return cwd


def split_image(path: str) -> tuple[str, str]:
    """A file and the image in it that is meant, from ``file#image``; a file whose own name holds the sign wins."""
    file, sign, image = path.partition("#")
    return (path, "") if not sign or os.path.exists(path) else (file, image)
