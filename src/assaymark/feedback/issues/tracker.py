"""How one kind of tracker is asked for issues: requests as data, so that they can be compared with its published description."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from assaymark.feedback.forges.ask import Ask
from assaymark.feedback.issues.text import Text

Send = Callable[[Ask], Any]
"""Sends a request and gives the document of its answer; None for an empty one."""
PAGE, MOST_PAGES = 100, 20
SKEW_SECONDS = 900
"""By how much the tracker's clock may be behind ours."""


class Home(Struct, frozen=True):
    """Where issues are made."""

    repository: str = ""
    """Path with owner, at a forge."""
    forge_id: str = ""
    project: str = ""
    """Key of a project of Jira."""
    issue_type: str = "Task"
    username: str = ""
    """Beside the token; with it Jira is asked as Jira Cloud wants it."""


class Filed(Struct, frozen=True):
    """An issue that is there."""

    number: str
    url: str = ""


class Tracker(Protocol):
    """One kind."""

    def headers(self, token: str, home: Home) -> dict[str, str]:
        """With the credential."""
        ...

    def find(self, send: Send, home: Home, marker: str, since: str) -> Filed | None:
        """The issue with this marker, made or changed since then (ISO 8601, UTC); None when there is none."""
        ...

    def make(self, send: Send, home: Home, text: Text) -> Filed: ...

    def change(self, send: Send, home: Home, number: str, text: Text, *, turns: bool) -> None:
        """Let it say this; `turns` when it is to be closed or opened again: else its state is left to people."""
        ...
