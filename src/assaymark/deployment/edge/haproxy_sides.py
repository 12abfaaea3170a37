"""The two sides of each route of HAProxy, and the file that says so. Pure, but for the account that HAProxy is to be.

Guarantees: who serves stays on its side, who is new comes to the one that nothing goes to (`planned`); the file names addresses that were
checked, and nothing that somebody else wrote (`configuration`).
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import suppress

from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.deployment.edge.table import FULL, Backend, Mode, Route

SLOTS = 8
NOBODY = 1000
"""As the share of the first side: the edge answers 503 itself."""
SIDES = ("a", "b")
SOCKET, MAP = "haproxy.sock", "shares.map"
NOTE = "# route "
EMPTY = "127.0.0.1:1"


class Side(Struct, frozen=True):
    """One of a route's two, as HAProxy has it."""

    generation: int = 0
    addresses: tuple[str, ...] = ()


class Held(Struct, frozen=True):
    """A route, as HAProxy has it."""

    share: int
    """Of side a; `NOBODY`."""
    a: Side = Side()
    b: Side = Side()

    def percent(self, side: str) -> int:
        if self.share == NOBODY:
            return 0
        return self.share if side == "a" else FULL - self.share

    def side(self, name: str) -> Side:
        return self.a if name == "a" else self.b


def planned(route: Route, held: Held) -> Held:
    """How the two sides stand for a route: who serves stays where they are, who is new comes to where nothing goes.

    Raises:
        DriverFailed: when two sides do not suffice.
    """
    serving = [each for each in route.backends if each.percent]
    if len(serving) > 2 or any(len(each.addresses) > SLOTS for each in serving):
        raise DriverFailed(f"HAProxy holds two generations of {SLOTS} instances for a route", advice="use the built-in edge for more")
    if not serving:
        return Held(NOBODY, held.a, held.b)
    sides: dict[str, Backend] = {}
    for each in serving:
        kept = next((side for side in SIDES if held.side(side).generation == each.generation and side not in sides), None)
        if kept:
            sides[kept] = each
    for each in serving:
        if each in sides.values():
            continue
        free = next((side for side in SIDES if side not in sides and not held.percent(side)), None)
        if free is None:
            raise DriverFailed(
                "HAProxy has no side that nothing goes to", why=f"route {route.name} has {held}", advice="shift to one first"
            )
        sides[free] = each
    share = sides["a"].percent if "a" in sides else 0

    def stands(side: str) -> Side:
        return Side(sides[side].generation, tuple(sorted(sides[side].addresses))) if side in sides else held.side(side)

    return Held(share, stands("a"), stands("b"))


def configuration(routes: Mapping[str, Route], held: Mapping[str, Held]) -> str:
    """The whole file."""
    account = ["    user haproxy", "    group haproxy"] if os.geteuid() == 0 and _known("haproxy") else []
    lines = [
        "# Written by assay with every exchange; what is changed here by hand is lost.",
        "global",
        f"    stats socket unix@{SOCKET} mode 600 level admin expose-fd listeners",
        "    stats timeout 1h",
        *account,
        "defaults",
        "    timeout connect 3s",
        "    timeout client 75s",
        "    timeout server 300s",
        "    timeout http-request 30s",
        "    timeout http-keep-alive 75s",
        "    timeout tunnel 1h",
        "    retries 3",
        "    option redispatch 1",
    ]
    for name, route in sorted(routes.items()):
        lines += _proxies(name, route, held[name])
    return "\n".join(lines) + "\n"


def _proxies(name: str, route: Route, held: Held) -> Iterator[str]:
    http = route.mode is Mode.HTTP
    rule = "http-request" if http else "tcp-request content"
    yield f"{NOTE}{name} {route.listen} {route.mode}"
    yield f"frontend {name}"
    yield f"    bind {route.listen}"
    yield f"    mode {route.mode}"
    yield from ["    option forwardfor"] if http else []
    yield f"    {rule} set-var(txn.share) str({name}),map_str_int({MAP},{NOBODY})"
    yield f"    {rule} set-var(txn.dice) rand({FULL})"
    nobody = f"if {{ var(txn.share) -m int ge {NOBODY} }}"
    yield f"    http-request return status 503 {nobody}" if http else f"    tcp-request content reject {nobody}"
    yield f"    use_backend {name}-a if {{ var(txn.dice),sub(txn.share) -m int lt 0 }}"
    yield f"    default_backend {name}-b"
    for side in SIDES:
        yield f"backend {name}-{side}"
        yield f"    mode {route.mode}"
        yield "    balance leastconn"
        addresses = held.side(side).addresses
        for number in range(SLOTS):
            at = addresses[number] if number < len(addresses) else EMPTY
            idle = "" if number < len(addresses) and held.percent(side) else " disabled"
            yield f"    server s{number + 1} {at}{idle}"


def _known(account: str) -> bool:
    with suppress(KeyError):
        pwd.getpwnam(account)
        return True
    return False
