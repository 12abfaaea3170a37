"""A page out of rows that were asked for one more than it shows: whether there is another row says whether there is another page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from assaymark.server.api import cursor
from assaymark.server.api.route import Page

Row = TypeVar("Row")
View = TypeVar("View")


def page_of(rows: Sequence[Row], limit: int, key: str = "id") -> Page[Row]:
    """The rows as they are; the next page begins behind the last one's `key`."""
    return viewed(rows, limit, lambda row: row, key)


def viewed(rows: Sequence[Any], limit: int, view: Callable[[Any], View], key: str = "id") -> Page[View]:
    """The rows as a caller is shown them."""
    following = cursor.encode((getattr(rows[limit - 1], key),)) if len(rows) > limit else None
    return Page(tuple(view(row) for row in rows[:limit]), next=following)
