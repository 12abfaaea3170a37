"""Names as hostile as file systems and git allow, and kinds of entries, in every subject."""

# Hostile names are bytes, which pathlib does not take:
# ruff: noqa: PTH211
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.model.subject import Comparison, Content, EntryKind
from assaymark.subjects.listing import raw, text
from assaymark.subjects.objects import is_lfs_pointer
from assaymark.subjects.resolve import CommitRequest, DirectoryRequest, StagedRequest, WorktreeRequest, open_comparison

HOSTILE = [
    b"new\nline",
    b"diff --git a/x b/x\n@@ -0,0 +1,99 @@",
    b"\x1b[2J\x1b]0;owned\x07",
    b"-rf",
    b"--output=owned",
    b":(glob)**",
    b":!everything",
    b"\xff\xfe undecodable",
    b"tab\there",
    b'"quoted"',
    b"back\\slash",
    b"*?[a]",
    b" leading and trailing ",
    "\N{SNOWMAN}/\N{GRINNING FACE}".encode(),
    b"d\xe9p/\xc3\xa9",
    b"HEAD",
    b"a" * 250,
]


def heads(comparison: Comparison) -> list[str]:
    return [change.after.path for change in comparison.changes() if change.after]


def contents(comparison: Comparison) -> dict[str, Content]:
    entries = {entry.digest: entry.path for entry in comparison.head.entries()}
    reader = comparison.head.reader().open()
    try:
        return {entries[content.digest]: content for content in reader.read(list(entries), limit=1 << 20)}
    finally:
        reader.close()


def test_hostile_names_come_back_byte_for_byte(repo: Any) -> None:
    repo.commit(base=b"")
    for number, name in enumerate(HOSTILE):
        repo.write(name, b"%d\n" % number)
    wanted = sorted(text(name) for name in HOSTILE)
    untracked = open_comparison(WorktreeRequest(repo=str(repo.path)))
    assert heads(untracked) == wanted
    assert untracked.touched_lines([(None, name) for name in wanted]) == {name: [(1, 1)] for name in wanted}
    repo.git("add", "--all")
    assert heads(open_comparison(StagedRequest(repo=str(repo.path)))) == wanted
    repo.git("commit", "--quiet", "-m", "hostile")
    committed = open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path)))
    assert heads(committed) == wanted
    assert [entry.path for entry in committed.head.entries()] == sorted([*wanted, "base"])
    assert committed.touched_lines([(None, name) for name in wanted]) == {name: [(1, 1)] for name in wanted}
    for number, name in enumerate(HOSTILE):
        assert committed.head.file(text(name), limit=10) == b"%d\n" % number
    assert {entry.path for entry in open_comparison(DirectoryRequest(path=str(repo.path))).head.entries()} == {*wanted, "base"}


@pytest.mark.parametrize("name", ["--output=owned", "-h", "--upload-pack=touch owned", "", "a\nb", "x\0y"])
def test_a_revision_that_looks_like_an_option_is_none(repo: Any, name: str) -> None:
    repo.commit(a=b"1")
    with pytest.raises(SubjectNotFound):
        open_comparison(CommitRequest(rev=name, repo=str(repo.path)))
    assert sorted(path.name for path in repo.path.iterdir()) == [".git", "a"]


def test_paths_are_literal_and_relative_to_where_the_user_stands(repo: Any) -> None:
    repo.commit(base=b"")
    for name in ("sub/*.py", "sub/a.py", "sub/:(top)x", "other"):
        repo.write(name)
    repo.git("add", "--all")
    stood = str(repo.path / "sub")
    assert heads(open_comparison(StagedRequest(repo=stood, paths=("*.py",)))) == ["sub/*.py"]
    assert heads(open_comparison(StagedRequest(repo=stood, paths=(".",)))) == ["sub/*.py", "sub/:(top)x", "sub/a.py"]
    assert heads(open_comparison(StagedRequest(repo=stood, paths=("../other",)))) == ["other"]
    assert heads(open_comparison(StagedRequest(repo=str(repo.path), paths=("sub/",)))) == ["sub/*.py", "sub/:(top)x", "sub/a.py"]
    with pytest.raises(SubjectNotFound, match="outside"):
        open_comparison(StagedRequest(repo=stood, paths=("../../elsewhere",)))


def test_a_path_filter_does_not_hide_the_policy(repo: Any) -> None:
    repo.commit(**{"assay.toml": b"old"})
    repo.write("assay.toml", b"new")
    repo.git("add", "--all")
    comparison = open_comparison(StagedRequest(repo=str(repo.path), paths=("other",)))
    assert comparison.changes() == []
    assert (comparison.base.file("assay.toml", limit=10), comparison.head.file("assay.toml", limit=10)) == (b"old", b"new")
    assert open_comparison(WorktreeRequest(repo=str(repo.path), paths=("other",))).head.file("assay.toml", limit=10) == b"new"


def test_one_file_of_every_subject(repo: Any) -> None:
    repo.commit(**{"sub/policy": b"text", "big": b"x" * 100})
    for request in (
        CommitRequest(rev="HEAD", repo=str(repo.path)),
        StagedRequest(repo=str(repo.path)),
        WorktreeRequest(repo=str(repo.path)),
        DirectoryRequest(path=str(repo.path)),
    ):
        head = open_comparison(request).head
        assert head.file("sub/policy", limit=10) == b"text"
        for absent in ("nothing", "sub", "sub/policy/deeper", "sub/nothing", "../repo/big"):
            assert head.file(absent, limit=10) is None
        with pytest.raises(SubjectUnreadable, match="big cannot be read"):
            head.file("big", limit=99)


def test_links_are_their_targets_and_never_followed(repo: Any, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret\n")
    repo.commit(base=b"")
    for name, target in {"escape": "../outside/secret", "absolute": str(tmp_path / "outside"), "loop": "loop", "here": "."}.items():
        os.symlink(target, repo.path / name)
    os.symlink("nowhere", repo.path / "dangling")
    expected = {"escape", "absolute", "loop", "here", "dangling"}
    for request in (WorktreeRequest(repo=str(repo.path)), DirectoryRequest(path=str(repo.path))):
        comparison = open_comparison(request)
        found = {entry.path: entry for entry in comparison.head.entries() if entry.kind is EntryKind.SYMLINK}
        assert set(found) == expected
        assert contents(comparison)["escape"].data == b"../outside/secret"
        assert not any(entry.path.startswith(("absolute/", "here/")) for entry in comparison.head.entries())
    repo.commit("links")
    listed = {entry.path: entry.kind for entry in open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path))).head.entries()}
    assert {path for path, kind in listed.items() if kind is EntryKind.SYMLINK} == expected


def test_a_folder_swapped_for_a_link_is_not_read_through(repo: Any, tmp_path: Path) -> None:
    repo.commit(base=b"")
    repo.write("inner/file", b"harmless\n")
    comparison = open_comparison(WorktreeRequest(repo=str(repo.path)))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"harmless\n")
    (repo.path / "inner").rename(repo.path / "moved")
    os.symlink(tmp_path / "outside", repo.path / "inner")
    assert contents_of_changes(comparison) == [("changed", None)]


def contents_of_changes(comparison: Comparison) -> list[tuple[str, bytes | None]]:
    reader = comparison.head.reader().open()
    digests = [change.after.digest for change in comparison.changes() if change.after]
    found = [(content.problem, content.data) for content in reader.read(digests, limit=1000)]
    reader.close()
    return found


def test_a_file_that_becomes_a_link_is_a_change_of_kind(repo: Any) -> None:
    repo.commit(a=b"target")
    (repo.path / "a").unlink()
    os.symlink("target", repo.path / "a")
    unstaged = open_comparison(WorktreeRequest(repo=str(repo.path))).changes()
    assert [(c.before and c.before.kind, c.after and c.after.kind) for c in unstaged] == [(EntryKind.FILE, EntryKind.SYMLINK)]
    repo.commit("typechange")
    comparison = open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path)))
    assert [(c.before and c.before.kind, c.after and c.after.kind) for c in comparison.changes()] == [(EntryKind.FILE, EntryKind.SYMLINK)]
    assert comparison.touched_lines([("a", "a")]) == {"a": [(1, 1)]}


def test_a_permission_is_no_change_of_content(repo: Any) -> None:
    repo.commit(a=b"x")
    (repo.path / "a").chmod(0o755)
    assert open_comparison(WorktreeRequest(repo=str(repo.path))).changes() == []
    repo.commit("mode")
    comparison = open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path)))
    assert comparison.changes() == []
    assert [entry.executable for entry in comparison.head.entries()] == [True]


def test_fifos_are_listed_and_never_opened(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "file").write_bytes(b"x")
    comparison = open_comparison(DirectoryRequest(path=str(folder)))
    assert {entry.path: entry.kind for entry in comparison.head.entries()} == {"pipe": EntryKind.SPECIAL, "file": EntryKind.FILE}


def test_line_ends_are_as_they_are_stored(repo: Any) -> None:
    repo.git("config", "core.autocrlf", "true")
    repo.commit(a=b"one\r\ntwo\r\n")
    committed = open_comparison(CommitRequest(rev="HEAD", repo=str(repo.path)))
    assert contents(committed)["a"].data == b"one\ntwo\n"
    assert open_comparison(WorktreeRequest(repo=str(repo.path))).changes() == []
    repo.write("a", b"one\r\nTWO\r\n")
    changed = open_comparison(WorktreeRequest(repo=str(repo.path)))
    assert contents(changed)["a"].data == b"one\r\nTWO\r\n"
    assert changed.touched_lines([("a", "a")])["a"][-1][1] == 2


def test_a_touched_but_unmodified_file_is_no_change(repo: Any) -> None:
    repo.commit(a=b"same")
    os.utime(repo.path / "a", (1, 1))
    assert open_comparison(WorktreeRequest(repo=str(repo.path))).changes() == []


def test_binary_files_have_no_lines(repo: Any) -> None:
    repo.commit(a=b"\0\1\2")
    repo.write("a", b"\0\1\3")
    repo.git("add", "a")
    comparison = open_comparison(StagedRequest(repo=str(repo.path)))
    assert comparison.touched_lines([("a", "a")]) == {"a": []}
    assert contents(comparison)["a"].data == b"\0\1\3"


def test_pointers_of_git_lfs_are_recognised() -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    assert is_lfs_pointer(pointer)
    assert not is_lfs_pointer(pointer + b" " * 2000)
    assert not is_lfs_pointer(b"text about " + pointer)


def test_names_survive_the_way_to_the_disk_and_back() -> None:
    for name in HOSTILE:
        assert raw(text(name)) == name


def test_a_base_that_is_not_there_is_told_with_what_a_base_of_a_folder_is(tmp_path: Path) -> None:
    with pytest.raises(SubjectNotFound, match="no such folder or archive") as refused:
        open_comparison(DirectoryRequest(path=str(tmp_path), base_path="nope"))
    assert "repository" in refused.value.why
