"""What is mounted below a folder, by the kernel's own list (``/proc/self/mountinfo``)."""

from __future__ import annotations

import os
import re
from pathlib import Path

_OCTAL = re.compile(rb"\\([0-7]{3})")
_POINT = 4
"""Field of a line: where it is mounted."""


def below(root: str, mountinfo: Path = Path("/proc/self/mountinfo")) -> list[bytes]:
    """Paths below the folder at which something else is mounted, relative to it and sorted; nothing where there is no such list."""
    inside = os.fsencode(os.path.realpath(root)).rstrip(b"/") + b"/"
    try:
        lines = mountinfo.read_bytes().splitlines()
    except OSError:
        return []
    points = {_OCTAL.sub(_byte, fields[_POINT]) for fields in map(bytes.split, lines) if len(fields) > _POINT}
    return sorted(point[len(inside) :] for point in points if point.startswith(inside) and point != inside)


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8) & 0xFF])
