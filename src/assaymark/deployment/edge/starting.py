"""Brings the edge of a folder up where it is not: apart from whoever asks, so that a killed deployer does not take it along."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.control import Edge

LOG = "edge.log"
_SECONDS = 20.0


def risen(folder: Path) -> Edge:
    """The edge of a folder, that answers.

    Raises:
        DriverFailed: when it does not rise.
    """
    edge = Edge(folder)
    if edge.alive():
        return edge
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOG).open("ab") as log:
        began = subprocess.Popen(
            [sys.executable, "-m", "assaymark.deployment.edge", str(folder)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/", env=_surroundings(),
        )  # fmt: skip
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if edge.alive():
            began.returncode = 0  # it lives on without us: nobody here will wait for it
            return edge
        if began.poll() is not None and not edge.alive():  # another one may have been quicker
            break
        time.sleep(0.02)
    raise DriverFailed(f"the edge of {folder} does not rise", why=_last_words(folder), advice=f"look into {folder / LOG}")


def _surroundings() -> dict[str, str]:
    """What finding ourselves needs, and nothing a deployer was trusted with."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _last_words(folder: Path) -> str:
    try:
        return (folder / LOG).read_text(errors="replace").strip()[-500:] or "it says nothing"
    except OSError as error:
        return str(error)
