"""The rooms of the server that a visitor is shown a way to: only those that are there, and of those only what he may see."""

from __future__ import annotations

from collections.abc import Collection

from msgspec import Struct

from assaymark.model.access import Permission, Principal


class Place(Struct, frozen=True):
    """One entry of the navigation."""

    address: str
    name: str
    permission: Permission | None
    key: str
    """Pressed after ``g``, leads there."""


PLACES = (
    Place("/", "Queue", None, "q"),
    Place("/changes", "Changes", Permission.ASSESSMENTS_READ, "c"),
    Place("/findings", "Findings", Permission.FINDINGS_READ, "f"),
    Place("/items", "Items", Permission.FINDINGS_READ, "i"),
    Place("/subjects", "Subjects", Permission.SUBJECTS_READ, "s"),
    Place("/trace", "Trace", Permission.SUBJECTS_READ, "t"),
    Place("/posture", "Posture", Permission.SUBJECTS_READ, "p"),
    Place("/decisions", "Decisions", Permission.FINDINGS_READ, "d"),
    Place("/report", "Report", Permission.SUBJECTS_READ, "r"),
    Place("/policies", "Policies", Permission.POLICIES_READ, "o"),
    Place("/repositories", "Repositories", Permission.SUBJECTS_READ, "e"),
    Place("/settings", "Settings", None, "g"),
)
"""In the order in which they are shown."""


def places_for(visitor: Principal | None, rooms: Collection[str]) -> tuple[Place, ...]:
    """What is shown to this visitor of a server that has these pages."""
    if visitor is None:
        return ()
    there = (place for place in PLACES if place.address in rooms)
    return tuple(place for place in there if place.permission is None or visitor.may_somewhere(place.permission))


def is_here(address: str, path: str) -> bool:
    """Whether a page belongs to this room."""
    return path == address or (address != "/" and path.startswith(address + "/"))
