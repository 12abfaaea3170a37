"""Which process it was: its user and its command line, as far as it still runs.

Guarantees: what is told belongs to the process that did it (the kernel's descriptor says afterwards that it still is that one); of a
process that has ended only its number is known. The command line is the process's own word.
"""

from __future__ import annotations

import signal
from pathlib import Path

from msgspec import Struct

from assaymark.deployment.drift.drifted import Cause
from assaymark.model.assessment import Instant

MOST = 200
"""Letters of a command line."""


class Process(Struct, frozen=True):
    """Who did it."""

    pid: int = 0
    uid: int = -1
    program: str = ""

    def at(self, when: Instant) -> Cause:
        """As the cause of a drift."""
        return Cause(when, self.pid, self.uid, self.program)


UNKNOWN = Process()


def process(pid: int, pidfd: int | None) -> Process:
    """What is known of it; `pidfd` of the kernel's event, negative when it has ended, None where the kernel gives none."""
    if pid <= 0 or (pidfd is not None and pidfd < 0):
        return Process(pid)
    try:
        folder = Path(f"/proc/{pid}")
        uid = folder.stat().st_uid
        words = (folder / "cmdline").read_bytes()[: 4 * MOST] or b"[" + (folder / "comm").read_bytes().strip() + b"]"
    except OSError:
        return Process(pid)
    if pidfd is not None and not _is_still(pidfd):
        return Process(pid)
    text = words.rstrip(b"\0").replace(b"\0", b" ").decode("utf-8", "backslashreplace")
    return Process(pid, uid, "".join(letter if letter.isprintable() else "?" for letter in text)[:MOST])


def _is_still(pidfd: int) -> bool:
    try:
        signal.pidfd_send_signal(pidfd, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True
