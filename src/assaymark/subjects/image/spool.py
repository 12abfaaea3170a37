"""Contents of a packed layer in a temporary file without a name, for all workers of a run.

The first worker that needs a content of the layer unpacks it and writes what the image may be asked for, one behind the other; the others
wait for it, and read. Guarantees: one worker fills at a time (the kernel's lock on the file, which ends with the worker); a file that was
left half full is filled again; nothing remains when the run ends, however it ends.
"""

# ruff: noqa: PTH123
from __future__ import annotations

import fcntl
import os
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
from msgspec import Struct

MOST_BYTES = 4 << 30
"""Of one layer's contents; what is beyond cannot be read."""
_TRAILER = b"assaymark-spool\n"
_TAIL = 8 + len(_TRAILER)


class SpoolFile(Struct, frozen=True, weakref=True):
    """A file without a name, by the name under which this process's children find it."""

    path: str


def make_spool(folder: str) -> SpoolFile | None:
    """An empty one; None where the system does not show a process's files by name."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - as everywhere in this room
        return None
    with tempfile.TemporaryFile(dir=folder or None) as file:
        fd = os.dup(file.fileno())
    spool = SpoolFile(f"/proc/{os.getpid()}/fd/{fd}")
    weakref.finalize(spool, os.close, fd)
    return spool


class Spool:
    """An open one, filled by whoever comes first."""

    def __init__(self, file: SpoolFile | None, folder: str, fill: Callable[[], tuple[Iterator[bytes], Sequence[tuple[int, int]]]]) -> None:
        """`fill` gives the layer's stream and the (start, size) of what to keep, in order of their starts."""
        self._fd = os.open(file.path, os.O_RDWR | os.O_CLOEXEC) if file is not None else _nameless(folder)
        try:
            with _locked(self._fd):
                places = _places(self._fd)
                self._at = places if places is not None else _filled(self._fd, *fill())
        except BaseException:
            os.close(self._fd)
            raise

    def read(self, start: int, size: int) -> bytes | None:
        """What the layer holds there; None for what was not kept."""
        place = self._at.get(start)
        return None if place is None else os.pread(self._fd, size, place)

    def close(self) -> None:
        """Let go of it; the file ends with its last holder."""
        os.close(self._fd)


def _nameless(folder: str) -> int:
    with tempfile.TemporaryFile(dir=folder or None) as file:
        return os.dup(file.fileno())


@contextmanager
def _locked(fd: int) -> Iterator[None]:
    fcntl.flock(fd, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _places(fd: int) -> dict[int, int] | None:
    """Where contents are, as whoever filled the file wrote down at its end."""
    end = os.fstat(fd).st_size
    tail = os.pread(fd, _TAIL, max(0, end - _TAIL))
    if len(tail) < _TAIL or not tail.endswith(_TRAILER):
        return None
    size = int.from_bytes(tail[:8], "big")
    return msgspec.msgpack.decode(os.pread(fd, size, end - _TAIL - size), type=dict[int, int])


def _filled(fd: int, pieces: Iterator[bytes], regions: Sequence[tuple[int, int]]) -> dict[int, int]:
    os.ftruncate(fd, 0)
    with open(os.dup(fd), "wb") as file:
        file.seek(0)
        at = _copied(file.write, pieces, regions)
        index = msgspec.msgpack.encode(at)
        file.write(index + len(index).to_bytes(8, "big") + _TRAILER)
    return at


def _copied(write: Callable[[memoryview], object], pieces: Iterator[bytes], regions: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Copies the regions out of the stream; returns where each begins now."""
    at: dict[int, int] = {}
    before = written = 0
    waiting = [region for region in reversed(regions) if region[1]]
    at.update((start, 0) for start, size in regions if not size)
    for piece in pieces:
        view = memoryview(piece)
        end = before + len(piece)
        while waiting and waiting[-1][0] < end:
            start, size = waiting[-1]
            if start >= before and written + size > MOST_BYTES:
                waiting.pop()
                continue
            if start >= before:
                at[start] = written
            part = view[max(0, start - before) : start + size - before]
            write(part)
            written += len(part)
            if start + size > end:
                break
            waiting.pop()
        before = end
        if not waiting:
            break
    return at
