"""Inside git's own hooks, and inside repositories whose configuration wants to run something."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assaymark.errors import SubjectUnreadable
from assaymark.subjects.history import blob_places, commits, history_blobs
from assaymark.subjects.repository import discover
from assaymark.subjects.resolve import CommitRequest, PushRequest, StagedRequest, WorktreeRequest, open_comparison

SOURCE = str(Path(__file__).parents[2] / "src")
ZERO = "0" * 40


def install(git_dir: Path, hook: str, request: str, out: Path) -> None:
    """A hook that writes down what is seen from inside."""
    program = (
        f"#!{sys.executable}\n"
        f"import sys; sys.path[:0] = {[SOURCE, *sys.path]!r}\n"
        "from assaymark.subjects.resolve import *\n"
        "lines = [line.split() for line in sys.stdin] or [[]]\n"
        if hook == "pre-receive"
        else f"#!{sys.executable}\n"
        f"import sys; sys.path[:0] = {[SOURCE, *sys.path]!r}\n"
        "from assaymark.subjects.resolve import *\n"
        "lines = [[]]\n"
    )
    program += (
        f"c = open_comparison({request})\n"
        "d = [x.after.digest for x in c.changes() if x.after]\n"
        "r = c.head.reader().open()\n"
        f"open({str(out)!r}, 'w').write(repr((c.base.ref.kind, sorted(x.after.path for x in c.changes() if x.after),"
        " sorted(x.data for x in r.read(d, limit=100) if x.data is not None))))\n"
        "r.close()\n"
    )
    path = git_dir / "hooks" / hook
    path.parent.mkdir(exist_ok=True)
    path.write_text(program)
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (["commit", "-m", "x"], (["staged"], [b"staged\n"])),
        (["commit", "-a", "-m", "x"], (["a", "b", "staged"], [b"a2\n", b"b2\n", b"staged\n"])),
        (["commit", "-m", "x", "--only", "a"], (["a"], [b"a2\n"])),
        (["commit", "-m", "x", "--include", "b"], (["b", "staged"], [b"b2\n", b"staged\n"])),
    ],
)
@pytest.mark.parametrize("linked", [False, True])
def test_a_pre_commit_hook_sees_what_will_be_committed(
    repo: Any, tmp_path: Path, command: list[str], seen: tuple[list[str], list[bytes]], linked: bool
) -> None:
    repo.commit(a=b"a1\n", b=b"b1\n")
    install(repo.path / ".git", "pre-commit", "StagedRequest()", tmp_path / "out")
    if linked:
        repo.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
        repo.path = tmp_path / "linked"
    for name, content in {"a": b"a2\n", "b": b"b2\n", "staged": b"staged\n"}.items():
        repo.write(name, content)
    repo.git("add", "staged")
    repo.git(*command)
    assert (tmp_path / "out").read_text() == repr(("commit", *seen))


def test_a_hook_may_look_at_another_repository(make_repo: Callable[..., Any], tmp_path: Path) -> None:
    here, there = make_repo("here"), make_repo("there")
    there.write("theirs", b"t\n")
    there.git("add", "theirs")
    here.commit(a=b"1")
    install(here.path / ".git", "pre-commit", f"StagedRequest(repo={str(there.path)!r})", tmp_path / "out")
    here.write("mine", b"m\n")
    here.git("add", "mine")
    here.git("commit", "-m", "x", "-a")
    assert (tmp_path / "out").read_text() == repr(("empty", ["theirs"], [b"t\n"]))


def test_a_pre_receive_hook_reads_objects_in_quarantine(repo: Any, tmp_path: Path) -> None:
    repo.git("init", "--quiet", "--bare", str(tmp_path / "server.git"))
    repo.commit(a=b"1\n")
    repo.git("push", "--quiet", str(tmp_path / "server.git"), "main")
    install(tmp_path / "server.git", "pre-receive", "PushRequest(old=lines[0][0], new=lines[0][1])", tmp_path / "out")
    repo.commit(b=b"2\n")
    repo.git("push", "--quiet", str(tmp_path / "server.git"), "main")
    assert (tmp_path / "out").read_text() == repr(("commit", ["b"], [b"2\n"]))
    repo.git("checkout", "--quiet", "-b", "feature")
    repo.commit(c=b"3\n")
    repo.commit(d=b"4\n")
    repo.git("push", "--quiet", str(tmp_path / "server.git"), "feature")
    assert (tmp_path / "out").read_text() == repr(("commit", ["c", "d"], [b"3\n", b"4\n"]))


def test_pushes_of_new_deleted_known_and_rewritten_branches(repo: Any) -> None:
    where = str(repo.path)
    first = repo.commit(a=b"1")
    repo.git("update-ref", "refs/remotes/origin/main", first)
    second = repo.commit(b=b"2")
    third = repo.commit(c=b"3")

    def pushed(old: str, new: str) -> tuple[str, list[str]]:
        comparison = open_comparison(PushRequest(repo=where, old=old, new=new, remote="origin"))
        return comparison.base.ref.digest, [change.after.path for change in comparison.changes() if change.after]

    assert pushed(ZERO, third) == (f"git-sha1:{first}", ["b", "c"])
    assert pushed(second, third) == (f"git-sha1:{second}", ["c"])
    assert pushed(third, ZERO) == (f"git-sha1:{third}", [])
    assert pushed(ZERO, first) == (f"git-sha1:{first}", [])
    assert pushed("1" * 40, third) == (f"git-sha1:{first}", ["b", "c"])
    assert open_comparison(PushRequest(repo=where, old=ZERO, new=third, remote="nobody")).base.ref.kind == "empty"


def test_variables_of_a_hook_do_not_redirect_other_repositories(repo: Any, make_repo: Callable[..., Any]) -> None:
    repo.commit(a=b"1")
    other = make_repo("other")
    environ = {**os.environ, "GIT_DIR": str(other.path / ".git"), "GIT_INDEX_FILE": "/nowhere/index", "GIT_OBJECT_DIRECTORY": "/nowhere"}
    found = discover(str(repo.path), environ=environ, cwd=str(other.path))
    assert found.place.git_dir == str(repo.path / ".git")
    assert "GIT_INDEX_FILE" not in found.git.env
    assert "GIT_OBJECT_DIRECTORY" not in found.git.env


@pytest.fixture
def trapped(repo: Any, tmp_path: Path) -> tuple[Any, Path]:
    """A repository in which everything that git can be told to run, is told to leave a trace."""
    trace = tmp_path / "trace"
    trap = tmp_path / "trap"
    trap.write_text(f'#!/bin/sh\necho "$0 $@" >> {trace}\ncat\n')
    trap.chmod(0o755)
    repo.commit(a=b"one\n", b=b"two\n", **{"c.txt": b"three\n"})
    repo.commit(a=b"1\n", b=b"2\n", **{"c.txt": b"3\n"})
    settings = {
        "core.fsmonitor": str(trap),
        "core.hooksPath": str(tmp_path / "hooks"),
        "core.pager": str(trap),
        "core.sshCommand": str(trap),
        "core.gitProxy": str(trap),
        "core.editor": str(trap),
        "core.alternateRefsCommand": str(trap),
        "credential.helper": str(trap),
        "diff.external": str(trap),
        "diff.evil.command": str(trap),
        "diff.evil.textconv": str(trap),
        "filter.evil.clean": str(trap),
        "filter.evil.smudge": str(trap),
        "filter.evil.process": str(trap),
        "filter.evil.required": "true",
        "filter.EVIL.dotted.clean": str(trap),
        "gpg.program": str(trap),
        "log.showSignature": "true",
        "pager.diff": str(trap),
        "alias.diff-index": f"!{trap}",
        "alias.rev-list": f"!{trap}",
        "uploadpack.packObjectsHook": str(trap),
        "remote.origin.url": f"ext::{trap}",
        "remote.origin.promisor": "true",
        "remote.origin.partialclonefilter": "blob:none",
        "extensions.partialClone": "origin",
        "protocol.ext.allow": "always",
    }
    config = repo.path / ".git" / "config"
    for key, value in settings.items():
        repo.git("config", "--file", str(config), key, value)
    (tmp_path / "included").write_text(f'[filter "included"]\n\tclean = {trap}\n')
    repo.git("config", "--file", str(config), "include.path", str(tmp_path / "included"))
    (repo.path / ".git" / "info" / "attributes").write_text("* filter=evil diff=evil\n*.txt filter=included\nb filter=EVIL.dotted\n")
    (tmp_path / "hooks").mkdir()
    for hook in ("post-index-change", "reference-transaction", "pre-commit", "post-checkout"):
        (tmp_path / "hooks" / hook).symlink_to(trap)
    return repo, trace


def make_racy(repo: Any) -> None:
    """Files as old as the index: git is unsure and compares their content, through its filters."""
    for name in ("a", "b", "c.txt", ".git/index"):
        os.utime(repo.path / name, (1_700_000_000, 1_700_000_000))


def test_the_trap_works(trapped: tuple[Any, Path]) -> None:
    """Git itself runs into it: otherwise the next test would prove nothing."""
    repo, trace = trapped
    make_racy(repo)
    subprocess.run(["git", "status"], cwd=repo.path, env=repo.env, capture_output=True, check=False, timeout=30)
    assert trace.exists()


def test_nothing_that_a_repository_configures_is_run(trapped: tuple[Any, Path]) -> None:
    repo, trace = trapped
    where = str(repo.path)
    make_racy(repo)
    repo.write("a", b"changed\n")
    repo.write("new", b"new\n")
    make_racy(repo)
    for request in (StagedRequest(repo=where), WorktreeRequest(repo=where), CommitRequest(rev="HEAD", repo=where)):
        comparison = open_comparison(request)
        paths = [change.after.path for change in comparison.changes() if change.after]
        comparison.touched_lines([(path, path) for path in paths])
        list(comparison.head.entries())
        comparison.head.file("b", limit=100)
        reader = comparison.head.reader().open()
        digests = [change.after.digest for change in comparison.changes() if change.after]
        list(reader.read([*digests, "git-sha1:" + "1" * 40], limit=100))  # type: ignore[list-item]
        reader.close()
    found = discover(where)
    digests = [digest for digest, _ in history_blobs(found)]
    assert blob_places(found, digests)
    assert commits(found, "HEAD")
    assert not trace.exists(), trace.read_text()


def test_a_filter_that_cannot_be_switched_off_is_refused(repo: Any) -> None:
    repo.commit(a=b"1")
    config = repo.path / ".git" / "config"
    config.write_text(config.read_text() + '[filter "a=b"]\n\tclean = touch owned\n')
    with pytest.raises(SubjectUnreadable, match=r"content filter named 'filter\.a=b'"):
        open_comparison(WorktreeRequest(repo=str(repo.path)))
    assert open_comparison(StagedRequest(repo=str(repo.path))).changes() == []


def test_a_work_tree_that_the_configuration_puts_elsewhere_is_not_believed(repo: Any, tmp_path: Path) -> None:
    repo.commit(a=b"1")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "private").write_bytes(b"x")
    repo.git("config", "core.worktree", str(tmp_path / "elsewhere"))
    assert [entry.path for entry in open_comparison(WorktreeRequest(repo=str(repo.path))).head.entries()] == ["a"]


def test_what_the_user_ignores_everywhere_stays_ignored(repo: Any, home: Path) -> None:
    repo.commit(a=b"1")
    (home / "ignored").write_text("*.swp\n")
    (home / ".gitconfig").write_text("[core]\n\texcludesFile = ~/ignored\n")
    (repo.path / ".git" / "info" / "exclude").write_text("local\n")
    for name in ("x.swp", "local", "seen"):
        repo.write(name)
    assert [change.after.path for change in open_comparison(WorktreeRequest(repo=str(repo.path))).changes() if change.after] == ["seen"]
