"""Who serves: one table of routes, a value with laws, and its place on disk.

Guarantees
* a table that is held (`checked`) names for every route either nobody at all, who was taken away on purpose, or generations whose shares
  are 100 together, each with somebody to go to;
* on disk there is at every instant one whole table: a new one is written beside it, flushed, and takes its name (`save`);
* a table of before the machine started says where clients come, and nobody who serves: who had those addresses is gone (`load`).

Not here: sockets, processes, what an instance is.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.formats.undecodable import UNDECODABLE

MOST_BYTES = 4 << 20
"""Of a table as text: about ten thousand routes."""
FULL = 100
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_FILE = "table.json"


class Mode(StrEnum):
    """What is understood of the bytes that go through."""

    HTTP = "http"
    """HTTP/1.1: each request goes by the table of its own instant, also on a connection that was opened under another."""
    TCP = "tcp"
    """Nothing: a connection stays with whom it was opened to."""


class Backend(Struct, frozen=True):
    """A generation behind a route."""

    generation: int
    percent: int
    addresses: tuple[str, ...]
    """``host:port``; hosts are numbers, nobody is asked for a name."""


class Route(Struct, frozen=True):
    """One way in."""

    name: str
    """A label of DNS, of the pair it belongs to."""
    listen: str
    """``host:port`` that it is reached by."""
    mode: Mode = Mode.HTTP
    backends: tuple[Backend, ...] = ()
    """Empty: nobody serves, on purpose (`assaymark.deployment.phoenix.generation.State.STOPPED`)."""

    @property
    def addresses(self) -> frozenset[str]:
        return frozenset(address for backend in self.backends for address in backend.addresses)


class Table(Struct, frozen=True):
    """All ways in, as one value."""

    version: int = 0
    """Rises with each exchange; whoever exchanges says over which one."""
    routes: tuple[Route, ...] = ()

    def route(self, name: str) -> Route | None:
        return next((each for each in self.routes if each.name == name), None)

    def with_route(self, route: Route) -> Table:
        return replace(self, routes=(*(each for each in self.routes if each.name != route.name), route))

    def without_route(self, name: str) -> Table:
        return replace(self, routes=tuple(each for each in self.routes if each.name != name))


def split(address: str) -> tuple[str, int]:
    """Host and port.

    Raises:
        UsageError: when it is none.
    """
    host, colon, port = address.rpartition(":")
    plain = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        ipaddress.ip_address(plain)
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError:
        number = -1
    if not colon or not 0 < number < 1 << 16:
        advice = "say it as 127.0.0.1:8080 or [::1]:8080"
        raise UsageError(f"{address[:100]!r} is no address of an edge", why="it wants a number of a host and a port", advice=advice)
    return plain, number


def checked(table: Table) -> Table:
    """The same table, when it can be held.

    Raises:
        UsageError: when it says what no edge may do.
    """
    for words, what in (([each.name for each in table.routes], "name"), ([each.listen for each in table.routes], "address")):
        if twice := _twice(words):
            raise UsageError(f"two routes have the {what} {twice}", advice="give each its own")
    for route in table.routes:
        _check(route)
    return table


def _check(route: Route) -> None:
    if not _NAME.fullmatch(route.name):
        raise UsageError(f"{route.name[:100]!r} is no name of a route", why="it wants lower-case letters, digits and hyphens")
    split(route.listen)
    if twice := _twice([str(each.generation) for each in route.backends]):
        raise UsageError(f"generation {twice} stands twice behind route {route.name}")
    for backend in route.backends:
        for address in backend.addresses:
            split(address)
        if not 0 <= backend.percent <= FULL:
            raise UsageError(f"generation {backend.generation} would get {backend.percent} percent of route {route.name}")
        if backend.percent and not backend.addresses:
            raise UsageError(f"generation {backend.generation} would serve route {route.name}, and has nobody who does")
    if route.backends and (total := sum(each.percent for each in route.backends)) != FULL:
        raise UsageError(f"the shares of route {route.name} are {total} percent together", why="somebody has to get every request")


def _twice(words: Iterable[str]) -> str:
    seen: set[str] = set()
    for word in words:
        if word in seen:
            return word
        seen.add(word)
    return ""


# --- on disk -----------------------------------------------------------------------------------------------------------


class _Kept(Struct, frozen=True):
    boot: str
    """Of the kernel: another one after each start of the machine."""
    table: Table


def boot() -> str:
    """Which start of the machine this is."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def load(folder: Path) -> Table:
    """The table that lies in a folder; an empty one where there is none yet, and without who serves when it is of an earlier start.

    Raises:
        SubjectUnreadable: when there is one, and it cannot be held: nobody is served by a guess.
    """
    file = folder / _FILE
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
        if kept.boot != boot():
            return checked(replace(kept.table, routes=tuple(replace(each, backends=()) for each in kept.table.routes)))
        return checked(kept.table)
    except FileNotFoundError:
        return Table()
    except (*UNDECODABLE, UsageError) as error:
        advice = f"take {file} away, and let the deployer set its routes anew"
        raise SubjectUnreadable(f"the table of the edge in {folder} cannot be read", why=str(error), advice=advice) from error


def save(folder: Path, table: Table) -> None:
    """It lies on disk, whole, when this returns; after a crash before that, the one before it does."""
    write_whole(folder / _FILE, msgspec.json.format(msgspec.json.encode(_Kept(boot(), table)), indent=1) + b"\n")


def write_whole(file: Path, data: bytes) -> None:
    """A file is there with all of its bytes, or as it was."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    above = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(above)
    finally:
        os.close(above)
