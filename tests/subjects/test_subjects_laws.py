"""For any tree: our listings are git's, and what is said to differ is what differs."""

# Hostile names are bytes, which pathlib does not take:
# ruff: noqa: PTH103, PTH118, PTH120, PTH123, PTH211
from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from assaymark.model.subject import Change, Entry
from assaymark.subjects.compare import merge
from assaymark.subjects.listing import by_path, raw
from assaymark.subjects.resolve import CommitRequest, StagedRequest, WorktreeRequest, open_comparison
from assaymark.subjects.touched import DIFF_CELLS, between, in_patches, is_binary

part = st.binary(min_size=1, max_size=4).filter(lambda name: not set(b"/\0") & set(name) and name not in {b".", b".."} and name[:1] != b".")
name = st.lists(part, min_size=1, max_size=3).map(b"/".join)
state = st.dictionaries(name, st.sampled_from([b"", b"a\n", b"b\n", b"link", b"\0bin"]), max_size=6)
lines = st.lists(st.sampled_from([b"a", b"b", b"c\r", b"@@ -1 +1 @@", b"diff --git a b"]), max_size=12).map(b"\n".join)


@contextmanager
def scratch(work_at: Any) -> Iterator[Any]:
    folder = Path(tempfile.mkdtemp())
    (folder / "home").mkdir()
    (folder / "repo").mkdir()
    try:
        work = work_at(folder / "repo", folder / "home")
        work.git("init", "--quiet")
        yield work
    finally:
        shutil.rmtree(folder)


def lay(work: Any, files: dict[bytes, bytes]) -> None:
    """Makes the working tree hold these files, where the names allow each other."""
    for old in work.path.iterdir():
        if old.name != ".git":
            shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
    for path, content in files.items():
        full = os.path.join(os.fsencode(work.path), path)
        try:
            os.makedirs(os.path.dirname(full), exist_ok=True)
            if content == b"link":
                os.symlink(b"target", full)
            else:
                with open(full, "wb") as file:
                    file.write(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            continue


def names(changes: list[Change]) -> set[bytes]:
    return {raw((change.after or change.before).path) for change in changes if change.after or change.before}  # type: ignore[union-attr]


def listed(work: Any, *args: str) -> set[bytes]:
    return set(work.git(*args).split(b"\0")[:-1])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])
@given(st.tuples(state, state, state))
def test_listings_and_changes_are_those_of_git(work_at: Any, states: tuple[dict[bytes, bytes], ...]) -> None:
    committed, staged, now = states
    with scratch(work_at) as work:
        where = str(work.path)
        lay(work, committed)
        work.commit("first")
        lay(work, staged)
        work.git("add", "--all")
        index = open_comparison(StagedRequest(repo=where))
        assert names(list(index.changes())) == listed(work, "diff", "--cached", "--no-renames", "--name-only", "-z")
        assert {raw(entry.path) for entry in index.head.entries()} == listed(work, "ls-files", "-z")
        lay(work, now)
        tree = open_comparison(WorktreeRequest(repo=where))
        entries, changes = list(tree.head.entries()), list(tree.changes())
        assert list(merge(index.base.entries(), iter(entries))) == changes
        work.commit("last")
        assert [entry.path for entry in entries] == [
            entry.path for entry in open_comparison(CommitRequest(rev="HEAD", repo=where)).head.entries()
        ]
        assert names(changes) == listed(work, "diff", "--no-renames", "--name-only", "-z", "HEAD~1", "HEAD")


@given(lines, lines)
@settings(max_examples=150, deadline=None)
def test_lines_outside_of_the_ranges_were_there_before(before: bytes, after: bytes) -> None:
    ranges = between(before, after)
    new = list(after.split(b"\n")) if after else []
    if new and not new[-1]:
        new.pop()
    assert all(1 <= start <= stop <= len(new) for start, stop in ranges)
    touched = {line for start, stop in ranges for line in range(start, stop + 1)}
    kept = iter(before.split(b"\n"))
    assert all(any(line == old for old in kept) for number, line in enumerate(new, 1) if number not in touched)


def test_a_comparison_too_large_for_exactness_covers_everything() -> None:
    count = int(DIFF_CELLS**0.5) + 10
    before = b"".join(b"%d\n" % number for number in range(count))
    after = b"".join(b"%d\n" % number for number in range(count, 0, -1))
    (only,) = between(before, b"same\n" + after)
    assert only == (1, count + 1)


@given(st.lists(lines, min_size=2, max_size=2))
@settings(max_examples=25, deadline=None)
def test_patches_and_contents_agree_on_what_is_covered(sides: list[bytes]) -> None:
    before, after = sides
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, side) for side in ("before", "after")]
        for path, data in zip(paths, sides, strict=True):
            path.write_bytes(data)
        patch = subprocess.run(["git", "diff", "--no-index", "-U0", *map(str, paths)], capture_output=True, check=False).stdout
    found = in_patches(patch, [("after", 1)])["after"]
    assert bool(found) == bool(between(before, after)) or before == b"" or after == b""


def test_nul_bytes_make_a_file_binary() -> None:
    assert is_binary(b"\0")
    assert not is_binary(b"x" * 8000 + b"\0")


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("12")), max_size=8),
    st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("12")), max_size=8),
)
def test_merging_listings_finds_exactly_the_differences(one: list[tuple[str, str]], two: list[tuple[str, str]]) -> None:
    before, after = dict(one), dict(two)
    sides = [by_path(Entry(path=path, digest=digest) for path, digest in side.items()) for side in (before, after)]  # type: ignore[arg-type]
    found = {(change.after or change.before).path for change in merge(iter(sides[0]), iter(sides[1]))}  # type: ignore[union-attr]
    assert found == {path for path in {*before, *after} if before.get(path) != after.get(path)}


def test_what_was_staged_and_then_undone_is_no_change(work_at: Any) -> None:
    with scratch(work_at) as work:
        work.commit(a=b"one\n")
        work.write("a", b"two\n")
        work.git("add", "a")
        work.write("a", b"one\n")
        comparison = open_comparison(WorktreeRequest(repo=str(work.path)))
        assert comparison.changes() == []
        assert list(merge(comparison.base.entries(), comparison.head.entries())) == []
