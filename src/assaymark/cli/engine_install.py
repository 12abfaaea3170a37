"""Makes the environment of an optional engine.

Guarantees: the folder is private; a broken installation never counts as one, since what says that it is whole is written last.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from assaymark.checks.infrastructure.iac.checkov_place import VERSION, Installed, folder, note
from assaymark.engine.trust import private_folder
from assaymark.errors import EngineMissing


def install(cache_dir: str, requirement: str = f"checkov=={VERSION}") -> str:
    """Install checkov; returns the environment's folder.

    Raises:
        EngineMissing: when that is not possible, with the reason of pip.
    """
    place = folder(cache_dir)
    problem = private_folder(str(Path(place).parent))
    if problem:
        raise EngineMissing(f"{Path(place).parent} {problem}", advice="make the cache folder yours and private")
    Path(note(cache_dir)).unlink(missing_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    python = str(Path(place) / "bin" / "python")
    _run([sys.executable, "-m", "venv", place], "no environment can be made")
    _run([python, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", requirement], f"{requirement} can't be installed")
    _run([python, "-I", "-c", "import checkov"], "what was installed does not start")
    Path(note(cache_dir)).write_bytes(msgspec.json.encode(Installed(VERSION, python)))
    return place


def _run(arguments: list[str], what: str) -> None:
    try:
        ran = subprocess.run(arguments, capture_output=True, text=True, check=False)
    except OSError as error:
        raise EngineMissing(what, why=str(error)) from error
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if line.strip()]
        raise EngineMissing(what, why=said[-1][:300] if said else "", advice="look at pip's configuration and network, and run it again")
