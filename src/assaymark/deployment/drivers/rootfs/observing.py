"""What an instance is now: its tree beside the endorsed manifest, its processes and mounts as the kernel tells them.

Guarantees: what could not be looked at stands in `unseen`. A process counts as foreign when what it executes is not a file of the tree, or
when it came into the instance from outside and whoever brought it still lives; one that executes a file of the tree and lost its parent
looks like one of the instance's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from assaymark.deployment.drivers.driver import Change, Observation
from assaymark.deployment.drivers.rootfs.place import Place, Record
from assaymark.errors import AssayError
from assaymark.model.digest import sha256
from assaymark.subjects.listing import printable_name
from assaymark.subjects.manifest import Difference, Form, Line, differences, manifest_of

_MOST_WORDS = 300
_MOST_CHANGES = 1000
_OCTAL = re.compile(r"\\([0-7]{3})")
_FIELDS = (("t", "type"), ("h", "content"), ("s", "size"), ("m", "mode"), ("u", "owner"), ("g", "group"), ("l", "link"), ("lb64", "link"),
           ("r", "device"), ("x", "attributes"), ("n", "hard link"), ("nb64", "hard link"))  # fmt: skip


def observed(place: Place, record: Record, sandbox: int | None) -> Observation:
    """The instance; `sandbox` is a process in it, None when it does not run."""
    unseen: list[str] = []
    digest, changes = _tree(place, record, unseen)
    processes: tuple[str, ...] = ()
    mounts: tuple[str, ...] = ()
    if sandbox is None:
        unseen.append("processes and mounts: it does not run")
    else:
        processes = tuple(_processes(place.generation(record.generation) / "tree", sandbox, unseen))
        mounts = tuple(_mounts(record, sandbox, unseen))
    return Observation(record.id, digest, record.configuration, record.born, changes, processes, mounts, tuple(unseen))


# --- the tree --------------------------------------------------------------------------------------------------------


def _tree(place: Place, record: Record, unseen: list[str]) -> tuple[str, tuple[Change, ...]]:
    folder = place.generation(record.generation)
    try:
        wanted = (folder / "manifest").read_bytes()
    except OSError as error:
        unseen.append(f"changes: the manifest cannot be read: {error.strerror or error}")
        wanted = b""
    if wanted and sha256(wanted) != record.digest:
        unseen.append("changes: the manifest that is kept here is not the one that was endorsed")
        wanted = b""
    try:
        found = manifest_of(str(folder / "tree"), Form.OWNED)
    except AssayError as error:
        unseen.append(f"changes: {error.what}{': ' if error.why else ''}{error.why}")
        return "", ()
    if found.digest == record.digest or not wanted:
        return found.digest, ()
    changes = [_change(each) for each in differences(wanted, found.text)]
    if len(changes) > _MOST_CHANGES:
        unseen.append(f"changes: {len(changes) - _MOST_CHANGES} more")
    return found.digest, tuple(changes[:_MOST_CHANGES])


def _change(each: Difference) -> Change:
    path = each.path.decode("utf-8", "backslashreplace")
    if each.expected is None:
        return Change(path, "added", _described(each.observed))
    if each.observed is None:
        return Change(path, "removed", _described(each.expected))
    names = dict.fromkeys(word for field, word in _FIELDS if getattr(each.expected, field) != getattr(each.observed, field))
    return Change(path, "changed", ", ".join(names))


def _described(line: Line | None) -> str:
    kinds = {"f": "file", "d": "folder", "l": "link", "c": "device", "b": "device", "p": "fifo", "s": "socket"}
    return f"{kinds.get(line.t, 'something')} {line.m}".strip() if line is not None else ""


# --- processes -------------------------------------------------------------------------------------------------------


def _processes(tree: Path, sandbox: int, unseen: list[str]) -> Iterator[str]:
    space = _space(sandbox)
    if not space:
        unseen.append("processes: this user may not look at them")
        return
    inside = _within(space)
    first = {pid for pid in inside if _number_inside(pid) == 1}
    for pid in sorted(inside):
        if pid in first and not _is_of(tree, pid):  # the sandbox's own, which starts and buries the others
            continue
        parent = _parent(pid)
        entered = pid not in first and parent not in inside and parent not in {0, _parent(min(first, default=0))}
        if entered or not _is_of(tree, pid):
            words = _words(pid)
            if words:
                yield words


def _within(space: str) -> set[int]:
    """Everything in the instance's space, and what started in spaces below it."""
    every = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]
    parents = {pid: _parent(pid) for pid in every}
    inside = {pid for pid in every if _space(pid) == space}
    while more := {pid for pid, parent in parents.items() if parent in inside and pid not in inside}:
        inside |= more
    return inside


def _space(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _is_of(tree: Path, pid: int) -> bool:
    """Whether what it executes is this very file of the tree."""
    link = Path(f"/proc/{pid}/exe")
    try:
        path, seen = str(link.readlink()), link.stat()
        own = (tree / path.lstrip("/")).lstat()
    except OSError:
        return not _words(pid)  # it ended meanwhile
    return (seen.st_dev, seen.st_ino) == (own.st_dev, own.st_ino)


def _status(pid: int, name: str) -> str:
    try:
        for line in Path(f"/proc/{pid}/status").read_text("utf-8", "replace").splitlines():
            if line.startswith(name):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return ""


def _number_inside(pid: int) -> int:
    words = _status(pid, "NSpid:").split()
    return int(words[-1]) if words else 0


def _parent(pid: int) -> int:
    text = _status(pid, "PPid:")
    return int(text) if text.isdigit() else 0


def _words(pid: int) -> str:
    """Its command line, cut; empty when it is gone."""
    try:
        data = Path(f"/proc/{pid}/cmdline").read_bytes()[:_MOST_WORDS]
        state = _status(pid, "State:")
    except OSError:
        return ""
    if state.startswith(("Z", "X")):
        return ""
    return printable_name(data.replace(b"\0", b" ").strip().decode("utf-8", "surrogateescape")) or _status(pid, "Name:")


# --- mounts ----------------------------------------------------------------------------------------------------------


def _mounts(record: Record, sandbox: int, unseen: list[str]) -> Iterator[str]:
    try:
        lines = Path(f"/proc/{sandbox}/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        unseen.append(f"mounts: {error.strerror or error}")
        return
    seen: set[str] = set()
    for line in lines:
        fields, _, after = line.partition(" - ")
        words = fields.split(" ")
        inside = _OCTAL.sub(lambda found: chr(int(found[1], 8)), words[4])
        if inside not in record.expected or (inside in seen and inside != "/"):
            yield f"{printable_name(inside)} ({printable_name(' '.join(after.split(' ')[:2]))})"
        if inside == "/" and "ro" not in words[5].split(","):
            yield "/ can be written"
        seen.add(inside)
