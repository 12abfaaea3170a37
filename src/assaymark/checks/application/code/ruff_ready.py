"""Ruffs that were started before anybody needed them: each waits for one file on its standard input.

Most of what ruff costs for a small file is its start, and it starts up whole before it reads. A warm process keeps a few waiting
(`refill`), lets one forked child have them all (`claim` there, `part_with` here), and starts others when nobody waits.

Guarantees the answer of a ruff that is started when needed: same program, same options; whatever looks like less than a whole report
gives no answer, and the file is then done in the usual way. A ruff whose owner dies reads an end of file and ends.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

READY = 8
"""Kept waiting: both sides of most commits have fewer Python files that nobody has seen. Each costs five milliseconds of processor time and
a few megabytes."""
LARGEST = 32 << 10
"""Bytes of a file: an empty pipe takes so much without anybody reading."""
LONGEST = 8 << 20
"""Bytes of a report; more is for the usual way, which has its own limit."""
_MEMORY = 4 << 30
_PROCESSOR_SECONDS = 60


class _Ready(Struct, frozen=True):
    """A process that waits."""

    pid: int
    feed: int
    report: int


class _State:
    """What this process holds."""

    def __init__(self) -> None:
        self.command: tuple[str, ...] = ()
        self.waiting: list[_Ready] = []
        self.owner = 0
        """The process that may use them: descriptors that a further child inherited may be anything by now."""


_state = _State()


def refill(command: Sequence[str]) -> None:
    """Let `READY` processes wait. What cannot be started is left out: the usual way will say why."""
    _state.command = tuple(command)
    with suppress(OSError):
        while len(_state.waiting) < READY:
            _state.waiting.append(_start(_state.command))


def part_with() -> None:
    """Forget the waiting ones, in the process whose child has them now."""
    waiting, _state.waiting = _state.waiting, []
    for each in waiting:
        os.close(each.feed)
        os.close(each.report)


def claim() -> None:
    """In the child: they are this process's."""
    _state.owner = os.getpid()


def reports(command: Sequence[str], texts: Sequence[bytes], seconds: float) -> list[bytes | None]:
    """One report per text, as far as ready processes go; None where there is no whole one."""
    if _state.owner != os.getpid() or _state.command != tuple(command):
        return [None] * len(texts)
    given = [_feed(text) for text in texts]
    end = time.monotonic() + seconds
    return [_collect(each, end) if each is not None else None for each in given]


def _feed(text: bytes) -> _Ready | None:
    if len(text) > LARGEST or not _state.waiting:
        return None
    ready = _state.waiting.pop()
    try:
        os.write(ready.feed, text)
    except OSError:  # it has ended
        os.close(ready.report)
        return None
    finally:
        os.close(ready.feed)
    return ready


def _collect(ready: _Ready, end: float) -> bytes | None:
    """What it says until it closes its output; None when that is too much or takes too long."""
    kept = bytearray()
    poll = select.poll()
    poll.register(ready.report, select.POLLIN)
    try:
        while poll.poll(max(0.0, end - time.monotonic()) * 1000):
            data = os.read(ready.report, 1 << 16)
            kept += data
            if not data:
                return bytes(kept)
            if len(kept) > LONGEST:
                break
    finally:
        os.close(ready.report)
    with suppress(OSError):
        os.kill(ready.pid, signal.SIGKILL)
    return None


def _start(command: tuple[str, ...]) -> _Ready:
    """Standard error goes into the report: any word of complaint makes it no report."""
    theirs, feed = os.pipe()
    report, answers = os.pipe()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "TMPDIR": "/", "LANG": "C.UTF-8"}
    actions = [(os.POSIX_SPAWN_DUP2, theirs, 0), (os.POSIX_SPAWN_DUP2, answers, 1), (os.POSIX_SPAWN_DUP2, answers, 2)]
    try:
        pid = os.posix_spawn(command[0], [*command, "--stdin-filename", "0.py", "-"], environment, file_actions=actions, setpgroup=0)
    except OSError:
        os.close(feed)
        os.close(report)
        raise
    finally:
        os.close(theirs)
        os.close(answers)
    if hasattr(resource, "prlimit"):
        with suppress(OSError):
            for which, amount in (
                (resource.RLIMIT_AS, _MEMORY),
                (resource.RLIMIT_CPU, _PROCESSOR_SECONDS),
                (resource.RLIMIT_CORE, 0),
            ):
                resource.prlimit(pid, which, (amount, amount))
    return _Ready(pid, feed, report)
