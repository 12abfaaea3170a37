"""Replacing machines one after another without Instance Refresh: the next deed from what is seen. Pure, so that a kill costs nothing.

Guarantees (laws in ``tests/deployment``)
* an old machine that answers goes only while, without it, as many answer as must; one that does not answer goes first;
* more machines than asked for are wanted only up to the surge, and none at the end;
* it ends when the cloud makes machines that answer; where it does not, nothing more is taken away.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct


class Kind(StrEnum):
    DONE = "done"
    WAIT = "wait"
    CAPACITY = "capacity"
    """Want so many machines."""
    TERMINATE = "terminate"
    """Take this one away, and want one fewer."""


class Deed(Struct, frozen=True):
    kind: Kind
    count: int = 0
    machine: str = ""


class One(Struct, frozen=True):
    """A machine, for this purpose."""

    id: str
    new: bool
    serves: bool
    going: bool = False


class Seen(Struct, frozen=True):
    """A group at one moment."""

    desired: int
    machines: Sequence[One]


def following(seen: Seen, count: int, healthy: int, surge: int) -> Deed:
    """What to do next, so that `count` new machines are there and never fewer than `healthy` answer."""
    there = [each for each in seen.machines if not each.going]
    new, old = [each for each in there if each.new], [each for each in there if not each.new]
    if not old:
        if seen.desired != count:
            return Deed(Kind.CAPACITY, count)
        done = len(new) == count and all(each.serves for each in new)
        return Deed(Kind.DONE if done else Kind.WAIT)
    goes = min(old, key=lambda each: (each.serves, each.id))
    if not goes.serves or sum(each.serves for each in there) - 1 >= healthy:
        return Deed(Kind.TERMINATE, machine=goes.id)
    if len(new) < count and seen.desired < count + surge:
        return Deed(Kind.CAPACITY, count + surge)
    return Deed(Kind.WAIT)
