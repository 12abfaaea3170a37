"""The real command in real repositories; one cache for all tests, because compiling the rules once takes seconds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import Struct

import assaymark

_SCRIPT = "from assaymark.cli.main import main; main()"


class Said(Struct, frozen=True):
    code: int
    out: str
    err: str


class Repo:
    """A repository with a command line in it."""

    def __init__(self, path: Path, env: dict[str, str]) -> None:
        self.path = path
        self.env = env

    def git(self, *args: str, check: bool = True) -> Said:
        done = subprocess.run(["git", *args], cwd=self.path, env=self.env, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    def assay(self, *args: str, stdin: str = "") -> Said:
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *args], cwd=self.path, env=self.env, capture_output=True, text=True, check=False, input=stdin
        )
        return Said(done.returncode, done.stdout, done.stderr)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.path / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, message: str, **files: str) -> str:
        self.write(**files)
        self.git("add", "-A")
        self.git("commit", "-q", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD").out.strip()


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = tmp_path_factory.mktemp("home")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ASSAYMARK_", "XDG_"))}
    env |= {
        "PYTHONPATH": str(Path(assaymark.__file__).resolve().parents[1]),
        "HOME": str(home),
        "ASSAYMARK_CACHE": str(home / "cache"),
        "ASSAYMARK_KEY": "a key for these tests only",
        "ASSAYMARK_TODAY": "2026-11-23",
        "ASSAYMARK_DAEMON": "off",
        "NO_COLOR": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "A",
        "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "A",
        "GIT_COMMITTER_EMAIL": "a@example.org",
    }
    subprocess.run(["git", "config", "--global", "user.email", "a@example.org"], env=env, check=True)
    subprocess.run([sys.executable, "-c", _SCRIPT, "doctor"], env=env, check=True, capture_output=True, cwd=home)
    return env


@pytest.fixture
def repo(tmp_path: Path, environment: dict[str, str]) -> Repo:
    path = tmp_path / "repo"
    path.mkdir()
    found = Repo(path, environment)
    found.git("init", "-q", "-b", "main")
    return found


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Repo], Repo]:
    def copy(repo: Repo) -> Repo:
        path = tmp_path / "copy"
        shutil.copytree(repo.path, path)
        return Repo(path, repo.env)

    return copy
