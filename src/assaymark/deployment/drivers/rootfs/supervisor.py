"""Stands by one instance: starts it, keeps what it writes to a bound, ends it when told, and writes down how it ended.

A program of its own, of the standard library alone, in a session of its own: it lives on when the deployer is killed, and the instance does
not live on without it. Its order comes on standard input, because secrets are in it, and is written nowhere.

    order   argv, environment, user and group, descriptors of what is mounted, files that exist in memory only
    lock    an open file that the deployer locked: whoever of supervisor and instance still lives holds it
    answer  one line on standard output: ``ok``, or why not; who it is in ``supervisor.json``
    exit    ``exit.json`` in the instance's folder, when it ended

What ended is not started again: who keeps the pair sees it, and replaces it.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MOST_LOG = 1 << 20
"""Of the present log; the one before it is kept beside."""
_PIECE = 1 << 16
_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_PR_SET_PDEATHSIG = 1
_PLACES = ("/mnt", "/media", "/srv", "/opt", "/tmp")  # noqa: S108 - covered in a mount namespace of our own
_RISES, _MOMENT = 10.0, 0.1
"""Seconds until it is there; what ends within a moment after that failed to start."""


def main() -> None:
    """Read the order, do it, stay."""
    os.umask(0o077)
    folder = Path(sys.argv[1])
    order: dict[str, Any] = json.load(sys.stdin)
    if os.fork():
        os._exit(0)  # a deployer that lives long has nobody to bury
    _wrote(folder / "supervisor.json", {"pid": os.getpid(), "began": _began()})
    try:
        made = _started(order, folder)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        _say(f"it cannot be started: {error}")
        sys.exit(1)
    told = _Told(made, float(order["stop_seconds"]), bool(order["inner"]))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, told.on_signal)  # before it is said to run: whoever hears that may end it at once
    log = _Log(folder)
    _say("ok" if _rises(made, folder, log) else f"it ended at once with {made.returncode}: {log.last_words()}")
    _detach()
    _stay(made, told, log)
    log.close()
    if order["after"]:
        subprocess.run(order["after"], check=False, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    _wrote(folder / "exit.json", {"code": made.returncode, "at": time.time_ns() // 1000})


def _began() -> int:
    """When this process began, in ticks of the machine."""
    return int(Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])


# --- starting --------------------------------------------------------------------------------------------------------


def _started(order: Mapping[str, Any], folder: Path) -> subprocess.Popen[bytes]:
    names: dict[str, str] = {}
    descriptors: list[int] = []
    if order["private"]:
        names |= _placed(order, folder)
    for name, text in order["files"].items():
        fd = os.memfd_create("given", 0)
        os.write(fd, text.encode())
        os.lseek(fd, 0, os.SEEK_SET)
        names[f"@fd:{name}@"] = str(fd)
        descriptors.append(fd)
    lock = int(order["lock"])
    names["@lock@"] = str(lock)
    user = {} if order["user"] is None else {"user": order["user"], "group": order["group"], "extra_groups": []}
    made = subprocess.Popen(
        [*(_filled(word, names) for word in order["argv"]), *order["command"]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={str(name): str(value) for name, value in order["environment"].items()}, pass_fds=[*descriptors, lock], cwd="/",
        preexec_fn=_bound, **user,  # noqa: PLW1509 - there are no threads
    )  # fmt: skip
    for fd in descriptors:
        os.close(fd)
    return made


def _filled(word: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        word = word.replace(name, value) if name in word else word
    return word


def _bound() -> None:
    """It ends when its supervisor does, and writes no core with secrets in it."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _placed(order: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """What is mounted, below a folder in memory that only this process and what it starts can see.

    A user who may not look into the folders above it reaches it there.
    """
    own = str(folder.resolve()) + "/"
    place = next(each for each in _PLACES if Path(each).is_dir() and not own.startswith(f"{each}/"))
    library = ctypes.CDLL(None, use_errno=True)
    _called(library.unshare(_CLONE_NEWNS))
    _called(library.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None))
    given = {name: os.open(path, os.O_PATH | os.O_CLOEXEC) for name, path in order["mounts"].items()}  # before anything covers it
    _called(library.mount(b"tmpfs", place.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, b"mode=0755,size=8m"))
    names = {}
    for name, fd in given.items():
        target = Path(place, name)
        _point(target, fd)
        _called(library.mount(b"/proc/self/fd/%d" % fd, os.fsencode(target), None, _MS_BIND | _MS_REC, None))
        names[f"@{name}@"] = str(target)
        os.close(fd)
    for name, text in order["memory"].items():
        target = Path(place, name)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        target.parent.chmod(0o755)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
        os.write(fd, _filled(text, {**names, "@place@": place}).encode())
        os.fchown(fd, int(order["owner"][0]), int(order["owner"][1]))
        os.close(fd)
    return {**names, "@place@": place}


def _point(target: Path, fd: int) -> None:
    """Something of the same kind to mount over."""
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        target.mkdir(0o755)
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def _called(code: int) -> None:
    if code:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _rises(made: subprocess.Popen[bytes], folder: Path, log: _Log) -> bool:
    """Whether what was to run runs: not only what starts it, and not only for a moment."""
    began = time.monotonic()
    while made.poll() is None and time.monotonic() - began < _RISES and not _runs(made.pid, folder):
        time.sleep(0.01)
    ends = time.monotonic() + _MOMENT
    while made.poll() is None and time.monotonic() < ends:
        time.sleep(0.01)
    if made.returncode is not None:
        log.drain(made)
    return made.returncode is None


def _runs(pid: int, folder: Path) -> bool:
    """By runc when it wrote whom it started; by bubblewrap when what it started executes something else."""
    if (folder / "pid").exists():
        return True
    return any(_executes(each) not in {"", _executes(pid)} for each in _payloads(pid) if each != pid)


def _executes(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(1, text.encode("utf-8", "replace").replace(b"\n", b" ")[:2000] + b"\n")


def _detach() -> None:
    """Nobody hears it any more: the deployer's end of these may be gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


# --- staying ---------------------------------------------------------------------------------------------------------


def _stay(made: subprocess.Popen[bytes], told: _Told, log: _Log) -> None:
    signal.signal(signal.SIGCHLD, lambda *_: None)
    assert made.stdout is not None  # noqa: S101 - it was asked for
    os.set_blocking(made.stdout.fileno(), False)
    with selectors.DefaultSelector() as waiting:
        waiting.register(made.stdout, selectors.EVENT_READ)
        while made.poll() is None:
            if not waiting.get_map():
                time.sleep(0.05)
            elif waiting.select(0.1 if told.at else 1.0) and not log.take(made.stdout.fileno()):
                waiting.unregister(made.stdout)
            told.look()
    log.drain(made)


class _Told:
    """It was told to end: it is asked first, then killed."""

    def __init__(self, made: subprocess.Popen[bytes], seconds: float, inner: bool) -> None:
        self._made, self._seconds, self._inner = made, seconds, inner
        self.at = 0.0

    def on_signal(self, *_: object) -> None:
        if self.at:
            return
        self.at = time.monotonic()
        for pid in _payloads(self._made.pid) if self._inner else [self._made.pid]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)

    def look(self) -> None:
        if self.at and time.monotonic() - self.at > self._seconds:
            self._made.kill()


def _payloads(pid: int) -> list[int]:
    """Of bubblewrap, which has two processes of its own, one outside and one inside; what is asked to end is below them."""
    return [inner for child in children(pid) for inner in (children(child) or [child])] or [pid]


def children(pid: int) -> list[int]:
    """Of a process, as the kernel tells them."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


class _Log:
    """What it wrote, to a bound."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "log"
        self._file = self._path.open("ab")

    def take(self, fd: int) -> bool:
        """False at its end."""
        try:
            piece = os.read(fd, _PIECE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._file.tell() + len(piece) > MOST_LOG:
            self._file.close()
            self._path.replace(self._path.with_name("log.1"))
            self._file = self._path.open("ab")
        with contextlib.suppress(OSError):  # a full disk ends no instance
            self._file.write(piece)
            self._file.flush()
        return bool(piece)

    def drain(self, made: subprocess.Popen[bytes]) -> None:
        if made.stdout is None or made.stdout.closed:
            return
        os.set_blocking(made.stdout.fileno(), False)
        for _ in _pieces(MOST_LOG // _PIECE):
            before = self._file.tell()
            if not self.take(made.stdout.fileno()) or self._file.tell() == before:
                return

    def last_words(self) -> str:
        self._file.flush()
        return self._path.read_bytes()[-500:].decode("utf-8", "replace").strip()

    def close(self) -> None:
        self._file.close()


def _pieces(most: int) -> Iterator[int]:
    yield from range(most)


def _wrote(path: Path, value: object) -> None:
    with contextlib.suppress(OSError):  # it was burnt
        draft = path.with_name(f".{path.name}")
        draft.write_text(json.dumps(value))
        draft.replace(path)


if __name__ == "__main__":
    main()
