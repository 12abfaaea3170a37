"""Manifests: what of a tree counts, what does not, and what is refused instead of left out."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.errors import SubjectUnreadable
from assaymark.subjects.manifest import Form, Line, differences, manifest_of

ROOT = os.geteuid() == 0


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tmp_path / "tree"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "run").write_bytes(b"#!/bin/sh\n")
    (made / "bin" / "run").chmod(0o755)
    (made / "b.txt").write_bytes(b"text")
    (made / "link").symlink_to("bin/run")
    (made / "empty").mkdir()
    return made


def lines(tree: Path, form: Form = Form.PORTABLE) -> dict[bytes, Line]:
    found = [msgspec.json.decode(line, type=Line) for line in manifest_of(str(tree), form).text.splitlines()[1:]]
    return {line.path: line for line in found}


def digest(tree: Path, form: Form = Form.OWNED) -> str:
    return manifest_of(str(tree), form).digest


def test_it_is_sorted_by_the_bytes_of_paths_and_its_digest_is_that_of_its_text(tree: Path) -> None:
    made = manifest_of(str(tree))
    assert list(lines(tree)) == [b".", b"b.txt", b"bin", b"bin/run", b"empty", b"link"]
    assert made.digest == "sha256:" + hashlib.sha256(made.text).hexdigest()
    assert made.entries == 6
    assert lines(tree)[b"bin/run"] == Line("f", "bin/run", m="x", s=10, h=hashlib.sha256(b"#!/bin/sh\n").hexdigest())
    assert lines(tree)[b"link"] == Line("l", "link", l="bin/run")


def without(path: Path) -> Path:
    path.unlink()
    return path


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda t: (t / "b.txt").write_bytes(b"texT"),
    "new file": lambda t: (t / "new").write_bytes(b""),
    "new folder": lambda t: (t / "empty" / "x").mkdir(),
    "removed": lambda t: (t / "b.txt").unlink(),
    "renamed": lambda t: (t / "b.txt").rename(t / "c.txt"),
    "executable": lambda t: (t / "b.txt").chmod(0o755),
    "link elsewhere": lambda t: without(t / "link").symlink_to("/bin/sh"),
    "file for link": lambda t: without(t / "link").write_bytes(b"bin/run"),
    "fifo for file": lambda t: os.mkfifo(without(t / "b.txt")),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("form", Form)
def test_every_change_that_counts_changes_the_digest(tree: Path, form: Form, name: str) -> None:
    before = digest(tree, form)
    CHANGES[name](tree)
    assert digest(tree, form) != before


OF_THE_OWNED_FORM: dict[str, Callable[[Path], object]] = {
    "mode of a file": lambda t: (t / "b.txt").chmod(0o666),
    "mode of a folder": lambda t: (t / "empty").chmod(0o777),
    "mode of the tree": lambda t: t.chmod(0o700),
    "set-uid": lambda t: (t / "bin" / "run").chmod(0o4755),
}


@pytest.mark.parametrize("name", OF_THE_OWNED_FORM)
def test_permissions_count_where_something_runs_and_not_in_a_checkout(tree: Path, name: str) -> None:
    owned, portable = digest(tree), digest(tree, Form.PORTABLE)
    OF_THE_OWNED_FORM[name](tree)
    assert digest(tree) != owned
    assert digest(tree, Form.PORTABLE) == portable


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_another_user_gets_the_same_digest_of_a_checkout_only(tree: Path) -> None:
    owned, portable = digest(tree), digest(tree, Form.PORTABLE)
    for path in (tree, *tree.rglob("*")):
        os.lchown(path, 1234, 1234)
    assert digest(tree) != owned
    assert digest(tree, Form.PORTABLE) == portable


@pytest.mark.skipif(not ROOT, reason="only root sets capabilities")
def test_a_capability_alone_is_seen_in_both_forms(tree: Path) -> None:
    before = {form: digest(tree, form) for form in Form}
    capability = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service+ep
    try:
        os.setxattr(tree / "bin" / "run", "security.capability", capability)
    except OSError as error:
        pytest.skip(f"this file system holds no capabilities: {error}")
    assert all(digest(tree, form) != before[form] for form in Form)


def test_times_names_of_folders_and_the_order_of_making_do_not_count(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "other name"
    other.mkdir()
    for path in sorted(tree.iterdir(), reverse=True):
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, other / path.name, symlinks=True)
        else:
            shutil.copy2(path, other / path.name, follow_symlinks=False)
    os.utime(other / "b.txt", (1, 1))
    assert digest(other, Form.PORTABLE) == digest(tree, Form.PORTABLE)


def test_version_control_is_left_out_of_a_checkout_at_its_top_and_nowhere_else(tree: Path) -> None:
    before = {form: digest(tree, form) for form in Form}
    (tree / ".git").mkdir()
    (tree / ".git" / "HEAD").write_bytes(b"ref: x")
    assert digest(tree, Form.PORTABLE) == before[Form.PORTABLE]
    assert digest(tree, Form.OWNED) != before[Form.OWNED]
    (tree / "bin" / ".git").mkdir()
    assert digest(tree, Form.PORTABLE) != before[Form.PORTABLE]


def test_the_two_forms_of_one_tree_have_different_digests(tmp_path: Path) -> None:
    assert digest(tmp_path, Form.OWNED) != digest(tmp_path, Form.PORTABLE)


def test_names_that_are_no_text_are_kept_as_bytes(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9\n")).write_bytes(b"")
    (tmp_path / "l").symlink_to(os.fsdecode(b"\xff"))
    found = lines(tmp_path)
    assert found[b"caf\xe9\n"].p == ""
    assert found[b"l"].lb64 == "/w=="


@pytest.mark.timeout(20)
def test_fifos_and_sockets_are_named_and_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "f")
    monkeypatch.chdir(tmp_path)
    os.mknod("s", 0o140644)
    assert {path: line.t for path, line in lines(tmp_path).items()} == {b".": "d", b"f": "p", b"s": "s"}


@pytest.mark.skipif(not ROOT, reason="only root makes devices")
def test_devices_are_named_by_their_numbers(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", 0o020666, os.makedev(1, 3))
    except OSError as error:
        pytest.skip(f"no device can be made here: {error}")
    assert lines(tmp_path)[b"null"] == Line("c", "null", r="1:3")


def test_a_link_that_leaves_the_tree_or_turns_in_a_circle_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"x")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "up").symlink_to(outside)
    (tree / "self").symlink_to(".")
    assert list(lines(tree)) == [b".", b"self", b"up"]


def test_what_cannot_be_read_makes_no_manifest(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "readv", lambda *_: 0)
    with pytest.raises(SubjectUnreadable) as refused:
        manifest_of(str(tree))
    assert "changed while" in refused.value.why


def test_a_file_that_is_exchanged_for_a_link_meanwhile_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def swapped(path: object, flags: int, *rest: object, **more: object) -> int:
        if path == b"b.txt":
            (tree / "b.txt").unlink()
            (tree / "b.txt").symlink_to("/etc/hostname")
        return real(path, flags, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(SubjectUnreadable):
        manifest_of(str(tree))


@pytest.mark.skipif(ROOT, reason="root reads everything")
def test_a_file_that_only_others_may_read_is_refused(tree: Path) -> None:
    (tree / "b.txt").chmod(0)
    with pytest.raises(SubjectUnreadable):
        manifest_of(str(tree))


def test_differences_are_told_by_path(tree: Path) -> None:
    before = manifest_of(str(tree), Form.OWNED).text
    (tree / "b.txt").write_bytes(b"other")
    (tree / "new").write_bytes(b"")
    (tree / "empty").rmdir()
    found = {each.path: (each.expected, each.observed) for each in differences(before, manifest_of(str(tree), Form.OWNED).text)}
    assert list(found) == [b"b.txt", b"empty", b"new"]
    assert found[b"empty"][1] is None
    assert found[b"new"][0] is None
    with pytest.raises(ValueError, match="other portable"):
        list(differences(before, manifest_of(str(tree)).text))


@pytest.mark.parametrize("text", [b"", b"{}", b"\xff", b'{"form":"owned","manifest":2}\n', b'{"form":"owned","manifest":1}'])
def test_what_is_no_manifest_is_refused(tree: Path, text: bytes) -> None:
    with pytest.raises(ValueError, match="manifest"):
        list(differences(manifest_of(str(tree)).text, text))


NAMES = st.binary(min_size=1, max_size=8).filter(lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."})


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(NAMES, st.binary(max_size=5), max_size=5), st.dictionaries(NAMES, st.binary(max_size=5), max_size=5))
def test_two_trees_have_one_digest_when_they_hold_the_same_and_only_then(
    tmp_path_factory: pytest.TempPathFactory, one: dict[bytes, bytes], other: dict[bytes, bytes]
) -> None:
    found = []
    for files in (one, other):
        folder = tmp_path_factory.mktemp("t")
        for name, data in files.items():
            (folder / os.fsdecode(name)).write_bytes(data)
        found.append(digest(folder, Form.PORTABLE))
    left_out = {b".git", b".hg", b".svn"}
    same = {n: d for n, d in one.items() if n not in left_out} == {n: d for n, d in other.items() if n not in left_out}
    assert (found[0] == found[1]) is same
