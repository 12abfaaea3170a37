"""Judges that are not ours: `@sigstore/verify` of npm, and securesystemslib.

npm's packages are installed into a temporary folder when a test asks; where npm or its registry is missing, the test is skipped and says
that nothing was proved.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

_PACKAGES = ("@sigstore/verify@3", "@sigstore/bundle@4", "@sigstore/core@3")
_SECONDS = 180
_JUDGE = Path(__file__).with_name("judge.js")


@cache
def sigstore_js() -> Path | None:
    """Folder in which the packages are, or None where they cannot be had."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return None
    folder = Path(mkdtemp(prefix="assay-judges-"))
    words = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", "--prefix", str(folder), *_PACKAGES]
    try:
        ran = subprocess.run(words, capture_output=True, timeout=_SECONDS, check=False, cwd=folder)
    except subprocess.TimeoutExpired:
        return None
    shutil.copy(_JUDGE, folder)
    return folder if ran.returncode == 0 and (folder / "node_modules" / "@sigstore" / "verify").is_dir() else None


def asked_of_js(**asked: object) -> dict[str, Any]:
    """What `@sigstore/verify` answers; skips where it cannot be had."""
    folder = sigstore_js()
    if folder is None:
        pytest.skip("NOT PROVED: @sigstore/verify cannot be installed; do this: install node and npm, and let npm reach its registry")
    return asked_in(folder, **asked)


def asked_in(folder: Path, **asked: object) -> dict[str, Any]:
    """The same, where the packages are."""
    ran = subprocess.run(["node", "judge.js"], cwd=folder, input=json.dumps(asked), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found
