"""What a check makes once per installation (compiled rules) is made before the clock of any input runs.

Guarantees that two processes do not make the same thing at once, and that making it leaves no threads behind in this process, which forks
workers later. A check that cannot be prepared is left as it is: its inputs then say why.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from assaymark.engine.progress import Progress
from assaymark.model.check import Check


@runtime_checkable
class Prepared(Protocol):
    """A check with derived data of its own."""

    def is_ready(self) -> bool:
        """Cheap: whether `warm` would find everything made."""
        ...

    def warm(self) -> None:
        """Make what is missing, and load it."""
        ...

    def lock_file(self) -> str:
        """A name beside the derived data, for one maker at a time."""
        ...


def prepare(checks: Iterable[Check], progress: Progress) -> None:
    """Make what is missing, each in a child process."""
    for check in checks:
        if isinstance(check, Prepared) and not check.is_ready():
            progress.note(f"{check.id}: preparing rules, once per installation")
            _make(check)


def _make(check: Prepared) -> None:
    try:
        lock = os.open(check.lock_file(), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return  # a folder that cannot be written: the worker makes it for itself, in memory
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not check.is_ready():
            _in_child(check)
    finally:
        os.close(lock)


def _in_child(check: Prepared) -> None:
    child = os.fork()
    if child == 0:
        try:
            check.warm()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
