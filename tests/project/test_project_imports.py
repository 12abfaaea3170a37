"""What a hook pays for: libraries whose start costs more than the answer stay out of its process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import assaymark

HEAVY = ("asyncio", "click", "http.client", "hyperscan", "kingfisher_sdk", "rich", "ssl", "yaml")
SLOW = ("difflib", "inspect", "pathlib", "shutil", "tempfile", "tomllib", "typing_extensions", "urllib.parse")
"""Of the standard library and beside it: milliseconds each."""
IDLE = ("assaymark.checks.platform.webserver.nginx", "assaymark.checks.infrastructure.pipelines.azure", "assaymark.model.scope")
"""Checks and parts of checks that have nothing to do."""
PROGRAM = f"""
import sys
from assaymark.cli.hook import run
from assaymark.cli.lean import load_msgspec
load_msgspec()
from assaymark.engine.trial import Trial
code = run(["pre-commit"], lambda stream, data: None, executor=Trial())
print(code, *[name for name in {HEAVY + SLOW + IDLE!r} if name in sys.modules])
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


def test_what_msgspec_was_kept_from_is_there_afterwards() -> None:
    program = (
        "import sys; from assaymark.cli.lean import load_msgspec; load_msgspec(); import msgspec._utils as used, typing;"
        "print('typing_extensions' in sys.modules, used._get_type_hints is typing.get_type_hints);"
        "import typing_extensions; load_msgspec(); print(sys.modules['typing_extensions'] is typing_extensions)"
    )
    env = os.environ | {"PYTHONPATH": str(Path(assaymark.__file__).resolve().parents[1])}
    ran = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["False", "True", "True"], ran.stdout + ran.stderr
