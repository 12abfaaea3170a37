"""Whether a process of this machine is still there, by a name that no other process has: start of the machine, namespace, number, start.

Guarantees: says that one is gone only when it is; of another machine or namespace, or where there is no ``/proc``, it says nothing.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

_PARTS = 4


def own_name() -> str:
    """Of this process, different each time."""
    pid = os.getpid()
    return f"{_place()}.{pid}.{_begun(pid) or ''}.{secrets.token_hex(8)}"


def is_gone(name: str) -> bool:
    """Whether that process certainly is not there any more."""
    parts = name.split(".")
    if len(parts) != _PARTS or not parts[0] or parts[0] != _place() or not parts[1].isdecimal() or not parts[2]:
        return False
    begun = _begun(int(parts[1]))
    return _is_free(int(parts[1])) if begun is None else begun != parts[2]


@lru_cache(maxsize=1)
def _place() -> str:
    """One start of one machine, as far as processes see each other; empty where that cannot be known."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        room = Path("/proc/self/ns/pid").readlink()
        return f"{boot}-{str(room).strip('pid:[]')}"
    return ""


def _begun(pid: int) -> str | None:
    """Moment of its start in ticks; empty when it ended and only waits to be asked for its status; None when it is not seen."""
    with suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    return None


def _is_free(pid: int) -> bool:
    """Whether nobody has this number: processes of others may be hidden from us, and are there all the same."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
