"""From the user's words to two subjects: the only place that guesses what a word means, and it says so when it cannot."""

# Paths stay the strings that the user gave, so that messages show them.
# ruff: noqa: PTH110, PTH112

from __future__ import annotations

import os

from msgspec import Struct

from assaymark.cli.place import repository_here
from assaymark.errors import SubjectNotFound, UsageError
from assaymark.model.subject import Comparison
from assaymark.subjects import resolve
from assaymark.subjects.repository import Repository

_ARCHIVES = (
    ".zip",
    ".whl",
    ".jar",
    ".war",
    ".nupkg",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.xz",
    ".txz",
    ".tar.zst",
    ".crate",
    ".gem",
)


class Words(Struct, frozen=True):
    """What the user gave."""

    target: str = ""
    staged: bool = False
    base: str = ""
    cache: str = ""
    """Where what is known of images' layers is kept."""


def read_words(words: Words) -> tuple[Comparison, str, bool]:
    """The comparison, the root by which it is remembered, and whether head stands alone (nothing to compare with).

    Raises:
        UsageError, SubjectNotFound: when the words name nothing, or two things at once.
    """
    target = words.target
    if words.staged and target:
        raise UsageError(f"--staged and {target!r} were both given", advice="give one of them")
    if target and os.path.exists(resolve.split_image(target)[0]):
        return _path(target, words.base, words.cache)
    repository = repository_here()
    if repository is None:
        if target or words.staged:
            raise SubjectNotFound(
                f"{target or 'the index'}: not here", why="no such path, and no git repository around", advice="name a path"
            )
        return _path(".", words.base, words.cache)
    return _in_repository(repository, words)


def _path(path: str, base: str, cache: str) -> tuple[Comparison, str, bool]:
    root = os.path.realpath(path)
    if _is_image(path):
        return resolve.open_comparison(resolve.ImageRequest(path, base or None, cache)), root, not base
    if os.path.isdir(path):
        repository = repository_here(path)
        if repository is not None and repository.place.work_tree == root:
            return _in_repository(repository, Words(base=base), path)
        return resolve.open_comparison(resolve.DirectoryRequest(path, base or None)), root, not base
    if not path.endswith(_ARCHIVES):
        return _file(path, base)
    return resolve.open_comparison(resolve.ArchiveRequest(path, base or None)), root, not base


def _is_image(path: str) -> bool:
    from assaymark.subjects.image.places import looks_like_image

    file, image = resolve.split_image(path)
    return bool(image) or looks_like_image(file)


def _file(path: str, base: str) -> tuple[Comparison, str, bool]:
    """One file of the working tree against HEAD."""
    folder, name = os.path.split(path)
    repository = repository_here(folder or ".")
    if repository is None or base:
        raise UsageError(f"{path} is neither a folder nor an archive", advice="name its folder; archives end in .zip, .tar, .tar.gz, …")
    return resolve.open_comparison(resolve.WorktreeRequest(folder or ".", paths=(name,))), repository.shown, False


def _in_repository(repository: Repository, words: Words, where: str = ".") -> tuple[Comparison, str, bool]:
    target = words.target
    request: resolve.Request
    if words.staged:
        request = resolve.StagedRequest(where)
    elif ".." in target:
        request = resolve.RangeRequest(target, where)
    elif target and words.base:
        request = resolve.MergeBaseRequest(words.base, target, where)
    elif target:
        request = resolve.CommitRequest(target, where)
    elif words.base:
        request = resolve.MergeBaseRequest(words.base, "HEAD", where)
    else:
        request = resolve.WorktreeRequest(where)
    return resolve.open_comparison(request), repository.shown, False
