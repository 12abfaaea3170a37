"""A platform that is a folder of files: real enough to be killed in the middle, and small enough to look through.

``instances/<id>`` is an instance, ``routes`` the table of its edge (exchanged whole), ``history`` what happened, one line each. Before and
after each deed a *point* is passed: a test says what happens there (nothing, an error, SIGKILL).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from assaymark.deployment.drivers.driver import (
    Capabilities,
    Driver,
    DriverFailed,
    Health,
    Instance,
    Launch,
    Observation,
    Pair,
    Share,
    instance_id,
)


class Event(Struct, frozen=True):
    """One line of the history."""

    what: str
    """``launch``, ``burn``, ``shift``."""
    ids: tuple[str, ...] = ()
    shares: tuple[Share, ...] = ()


class FolderPlatform:
    """One pair's platform."""

    def __init__(self, folder: Path, *, point: Callable[[str], None] = lambda _: None, rolls: bool = False) -> None:
        self.folder, self.point, self.rolls = folder, point, rolls
        self.healthy: Callable[[Instance], bool] = lambda _: True
        (folder / "instances").mkdir(parents=True, exist_ok=True)

    def capabilities(self) -> Capabilities:
        return Capabilities("folder", divides=not self.rolls, rolls=self.rolls, observes=("digest", "configuration", "age"))

    def history(self) -> Sequence[Event]:
        path = self.folder / "history"
        return [msgspec.json.decode(line, type=Event) for line in path.read_bytes().splitlines()] if path.exists() else []

    def list(self, pair: Pair) -> Sequence[Instance]:
        self.point("list")
        return [msgspec.json.decode(path.read_bytes(), type=Instance) for path in sorted((self.folder / "instances").glob("[!.]*"))]

    def launch(self, asked: Launch) -> Sequence[Instance]:
        self.point("before launch")
        taken = 0
        for number in range(1, asked.count + 1):
            while self.rolls and self._was(instance_id(asked.pair, asked.generation, number + taken)):
                taken += 10
            name = instance_id(asked.pair, asked.generation, number + taken)
            path = self.folder / "instances" / name
            if not path.exists():
                self._tell(Event("launch", (name,)))
                made = Instance(name, asked.generation, asked.digest, asked.configuration.digest, address=f"here:{number}")
                self._write(path, msgspec.json.encode(made))
            self.point("within launch")
        if self.rolls:
            self._route((Share(asked.generation, 100),))
            for each in self.list(asked.pair):
                if each.generation != asked.generation:
                    self._burn(each.id)
        self.point("after launch")
        return [each for each in self.list(asked.pair) if each.generation == asked.generation]

    def probe(self, pair: Pair, instance: str) -> Health:
        self.point("probe")
        path = self.folder / "instances" / instance
        if not path.exists():
            raise DriverFailed(f"there is no {instance}")
        return Health(ok=self.healthy(msgspec.json.decode(path.read_bytes(), type=Instance)))

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        self.point("before shift")
        self._route(tuple(shares))
        self.point("after shift")

    def serving(self, pair: Pair) -> Sequence[Share]:
        return self.routes()

    def routes(self) -> tuple[Share, ...]:
        path = self.folder / "routes"
        return msgspec.json.decode(path.read_bytes(), type=tuple[Share, ...]) if path.exists() else ()

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:
        self.point("drain")
        return True

    def burn(self, pair: Pair, instance: str) -> None:
        self.point("before burn")
        self._burn(instance)
        self.point("after burn")

    def observe(self, pair: Pair, instance: str) -> Observation:
        found = next(each for each in self.list(pair) if each.id == instance)
        return Observation(found.id, found.digest, found.configuration, found.born)

    # --- for tests -------------------------------------------------------------------------------------------------------

    def change(self, instance: str, **other: object) -> None:
        """Somebody tampers."""
        path = self.folder / "instances" / instance
        self._write(path, msgspec.json.encode(replace(msgspec.json.decode(path.read_bytes(), type=Instance), **other)))

    def _was(self, instance: str) -> bool:
        return any(each.what == "burn" and instance in each.ids for each in self.history())

    def _burn(self, instance: str) -> None:
        if (self.folder / "instances" / instance).exists():
            self._tell(Event("burn", (instance,)))
            (self.folder / "instances" / instance).unlink(missing_ok=True)

    def _route(self, shares: tuple[Share, ...]) -> None:
        self._tell(Event("shift", (), shares))
        self._write(self.folder / "routes", msgspec.json.encode(shares))

    def _tell(self, event: Event) -> None:
        with (self.folder / "history").open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")

    def _write(self, path: Path, data: bytes) -> None:
        draft = path.with_name(f".{path.name}-{os.getpid()}")
        draft.write_bytes(data)
        draft.replace(path)


def as_driver(platform: FolderPlatform) -> Driver:
    """The type checker looks at it."""
    return platform
