"""Real overlays: two lower directories, an upper one, and what is seen of them; and directories made by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec import Struct


class Overlay(Struct, frozen=True):
    """Its directories; `merged` is where a container works."""

    upper: Path
    lowers: tuple[Path, ...]
    merged: Path

    @property
    def below(self) -> list[str]:
        return [str(each) for each in self.lowers]


def laid(folder: Path) -> Overlay:
    """Directories, not mounted: an image of two layers."""
    top, bottom, upper, merged = (folder / name for name in ("top", "bottom", "upper", "merged"))
    for each in (top / "etc", bottom / "etc", bottom / "usr/bin", bottom / "srv/deep/er", upper, merged, folder / "work"):
        each.mkdir(parents=True)
    (bottom / "etc/conf").write_bytes(b"old\n")
    (top / "etc/conf").write_bytes(b"one\n")
    (bottom / "etc/keep").write_bytes(b"keep\n")
    (bottom / "etc/gone-already").write_bytes(b"")
    (bottom / "usr/bin/run").write_bytes(b"#!/bin/sh\n")
    (bottom / "usr/bin/run").chmod(0o755)
    (bottom / "srv/deep/er/leaf").write_bytes(b"leaf")
    (bottom / "srv/page").write_bytes(b"page")
    (bottom / "etc/link").symlink_to("conf")
    return Overlay(upper, (top, bottom), merged)


@contextmanager
def mounted(folder: Path, options: str = "") -> Iterator[Overlay]:
    """A real one; skips loudly where none can be mounted."""
    made = laid(folder)
    words = f"lowerdir={':'.join(made.below)},upperdir={made.upper},workdir={folder / 'work'}{options}"
    ran = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", words, str(made.merged)], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"NOT PROVED: no overlay can be mounted here: {ran.stderr.strip()}")
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(made.merged)], check=False, capture_output=True)


def whiteout(path: Path) -> None:
    os.mknod(path, 0o020000, 0)
