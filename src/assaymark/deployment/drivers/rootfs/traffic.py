"""Who serves: told to the edge, or written into a table that whoever stands before the instances reads.

Guarantees: a table is exchanged whole; `drained` asks the edge what is begun there, and without one the kernel for connections to the port.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed, Pair, Share
from assaymark.deployment.drivers.naming import label
from assaymark.deployment.drivers.rootfs.options import Options
from assaymark.deployment.drivers.rootfs.place import Place, write
from assaymark.formats.undecodable import UNDECODABLE

_ESTABLISHED = "01"
_EVERY = 0.05


class Backend(Struct, frozen=True):
    """A generation that serves."""

    generation: int
    percent: int
    addresses: tuple[str, ...]


class Traffic(Protocol):
    """Where it is said who serves."""

    def put(self, pair: Pair, backends: Sequence[Backend]) -> None: ...

    def served(self, pair: Pair) -> Sequence[Backend]: ...

    def drained(self, pair: Pair, address: str, seconds: float) -> bool: ...


def opened(options: Options, place: Place) -> Traffic:
    """As the options say."""
    return _Table(place) if options.edge == "none" else _Edge(options)


def shares(backends: Sequence[Backend]) -> tuple[Share, ...]:
    return tuple(Share(each.generation, each.percent) for each in backends if each.percent)


class _Table:
    """A file of addresses."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def put(self, pair: Pair, backends: Sequence[Backend]) -> None:
        self._place.made()
        write(self._file, {"pair": pair, "backends": list(backends)})

    def served(self, pair: Pair) -> Sequence[Backend]:
        del pair
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_Told).backends
        except FileNotFoundError:
            return ()
        except (OSError, *UNDECODABLE) as error:
            raise DriverFailed(f"{self._file} cannot be read", why=str(error)[:300], advice="shift again: it is written anew") from error

    def drained(self, pair: Pair, address: str, seconds: float) -> bool:
        del pair
        port, ends = int(address.rpartition(":")[2]), time.monotonic() + seconds
        while connections(port):
            if time.monotonic() >= ends:
                return False
            time.sleep(_EVERY)
        return True

    @property
    def _file(self) -> Path:
        return self._place.folder / "routes.json"


class _Told(Struct, frozen=True):
    pair: Pair
    backends: tuple[Backend, ...]


class _Edge:
    """An edge of `assaymark.deployment.edge`."""

    def __init__(self, options: Options) -> None:
        from assaymark.deployment.edge import door  # noqa: PLC0415 - only where there is an edge

        self._options = options
        self._edge = door.opened_edge(options.edge, Path(options.edge_folder), start=options.edge_start)

    def put(self, pair: Pair, backends: Sequence[Backend]) -> None:
        from assaymark.deployment.edge import table  # noqa: PLC0415 - as above

        rows = tuple(table.Backend(each.generation, each.percent, each.addresses) for each in backends)
        self._edge.put(table.Route(label(pair), self._options.listen, table.Mode(self._options.mode), rows))

    def served(self, pair: Pair) -> Sequence[Backend]:
        route = self._edge.route(label(pair))
        return tuple(Backend(each.generation, each.percent, each.addresses) for each in (route.backends if route else ()))

    def drained(self, pair: Pair, address: str, seconds: float) -> bool:
        return self._edge.wait(label(pair), address, seconds)


def connections(port: int) -> int:
    """How many are open to a port of this host."""
    return sum(_of(line, port) for name in ("tcp", "tcp6") for line in _lines(f"/proc/net/{name}"))


def _of(line: str, port: int) -> bool:
    words = line.split()
    return len(words) > 3 and words[3] == _ESTABLISHED and int(words[1].rpartition(":")[2], 16) == port


def _lines(path: str) -> Sequence[str]:
    try:
        return Path(path).read_text("ascii").splitlines()[1:]
    except OSError:
        return ()


def without(backends: Sequence[Backend], address: str) -> tuple[Backend, ...]:
    """The same table, in which an address gets nothing new.

    Raises:
        DriverFailed: when nobody would be left.
    """
    left = tuple(Backend(each.generation, each.percent, tuple(a for a in each.addresses if a != address)) for each in backends)
    if any(each.percent and not each.addresses for each in left):
        raise DriverFailed(f"{address} is the last that serves, and cannot be drained", advice="shift to others first")
    return left


def by_generation(found: Mapping[int, Sequence[str]], wanted: Sequence[Share], pair: Pair) -> tuple[Backend, ...]:
    """A table from who is there and who is to serve.

    Raises:
        DriverFailed: when a generation that is to serve cannot.
    """
    backends = []
    for share in wanted:
        if not share.percent:
            continue
        addresses = tuple(sorted(found.get(share.generation, ())))
        if not addresses:
            raise DriverFailed(f"generation {share.generation} of {pair} cannot serve", why="none of its instances runs")
        backends.append(Backend(share.generation, share.percent, addresses))
    return tuple(backends)
