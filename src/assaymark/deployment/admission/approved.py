"""Approved digests as ConfigMaps that a policy of the cluster itself reads: admission that works while no server of ours does.

Guarantees: the same approvals give the same bytes; a map holds at most what etcd takes (about 10,000 digests); when one is not enough, all
are parted by the beginning of the digest, and each map says which part it is, so that a map that is missing or another one's is noticed by
the policy and never read as "nothing to say". A digest stands beside the moment when its approval ends.

Form: ``data.shard`` (beginning of the digests of this part, empty for all), ``data.environment``, and ``data.sha256-<two digits>`` with a
line ``<hex> <end in RFC 3339>`` per digest. Buckets instead of a key per digest: the API server converts the whole map each time that it
asks the policy: 256 texts then, and not 10,000.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from assaymark.errors import UsageError

MOST_IN_A_MAP = 10_000
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_END = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DIGITS = "0123456789abcdef"
_MOST_DIGITS = 2
LABEL = "assaymark.dev/environment"


class ApprovedDigest(Struct, frozen=True, order=True):
    """One image that may run."""

    digest: str
    expires: str
    """RFC 3339 in UTC, to the second."""


class Place(Struct, frozen=True):
    """For which environment, and where in the cluster the maps lie."""

    environment: str
    namespace: str = "assaymark"
    """Of ours; not the namespace of what is asked about, where whoever deploys could write a map of his own."""

    @property
    def slug(self) -> str:
        """As a name in the cluster; what cannot be one is told apart by its digest."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.environment.lower()).strip("-")[:40] or "any"
        if plain == self.environment:
            return plain
        return f"{plain}-{hashlib.sha256(self.environment.encode()).hexdigest()[:8]}"

    @property
    def policy(self) -> str:
        return f"assaymark-{self.slug}"

    def map_of(self, shard: str) -> str:
        return f"assaymark-approved-{self.slug}-{shard or 'all'}"


def shards_for(number: int) -> tuple[str, ...]:
    """Beginnings of digests by which this many are parted, with room for chance."""
    digits = 0
    while digits < _MOST_DIGITS and number > MOST_IN_A_MAP * 16**digits * (0.9 if digits else 1):
        digits += 1
    return _beginnings(digits)


def _beginnings(digits: int) -> tuple[str, ...]:
    found: tuple[str, ...] = ("",)
    for _ in range(digits):
        found = tuple(each + digit for each in found for digit in _DIGITS)
    return found


def maps(place: Place, approved: Iterable[ApprovedDigest], shards: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The ConfigMaps, one per shard, also where it is empty.

    Raises:
        UsageError: when a digest or an end is none, or a map would be too large.
    """
    ends: dict[str, str] = {}
    for each in approved:
        found = _DIGEST.fullmatch(each.digest)
        if found is None or _END.fullmatch(each.expires) is None:
            raise UsageError(
                f"{each.digest[:100]!r} until {each.expires[:40]!r} is no approved digest", advice="write sha256:<hex> and RFC 3339"
            )
        ends[found[1]] = max(ends.get(found[1], ""), each.expires)
    wanted = shards or shards_for(len(ends))
    parts: dict[str, list[str]] = {shard: [] for shard in wanted}
    width = len(wanted[0])
    for digest in sorted(ends):
        part = parts.get(digest[:width])
        if part is None:
            raise UsageError("the shards do not cover all digests", why=f"none begins {digest[:width]}")
        part.append(digest)
    return [_map(place, shard, {digest: ends[digest] for digest in found}) for shard, found in parts.items()]


def _map(place: Place, shard: str, ends: dict[str, str]) -> dict[str, Any]:
    if len(ends) > MOST_IN_A_MAP:
        raise UsageError(
            f"{len(ends)} approved digests do not fit into one ConfigMap",
            why=f"at most {MOST_IN_A_MAP} do",
            advice="let `--shards` be 16 or 256, or approve fewer",
        )
    data = {"shard": shard, "environment": place.environment}
    for digest, end in ends.items():
        key = f"sha256-{digest[:2]}"
        data[key] = data.get(key, "") + f"{digest} {end}\n"
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": place.map_of(shard), "namespace": place.namespace, "labels": {LABEL: place.slug}},
        "data": data,
    }


def shards_of(count: int) -> tuple[str, ...]:
    """By how many maps there are to be.

    Raises:
        UsageError: when it is not 1, 16 or 256.
    """
    if count not in {1, 16, 256}:
        raise UsageError(f"{count} is no number of maps", advice="1, 16 or 256")
    return _beginnings({1: 0, 16: 1, 256: 2}[count])
