"""Checkov in an environment of its own, as a process that is warm after its first answer.

Guarantees: little environment, a private home, bounded time per folder; a process that hangs, dies or talks nonsense is ended and the next
folder gets a new one. Nothing of checkov is imported here.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.formats.undecodable import UNDECODABLE

START_SECONDS = 120
FOLDER_SECONDS = 60
RECYCLE_AFTER = 500
"""Folders that one process answers; its memory was flat over 7,000 in measurements, so this is only a precaution."""
_LONGEST_LINE = 64 << 20


class Row(Struct, frozen=True):
    """One record of a report."""

    id: str
    name: str
    resource: str
    file: str
    start: int
    end: int
    url: str
    muted: str


class Report(Struct, frozen=True):
    """One folder's."""

    rows: tuple[Row, ...] = ()
    unread: tuple[str, ...] = ()
    ready: bool = False


class Trouble(Exception):  # noqa: N818 - says how the process ended
    """There is no report; the text is the reason class."""


def _write(child: subprocess.Popen[bytes], line: bytes) -> None:
    if child.stdin is not None:
        child.stdin.write(line)
        child.stdin.flush()


class Process:
    """Started at the first question."""

    def __init__(self, python: str) -> None:
        self._python = python
        self._child: subprocess.Popen[bytes] | None = None
        self._home: tempfile.TemporaryDirectory[str] | None = None
        self._answered = 0

    def ask(self, folder: str, skip: list[str]) -> Report:
        """The report about a folder.

        Raises:
            Trouble: when there is none.
        """
        try:
            child = self._started()
            _write(child, msgspec.json.encode({"folder": folder, "skip": skip}) + b"\n")
            report = self._line(child, FOLDER_SECONDS)
        except (*UNDECODABLE, OSError) as error:
            self.end()
            raise Trouble("engine-failed") from error
        except Trouble:
            self.end()
            raise
        self._answered += 1
        if self._answered >= RECYCLE_AFTER:
            self.end()
        return report

    def end(self) -> None:
        """Stop it with all that it started."""
        child, self._child = self._child, None
        if child is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()
        if self._home is not None:
            self._home.cleanup()
            self._home = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._answered = 0
            self._home = tempfile.TemporaryDirectory(prefix="assay-checkov-")
            home = self._home.name
            environment = {"PATH": os.defpath, "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "PYTHONUTF8": "1", "LOG_LEVEL": "CRITICAL"}
            self._child = subprocess.Popen(
                [self._python, "-I", str(Path(__file__).with_name("checkov_worker.py"))],
                cwd=home,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            if not self._line(self._child, START_SECONDS).ready:
                raise Trouble("engine-failed")
        return self._child

    def _line(self, child: subprocess.Popen[bytes], seconds: float) -> Report:
        if child.stdout is None:
            raise Trouble("engine-failed")
        deadline = time.monotonic() + seconds
        data = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(child.stdout, selectors.EVENT_READ)
            while not data.endswith(b"\n"):
                if not ready.select(max(0.0, deadline - time.monotonic())):
                    raise Trouble("timeout")
                piece = os.read(child.stdout.fileno(), 1 << 16)
                if not piece or len(data) > _LONGEST_LINE:
                    raise Trouble("engine-failed")
                data += piece
        return msgspec.json.decode(bytes(data), type=Report)
