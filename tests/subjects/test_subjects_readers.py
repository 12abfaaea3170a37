"""Content that is large, missing, damaged, hostile, or changes while it is read."""

# Hostile names are bytes, which pathlib does not take:
# ruff: noqa: PTH123
from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assaymark.errors import SubjectUnreadable
from assaymark.model.digest import Digest, git_blob
from assaymark.model.subject import Content
from assaymark.subjects import objects
from assaymark.subjects.objects import GitReader, GitReaderSpec
from assaymark.subjects.repository import discover
from assaymark.subjects.resolve import CommitRequest, DirectoryRequest, MergeBaseRequest, RangeRequest, WorktreeRequest, open_comparison

HUGE = 200 << 20
CHUNK = 20


def read(work: Any, oids: list[str], *, limit: int = 1 << 20, old_git: bool = False) -> dict[str, Content]:
    reader = GitReaderSpec(git=discover(str(work.path)).git, old_git=old_git).open()
    try:
        return {content.digest.partition(":")[2]: content for content in reader.read([git_blob(oid) for oid in oids], limit=limit)}
    finally:
        reader.close()


def loose(work: Any, oid: str) -> Path:
    path: Path = work.path / ".git" / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    return path


@pytest.fixture
def blobs(repo: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(objects, "CHUNK", CHUNK)
    repo.commit(**{f"f{number}": b"%d\n" % number * (number + 1) for number in range(CHUNK + 4)})
    names = "".join(f"HEAD:f{number}\n" for number in range(CHUNK + 4)).encode()
    listed: str = repo.git("cat-file", "--batch-check=%(objectname)", stdin=names).decode()
    return listed.split()


@pytest.mark.parametrize("old_git", [False, True])
def test_every_blob_is_read_once_whatever_the_age_of_git(repo: Any, blobs: list[str], old_git: bool) -> None:
    found = read(repo, blobs, old_git=old_git)
    assert [found[oid].data for oid in blobs] == [b"%d\n" % number * (number + 1) for number in range(CHUNK + 4)]


def test_a_git_that_does_not_know_batch_command_is_noticed(
    repo: Any, blobs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = discover(str(repo.path)).git.binary
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text(f'#!/bin/sh\ncase "$*" in *--batch-command*) exit 129;; esac\nexec {real} "$@"\n')
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    found = read(repo, blobs)
    assert all(found[oid].data is not None for oid in blobs)


@pytest.mark.parametrize("old_git", [False, True])
def test_missing_and_odd_objects_are_problems_of_their_own(repo: Any, blobs: list[str], old_git: bool) -> None:
    commit, tree = repo.oid(), repo.oid("HEAD^{tree}")
    found = read(repo, [blobs[0], "1" * 40, commit, tree, blobs[1]], old_git=old_git)
    assert {oid: content.problem for oid, content in found.items()} == {
        blobs[0]: "",
        "1" * 40: "missing",
        commit: "unreadable",
        tree: "unreadable",
        blobs[1]: "",
    }


@pytest.mark.parametrize("old_git", [False, True])
def test_an_object_that_announces_more_than_it_has_misleads_nobody(
    repo: Any, blobs: list[str], old_git: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git prints the announced size and fewer bytes: the answers after it are out of step."""
    monkeypatch.setattr(objects, "SILENCE_SECONDS", 0.5)
    for size in (7, 99999):
        loose(repo, blobs[3]).write_bytes(zlib.compress(b"blob %d\0short" % size))
        found = read(repo, blobs[:20], old_git=old_git)
        assert {oid for oid in blobs[:20] if found[oid].data is None} == {blobs[3]}


@pytest.mark.parametrize("damage", [b"", b"garbage", zlib.compress(b"blob 5\0wrong"), zlib.compress(b"what")])
@pytest.mark.parametrize("old_git", [False, True])
def test_a_damaged_object_harms_no_other(repo: Any, blobs: list[str], damage: bytes, old_git: bool) -> None:
    loose(repo, blobs[3]).write_bytes(damage)
    loose(repo, blobs[CHUNK + 3]).write_bytes(damage)
    found = read(repo, blobs, old_git=old_git)
    assert {oid for oid in blobs if found[oid].data is None} == {blobs[3], blobs[CHUNK + 3]}
    assert {found[blobs[3]].problem, found[blobs[CHUNK + 3]].problem} <= {"unreadable", "missing"}


def test_content_that_does_not_have_its_digest_is_not_handed_out(repo: Any, blobs: list[str]) -> None:
    loose(repo, blobs[0]).write_bytes(zlib.compress(b"blob 4\0evil"))
    assert read(repo, [blobs[0]])[blobs[0]].problem == "unreadable"


def test_a_digest_cannot_smuggle_a_command(repo: Any, blobs: list[str]) -> None:
    reader = GitReader(discover(str(repo.path)).git)
    odd = [Digest("git-sha1:" + "a" * 39 + "\n"), Digest(f"git-sha1:{blobs[0]}\ncontents {blobs[1]}"), Digest("sha256:" + "a" * 64)]
    assert [content.problem for content in reader.read(odd, limit=10)] == ["missing"] * 3
    assert [content.data for content in reader.read([git_blob(blobs[0])], limit=10)] == [b"0\n"]
    reader.close()


def test_a_caller_that_leaves_early_does_not_confuse_the_next(repo: Any, blobs: list[str]) -> None:
    reader = GitReader(discover(str(repo.path)).git)
    for content in reader.read([git_blob(oid) for oid in blobs], limit=1 << 20):
        assert content.data is not None
        break
    assert [content.data for content in reader.read([git_blob(blobs[7])], limit=1 << 20)] == [b"7\n" * 8]
    reader.close()


def test_an_object_that_keeps_git_silent_is_given_up(repo: Any, blobs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = discover(str(repo.path)).git.binary
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f'#!/bin/sh\ncase "$*" in *cat-file*) exec sleep 60;; esac\nexec {real} "$@"\n')
    slow.chmod(0o755)
    monkeypatch.setattr(objects, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(objects, "GRACE_SECONDS", 0.01)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    assert {content.problem for content in read(repo, blobs[:2]).values()} == {"unreadable"}


def test_a_huge_blob_is_never_loaded(repo: Any) -> None:
    with open(repo.write("huge"), "wb") as file:
        file.truncate(HUGE)
    repo.write("small", b"small\n")
    repo.commit("huge")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = read(repo, [repo.oid("HEAD:huge"), repo.oid("HEAD:small")])
    assert sorted((content.size, content.problem) for content in found.values()) == [(6, ""), (HUGE, "too-large")]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("git", [True, False])
def test_a_huge_file_is_hashed_in_pieces_and_never_loaded(repo: Any, git: bool) -> None:
    repo.commit(a=b"1")
    with open(repo.write("huge"), "wb") as file:
        file.truncate(HUGE)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    request = WorktreeRequest(repo=str(repo.path)) if git else DirectoryRequest(path=str(repo.path))
    head = open_comparison(request).head
    (entry,) = [entry for entry in head.entries() if entry.path == "huge"]
    reader = head.reader().open()
    (content,) = reader.read([entry.digest], limit=1 << 20)
    reader.close()
    assert (content.problem, content.size, entry.size) == ("too-large", HUGE, HUGE)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("fate", ["edited", "removed", "replaced by a folder", "replaced by a fifo"])
def test_a_file_that_changes_after_it_was_listed_is_said_to_have_changed(tmp_path: Path, fate: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "file"
    path.write_bytes(b"before")
    head = open_comparison(DirectoryRequest(path=str(folder))).head
    (entry,) = head.entries()
    path.unlink()
    match fate:
        case "edited":
            path.write_bytes(b"after!")
        case "replaced by a folder":
            path.mkdir()
        case "replaced by a fifo":
            os.mkfifo(path)
    reader = head.reader().open()
    assert [content.problem for content in reader.read([entry.digest], limit=100)] == ["changed"]
    reader.close()


def test_what_may_not_be_read_is_listed_and_unreadable() -> None:
    """In a process without root's rights, for which no file is closed."""
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    folder = top / "folder"
    (folder / "closed").mkdir(parents=True)
    (folder / "open").write_bytes(b"x")
    (folder / "locked").write_bytes(b"y")
    (folder / "locked").chmod(0)
    (folder / "closed").chmod(0)
    program = (
        f"import sys, os; sys.path[:0] = {[str(Path(__file__).parents[2] / 'src'), *sys.path]!r}\n"
        "from assaymark.subjects.directory import DirectorySubject\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        f"s = DirectorySubject({str(folder)!r}); e = list(s.entries()); r = s.reader().open()\n"
        "n = {x.digest: x.path for x in e}\n"
        "print(sorted((n[c.digest], c.problem) for c in r.read([x.digest for x in e], limit=9)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    shutil.rmtree(top)
    assert done.stdout.strip() == "[('closed', 'unreadable'), ('locked', 'unreadable'), ('open', '')]", done.stderr


@pytest.mark.soak
def test_names_below_a_thousand_folders(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1000):
        os.mkdir("deep-folder", dir_fd=fd)
        inner = os.open("deep-folder", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=fd))
    os.close(fd)
    head = open_comparison(DirectoryRequest(path=str(tmp_path))).head
    (entry,) = head.entries()
    assert entry.path == "deep-folder/" * 1000 + "leaf"
    reader = head.reader().open()
    assert [content.data for content in reader.read([entry.digest], limit=1)] == [b""]
    reader.close()
    subprocess.run(["rm", "-rf", str(tmp_path / "deep-folder")], check=True)


@pytest.mark.soak
def test_a_tree_nested_a_thousand_deep(repo: Any) -> None:
    tree = repo.git("hash-object", "-w", "--stdin", stdin=b"leaf").decode().strip()
    line = f"100644 blob {tree}\tleaf\n"
    for _ in range(1000):
        tree = repo.git("mktree", stdin=line.encode()).decode().strip()
        line = f"040000 tree {tree}\td\n"
    oid = repo.git("commit-tree", tree, "-m", "deep").decode().strip()
    (change,) = open_comparison(CommitRequest(rev=oid, repo=str(repo.path))).changes()
    assert change.after is not None
    assert change.after.path == "d/" * 999 + "leaf"


@pytest.fixture
def shallow(repo: Any, make_repo: Callable[..., Any], tmp_path: Path) -> Any:
    repo.commit(a=b"1")
    repo.git("branch", "old")
    for number in range(3):
        repo.commit(**{f"f{number}": b"x"})
    repo.git("clone", "--quiet", "--depth=2", f"file://{repo.path}", str(tmp_path / "shallow"))
    repo.path = tmp_path / "shallow"
    return repo


def test_the_edge_of_a_shallow_clone_is_not_taken_for_the_beginning(shallow: Any) -> None:
    where = str(shallow.path)
    assert len(open_comparison(CommitRequest(rev="HEAD", repo=where)).changes()) == 1
    with pytest.raises(SubjectUnreadable, match="the parent of") as caught:
        open_comparison(CommitRequest(rev="HEAD~1", repo=where))
    assert "deepen" in caught.value.advice
    shallow.git("fetch", "--quiet", "--depth=1", "origin", "old:old")
    with pytest.raises(SubjectUnreadable, match="merge base is not in this clone"):
        open_comparison(MergeBaseRequest(base_ref="old", repo=where))


def test_a_partial_clone_is_not_completed_behind_the_users_back(repo: Any, tmp_path: Path) -> None:
    repo.commit(a=b"first\n")
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.commit(a=b"second\n", **{"assay.toml": b"policy"})
    repo.git("clone", "--quiet", "--no-checkout", "--filter=blob:none", f"file://{repo.path}", str(tmp_path / "partial"))
    comparison = open_comparison(CommitRequest(rev="HEAD", repo=str(tmp_path / "partial")))
    digests = [change.after.digest for change in comparison.changes() if change.after]
    reader = comparison.head.reader().open()
    assert {content.problem for content in reader.read(digests, limit=100)} == {"missing"}
    reader.close()
    assert comparison.head.file("nothing", limit=10) is None
    with pytest.raises(SubjectUnreadable, match=r"assay.toml cannot be read"):
        comparison.head.file("assay.toml", limit=10)


def test_a_missing_tree_is_an_error_and_no_empty_folder(repo: Any) -> None:
    repo.commit(**{"inner/a": b"1"})
    repo.commit(**{"inner/a": b"2"})
    loose(repo, repo.oid("HEAD:inner")).unlink()
    comparison = open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path)))
    with pytest.raises(SubjectUnreadable):
        comparison.changes()
    with pytest.raises(SubjectUnreadable):
        list(comparison.head.entries())
    with pytest.raises(SubjectUnreadable):
        comparison.head.file("inner/a", limit=10)


def test_unrelated_histories_have_no_merge_base(repo: Any) -> None:
    repo.commit(a=b"1")
    repo.git("checkout", "--quiet", "--orphan", "other")
    repo.commit(b=b"2")
    with pytest.raises(SubjectUnreadable, match="no common ancestor"):
        open_comparison(RangeRequest(spec="main...other", repo=str(repo.path)))
