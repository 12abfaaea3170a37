"""A git that works for minutes, under a deadline, a bound on the disk and somebody's wish to stop.

Guarantees: when `run_bounded` returns or raises, git has ended, and with it what it started (it has a group of its own); it was asked to
end first, so that it takes its half-written files away. What it says is bounded and fit for a log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from assaymark.errors import EngineMissing, SubjectUnreadable
from assaymark.subjects.git import Git, bound

_SAID_BYTES = 64 << 10
_ANSWER_BYTES = 16 << 20
_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 3.0


class Bounds(Struct, frozen=True):
    """Until when and how far."""

    until: float
    """On `time.monotonic`."""
    folder: Path
    """What is measured."""
    most_bytes: int
    should_stop: Callable[[], bool] = lambda: False


class Stopped(SubjectUnreadable):
    """It was not given more time or room, or somebody asked it to end."""


class Said(Struct, frozen=True):
    """How git ended."""

    code: int
    output: bytes
    complaint: str


def run_bounded(git: Git, args: Sequence[str], bounds: Bounds, *, stdin: bytes = b"", keep: tuple[int, ...] = ()) -> Said:
    """Run git to its end.

    Args:
        git: what to run it with.
        args: subcommand and options; nothing of them comes from outside.
        bounds: when to stop it.
        stdin: what it reads.
        keep: descriptors that it and its helpers hold as long as they live, even when we do not.

    Raises:
        Stopped: when it was.
    """
    with tempfile.TemporaryFile() as feed, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as said:
        feed.write(stdin)
        feed.seek(0)
        try:
            process = subprocess.Popen(
                git.command(*args), stdin=feed, stdout=output, stderr=said, env=git.env, cwd=git.cwd, pass_fds=keep, process_group=0
            )
        except OSError as error:
            raise EngineMissing("git cannot be started", why=str(error), advice="install git and see that it is on PATH") from error
        try:
            bound(process)
            _wait(process, bounds, args[0])
        finally:
            _end(process)
        output.seek(0)
        said.seek(0)
        return Said(process.returncode, output.read(_ANSWER_BYTES), said.read(_SAID_BYTES).decode("utf-8", "replace"))


def size_of(folder: Path) -> int:
    """Bytes of packs, finished or not. Loose objects are none here."""
    total = 0
    with suppress(OSError), os.scandir(folder / "objects" / "pack") as rows:
        for row in rows:
            with suppress(OSError):
                total += row.stat().st_size
    return total


def _wait(process: subprocess.Popen[bytes], bounds: Bounds, word: str) -> None:
    pause, looked = 0.002, time.monotonic()
    while process.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(pause)
        pause = min(pause * 2, 0.1)
        now = time.monotonic()
        if now >= bounds.until:
            raise Stopped(f"git {word} took too long and was stopped", why="its time was over", advice="it will be tried again")
        if bounds.should_stop():
            raise Stopped(f"git {word} was stopped", why="somebody asked for it")
        if now - looked >= _LOOK_SECONDS:
            looked = now
            if size_of(bounds.folder) > bounds.most_bytes:
                raise Stopped(
                    "the repository is larger than the server keeps",
                    why=f"more than {bounds.most_bytes >> 20} MiB would be stored",
                    advice="take large binaries out of its history",
                )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    for number, seconds in ((signal.SIGTERM, _GRACE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
