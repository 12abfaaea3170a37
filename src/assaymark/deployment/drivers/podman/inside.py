"""What a running container is, as the kernel tells it: its root, its rights, its processes and mounts. Not what anybody says of it.

Guarantees
* every process that shares the container's process or mount namespace is looked at; one that does not descend from the container's first
  process came by another way (``exec``, ``nsenter``), one whose program does not lie in the image's own files was not in the image;
* every mount is either made by the runtime, asked for, or told.

Not seen: what was written into a running program's memory; a process that came in, lost its parent and so became a
child of the first one, and runs a program of the image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from assaymark.subjects.listing import raw

_CUT = 200
_RUNTIME_TYPES = frozenset({"proc", "sysfs", "mqueue", "devpts", "cgroup", "cgroup2"})
_SHM = "/dev/shm"  # noqa: S108 - a place in a container, that is looked at
_RUNTIME = frozenset({
    "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/passwd", "/etc/group", "/run/.containerenv",
})  # fmt: skip
_MASKED = ("/proc/", "/sys/")
_DEVICES = frozenset({"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"})


class Gone(Exception):  # noqa: N818 - says what happened
    """The process ended, or is another one by now."""


class Mount(Struct, frozen=True):
    """A line of mountinfo."""

    place: str
    kind: str
    source: str
    root: str
    """Which part of its file system."""
    options: frozenset[str]
    further: tuple[str, ...]
    """Of the file system: an overlay's directories."""


class Root(Struct, frozen=True):
    """The overlay that a container calls /."""

    upper: str
    lowers: tuple[str, ...]
    """The uppermost first."""
    writable: bool


def started(pid: int) -> int:
    """When it began, in ticks since the machine did: with its number, the name of a process.

    Raises:
        Gone: when there is none.
    """
    return int(_stat(pid)[19])


def mounts(pid: int) -> tuple[Mount, ...]:
    """All of its mounts.

    Raises:
        Gone: when it ended.
    """
    return tuple(_mount(line) for line in _text(pid, "mountinfo").splitlines() if line)


def root(found: tuple[Mount, ...]) -> Root | None:
    """Its root, when that is an overlay."""
    top = next((each for each in found if each.place == "/" and each.kind == "overlay"), None)
    if top is None:
        return None
    said = dict(each.partition("=")[::2] for each in top.further)
    lowers = tuple(said.get("lowerdir", "").split(":"))
    return Root(said.get("upperdir", ""), lowers, "rw" in top.options)


def strange_mounts(found: tuple[Mount, ...], asked: frozenset[str], container: str) -> tuple[str, ...]:
    """That neither the runtime made for the container of this id nor anybody asked for."""
    seen: set[str] = set()
    strange = []
    for each in found:
        twice = each.place in seen  # something laid over what was there
        seen.add(each.place)
        if twice or not (each.place in asked or _of_runtime(each, container)):
            strange.append(f"{each.place} ({each.kind} {each.source}{each.root if each.root != '/' else ''})"[:_CUT])
    return tuple(strange)


def liberties(pid: int, found: tuple[Mount, ...], kept: frozenset[str], *, writable: bool) -> tuple[str, ...]:
    """What it may do that it should not be able to."""
    said = dict(line.partition(":")[::2] for line in _text(pid, "status").splitlines())
    free = []
    able = int(said.get("CapBnd", "0").strip(), 16) | int(said.get("CapPrm", "0").strip(), 16)
    more = sorted(name for bit, name in enumerate(CAPABILITIES) if able >> bit & 1 and name not in kept)
    if able >> len(CAPABILITIES):
        more.append("others")
    if more:
        free.append(f"capabilities {' '.join(more)}")
    if said.get("NoNewPrivs", "").strip() != "1":
        free.append("new privileges")
    if said.get("Seccomp", "").strip() == "0":
        free.append("every system call")
    here, top = os.getpid(), root(found)
    if not writable and (top is None or top.writable):
        free.append("a writable root")
    free += [
        f"the host's {name} namespace" for name in ("pid", "net", "mnt", "ipc", "uts") if _namespace(pid, name) == _namespace(here, name)
    ]
    return tuple(free)


def strange_processes(pid: int, found: tuple[Mount, ...], asked: frozenset[str]) -> Iterator[str]:
    """Command lines of those that did not come from the container's first process, or whose program is not the image's."""
    homes = {name: _namespace(pid, name) for name in ("pid", "mnt")}
    parents: dict[int, int] = {}
    for each in sorted(_numbers()):
        with suppress(Gone, OSError):
            if any(_namespace(each, name) == home for name, home in homes.items() if home):
                parents[each] = int(_stat(each)[1])
    places = sorted((each.place for each in found if each.place != "/" and each.place not in asked), key=len, reverse=True)
    for each in parents:
        with suppress(Gone):
            why = "" if _descends(each, pid, parents) else "it came from outside"
            why = why or _strange_program(each, places)
            if why:
                yield f"{_command(each)} ({why})"


# --- reading /proc -----------------------------------------------------------------------------------------------------

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
    "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
    "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
    "PERFMON", "BPF", "CHECKPOINT_RESTORE",
)  # fmt: skip
"""By bit, as of Linux 5.9."""


def _numbers() -> list[int]:
    return [int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit()]


def _text(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode("utf-8", "surrogateescape")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Gone from error


def _stat(pid: int) -> list[str]:
    """Its fields from the third on: a name may hold anything."""
    fields = _text(pid, "stat").rpartition(")")[2].split()
    if len(fields) < 20:
        raise Gone
    return fields


def _namespace(pid: int, name: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/{name}").readlink())
    except (FileNotFoundError, ProcessLookupError) as error:
        raise Gone from error


def _mount(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    fields, last = before.split(" "), after.split(" ")
    options = frozenset(fields[5].split(","))
    return Mount(_plain(fields[4]), last[0], _plain(last[1]), _plain(fields[3]), options, tuple(map(_plain, last[2].split(","))))


def _plain(word: str) -> str:
    """Blanks and backslashes stand there in octal."""
    for code, sign in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        word = word.replace(code, sign)
    return word


def _of_runtime(each: Mount, container: str) -> bool:
    if each.place.startswith(_MASKED):  # covered or made read-only, always with the kernel's own or with nothing
        return each.kind in _RUNTIME_TYPES or (each.kind == "tmpfs" and not each.source.startswith("/"))
    if each.place in {"/proc", "/sys", "/dev/mqueue", "/dev/pts", "/dev/console"}:
        return each.kind in _RUNTIME_TYPES
    if each.place in {"/dev", _SHM}:
        return each.kind == "tmpfs"
    if each.place in _DEVICES:  # given from outside where the container may make none (user namespaces)
        return each.kind == "devtmpfs"
    if each.place == "/":
        return each.kind == "overlay"
    return each.place in _RUNTIME and f"/{container}/userdata/" in each.root


def _descends(pid: int, first: int, parents: dict[int, int]) -> bool:
    for _ in range(len(parents) + 1):
        if pid == first:
            return True
        pid = parents.get(pid, 0)
        if not pid:
            return False
    return False


def _strange_program(pid: int, places: list[str]) -> str:
    try:
        name = str(Path(f"/proc/{pid}/exe").readlink())
    except (FileNotFoundError, ProcessLookupError) as error:
        if os.path.lexists(f"/proc/{pid}"):
            return ""  # it is ending, or it is a thread of the kernel
        raise Gone from error
    except PermissionError:
        return ""
    if name.startswith("/memfd:"):
        return "its program was made in memory"
    if name.endswith(" (deleted)"):
        return "its program is there no more"
    return next((f"its program lies in {place}, not in the image" for place in places if name.startswith(f"{place}/")), "")


def _command(pid: int) -> str:
    words = " ".join(_text(pid, "cmdline").split("\0")).strip() or f"[{_text(pid, 'comm').strip()}]"
    return raw(words).decode("utf-8", "backslashreplace")[:_CUT]
