"""Runs the installed `assay` the way a person does, and reads what it says.

Guarantees that nothing of the user's settings, cache or daemon takes part. Knows the command line and the JSON report only.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import assaymark

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(assaymark.__file__).resolve().parents[1]
VERDICTS = {0: "pass", 1: "fail", 5: "unproven"}
MODULE = [sys.executable, "-c", "from assaymark.cli.main import main; main()"]


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


class Shell:
    """`assay` with a cache of its own."""

    def __init__(self, home: Path) -> None:
        script = Path(sys.executable).with_name("assay")
        self.command = [str(script)] if script.exists() else MODULE
        self.home = home
        (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.env = {
            "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", ""),
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(PACKAGE),
            "ASSAYMARK_CACHE": str(home / "cache"),
            "ASSAYMARK_KEY": "a key for acceptance only",
            "ASSAYMARK_DAEMON": "off",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
        }

    def run(self, *words: str, folder: Path, seconds: float = 600, **env: str) -> Said:
        ran = subprocess.run(
            [*self.command, *words],
            cwd=folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Said(ran.returncode, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"))

    def check(self, *words: str, folder: Path, seconds: float = 600, **env: str) -> dict[str, Any]:
        """`assay check` as JSON; the exit code is a verdict, and the one that the report tells."""
        said = self.run("check", *words, "--format", "json", folder=folder, seconds=seconds, **env)
        assert said.code in VERDICTS, said.err[-3000:]
        report: dict[str, Any] = json.loads(said.out)
        assert report["verdict"]["outcome"] == VERDICTS[said.code]
        return report

    def git(self, *words: str, folder: Path) -> str:
        return subprocess.run(["git", *words], cwd=folder, env=self.env, check=True, capture_output=True, text=True).stdout

    def repository(self, folder: Path, files: dict[str, str]) -> Path:
        """A repository with one commit."""
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main", folder=folder)
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self.git("add", "--all", folder=folder)
        self.git("commit", "--quiet", "--allow-empty", "-m", "begin", folder=folder)
        return folder

    def fresh(self, home: Path) -> Shell:
        """Another user: the compiled rules are there, no facts are."""
        ignore = shutil.ignore_patterns("facts*", "last")
        shutil.copytree(self.home / "cache", home / "cache", ignore=ignore)
        return Shell(home)


def gaps(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Findings that say that something could not be checked."""
    return [row["finding"] for row in report["verdict"]["findings"] if row["finding"]["core"][0] == "unchecked"]


def weaknesses(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Findings that are findings."""
    return [row["finding"] for row in report["verdict"]["findings"] if row["finding"]["core"][0] != "unchecked"]


def answer(report: dict[str, Any]) -> Any:
    """What must not depend on speed or memory: everything but times and cache hits."""
    verdict = {name: value for name, value in report["verdict"].items() if name not in {"seconds", "checks"}}
    runs = [{n: v for n, v in run.items() if n not in {"seconds", "hits"}} for run in report["verdict"]["checks"]]
    return verdict, runs


def has_reason(gap: dict[str, Any]) -> bool:
    """A reason class in the core, and words for people."""
    return any(isinstance(part, str) and part for part in _flat(gap["core"][1:])) and len(gap["witnesses"][0]["message"]) > 10


def _flat(value: Any) -> Sequence[Any]:
    return [leaf for part in value for leaf in _flat(part)] if isinstance(value, list) else [value]


def prove(*words: str, **env: str) -> str:
    """Run tests of the project in a process of their own; returns what they said."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    ran = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-1000:]
    return ran.stdout
