"""Builds the sample repository "harbour" from ``demo/recipe``: the same commit ids on every machine.

Guarantees: nothing but the recipe decides the result (no clock, no git configuration of user or system, no file modes of the checkout), and
the history is written through ``git fast-import``, so no hook runs. Does not push, and writes only into the folder it is given.

A step is a folder ``recipe/steps/NN-name`` with a ``commit.toml`` (see `Step`) and, under ``files/``, whole files that the commit writes.
Names that begin with a dot are spelled ``dot-``: no tool that works on *this* project shall take the sample's settings for its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import invented_secrets
import msgspec

RECIPE = Path(__file__).resolve().parent / "recipe"
_EXECUTABLE = (b"#!",)


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One commit."""

    author: str
    """A key of ``people.toml``."""
    date: datetime
    message: str
    branch: str = "main"
    fork: str = ""
    """Branch that this one starts from; only in a branch's first commit."""
    tag: str = ""
    """A light tag on this commit, for the show."""
    move: dict[str, str] = {}
    """Old path to new path; a path that ends in ``/`` is a folder. Happens before `delete` and before the files are written."""
    delete: tuple[str, ...] = ()


class RecipeError(Exception):
    """The recipe contradicts itself; the message names the step."""


Tree = dict[str, bytes]


def steps() -> Iterator[tuple[Path, Step]]:
    """All steps in order, each with its folder."""
    for folder in sorted((RECIPE / "steps").iterdir()):
        yield folder, msgspec.convert(tomllib.loads((folder / "commit.toml").read_text("utf-8")), Step)


def apply(tree: Tree, folder: Path, step: Step) -> Tree:
    """The tree after a step.

    Raises:
        RecipeError: when a step moves or deletes what is not there, or writes what is there already word for word.
    """
    after = dict(tree)
    for old, new in step.move.items():
        moved = [path for path in after if path == old or (old.endswith("/") and path.startswith(old))]
        if not moved:
            raise RecipeError(f"{folder.name}: moves {old}, which is not there")
        for path in moved:
            after[new + path.removeprefix(old)] = after.pop(path)
    for path in step.delete:
        if after.pop(path, None) is None:
            raise RecipeError(f"{folder.name}: deletes {path}, which is not there")
    root = folder / "files"
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        name, content = _sample_name(file.relative_to(root)), invented_secrets.fill(file.read_bytes())
        if after.get(name) == content:
            raise RecipeError(f"{folder.name}: writes {name}, which is the same already")
        after[name] = content
    return after


def _sample_name(path: Path) -> str:
    return "/".join("." + part.removeprefix("dot-") if part.startswith("dot-") else part for part in path.parts)


def stream() -> Iterator[bytes]:
    """The history in the format of ``git fast-import``."""
    people: dict[str, str] = tomllib.loads((RECIPE / "people.toml").read_text("utf-8"))
    trees: dict[str, Tree] = {}
    for folder, step in steps():
        if step.fork:
            trees[step.branch] = trees[step.fork]
            yield f"reset refs/heads/{step.branch}\nfrom refs/heads/{step.fork}\n\n".encode()
        before = trees.get(step.branch, {})
        after = trees[step.branch] = apply(before, folder, step)
        if after == before:
            raise RecipeError(f"{folder.name}: changes nothing")
        who = f"{people[step.author]} {int(step.date.timestamp())} {step.date:%z}"
        yield f"commit refs/heads/{step.branch}\nauthor {who}\ncommitter {who}\n".encode()
        yield _data(step.message.strip().encode() + b"\n")
        for path in sorted(before.keys() - after.keys()):
            yield f"D {path}\n".encode()
        for path in sorted(path for path, content in after.items() if before.get(path) != content):
            mode = "100755" if after[path].startswith(_EXECUTABLE) else "100644"
            yield f"M {mode} inline {path}\n".encode() + _data(after[path])
        if step.tag:
            yield f"reset refs/tags/{step.tag}\nfrom refs/heads/{step.branch}\n\n".encode()
    yield b"done\n"


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def git_environment() -> dict[str, str]:
    """The caller's environment without anything that could change what git does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


def build(target: Path) -> str:
    """Make the repository at `target` (replaced if it is one) and return the id of main's head.

    Raises:
        RecipeError: when the recipe contradicts itself, or `target` is a folder that holds something else.
    """
    if target.exists():
        if not (target / ".git").is_dir():
            raise RecipeError(f"{target} exists and is no repository; name another folder")
        shutil.rmtree(target)
    target.mkdir(parents=True)

    def git(*arguments: str, stdin: bytes = b"") -> str:
        command = ["git", "-C", str(target), *arguments]
        return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True, env=git_environment()).stdout.decode().strip()

    git("init", "--quiet", "--template=", "--object-format=sha1", "--initial-branch=main")
    for name, value in (("core.autocrlf", "false"), ("user.name", "Harbour Demo"), ("user.email", "demo@harbour.example")):
        git("config", name, value)
    git("fast-import", "--quiet", "--done", stdin=b"".join(stream()))
    git("reset", "--quiet", "--hard", "main")
    return git("rev-parse", "main")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: build_sample.py FOLDER")
    print(build(Path(sys.argv[1])))
