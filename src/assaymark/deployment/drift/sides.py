"""The two sides of a path in an overlay, the image's and the container's, in words: all that a manifest holds, and nothing else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from assaymark.deployment.drift.overlay import Entry, mark
from assaymark.deployment.drift.spelling import spelled
from assaymark.subjects.manifest_lines import Form
from assaymark.subjects.manifest_reading import attributes_of

_PIECE = 1 << 18
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFCHR: "device", stat.S_IFBLK: "device",
    stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
}  # fmt: skip


def described(entry: Entry) -> str:
    """What it is, short.

    Raises:
        OSError: when it is gone.
    """
    status = entry.status
    kind = KINDS.get(stat.S_IFMT(status.st_mode), "something unknown")
    parts = [kind]
    parts.append(f"to {spelled(_target(entry))}" if kind == "link" else f"{_mode(entry):04o}")
    parts.append(f"of {status.st_uid}:{status.st_gid}")
    if kind == "file":
        parts.append(f"{status.st_size} bytes")
    if kind == "device":
        parts.append(_numbers(entry))
    if kind == "folder" and (origin := mark(entry, "redirect")):
        parts.append(f"renamed from {spelled(origin)}")
    parts += [f"with {each}" for each in sorted(attributes_of(entry.place, Form.OWNED))]
    return " ".join(parts)


def differences(image: Entry, now: Entry) -> Iterator[str]:
    """From what the image has to what is there.

    Raises:
        OSError: when one is gone or cannot be read.
    """
    kind = stat.S_IFMT(now.status.st_mode)
    if kind != stat.S_IFMT(image.status.st_mode):
        yield f"type: {described(image)} -> {described(now)}"
        return
    if kind != stat.S_IFLNK and _mode(image) != _mode(now):
        yield f"mode {_mode(image):04o} -> {_mode(now):04o}"
    was, here = ((each.status.st_uid, each.status.st_gid) for each in (image, now))
    if was != here:
        yield f"owner {was[0]}:{was[1]} -> {here[0]}:{here[1]}"
    yield from _inside(kind, image, now)
    before, after = attributes_of(image.place, Form.OWNED), attributes_of(now.place, Form.OWNED)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"attribute {name} {before.get(name, 'nothing')} -> {after.get(name, 'nothing')}"


def _inside(kind: int, image: Entry, now: Entry) -> Iterator[str]:
    """What it holds, by its kind."""
    if kind == stat.S_IFREG:
        if _other_content(image, now):
            yield f"content: {image.status.st_size} -> {now.status.st_size} bytes"
    elif kind == stat.S_IFLNK:
        if _target(image) != _target(now):
            yield f"link {spelled(_target(image))} -> {spelled(_target(now))}"
    elif kind in {stat.S_IFCHR, stat.S_IFBLK}:
        if image.status.st_rdev != now.status.st_rdev:
            yield f"device {_numbers(image)} -> {_numbers(now)}"
    elif kind == stat.S_IFDIR and (origin := mark(now, "redirect")):
        yield f"folder renamed from {spelled(origin)}"


def _other_content(image: Entry, now: Entry) -> bool:
    if mark(now, "metacopy") is not None:
        return bool(mark(now, "redirect"))  # its content is what lies below, by this name or by another
    if image.status.st_size != now.status.st_size:
        return True
    here = os.open(now.name, _FILE, dir_fd=now.folder)
    try:
        there = os.open(image.name, _FILE, dir_fd=image.folder)
        try:
            while piece := os.read(here, _PIECE):
                if piece != os.read(there, _PIECE):
                    return True
            return bool(os.read(there, 1))
        finally:
            os.close(there)
    finally:
        os.close(here)


def _mode(entry: Entry) -> int:
    return entry.status.st_mode & 0o7777


def _target(entry: Entry) -> bytes:
    return os.readlink(entry.name, dir_fd=entry.folder)


def _numbers(entry: Entry) -> str:
    return f"{os.major(entry.status.st_rdev)}:{os.minor(entry.status.st_rdev)}"
