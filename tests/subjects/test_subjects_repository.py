# Hostile names are bytes, which pathlib does not take:
# ruff: noqa: PTH117
from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assaymark.errors import EngineMissing, SubjectNotFound, SubjectUnreadable
from assaymark.model.subject import Comparison, EntryKind
from assaymark.subjects import git as git_module
from assaymark.subjects.git import find_git, printable
from assaymark.subjects.repository import discover, nested_head, read_head
from assaymark.subjects.resolve import CommitRequest, StagedRequest, WorktreeRequest, open_comparison

Make = Callable[..., Any]


def after(comparison: Comparison) -> dict[str, str]:
    return {change.after.path: change.after.digest for change in comparison.changes() if change.after}


def test_a_subfolder_finds_its_repository(repo: Any) -> None:
    repo.commit(a=b"1")
    inner = repo.path / "x" / "y"
    inner.mkdir(parents=True)
    found = discover(str(inner))
    assert found.place.work_tree == str(repo.path)
    assert found.prefix == "x/y/"


def test_no_repository_is_said_plainly(tmp_path: Path, home: Path) -> None:
    with pytest.raises(SubjectNotFound, match="not inside a git repository"):
        discover(str(tmp_path))


def test_head_is_read_without_git_in_every_form(repo: Any) -> None:
    oid = repo.commit(a=b"1")
    place = discover(str(repo.path)).place
    assert read_head(place) == oid
    repo.git("pack-refs", "--all")
    assert read_head(place) == oid
    repo.git("checkout", "--quiet", "--detach")
    assert read_head(place) == oid


def test_an_unborn_branch_is_compared_with_nothing(repo: Any) -> None:
    repo.write("a", b"1\n")
    repo.git("add", "a")
    comparison = open_comparison(StagedRequest(repo=str(repo.path)))
    assert comparison.base.ref.kind == "empty"
    assert list(after(comparison)) == ["a"]
    assert [entry.path for entry in comparison.head.entries()] == ["a"]
    assert [change.after.path for change in open_comparison(WorktreeRequest(repo=str(repo.path))).changes() if change.after] == ["a"]


@pytest.mark.parametrize("head", [b"ref: refs/heads/../../../etc/passwd\n", b"ref: /etc/passwd\n", b"nonsense\n", b""])
def test_a_head_that_names_something_else_is_not_followed(repo: Any, head: bytes) -> None:
    repo.commit(a=b"1")
    (repo.path / ".git" / "HEAD").write_bytes(head)
    assert read_head(discover(str(repo.path)).place) is None


def test_a_head_without_its_commit_is_an_error_and_not_an_empty_base(repo: Any) -> None:
    oid = repo.commit(a=b"1")
    (repo.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    with pytest.raises((SubjectUnreadable, SubjectNotFound)):
        open_comparison(StagedRequest(repo=str(repo.path)))


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
def test_both_object_formats(make_repo: Make, object_format: str) -> None:
    repo = make_repo("formatted", f"--object-format={object_format}")
    repo.write("first", b"1\n")
    repo.git("add", "first")
    assert after(open_comparison(StagedRequest(repo=str(repo.path))))["first"].startswith(f"git-{object_format}:")
    repo.commit(first=b"1\n")
    repo.write("first", b"2\n")
    repo.git("add", "first")
    comparison = open_comparison(StagedRequest(repo=str(repo.path)))
    digests = list(after(comparison).values())
    reader = comparison.head.reader().open()
    assert [content.data for content in reader.read(digests, limit=10)] == [b"2\n"]  # type: ignore[arg-type]
    reader.close()
    root = open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path)))
    assert [change.before for change in root.changes()] == [None]
    assert root.touched_lines([(None, "first")]) == {"first": [(1, 1)]}
    assert root.base.ref.kind == "empty"


def test_a_bare_repository(repo: Any, make_repo: Make, tmp_path: Path) -> None:
    oid = repo.commit(a=b"1")
    repo.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare.git"))
    comparison = open_comparison(CommitRequest(rev="main", repo=str(tmp_path / "bare.git")))
    assert comparison.head.ref.digest == f"git-sha1:{oid}"
    with pytest.raises(SubjectNotFound, match="no working tree"):
        open_comparison(WorktreeRequest(repo=str(tmp_path / "bare.git")))


def test_a_linked_work_tree_has_its_own_head_and_index(repo: Any, tmp_path: Path) -> None:
    first = repo.commit(a=b"1")
    repo.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    repo.commit(a=b"2")
    (tmp_path / "linked" / "b").write_bytes(b"b")
    comparison = open_comparison(WorktreeRequest(repo=str(tmp_path / "linked")))
    assert comparison.base.ref.digest.endswith(first)
    assert list(after(comparison)) == ["b"]


def test_a_submodule_is_an_entry_and_its_folder_a_repository(make_repo: Make) -> None:
    inner, outer = make_repo("inner"), make_repo("outer")
    oid = inner.commit(i=b"1")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "sub")
    outer.commit("add sub")
    listed = {entry.path: entry for entry in open_comparison(CommitRequest(rev="HEAD", repo=str(outer.path))).head.entries()}
    assert listed["sub"].kind is EntryKind.SUBMODULE
    assert listed["sub"].digest.endswith(oid)
    sub = outer.path / "sub"
    assert discover(str(sub)).place.work_tree == str(sub)
    assert nested_head(str(sub)) == oid
    assert open_comparison(WorktreeRequest(repo=str(outer.path))).changes() == []
    (sub / "i").write_bytes(b"changed inside")
    assert open_comparison(WorktreeRequest(repo=str(outer.path))).changes() == []
    assert list(after(open_comparison(WorktreeRequest(repo=str(sub))))) == ["i"]


def test_a_moved_submodule_shows_the_commit_it_stands_at(make_repo: Make) -> None:
    inner, outer = make_repo("inner"), make_repo("outer")
    inner.commit(i=b"1")
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner.path), "sub")
    outer.commit("add sub")
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "-m", "x"], cwd=outer.path / "sub", env=outer.env, check=True)
    moved = nested_head(str(outer.path / "sub"))
    assert after(open_comparison(WorktreeRequest(repo=str(outer.path)))) == {"sub": f"git-sha1:{moved}"}


def test_a_repository_and_its_readers_can_be_sent_to_a_worker(repo: Any) -> None:
    repo.commit(a=b"1")
    found = discover(str(repo.path))
    assert pickle.loads(pickle.dumps(found)) == found
    spec = open_comparison(WorktreeRequest(repo=str(repo.path))).head.reader()
    assert pickle.loads(pickle.dumps(spec)).open().read([], limit=1) is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_somebody_else_is_trusted_only_when_the_user_says_so(repo: Any, home: Path) -> None:
    repo.commit(a=b"1")
    for folder, _, _ in os.walk(repo.path):
        os.chown(folder, 12345, 12345)
    with pytest.raises(SubjectUnreadable, match="belongs to another user") as caught:
        discover(str(repo.path))
    assert "safe.directory" in caught.value.advice
    (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = {repo.path}\n")
    assert open_comparison(StagedRequest(repo=str(repo.path))).changes() == []


def test_a_git_inside_the_repository_is_never_started(repo: Any, tmp_path: Path) -> None:
    assert os.path.isabs(find_git(f".{os.pathsep}{os.environ['PATH']}"))
    with pytest.raises(EngineMissing):
        find_git(".")


def test_complaints_of_git_carry_no_terminal_escapes() -> None:
    assert "\x1b" not in printable(b"fatal: \x1b[2Jgone\nagain")


def test_a_listing_without_end_is_cut_off(repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit(**{f"file{number}": b"" for number in range(50)})
    monkeypatch.setattr(git_module, "LISTING_BYTES", 1000)
    with pytest.raises(SubjectUnreadable, match="lists more than"):
        list(open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path))).head.entries())


def test_a_tree_made_to_explode_is_cut_off(repo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten trees of ten names each, nested: ten thousand million names in a dozen objects."""
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    tree = repo.git("mktree", stdin="".join(f"100644 blob {blob}\tf{n}\n" for n in range(10)).encode()).decode().strip()
    for _ in range(9):
        tree = repo.git("mktree", stdin="".join(f"040000 tree {tree}\td{n}\n" for n in range(10)).encode()).decode().strip()
    oid = repo.git("commit-tree", tree, "-m", "bomb").decode().strip()
    monkeypatch.setattr(git_module, "LISTING_BYTES", 1 << 20)
    monkeypatch.setattr(git_module, "GIT_MEMORY", 64 << 20)
    comparison = open_comparison(CommitRequest(rev=oid, repo=str(repo.path)))
    with pytest.raises(SubjectUnreadable, match="git diff-tree failed"):
        comparison.changes()
    with pytest.raises(SubjectUnreadable, match="lists more than"):
        comparison.head.entries()


def test_a_silent_git_is_stopped(repo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit(a=b"1")
    lazy = tmp_path / "bin" / "git"
    lazy.parent.mkdir()
    lazy.write_text("#!/bin/sh\nexec sleep 60\n")
    lazy.chmod(0o755)
    monkeypatch.setattr(git_module, "STALL_SECONDS", 0.2)
    monkeypatch.setenv("PATH", f"{lazy.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(SubjectUnreadable, match="said nothing"):
        open_comparison(StagedRequest(repo=str(repo.path)))


def test_the_fast_path_loads_no_archive_or_diff_library() -> None:
    code = (
        "import sys; import assaymark.subjects.git, assaymark.subjects.resolve;"
        "print([m for m in ('tarfile','zipfile','difflib','tempfile','shutil','pathlib','asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "src"})
    assert done.stdout.strip() == "[]"
