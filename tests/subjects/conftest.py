"""Real repositories for the tests of subjects."""

# Hostile names are bytes, which pathlib does not take:
# ruff: noqa: PTH103, PTH118, PTH120, PTH123
from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

_ENV = {
    "PATH": os.environ["PATH"],
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "GIT_ALLOW_PROTOCOL": "file",
}


class Work:
    """A working tree under test."""

    def __init__(self, path: Path, home: Path) -> None:
        self.path = path
        self.env = {**_ENV, "HOME": str(home)}

    def git(self, *args: str | bytes, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> bytes:
        done = subprocess.run(
            ["git", *args], cwd=self.path, env={**self.env, **(env or {})}, input=stdin, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def oid(self, name: str = "HEAD") -> str:
        return self.git("rev-parse", name).decode().strip()

    def write(self, name: str | bytes, content: bytes = b"text\n") -> bytes:
        path = os.path.join(os.fsencode(self.path), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def commit(self, message: str = "change", **files: bytes) -> str:
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.oid()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, so that no configuration of the machine matters."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    return folder


@pytest.fixture
def make_repo(tmp_path: Path, home: Path) -> Callable[..., Work]:
    def make(name: str = "repo", *options: str) -> Work:
        path = tmp_path / name
        path.mkdir()
        work = Work(path, home)
        work.git("init", "--quiet", "--initial-branch=main", *options)
        return work

    return make


@pytest.fixture
def repo(make_repo: Callable[..., Work]) -> Work:
    return make_repo()


@pytest.fixture(scope="session")
def work_at() -> type[Work]:
    """For property tests, which need a new repository for every example."""
    return Work
