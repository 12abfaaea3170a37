"""One ``git cat-file`` for a whole answer: within a scope, a reader of git objects that is given back waits for whoever asks next.

Guarantees that nothing outlives the scope, and that a process forked within it shares no reader with its parent: two that read from one
pipe would get half an answer each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assaymark.subjects.git import Git
    from assaymark.subjects.objects import GitReader

_kept: dict[int, list[tuple[Git, GitReader]]] = {}
"""By process id, so that a forked process finds nothing of its parent's."""


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep readers until the end of the scope. A scope within a scope is the outer one."""
    if is_on():
        yield
        return
    begin()
    try:
        yield
    finally:
        for _, reader in _kept.pop(os.getpid(), []):
            reader.end()


def begin() -> None:
    """Keep readers for as long as this process lives."""
    _kept.clear()
    _kept[os.getpid()] = []


def is_on() -> bool:
    """Whether this process is within a scope."""
    return os.getpid() in _kept


def take(git: Git) -> GitReader | None:
    """A reader of this repository that nobody uses."""
    waiting = _kept.get(os.getpid(), [])
    for at, (its, reader) in enumerate(waiting):
        if its == git:
            del waiting[at]
            return reader
    return None


def give(git: Git, reader: GitReader) -> bool:
    """Take a reader back; False when there is no scope and it must end."""
    waiting = _kept.get(os.getpid())
    if waiting is None:
        return False
    waiting.append((git, reader))
    return True
