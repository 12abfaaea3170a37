"""Everything that can be done to a tree of files, one kind after another, and what has to be found of it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

CAPABILITY = bytes.fromhex("0100000200040000000000000000000000000000")  # cap_net_bind_service+ep
Mutation = tuple[Callable[[Path], object], set[tuple[str, str]]]


def plant(tree: Path) -> Path:
    """A small system to be changed."""
    for folder in ("usr/bin", "etc", "var/empty", "tmp", "deep/a/b/c"):
        (tree / folder).mkdir(parents=True)
    (tree / "usr/bin/run").write_bytes(b"#!/bin/sh\necho run\n")
    (tree / "usr/bin/run").chmod(0o755)
    (tree / "usr/bin/tool").write_bytes(b"tool " * 1000)
    (tree / "usr/bin/tool").chmod(0o755)
    os.link(tree / "usr/bin/tool", tree / "usr/bin/tool-1")
    (tree / "etc/conf").write_bytes(b"one\n")
    (tree / "etc/conf").chmod(0o644)
    (tree / "etc/twin").write_bytes(b"one\n")
    (tree / "etc/twin").chmod(0o644)
    (tree / "etc/link").symlink_to("conf")
    (tree / "etc/dangling").symlink_to("nowhere")
    (tree / "deep/a/b/c/leaf").write_bytes(b"leaf")
    (tree / "tmp").chmod(0o1777)
    (tree / os.fsdecode(b"caf\xe9")).write_bytes(b"")
    os.mkfifo(tree / "var/fifo")
    return tree


def without(path: Path) -> Path:
    path.unlink()
    return path


def _written(path: Path, mode: str, data: bytes) -> None:
    with path.open(mode) as file:
        file.write(data)


def _behind_its_time(path: Path) -> None:
    """Same size, same times: what `make` and `rsync` take for the same."""
    status = path.stat()
    path.write_bytes(b"two\n")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        try:
            os.chdir(path.parent)  # a socket's path has to fit into 100 bytes
            made.bind(path.name)
        finally:
            os.chdir(here)


def _linked(tree: Path) -> None:
    """Two files with the same bytes become one."""
    (tree / "etc/twin").unlink()
    os.link(tree / "etc/conf", tree / "etc/twin")


def _alone(tree: Path) -> None:
    """One file with two names becomes two with the same bytes."""
    path = tree / "usr/bin/tool-1"
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    path.chmod(0o755)


def _renamed(tree: Path) -> None:
    (tree / "etc/conf").rename(tree / "etc/fonc")


def _replaced_by_folder(tree: Path) -> None:
    without(tree / "etc/conf").mkdir()
    (tree / "etc/conf").chmod(0o644)


def _in_place_of_a_folder(path: Path) -> None:
    path.rmdir()
    path.write_bytes(b"")


def _behind_a_link(path: Path, elsewhere: Path) -> None:
    path.rename(elsewhere)
    path.symlink_to(elsewhere.name)


def _for_a_moment(path: Path) -> None:
    path.write_bytes(b"x")
    path.unlink()


def _other_times(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        os.utime(path, (1, 1), follow_symlinks=False)


MUTATIONS: dict[str, Mutation] = {
    "content": (lambda t: (t / "etc/conf").write_bytes(b"other\n"), {("etc/conf", "content")}),
    "one byte, by one of two names": (
        lambda t: _written(t / "usr/bin/tool", "r+b", b"T"), {("usr/bin/tool", "content"), ("usr/bin/tool-1", "content")},
    ),
    "same size, same times": (lambda t: _behind_its_time(t / "etc/conf"), {("etc/conf", "content")}),
    "truncated": (lambda t: os.truncate(t / "etc/conf", 0), {("etc/conf", "content")}),
    "appended": (lambda t: _written(t / "etc/conf", "ab", b"x"), {("etc/conf", "content")}),
    "grown by a hole": (lambda t: os.truncate(t / "etc/conf", 1 << 20), {("etc/conf", "content")}),
    "mode of a file": (lambda t: (t / "etc/conf").chmod(0o666), {("etc/conf", "mode")}),
    "mode of a folder": (lambda t: (t / "etc").chmod(0o777), {("etc", "mode")}),
    "mode of the tree": (lambda t: t.chmod(0o711), {(".", "mode")}),
    "set-uid": (lambda t: (t / "usr/bin/run").chmod(0o4755), {("usr/bin/run", "mode")}),
    "set-gid": (lambda t: (t / "usr/bin/run").chmod(0o2755), {("usr/bin/run", "mode")}),
    "sticky bit taken": (lambda t: (t / "tmp").chmod(0o777), {("tmp", "mode")}),
    "sticky bit given": (lambda t: (t / "etc").chmod(0o1755), {("etc", "mode")}),
    "link's target": (lambda t: without(t / "etc/link").symlink_to("twin"), {("etc/link", "link")}),
    "link's target of the same length": (lambda t: without(t / "etc/link").symlink_to("fonc"), {("etc/link", "link")}),
    "link's target that is no text": (lambda t: without(t / "etc/link").symlink_to(os.fsdecode(b"\xff")), {("etc/link", "link")}),
    "file for a link to the same bytes": (lambda t: without(t / "etc/link").write_bytes(b"one\n"), {("etc/link", "type")}),
    "link for a file with the same bytes": (lambda t: without(t / "etc/twin").symlink_to("conf"), {("etc/twin", "type")}),
    "hard link to a new name": (lambda t: os.link(t / "etc/conf", t / "etc/third"), {("etc/third", "added"), ("etc/conf", "hard-link")}),
    "hard link instead of a copy": (_linked, {("etc/twin", "hard-link"), ("etc/conf", "hard-link")}),
    "copy instead of a hard link": (_alone, {("usr/bin/tool", "hard-link"), ("usr/bin/tool-1", "hard-link")}),
    "new file": (lambda t: (t / "etc/new").write_bytes(b"x"), {("etc/new", "added")}),
    "new empty file": (lambda t: (t / "var/empty/x").write_bytes(b""), {("var/empty/x", "added")}),
    "new hidden file": (lambda t: (t / "tmp/...").write_bytes(b"x"), {("tmp/...", "added")}),
    "new file deep down": (lambda t: (t / "deep/a/b/c/x").write_bytes(b"x"), {("deep/a/b/c/x", "added")}),
    "new empty folder": (lambda t: (t / "var/empty/x").mkdir(), {("var/empty/x", "added")}),
    "new link": (lambda t: (t / "etc/x").symlink_to("/bin/sh"), {("etc/x", "added")}),
    "new fifo": (lambda t: os.mkfifo(t / "etc/x"), {("etc/x", "added")}),
    "new socket": (lambda t: _socket(t / "etc/x"), {("etc/x", "added")}),
    "new name that is no text": (lambda t: (t / os.fsdecode(b"\xff\xfe")).write_bytes(b""), {("\\xff\\xfe", "added")}),
    "new name with a line's end": (lambda t: (t / "etc/a\nb").write_bytes(b""), {("etc/a\\u000ab", "added")}),
    "content of a name that is no text": (lambda t: (t / os.fsdecode(b"caf\xe9")).write_bytes(b"x"), {("caf\\xe9", "content")}),
    "removed file": (lambda t: (t / "etc/twin").unlink(), {("etc/twin", "removed")}),
    "removed link": (lambda t: (t / "etc/dangling").unlink(), {("etc/dangling", "removed")}),
    "removed empty folder": (lambda t: (t / "var/empty").rmdir(), {("var/empty", "removed")}),
    "removed folder with what is in it": (
        lambda t: shutil.rmtree(t / "deep/a/b"), {("deep/a/b", "removed"), ("deep/a/b/c", "removed"), ("deep/a/b/c/leaf", "removed")},
    ),
    "renamed": (_renamed, {("etc/conf", "removed"), ("etc/fonc", "added")}),
    "fifo for a file": (lambda t: os.mkfifo(without(t / "etc/conf"), 0o644), {("etc/conf", "type")}),
    "file for a fifo": (lambda t: without(t / "var/fifo").write_bytes(b""), {("var/fifo", "type")}),
    "folder for a file": (_replaced_by_folder, {("etc/conf", "type")}),
    "file for a folder": (lambda t: _in_place_of_a_folder(t / "var/empty"), {("var/empty", "type")}),
    "folder for another, by a link": (
        lambda t: _behind_a_link(t / "deep/a", t / "deep/z"),
        {("deep/a", "type"), ("deep/a/b", "removed"), ("deep/a/b/c", "removed"), ("deep/a/b/c/leaf", "removed"),
         ("deep/z", "added"), ("deep/z/b", "added"), ("deep/z/b/c", "added"), ("deep/z/b/c/leaf", "added")},
    ),
}  # fmt: skip

OF_ROOT: dict[str, Mutation] = {
    "owner": (lambda t: os.chown(t / "etc/conf", 1234, -1), {("etc/conf", "owner")}),
    "group": (lambda t: os.chown(t / "etc/conf", -1, 1234), {("etc/conf", "owner")}),
    "owner of a folder": (lambda t: os.chown(t / "etc", 1234, -1), {("etc", "owner")}),
    "owner of a link": (lambda t: os.lchown(t / "etc/link", 1234, -1), {("etc/link", "owner")}),
    "capability": (lambda t: os.setxattr(t / "usr/bin/run", "security.capability", CAPABILITY), {("usr/bin/run", "capability")}),
    "attribute of a security module": (lambda t: os.setxattr(t / "etc/conf", "security.assay_test", b"x"), {("etc/conf", "attribute")}),
    "device for a file": (lambda t: os.mknod(without(t / "etc/conf"), 0o020644, os.makedev(1, 3)), {("etc/conf", "type")}),
    "new device": (lambda t: os.mknod(t / "etc/x", 0o060600, os.makedev(254, 0)), {("etc/x", "added")}),
}  # fmt: skip

HARMLESS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _: None,
    "other times": _other_times,
    "read": lambda t: [path.read_bytes() for path in t.rglob("*") if path.is_file() and not path.is_symlink()],
    "written with the same bytes": lambda t: (t / "etc/conf").write_bytes(b"one\n"),
    "made and removed again": lambda t: _for_a_moment(t / "etc/x"),
    "order of names": lambda t: (t / "etc/conf").rename(t / "etc/x").rename(t / "etc/conf"),
    "an attribute of a user": lambda t: _user_attribute(t / "etc/conf"),
}


def _user_attribute(path: Path) -> None:
    try:
        os.setxattr(path, "user.note", b"x")
    except OSError:
        path.touch()  # this file system holds none


ALL: dict[str, Mutation] = {**MUTATIONS, **OF_ROOT}
