"""Finding a git repository, and whether it may be trusted, without starting git where that is safe.

Understands bare repositories, linked work trees, submodules (a ``.git`` file), both object formats, and the variables that git sets for its
hooks. A repository that belongs to somebody else is only opened when git itself would open it (``safe.directory``); that one question is
put to git under the user's own configuration. Nothing in a repository's configuration is believed about where its work tree is.

Does not follow ``GIT_CEILING_DIRECTORIES``; stops at the root of the file system, as a user who names a path expects.
"""

# Names are bytes with surrogate escapes, and pathlib is slow to import on the path of a hook:
# ruff: noqa: PTH109, PTH110, PTH112, PTH117, PTH118, PTH119, PTH120, PTH123
from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress

from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.subjects.git import STALL_SECONDS, Git, find_git, prepare, printable

_OID = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+\Z")
_SYMREF_DEPTH = 5
"""As deep as git itself follows symbolic refs."""
_SMALL_FILE = 4096
_EMPTY_TREES = {40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904", 64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"}


class Place(Struct, frozen=True):
    """Where a repository keeps its parts."""

    git_dir: str
    common_dir: str
    """Where refs and objects are: another folder than `git_dir` for linked work trees."""
    work_tree: str | None


class Repository(Struct, frozen=True):
    """A repository that may be read. Picklable."""

    git: Git
    place: Place
    prefix: str = ""
    """Where in the work tree the user stood, ``/``-terminated, or empty at its root."""

    @property
    def root(self) -> str:
        """The work tree.

        Raises:
            SubjectNotFound: when there is none.
        """
        if self.place.work_tree is None:
            raise SubjectNotFound(
                f"{self.place.git_dir} has no working tree",
                why="it is a bare repository",
                advice="name a commit or a range instead",
            )
        return self.place.work_tree

    @property
    def shown(self) -> str:
        """What the user would call it."""
        return self.place.work_tree or self.place.git_dir

    @property
    def shallow(self) -> bool:
        """True when history was cut off by ``--depth``."""
        return os.path.exists(os.path.join(self.place.common_dir, "shallow"))

    def empty_tree(self, like: str = "") -> str:
        """Object id of a tree without names, in this repository's format (that of `like`, when an id is at hand)."""
        if like:
            return _EMPTY_TREES[len(like)]
        return self.git.run("hash-object", "-t", "tree", "--stdin").decode().strip()

    def head(self) -> str | None:
        """Commit that HEAD names; None when the branch is unborn.

        Raises:
            SubjectUnreadable: when HEAD names something that does not exist.
        """
        known = read_head(self.place)
        if known is not None:
            return known
        answer = self.git.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if answer.code == 0:
            return answer.output.decode().strip()
        broken = self.git.ask("rev-parse", "--verify", "--quiet", "HEAD")
        if broken.code == 0:
            raise SubjectUnreadable(
                "HEAD names a commit that is not there",
                why=printable(broken.output),
                advice="run `git fsck`; a partial copy of a repository has to be cloned again",
            )
        return None


def discover(path: str, *, environ: Mapping[str, str] | None = None, cwd: str | None = None) -> Repository:
    """The repository that `path` is in.

    Raises:
        SubjectNotFound: when there is none.
        SubjectUnreadable: when it belongs to somebody else and git would not open it either.
    """
    environ = os.environ if environ is None else environ
    cwd = os.getcwd() if cwd is None else cwd
    start = os.path.realpath(os.path.join(cwd, path))
    found = _walk(start)
    hooked = _from_hook(found, start, environ, cwd)
    if hooked is not None:
        return _open(hooked, start, environ, cwd, hook=True)
    if found is None:
        raise SubjectNotFound(
            f"{path} is not inside a git repository",
            why="no folder above it holds a .git" if os.path.exists(start) else "there is no such path",
            advice="name a repository, or check a plain directory",
        )
    _trust(found, start, environ)
    return _open(found, start, environ, cwd, hook=_hook_index(found, environ, cwd))


def read_head(place: Place) -> str | None:
    """What HEAD names, from the files alone; None when they do not say (unborn, reftable, broken): git has to be asked."""
    name = "HEAD"
    for _ in range(_SYMREF_DEPTH):
        folder = place.git_dir if name == "HEAD" else place.common_dir
        text = _small(os.path.join(folder, name)).strip()
        if _OID.match(text):
            return text
        if not text:
            return _packed(place.common_dir, name)
        target = text.removeprefix("ref:").strip()
        if target == text or not _REF.match(target) or ".." in target:
            return None
        name = target
    return None


def nested_head(folder: str) -> str | None:
    """Commit that a repository inside a work tree stands at; None when it has none or its files do not say."""
    place = _at(folder)
    return read_head(place) if place is not None else None


def _packed(common_dir: str, name: str) -> str | None:
    wanted = name.encode("utf-8", "surrogateescape")
    with suppress(OSError), open(os.path.join(common_dir, "packed-refs"), "rb") as file:
        for line in file:
            oid, _, ref = line.rstrip(b"\n").partition(b" ")
            if ref == wanted and _OID.match(oid.decode("ascii", "replace")):
                return oid.decode("ascii")
    return None


def _walk(start: str) -> Place | None:
    folder = start if os.path.isdir(start) else os.path.dirname(start)
    while True:
        place = _at(folder) or _bare_at(folder)
        if place is not None:
            return place
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _at(folder: str) -> Place | None:
    dot_git = os.path.join(folder, ".git")
    if os.path.isdir(dot_git):
        return _place(dot_git, folder) if _is_git_dir(dot_git) else None
    text = _small(dot_git)
    if not text.startswith("gitdir:"):
        return None
    git_dir = os.path.normpath(os.path.join(folder, text.removeprefix("gitdir:").strip("\r\n").strip()))
    return _place(git_dir, folder) if _is_git_dir(git_dir) else None


def _bare_at(folder: str) -> Place | None:
    return _place(folder, None) if _is_git_dir(folder) else None


def _place(git_dir: str, work_tree: str | None) -> Place:
    common = _small(os.path.join(git_dir, "commondir")).strip()
    return Place(git_dir=git_dir, common_dir=os.path.normpath(os.path.join(git_dir, common)) if common else git_dir, work_tree=work_tree)


def _is_git_dir(folder: str) -> bool:
    if not os.path.lexists(os.path.join(folder, "HEAD")):
        return False
    if os.path.lexists(os.path.join(folder, "commondir")):
        return True
    return os.path.isdir(os.path.join(folder, "objects")) and os.path.isdir(os.path.join(folder, "refs"))


def _from_hook(found: Place | None, start: str, environ: Mapping[str, str], cwd: str) -> Place | None:
    """The repository that ``GIT_DIR`` names, when it is the one that was asked about."""
    if "GIT_DIR" not in environ:
        return None
    git_dir = os.path.realpath(os.path.join(cwd, environ["GIT_DIR"]))
    if found is not None and os.path.realpath(found.git_dir) == git_dir and "GIT_WORK_TREE" not in environ:
        return found
    if start != os.path.realpath(cwd) or not _is_git_dir(git_dir):
        return None
    named = environ.get("GIT_WORK_TREE")
    return _place(git_dir, os.path.realpath(os.path.join(cwd, named)) if named else _work_tree_of(git_dir))


def _work_tree_of(git_dir: str) -> str | None:
    if os.path.basename(git_dir) == ".git":
        return os.path.dirname(git_dir)
    linked = _small(os.path.join(git_dir, "gitdir")).strip()
    return os.path.dirname(linked) if os.path.isabs(linked) else None


def _hook_index(found: Place, environ: Mapping[str, str], cwd: str) -> bool:
    """True when git set an index for a hook of this very repository (``git commit -a`` and partial commits do)."""
    if "GIT_INDEX_FILE" not in environ and "GIT_OBJECT_DIRECTORY" not in environ:
        return False
    here = _walk(os.path.realpath(cwd))
    return here is not None and here.git_dir == found.git_dir


def _open(place: Place, start: str, environ: Mapping[str, str], cwd: str, *, hook: bool) -> Repository:
    extra = {"GIT_DIR": place.git_dir}
    if place.work_tree is not None:
        extra["GIT_WORK_TREE"] = place.work_tree
    keep = dict(environ)
    if hook:
        base = place.work_tree or place.git_dir
        if environ.get("GIT_INDEX_FILE"):
            extra["GIT_INDEX_FILE"] = os.path.join(base, environ["GIT_INDEX_FILE"])
        for name in ("GIT_OBJECT_DIRECTORY", "GIT_QUARANTINE_PATH"):
            if environ.get(name):
                keep[name] = os.path.join(cwd, environ[name])
        elsewhere = environ.get("GIT_ALTERNATE_OBJECT_DIRECTORIES", "")
        if elsewhere and '"' not in elsewhere:  # quoted ones are absolute: git writes them itself
            keep["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = os.pathsep.join(os.path.join(cwd, one) for one in elsewhere.split(os.pathsep))
    prefix = os.path.relpath(start, place.work_tree) if place.work_tree and os.path.isdir(start) else "."
    inside = prefix != "." and not prefix.startswith("..")
    return Repository(git=prepare(keep, extra, keep=hook), place=place, prefix=prefix + "/" if inside else "")


def _trust(place: Place, start: str, environ: Mapping[str, str]) -> None:
    """Lets the user's own repositories through; asks git about all others.

    Raises:
        SubjectUnreadable: when git would refuse.
    """
    folders = [place.git_dir, *([place.work_tree, os.path.join(place.work_tree, ".git")] if place.work_tree else [])]
    mine = {os.geteuid()} | ({int(environ["SUDO_UID"])} if os.geteuid() == 0 and environ.get("SUDO_UID", "").isdigit() else set())
    if all(_owner(folder) in mine for folder in folders):
        return
    env = {name: value for name, value in environ.items() if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")}
    env.update({"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"})
    folder = start if os.path.isdir(start) else os.path.dirname(start)
    command = [find_git(environ.get("PATH", os.defpath)), "-c", "core.fsmonitor=false", "-C", folder, "rev-parse", "--git-dir"]
    answer = subprocess.run(command, env=env, capture_output=True, stdin=subprocess.DEVNULL, timeout=STALL_SECONDS, check=False)
    if answer.returncode != 0:
        shown = place.work_tree or place.git_dir
        raise SubjectUnreadable(
            f"{shown} belongs to another user, and git does not trust it",
            why=printable(answer.stderr),
            advice=f"if you trust it: git config --global --add safe.directory '{shown}'",
        )


def _owner(path: str) -> int:
    try:
        return os.lstat(path).st_uid
    except OSError:
        return -1


def _small(path: str) -> str:
    """Text of a small regular file; empty when it is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, _SMALL_FILE).decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    finally:
        os.close(fd)
