"""Asks a server about components by its API. Nothing of a lock file leaves but names and versions of packages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from assaymark.cli.server_there import Server
from assaymark.errors import EngineMissing

AT_ONCE = 1_000


def get(there: Server, path: str, **query: str) -> dict[str, Any]:
    """The document of an answer.

    Raises:
        UsageError: when the server refuses.
        EngineMissing: when it does not answer.
    """
    given = {name: value for name, value in query.items() if value}
    return there.asked("GET", path + (f"?{urlencode(given)}" if given else ""))


def check(there: Server, purls: list[str], subject: int | None) -> list[dict[str, Any]]:
    """How each of these packages stands, in their order."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(purls), AT_ONCE):
        asked: dict[str, Any] = {"components": [{"purl": each} for each in purls[start : start + AT_ONCE]]}
        answer = there.asked("POST", "/approved/check", asked if subject is None else {**asked, "subject": subject})
        rows = answer.get("components")
        if not isinstance(rows, list) or len(rows) != len(asked["components"]):
            raise EngineMissing("the server's answer is none", why="it does not answer what was asked", advice="are both of one release?")
        found += rows
    return found
