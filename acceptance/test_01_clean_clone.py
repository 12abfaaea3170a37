"""`make demo` works on a clean clone. (`make test` is proved by the caller: continuous integration runs it on a clean clone.)"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from acceptance.harness import ROOT


def cloned(folder: Path) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no clone of the repository, so there is nothing to clone")
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True)
    return folder


def test_a_clean_clone_holds_everything_that_the_demo_and_the_tests_need(tmp_path: Path) -> None:
    clone = cloned(tmp_path / "clone")
    for name in ("Makefile", "pyproject.toml", "demo/run.py", "requirements/dev.lock", "requirements/runtime.lock", ".ci/run"):
        assert (clone / name).exists(), f"{name} is not committed"
    assert subprocess.run(["make", "--dry-run", "demo", "test"], cwd=clone, capture_output=True, check=False).returncode == 0


@pytest.mark.soak
def test_make_demo_on_a_clean_clone_shows_all_its_scenes(tmp_path: Path) -> None:
    clone = cloned(tmp_path / "clone")
    env = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL"}}
    ran = subprocess.run(["make", "demo"], cwd=clone, env=env, capture_output=True, text=True, timeout=1800, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert list((clone / "out" / "demo").glob("*.html"))
    status = subprocess.run(["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True).stdout
    assert status == "", "the demo left files that are neither committed nor ignored"
