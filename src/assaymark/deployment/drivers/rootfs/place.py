"""Where things lie on the host: trees of generations side by side, and a folder for each instance.

    <state>/<pair>/g4/tree          what runs, a copy that was verified
    <state>/<pair>/g4/manifest      what it has to be, line by line; its digest is the generation's
    <state>/<pair>/g4/generation.json
    <state>/<pair>/i/<id>/instance.json, lock, log, exit.json
    <state>/<pair>/routes.json      who serves, where no edge holds it

Guarantees: whoever holds an instance's lock decides about it alone; the lock is free when neither its supervisor nor the instance lives,
however they ended; what is taken away first gets a name that nothing looks for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed, Pair
from assaymark.deployment.drivers.naming import label
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.assessment import Instant

_Document = TypeVar("_Document")
_GONE = ".gone-"


class Generation(Struct, frozen=True):
    """What was prepared."""

    number: int
    digest: str
    source: str


class Record(Struct, frozen=True):
    """An instance, as it was launched; no secret is in it."""

    id: str
    generation: int
    digest: str
    configuration: str
    born: Instant
    port: int
    """0: it has none."""
    runtime: str
    expected: tuple[str, ...]
    """Where something is mounted, inside."""
    data: Mapping[str, str] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}" if self.port else ""


class Supervisor(Struct, frozen=True):
    """Who stands by an instance, as it says itself."""

    pid: int
    began: int
    """In ticks of the machine: tells it from another process of the same number."""


class Place:
    """A pair's folder."""

    def __init__(self, state: str, pair: Pair) -> None:
        self.pair = pair
        self.state = Path(state)
        self.folder = self.state / label(pair)

    def made(self) -> None:
        """It is there, and others may only pass."""
        for folder in (self.state, self.folder, self.folder / "i"):
            try:
                folder.mkdir(mode=0o711, parents=True, exist_ok=True)
            except OSError as error:
                raise DriverFailed(f"{folder} cannot be made", why=error.strerror or str(error), advice="see the option state") from error

    def generation(self, number: int) -> Path:
        return self.folder / f"g{number}"

    def instance(self, name: str) -> Path:
        return self.folder / "i" / name

    def records(self) -> list[Record]:
        """Every instance that was launched."""
        try:
            names = sorted(each.name for each in (self.folder / "i").iterdir() if not each.name.startswith("."))
        except FileNotFoundError:
            return []
        found = [self.record(name) for name in names]
        return [each for each in found if each is not None]

    def record(self, name: str) -> Record | None:
        """None: it is not there, or was not launched to its end."""
        return _read(self.instance(name) / "instance.json", Record)

    def supervisor(self, name: str) -> Supervisor | None:
        """None: it did not say yet."""
        return _read(self.instance(name) / "supervisor.json", Supervisor)

    def prepared(self, number: int) -> Generation | None:
        return _read(self.generation(number) / "generation.json", Generation)

    @contextlib.contextmanager
    def locked(self, what: str = "lock") -> Iterator[None]:
        """Alone in this place, or for ``ports`` on this host."""
        path = (self.state if what == "ports" else self.folder) / f".{what}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def taken_ports(self) -> set[int]:
        """Of all pairs of this host."""
        places = [each for each in self.state.iterdir() if (each / "i").is_dir()] if self.state.is_dir() else []
        records = [_read(each / "instance.json", Record) for place in places for each in (place / "i").iterdir()]
        return {each.port for each in records if each is not None}


def lock_of(folder: Path) -> int | None:
    """The instance's lock, held by whoever has the descriptor; None while somebody else holds it."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def is_held(folder: Path) -> bool:
    """Whether somebody lives there."""
    try:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def write(path: Path, value: object) -> None:
    """Whole, or not at all; it is on disk when this returns."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        data = value if isinstance(value, bytes) else msgspec.json.encode(value)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.replace(path)


def take_away(folder: Path) -> None:
    """It is gone, and was under its name until then."""
    gone = folder.with_name(f"{_GONE}{folder.name}-{secrets.token_hex(4)}")
    with contextlib.suppress(FileNotFoundError):
        folder.rename(gone)
    for left in folder.parent.glob(f"{_GONE}*"):
        _remove(left)


def _remove(folder: Path) -> None:
    """Also folders that their owner may not write."""
    for path, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(path, stat.S_IRWXU)  # noqa: PTH101 - names that are no text
    shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path, kind: type[_Document]) -> _Document | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, *UNDECODABLE) as error:
        raise DriverFailed(f"{path} cannot be read", why=str(error)[:300], advice="look at it, and burn the instance by hand") from error
