"""Folders that are gone with the machine."""

from __future__ import annotations

import os
from pathlib import Path


def in_memory(folder: Path) -> bool:
    """Whether it lies in a tmpfs or ramfs."""
    here = folder.stat().st_dev
    for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
        fields, _, after = line.partition(" - ")
        major, _, minor = fields.split(" ")[2].partition(":")
        if os.makedev(int(major), int(minor)) == here:
            return after.split(" ")[0] in {"tmpfs", "ramfs"}
    return False


def place() -> Path:
    """One that there is, for what belongs to this user alone: ``/run`` of root, the user's own of others, ``/dev/shm`` where neither is."""
    wanted = Path("/run") if os.geteuid() == 0 else Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    return wanted if wanted.is_dir() and in_memory(wanted) else Path("/dev/shm")  # noqa: S108 - what is made there is private
