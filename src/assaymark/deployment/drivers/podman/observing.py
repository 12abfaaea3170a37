"""What one container is now. podman is asked once per process of a container; everything that can change is read anew each time.

Guarantees: what could not be looked at is said (`Observation.unseen`). What a container may do beyond what it was launched with stands in
its configuration: it is then no configuration that anybody wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import Change, DriverFailed, Instance, Observation
from assaymark.deployment.drivers.podman import inside, launching
from assaymark.deployment.drivers.podman.asking import Container
from assaymark.deployment.drivers.podman.options import Options
from assaymark.errors import AssayError
from assaymark.formats.undecodable import UNDECODABLE

T = TypeVar("T")


class Known(Struct, frozen=True):
    """What does not change while this process lives."""

    container: str
    instance: Instance
    pid: int
    started: int
    places: frozenset[str]
    liberties: tuple[str, ...]
    """That podman itself admits."""


class Observer:
    """Remembers whom podman was asked about."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._known: dict[str, Known] = {}

    def known(self, name: str) -> Known | None:
        """What was learnt, while it is still the same process."""
        found = self._known.get(name)
        try:
            return found if found is not None and inside.started(found.pid) == found.started else None
        except (inside.Gone, OSError):
            return None

    def learn(self, found: Container, instance: Instance) -> Known:
        """What podman says of it.

        Raises:
            DriverFailed: when it does not run: there is nothing to be seen of it.
        """
        started = _began(found)
        if started is None:
            raise DriverFailed(f"{found.name} does not run", why=f"it is {found.state.status}")
        known = Known(found.id, instance, found.state.pid, started, _places(found), tuple(_admitted(found, self._options)))
        self._known[found.name] = known
        return known

    def observed(self, known: Known) -> Observation:
        unseen: list[str] = []
        pid = known.pid
        mounts = _seen("mounts", lambda: inside.mounts(pid), unseen)
        writable = self._options.writable == "yes"
        more = _seen("rights", lambda: inside.liberties(pid, mounts, self._options.kept, writable=writable), unseen)
        free = (*known.liberties, *more)
        configuration = known.instance.configuration
        return Observation(
            known.instance.id,
            known.instance.digest,
            f"{configuration}, and {', '.join(free)}" if free else configuration,
            known.instance.born,
            _seen("changes", lambda: _changes(mounts, known.places), unseen),
            _seen("processes", lambda: tuple(inside.strange_processes(pid, mounts, known.places)), unseen),
            inside.strange_mounts(mounts, known.places, known.container),
            tuple(unseen),
        )


def _began(found: Container) -> int | None:
    try:
        return inside.started(found.state.pid) if found.state.running else None
    except inside.Gone:
        return None


def _seen(what: str, look: Callable[[], tuple[T, ...]], unseen: list[str]) -> tuple[T, ...]:
    try:
        return look()
    except inside.Gone:
        unseen.append(f"{what}: it ended meanwhile")
    except AssayError as error:
        unseen.append(f"{what}: {error.what}{': ' if error.why else ''}{error.why}")
    except (OSError, ValueError) as error:
        unseen.append(f"{what}: {error}")
    return ()


def _changes(mounts: tuple[inside.Mount, ...], places: frozenset[str]) -> tuple[Change, ...]:
    from assaymark.deployment.drift.upper import changes, noise  # noqa: PLC0415 - only who observes needs it

    root = inside.root(mounts)
    if root is None or not root.upper:
        raise ValueError("its root is no overlay with a directory of its own")
    return changes(root.upper, root.lowers, noise(sorted(places)))


def _places(found: Container) -> frozenset[str]:
    try:
        return frozenset(msgspec.json.decode(found.labels.get(launching.PLACES, "[]"), type=list[str]))
    except UNDECODABLE:
        return frozenset()


def _admitted(found: Container, options: Options) -> list[str]:
    said = found.host_config
    free = ["every right (privileged)"] if said.privileged else []
    if not said.memory:
        free.append("memory without a bound")
    if said.pids_limit <= 0 and int(options.pids):
        free.append("processes without a bound")
    return free
