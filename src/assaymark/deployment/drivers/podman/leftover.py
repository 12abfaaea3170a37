"""What a killed deployer left running: its podman goes on without it, and makes a container that nobody would have seen yet."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

SECONDS = 90.0
"""For which one is waited: longer than a launch may take."""


def launching(word: str) -> bool:
    """Whether a `podman run` with this word in its command runs whose starter is gone."""
    wanted = word.encode()
    for each in Path("/proc").iterdir():
        if not each.name.isdigit():
            continue
        with suppress(OSError):
            words = (each / "cmdline").read_bytes().split(b"\0")
            if wanted in words and words[1:2] == [b"run"]:
                return True
    return False
