"""Makes the pictures of docs/walk-through.md: the browser tests walk through the sample organisation and keep what they see.

python docs/images/walk.py            # needs chromium
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def main() -> int:
    folder = HERE / "walk"
    folder.mkdir(exist_ok=True)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "tests/pages/test_pages_walk.py"]
    surroundings = os.environ | {"WALK_PICTURES": str(folder), "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(words, cwd=ROOT, env=surroundings, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
