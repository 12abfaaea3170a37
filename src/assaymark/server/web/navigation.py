"""The rooms of the server that a visitor is shown a way to: only those that are there, and of those only what he may see."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from assaymark.model.access import Permission, Principal


class Place(Struct, frozen=True):
    """One entry of the navigation."""

    address: str
    name: str
    key: str
    """Pressed after ``g``, leads there."""


PLACES = (
    Place("/", "Queue", "q"),
    Place("/changes", "Changes", "c"),
    Place("/findings", "Findings", "f"),
    Place("/items", "Items", "i"),
    Place("/subjects", "Subjects", "s"),
    Place("/trace", "Trace", "t"),
    Place("/endorsements", "Endorsements", "n"),
    Place("/environments", "Environments", "m"),
    Place("/posture", "Posture", "p"),
    Place("/decisions", "Decisions", "d"),
    Place("/revocations", "Revocations", "v"),
    Place("/report", "Report", "r"),
    Place("/approved", "Approved", "a"),
    Place("/policies", "Policies", "o"),
    Place("/log", "Log", "l"),
    Place("/repositories", "Repositories", "e"),
    Place("/settings", "Settings", "g"),
)
"""In the order in which they are shown."""
_WITHIN_SETTINGS = frozenset({"/repositories"})
"""A way leads there from the settings, where there are any."""


def places_for(visitor: Principal | None, rooms: Mapping[str, Permission | None]) -> tuple[Place, ...]:
    """What is shown to this visitor of a server that has these pages, each with the permission that it asks."""
    if visitor is None:
        return ()
    there = [place for place in PLACES if place.address in rooms and not (place.address in _WITHIN_SETTINGS and "/settings" in rooms)]
    asked = [(place, rooms[place.address]) for place in there]
    return tuple(place for place, permission in asked if permission is None or visitor.may_somewhere(permission))


def is_here(address: str, path: str) -> bool:
    """Whether a page belongs to this room."""
    return path == address or (address != "/" and path.startswith(address + "/"))
