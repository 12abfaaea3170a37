"""Runs another program within limits: no shell, little environment, bounded time and output, nothing left running.

The programs are trusted, what they read is not: content made to crash or to flood them must cost one answer, not the machine.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence

from msgspec import Struct

KEPT_OF_ERRORS = 4_000
"""Bytes of standard error that are kept, the last ones: they say why."""
_CHUNK = 1 << 16


class Ran(Struct, frozen=True):
    """How a program ended."""

    code: int
    """Exit code; negative is the signal that killed it."""
    output: bytes
    errors: str
    trouble: str = ""
    """``timeout`` or ``output``: it was stopped for this."""


def run_bounded(command: Sequence[str], *, folder: str, seconds: float, limit: int) -> Ran:
    """Run a command inside a folder that is its home and temporary folder.

    `seconds` is wall time, `limit` the bytes of standard output. When either is passed the whole process group is killed.

    Raises:
        OSError: when the program cannot be started.
    """
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
    with subprocess.Popen(
        list(command),
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        try:
            output, errors, trouble = _collect(child, time.monotonic() + seconds, limit)
        finally:
            _stop_group(child)
    return Ran(child.returncode, output, errors.decode("utf-8", "replace"), trouble)


def _collect(child: subprocess.Popen[bytes], deadline: float, limit: int) -> tuple[bytes, bytes, str]:
    kept: dict[str, bytearray] = {"output": bytearray(), "errors": bytearray()}
    with selectors.DefaultSelector() as ready:
        for name, pipe in (("output", child.stdout), ("errors", child.stderr)):
            if pipe is not None:
                ready.register(pipe, selectors.EVENT_READ, name)
        while ready.get_map():
            for key, _ in ready.select(max(0.0, deadline - time.monotonic())):
                data = os.read(key.fd, _CHUNK)
                if not data:
                    ready.unregister(key.fileobj)
                kept[key.data] += data
            del kept["errors"][:-KEPT_OF_ERRORS]
            if len(kept["output"]) > limit:
                return b"", bytes(kept["errors"]), "output"
            if time.monotonic() > deadline:
                return b"", bytes(kept["errors"]), "timeout"
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return b"", bytes(kept["errors"]), "timeout"
    return bytes(kept["output"]), bytes(kept["errors"]), ""


def _stop_group(child: subprocess.Popen[bytes]) -> None:
    """The child leads its own group, so this also ends what it started; an empty group is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
