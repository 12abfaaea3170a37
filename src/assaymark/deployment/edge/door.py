"""What a driver needs of an edge, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from assaymark.deployment.edge.table import Route


class Edge(Protocol):
    """Who is told who serves.

    Every method raises:
        DriverFailed: when the edge does not answer, or refuses.
    """

    def routes(self) -> Sequence[Route]:
        """All, as the edge holds them now."""

    def route(self, name: str) -> Route | None: ...

    def put(self, route: Route) -> None:
        """From now on this route, every other one as it is."""

    def take_away(self, name: str) -> None: ...

    def begun(self, route: str, address: str) -> int:
        """How many have something begun there."""

    def wait(self, route: str, address: str, seconds: float) -> bool:
        """Whether nobody has anything begun there before the time is over."""


def opened_edge(kind: str, folder: Path, *, start: bool) -> Edge:
    """The edge of a folder, that answers.

    Raises:
        DriverFailed: when it does not.
        EngineMissing: when its program is not installed.
    """
    if kind == "haproxy":
        from assaymark.deployment.edge.haproxy import risen as haproxy_risen  # noqa: PLC0415 - one of two

        return haproxy_risen(folder, start=start)
    from assaymark.deployment.edge.control import Edge as BuiltIn  # noqa: PLC0415 - one of two
    from assaymark.deployment.edge.starting import risen  # noqa: PLC0415 - one of two

    return risen(folder) if start else BuiltIn(folder)
