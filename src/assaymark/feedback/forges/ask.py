"""Requests to a forge as data, so that they can be compared with its published description without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from assaymark.feedback.message import Status


class Ask(Struct, frozen=True):
    """One request; the path is relative to the forge's API and holds no unescaped part of foreign origin."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str] = {}


class Said(Struct, frozen=True):
    """A comment that stands there."""

    id: str
    body: str
    author: str


class Target(Struct, frozen=True):
    """Where to say something."""

    repository: str
    """Path with owner."""
    forge_id: str
    commit: str
    number: int | None = None
    """Of the merge request."""


class Forge(Protocol):
    """How one kind of forge is asked."""

    def headers(self, token: str) -> dict[str, str]:
        """With the credential."""
        ...

    def status(self, target: Target, status: Status) -> Ask: ...

    def comments(self, target: Target, page: int) -> Ask:
        """A page of the merge request's comments, a hundred at most."""
        ...

    def said(self, answer: Any) -> Sequence[Said]:
        """The comments of such a page."""
        ...

    def create(self, target: Target, body: str) -> Ask: ...

    def update(self, target: Target, comment: str, body: str) -> Ask: ...

    def created(self, answer: Any) -> str:
        """Number of the comment that was made."""
        ...
