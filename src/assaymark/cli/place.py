"""Where the user stands."""

from __future__ import annotations

import os

from assaymark.errors import SubjectNotFound, UsageError
from assaymark.subjects.repository import Repository, discover


def repository_here(path: str = ".") -> Repository | None:
    """The repository around a path, or None outside of any."""
    try:
        return discover(path)
    except SubjectNotFound:
        return None


def root_here() -> str:
    """The work tree's root, the bare repository, or the folder outside of any."""
    repository = repository_here()
    return repository.shown if repository else os.getcwd()  # noqa: PTH109 - a string is wanted


def need_repository() -> Repository:
    """The repository here.

    Raises:
        UsageError: when there is none.
    """
    repository = repository_here()
    if repository is None:
        raise UsageError("this is no git repository", advice="go into one, or `git init`")
    return repository
