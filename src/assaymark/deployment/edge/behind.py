"""Who is behind the routes now, who gets the next request, and how many have something begun.

Guarantees
* an exchange of the table takes no time that anybody could see: what is chosen before it goes by the old one, what is chosen after it by
  the new one, and choosing and counting are one act;
* shares are exact over any hundred choices of a route (smooth weighted turns), within a generation whoever has least begun is next;
* who could not be reached is asked last for a second, never given up: that is the deployer's decision.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Container

from assaymark.deployment.edge.table import FULL, Backend, Route, Table

FORGIVEN_SECONDS = 1.0


class Behind:
    """The live side of a table. One event loop, no locks."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self.table = table
        self.begun: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        """Requests or connections that each address has ended since the edge rose."""
        self._clock = clock
        self._routes = {route.name: route for route in table.routes}
        self._turns: dict[str, Counter[int]] = {}
        self._failed: dict[str, float] = {}
        self._waiting: defaultdict[str, list[asyncio.Event]] = defaultdict(list)

    def exchange(self, table: Table) -> None:
        """From now on this one."""
        routes = {route.name: route for route in table.routes}
        for name in self._turns.keys() - {name for name, route in routes.items() if self._routes.get(name) == route}:
            del self._turns[name]
        here = {address for route in table.routes for address in route.addresses}
        self._failed = {address: until for address, until in self._failed.items() if address in here}
        self.answered = Counter({address: count for address, count in self.answered.items() if address in here})
        self.table, self._routes = table, routes

    def route(self, name: str) -> Route | None:
        return self._routes.get(name)

    def serves(self, route: str, address: str) -> bool:
        """Whether the table still sends anybody there."""
        found = self._routes.get(route)
        return found is not None and any(each.percent and address in each.addresses for each in found.backends)

    def take(self, route: str, tried: Container[str] = ()) -> str | None:
        """The address that is next and not among those tried, counted as having begun; none when there is nobody."""
        found = self._routes.get(route)
        serving = [] if found is None else [each for each in found.backends if each.percent]
        if not serving:
            return None
        turn = self._turn(route, serving)
        # Whoever's turn it is first; then the others, since an answer of another generation is better than none.
        for backend in sorted(serving, key=lambda each: each.generation != turn):
            left = [address for address in backend.addresses if address not in tried]
            if left:
                address = min(left, key=self._weight)
                self.begun[address] += 1
                return address
        return None

    def free(self, address: str, *, answered: bool = True) -> None:
        """What was taken has ended."""
        self.begun[address] -= 1
        if answered:
            self.answered[address] += 1
        if self.begun[address] <= 0:
            del self.begun[address]
            for event in self._waiting.pop(address, ()):
                event.set()

    def failed(self, address: str) -> None:
        self._failed[address] = self._clock() + FORGIVEN_SECONDS

    async def idle(self, address: str, seconds: float) -> int:
        """How many are still begun there after so many seconds; returns at once when nobody is."""
        until = self._clock() + seconds
        while self.begun[address] and (left := until - self._clock()) > 0:
            event = asyncio.Event()
            self._waiting[address].append(event)
            try:
                async with asyncio.timeout(left):
                    await event.wait()
            except TimeoutError:
                break
        return self.begun[address]

    def _weight(self, address: str) -> tuple[bool, int, int]:
        return self._failed.get(address, 0.0) > self._clock(), self.begun[address], self.answered[address]

    def _turn(self, route: str, serving: list[Backend]) -> int:
        turns = self._turns.setdefault(route, Counter())
        for each in serving:
            turns[each.generation] += each.percent
        best = max(serving, key=lambda each: turns[each.generation]).generation
        turns[best] -= FULL
        return best
