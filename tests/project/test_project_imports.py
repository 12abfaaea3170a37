"""What a hook pays for: libraries whose start costs more than the answer stay out of its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import assaymark

pytestmark = pytest.mark.xdist_group("prepared cache")

HEAVY = ("asyncio", "click", "http.client", "hyperscan", "kingfisher_sdk", "rich", "ssl", "yaml")
PROGRAM = f"""
import sys
from assaymark.cli.hook import run
code = run(["pre-commit"], lambda stream, data: None)
print(code, *[name for name in {HEAVY!r} if name in sys.modules])
"""


def test_a_hook_with_nothing_to_say_imports_nothing_heavy(tmp_path: Path, prepared_cache: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    git("init", "--quiet", "work")
    work = tmp_path / "work"
    (work / "readme.txt").write_text("nothing wrong here\n", "utf-8")
    subprocess.run(["git", "-C", str(work), "add", "."], check=True)
    own = {"ASSAYMARK_CACHE": str(prepared_cache), "ASSAYMARK_DAEMON": "off", "ASSAYMARK_KEY": "a key for this test only"}
    env = os.environ | own | {"PYTHONPATH": str(Path(assaymark.__file__).resolve().parents[1])}
    ran = subprocess.run([sys.executable, "-c", PROGRAM], cwd=work, env=env, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["0"], ran.stdout + ran.stderr
