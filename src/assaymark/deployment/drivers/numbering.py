"""Numbers of what a platform names itself (pods, machines), so that ids are made of pair, generation and number there too. Pure.

Guarantees: a number that was written on a thing stays with it; one that was burnt is never given again; the same things get the same
numbers, in whatever order they are told. A platform that replaces a dead instance by itself gives its number to the new one, since nobody
burnt it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from assaymark.deployment.drivers.driver import Pair, instance_id
from assaymark.model.assessment import Instant

_ENDING = re.compile(r"-g([1-9][0-9]{0,8})-([1-9][0-9]{0,5})\Z")


class Found(Struct, frozen=True):
    """One thing of one generation."""

    name: str
    """As the platform calls it."""
    born: Instant
    number: int = 0
    """That is written on it; 0 when none is."""


def numbers(found: Iterable[Found], burnt: Collection[int] = ()) -> Mapping[str, int]:
    """Name -> number, for the things of one generation."""
    ordered = sorted(found, key=lambda each: (each.born, each.name))
    given: dict[str, int] = {}
    taken = set(burnt)
    for each in ordered:
        if each.number > 0 and each.number not in taken:
            given[each.name] = each.number
            taken.add(each.number)
    following = 1
    for each in ordered:
        if each.name in given:
            continue
        while following in taken:
            following += 1
        given[each.name] = following
        taken.add(following)
    return given


def parsed(pair: Pair, instance: str) -> tuple[int, int] | None:
    """Generation and number of an id of this pair; nothing when it is none."""
    found = _ENDING.search(instance)
    if found is None:
        return None
    generation, number = int(found[1]), int(found[2])
    return (generation, number) if instance_id(pair, generation, number) == instance else None
