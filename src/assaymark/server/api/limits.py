"""How often one caller may ask: a bucket of tokens per token, per person and, for what anybody may ask, per address.

Guarantees: a caller is let through `per_minute` times at once, and as often a minute over long; memory is bounded by `MOST` buckets, of
which the one not used for longest goes first. Addresses of IPv6 are counted by /64, which is what one subscriber has.
Does not do: count over processes. The buckets are in memory, because a row written per request would cost more than most requests; with n
server processes a caller has at most n times as much. Credentials are not guarded by this but by their length and by argon2id.
"""

from __future__ import annotations

import ipaddress
import math
import threading
from collections import OrderedDict
from collections.abc import Callable

from msgspec import Struct

from assaymark.model.access import Principal
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.problem import ApiError

MOST = 65_536
"""Buckets in memory, about 200 bytes each."""


class Rate(Struct, frozen=True):
    """What a bucket holds and how it fills."""

    per_minute: int


class Taken(Struct, frozen=True):
    """What one request left in the bucket."""

    is_let: bool
    rate: Rate
    left: int
    seconds: int
    """Until the bucket holds a token, when it was empty; until it is full otherwise."""

    @property
    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers names them."""
        return {
            "RateLimit-Policy": f'"default";q={self.rate.per_minute};w=60',
            "RateLimit": f'"default";r={self.left};t={self.seconds}',
        }


class Buckets:
    """Buckets of one kind of caller."""

    def __init__(self, rate: Rate, now: Callable[[], Instant]) -> None:
        self.rate, self._now = rate, now
        self._levels: OrderedDict[str, tuple[float, Instant]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, who: str) -> Taken:
        """Take a token, if there is one."""
        rate = self.rate
        with self._lock:
            now = self._now()
            level, at = self._levels.pop(who, (float(rate.per_minute), now))
            level = min(float(rate.per_minute), level + max(0, now - at) / SECOND * rate.per_minute / 60)
            is_let = level >= 1
            level -= is_let
            self._levels[who] = (level, now)
            while len(self._levels) > MOST:
                self._levels.popitem(last=False)
        return Taken(is_let, rate, int(level), _seconds(rate.per_minute - level if is_let else 1 - level, rate))

    def __len__(self) -> int:
        return len(self._levels)


class Limits:
    """The buckets of a server's process."""

    def __init__(self, known: Rate, anybody: Rate, now: Callable[[], Instant]) -> None:
        self._known, self._anybody = Buckets(known, now), Buckets(anybody, now)

    def take(self, principal: Principal | None, address: str) -> Taken:
        """Count a request.

        Raises:
            ApiError: 429 when there were too many.
        """
        if principal is None:
            taken = self._anybody.take(network_of(address))
        else:
            taken = self._known.take(f"token:{principal.token}" if principal.token is not None else f"person:{principal.person}")
        if not taken.is_let:
            raise ApiError(
                429, "too-many-requests", "there were too many requests", detail=f"{taken.rate.per_minute} a minute are answered",
                advice=f"wait {taken.seconds} s", headers={"Retry-After": str(taken.seconds), **taken.headers},
            )  # fmt: skip
        return taken


def network_of(address: str) -> str:
    """Whom an address belongs to."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "?"
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _seconds(tokens: float, rate: Rate) -> int:
    return math.ceil(tokens * 60 / rate.per_minute)
