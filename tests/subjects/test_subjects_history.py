from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from assaymark.errors import SubjectNotFound, UsageError
from assaymark.model.digest import git_blob
from assaymark.subjects.commits import read_commit
from assaymark.subjects.history import blob_places, commits, history_blobs
from assaymark.subjects.repository import discover
from assaymark.subjects.resolve import CommitRequest, MergeBaseRequest, RangeRequest, StagedRequest, WorktreeRequest, open_comparison


def test_every_reachable_blob_once_and_no_other(repo: Any) -> None:
    repo.commit(a=b"one\n", copy=b"one\n")
    repo.commit(a=b"two\n")
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit(b=b"side\n")
    repo.git("checkout", "--quiet", "main")
    repo.git("hash-object", "-w", "--stdin", stdin=b"unreachable\n")
    found = list(history_blobs(discover(str(repo.path))))
    wanted = [repo.git("hash-object", "--stdin", stdin=data).decode().strip() for data in (b"one\n", b"two\n", b"side\n")]
    assert sorted(found) == sorted((git_blob(oid), size) for oid, size in zip(wanted, (4, 4, 5), strict=True))
    repo.git("gc", "--quiet")
    assert sorted(history_blobs(discover(str(repo.path)))) == sorted(found)


def test_blobs_that_are_not_here_are_listed_all_the_same(repo: Any) -> None:
    repo.commit(a=b"one\n")
    oid = repo.oid("HEAD:a")
    (repo.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    assert list(history_blobs(discover(str(repo.path)))) == [(git_blob(oid), -1)]


def test_a_blob_is_placed_where_it_first_was(repo: Any) -> None:
    repo.commit(a=b"base\n")
    repo.git("checkout", "--quiet", "-b", "side")
    first = repo.commit(**{"odd\nname": b"secret\n"})
    repo.git("checkout", "--quiet", "main")
    repo.commit(b=b"x\n")
    repo.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
    repo.git("mv", "odd\nname", "renamed")
    repo.commit("rename")
    digest = git_blob(repo.oid("HEAD:renamed"))
    places = blob_places(discover(str(repo.path)), [digest, git_blob("1" * 40)])
    assert {key: (place.path, place.commit) for key, place in places.items()} == {digest: ("odd\nname", first)}


def test_a_blob_that_only_a_merge_brought_is_found(repo: Any) -> None:
    repo.commit(a=b"base\n")
    repo.git("checkout", "--quiet", "-b", "side")
    repo.commit(b=b"side\n")
    repo.git("checkout", "--quiet", "main")
    repo.commit(c=b"main\n")
    repo.git("merge", "--quiet", "--no-ff", "--no-commit", "side")
    repo.write("evil", b"only here\n")
    merge = repo.commit("merge")
    digest = git_blob(repo.oid("HEAD:evil"))
    (place,) = blob_places(discover(str(repo.path)), [digest]).values()
    assert (place.path, place.commit) == ("evil", merge)


def test_commits_of_a_range(repo: Any) -> None:
    first = repo.commit("first", a=b"1")
    repo.git("checkout", "--quiet", "-b", "side")
    side = repo.commit("on the side", b=b"1")
    repo.git("checkout", "--quiet", "main")
    second = repo.commit("second\n\nbody", a=b"2")
    repo.git("merge", "--quiet", "--no-ff", "-m", "merge", "side")
    found = discover(str(repo.path))
    assert [commit.subject for commit in commits(found, "HEAD")] == ["merge", "second", "first"]
    assert {commit.oid for commit in commits(found, f"{first}..HEAD", first_parent=False)} == {repo.oid(), second, side}
    last = commits(found, "HEAD")[-1]
    assert (last.oid, last.parents, last.committed, last.author) == (first, (), 1_700_000_000, "Ada")
    with pytest.raises(SubjectNotFound):
        commits(found, "nothing..HEAD")


@pytest.mark.parametrize(
    ("data", "subject", "time"),
    [
        (b"tree 0\nauthor A <a> 1 +0\ncommitter C <c> 42 +0000\n\nhello\nworld\n\nbody", "hello world", 42),
        (b"tree 0\ncommitter C <c> x\nencoding zlib_codec\n\n\xff\xfe", "��", 0),
        (b"tree 0\nencoding latin-1\ncommitter <> 99999999999999999999 +0\n\n\xe9", "é", 0),
        (b"\n\n", "", 0),
        (b"", "", 0),
    ],
)
def test_nonsense_commits_are_read_without_complaint(data: bytes, subject: str, time: int) -> None:
    commit = read_commit("0" * 40, data)
    assert (commit.subject, commit.committed) == (subject, time)


@pytest.fixture
def forked(repo: Any) -> Any:
    repo.commit("base", a=b"1\n", b=b"1\n")
    repo.git("checkout", "--quiet", "-b", "topic")
    repo.commit("topic", a=b"1\n2\n")
    repo.git("checkout", "--quiet", "main")
    repo.commit("moved on", b=b"2\n")
    return repo


def test_ranges_and_merge_bases(forked: Any) -> None:
    where = str(forked.path)

    def changed(request: Any) -> list[str]:
        return [change.after.path for change in open_comparison(request).changes() if change.after]

    assert changed(RangeRequest(spec="main..topic", repo=where)) == ["a", "b"]
    assert changed(RangeRequest(spec="main...topic", repo=where)) == ["a"]
    assert changed(RangeRequest(spec="..topic", repo=where)) == ["a", "b"]
    assert changed(MergeBaseRequest(base_ref="main", head="topic", repo=where)) == ["a"]
    assert changed(WorktreeRequest(base="topic", repo=where)) == ["a", "b"]
    comparison = open_comparison(RangeRequest(spec="main...topic", repo=where))
    assert comparison.touched_lines([("a", "a")]) == {"a": [(2, 2)]}
    assert comparison.base.ref.name.endswith(" base")
    with pytest.raises(UsageError, match="is no range"):
        open_comparison(RangeRequest(spec="main", repo=where))
    with pytest.raises(SubjectNotFound, match="is no commit of"):
        open_comparison(RangeRequest(spec="main..nothing", repo=where))


def test_a_merge_is_compared_with_its_first_parent(forked: Any) -> None:
    forked.git("merge", "--quiet", "-m", "merge", "topic")
    comparison = open_comparison(CommitRequest(rev="HEAD", repo=str(forked.path)))
    assert [change.after.path for change in comparison.changes() if change.after] == ["a"]


def test_an_index_with_conflicts_is_refused_and_the_working_tree_is_read(forked: Any) -> None:
    forked.git("checkout", "--quiet", "topic")
    forked.commit("clash", b=b"3\n")
    with pytest.raises(AssertionError):
        forked.git("merge", "main")
    with pytest.raises(Exception, match="b has an unresolved merge conflict"):
        open_comparison(StagedRequest(repo=str(forked.path)))
    comparison = open_comparison(WorktreeRequest(repo=str(forked.path)))
    (change,) = comparison.changes()
    assert change.before is not None
    assert change.before.digest == git_blob(forked.oid("HEAD:b"))
    reader = comparison.head.reader().open()
    assert change.after is not None
    assert b"<<<<<<<" in b"".join(content.data or b"" for content in reader.read([change.after.digest], limit=1000))
    reader.close()
    assert [entry.path for entry in comparison.head.entries()] == ["a", "b"]


def test_what_is_only_intended_to_be_added_is_not_staged(repo: Any) -> None:
    repo.commit(a=b"1")
    repo.write("later", b"x\n")
    repo.git("add", "--intent-to-add", "later")
    assert open_comparison(StagedRequest(repo=str(repo.path))).changes() == []
    assert [entry.path for entry in open_comparison(StagedRequest(repo=str(repo.path))).head.entries()] == ["a"]
    assert [change.after.path for change in open_comparison(WorktreeRequest(repo=str(repo.path))).changes() if change.after] == ["later"]


def test_replaced_objects_are_not_followed(make_repo: Callable[..., Any]) -> None:
    repo = make_repo()
    first = repo.commit("true", a=b"true\n")
    second = repo.commit("false", a=b"false\n")
    repo.git("replace", second, first)
    comparison = open_comparison(CommitRequest(rev=second, repo=str(repo.path)))
    assert comparison.head.ref.name.endswith(" false")
    assert comparison.head.file("a", limit=10) == b"false\n"


def test_a_listing_has_one_digest_wherever_it_is_made(repo: Any) -> None:
    repo.commit(a=b"1")
    repo.write("a", b"2")
    repo.git("add", "a")
    one, two = (open_comparison(StagedRequest(repo=str(repo.path))).head.ref for _ in range(2))
    assert one == two
    repo.write("a", b"3")
    repo.git("add", "a")
    assert open_comparison(StagedRequest(repo=str(repo.path))).head.ref != one
