"""How the edge is told: a socket in its folder, one line of JSON each way, and only for whoever the folder belongs to.

    {"ask": "show"}                                            what the table says, and what each address has begun
    {"ask": "put", "table": {…}, "over": 7}                     this table from now on, if the present one has the version 7
    {"ask": "wait", "address": "10.88.0.3:8080", "seconds": 20}   how many are still begun there, at once when nobody is

Guarantees: an answer to `put` that says ok comes when the table lies on disk and every request from then on goes by it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.table import MOST_BYTES, Route, Table
from assaymark.formats.undecodable import UNDECODABLE

SOCKET = "control.sock"
_TRIES = 50
_encode = msgspec.json.Encoder().encode


class Asked(Struct, frozen=True, omit_defaults=True):
    """One line to the edge."""

    ask: str
    table: Table | None = None
    over: int = 0
    address: str = ""
    seconds: float = 0.0


class Answer(Struct, frozen=True, omit_defaults=True):
    """One line from it."""

    ok: bool = True
    why: str = ""
    conflict: bool = False
    """Somebody else exchanged the table first; it is told here."""
    table: Table | None = None
    begun: dict[str, int] = {}
    left: int = 0
    pid: int = 0


def line(message: Asked | Answer) -> bytes:
    return _encode(message) + b"\n"


class Edge:
    """The edge of a folder, as whoever changes it sees it.

    Every method raises:
        DriverFailed: when the edge does not answer, or refuses.
    """

    def __init__(self, folder: Path, *, seconds: float = 10.0) -> None:
        self._folder, self._seconds = folder, seconds

    def alive(self) -> bool:
        try:
            self.show()
        except DriverFailed:
            return False
        return True

    def show(self) -> Answer:
        return self._ask(Asked("show"))

    def routes(self) -> tuple[Route, ...]:
        """All, as the edge holds them now."""
        return (self.show().table or Table()).routes

    def route(self, name: str) -> Route | None:
        """As the edge holds it now."""
        return (self.show().table or Table()).route(name)

    def put(self, route: Route) -> None:
        """From now on this route, every other one as it is."""
        self._exchange(route.name, route)

    def take_away(self, name: str) -> None:
        """The route is gone: nobody listens there any more."""
        self._exchange(name, None)

    def begun(self, route: str, address: str) -> int:
        """How many have something begun there."""
        del route
        return self.show().begun.get(address, 0)

    def wait(self, route: str, address: str, seconds: float) -> bool:
        """Whether nobody has anything begun there before the time is over."""
        del route
        return self._ask(Asked("wait", address=address, seconds=seconds), seconds).left == 0

    def _exchange(self, name: str, route: Route | None) -> None:
        table = self.show().table or Table()
        for _ in range(_TRIES):  # others change other routes of the same table meanwhile
            wanted = table.without_route(name) if route is None else table.with_route(route)
            answer = self._ask(Asked("put", table=replace(wanted, version=0), over=table.version), conflicts=True)
            if not answer.conflict:
                return
            table = answer.table or Table()
        raise DriverFailed("the table of the edge changes all the time", why=f"{_TRIES} exchanges were overtaken")

    def _ask(self, asked: Asked, longer: float = 0.0, *, conflicts: bool = False) -> Answer:
        try:
            with connected(self._folder) as there:
                there.settimeout(self._seconds + longer)
                there.sendall(line(asked))
                answer = msgspec.json.decode(_line_of(there), type=Answer)
        except (OSError, *UNDECODABLE) as error:
            advice = f"start it: assay edge run --folder {self._folder}"
            raise DriverFailed(f"the edge of {self._folder} does not answer", why=str(error), advice=advice) from error
        if not answer.ok and not (conflicts and answer.conflict):
            raise DriverFailed(f"the edge of {self._folder} refuses", why=answer.why)
        return answer


def connected(folder: Path, name: str = SOCKET) -> socket.socket:
    """A connection to the edge of a folder; names of sockets are short, those of folders need not be."""
    there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        there.settimeout(10)
        with _Short(folder, name) as short:
            there.connect(short)
    except BaseException:
        there.close()
        raise
    return there


def listening(folder: Path) -> socket.socket:
    """The socket of an edge that holds the folder's lock; what a killed one left is taken away."""
    there = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with suppress(FileNotFoundError):
            (folder / SOCKET).unlink()
        with _Short(folder, SOCKET) as short:
            there.bind(short)
        (folder / SOCKET).chmod(0o600)
        there.listen(64)
    except BaseException:
        there.close()
        raise
    return there


class _Short:
    """A name of a folder's socket that has at most a hundred bytes, whatever the folder is called."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name

    def __enter__(self) -> str:
        self._fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._fd}/{self._name}"

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _line_of(there: socket.socket) -> bytes:
    found = bytearray()
    while not found.endswith(b"\n"):
        piece = there.recv(1 << 16)
        if not piece:
            raise ConnectionError("it broke off")
        found += piece
        if len(found) > MOST_BYTES:
            raise ConnectionError("it says too much")
    return bytes(found)
