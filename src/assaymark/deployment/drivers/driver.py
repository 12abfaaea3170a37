"""The door of every driver: values in, values out, all of them JSON, so that a program of any language can be one (`drivers.exec`).

Laws that whoever calls relies on
* **Names decide.** An instance's id is made from its pair, generation and number before it is launched (`instance_id`); launching what is
  there already is a success that changes nothing, burning what is gone likewise. After a kill everything may be asked again.
* **Routes are set whole.** `shift` says who serves after it, never what changes; there is no instant at which nobody or a stranger serves.
* **Nothing is believed.** `list` and `observe` tell what the platform says runs, not what was asked for.
* A driver that cannot do as it is told raises `DriverFailed` within its time; it never reports success it did not see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from assaymark.errors import DriverFailed as DriverFailed  # noqa: PLC0414 - every driver takes it from here
from assaymark.model.assessment import Instant


class Pair(Struct, frozen=True, order=True):
    """What is deployed where; all rules are about one of these."""

    environment: str
    component: str

    def __str__(self) -> str:
        return f"{self.environment}/{self.component}"


class Capabilities(Struct, frozen=True):
    """What a driver can do beside the least."""

    driver: str
    divides: bool = False
    """Two generations can serve at once, by percent; without it a canary is refused."""
    rolls: bool = False
    """Its platform replaces the old generation by the new one itself (a Deployment, an instance refresh): launching the new one takes the
    old one away, and going back means launching the old digest again."""
    observes: tuple[str, ...] = ()
    """Of `Observation`: ``digest``, ``configuration``, ``changes``, ``processes``, ``mounts``, ``age``."""


class Configuration(Struct, frozen=True):
    """What comes from outside the image; its digest is part of the generation, its secrets are not written down anywhere."""

    digest: str
    """``sha256:<hex>`` of everything below with secrets in it, salted by the state folder's own key."""
    variables: Mapping[str, str] = {}
    secrets: Mapping[str, str] = {}
    """Name to value; a driver gives them as the platform's secrets or files in memory, never in a command line."""
    files: Mapping[str, str] = {}
    """Path inside to path outside; mounted read-only."""


class Launch(Struct, frozen=True):
    """One generation that is to rise."""

    pair: Pair
    generation: int
    image: str
    """``name@sha256:<hex>``, or a path and its manifest's digest for trees; never a tag."""
    digest: str
    """``sha256:<hex>``; the driver refuses when the platform finds another."""
    count: int
    configuration: Configuration
    options: Mapping[str, str] = {}
    """The driver's own settings, as its documentation names them."""
    healthy: int = 0
    """How many have to answer at any moment, for a platform that rolls by itself; 0: all."""
    again: bool = False
    """Only of drivers that roll: this generation ran before and is to run again (the new one was aborted). Its configuration is given by
    its digest alone; the platform still has the values, under the names of this generation."""


class Instance(Struct, frozen=True):
    """Something that runs."""

    id: str
    generation: int
    digest: str
    """That the platform says runs, empty when it cannot say."""
    configuration: str = ""
    """Digest of the configuration it was launched with, as the platform keeps it."""
    born: Instant = Instant(0)
    address: str = ""
    """Where the edge reaches it."""
    running: bool = True


class Health(Struct, frozen=True):
    """The answer of one probe."""

    ok: bool
    text: str = ""


class Share(Struct, frozen=True):
    """How much of the traffic a generation gets; all shares together are 100."""

    generation: int
    percent: int


class Change(Struct, frozen=True, order=True):
    """One path that is not as in the image."""

    path: str
    """As text, with backslash escapes where its bytes are no UTF-8."""
    kind: str
    """``added``, ``changed``, ``removed``."""
    detail: str = ""


class Observation(Struct, frozen=True):
    """What one instance is now."""

    id: str
    digest: str = ""
    configuration: str = ""
    born: Instant = Instant(0)
    changes: tuple[Change, ...] = ()
    processes: tuple[str, ...] = ()
    """Command lines of processes that did not come from the image's own entry point."""
    mounts: tuple[str, ...] = ()
    """That nobody asked for."""
    unseen: tuple[str, ...] = ()
    """What could not be looked at, with the reason: never silently nothing."""


class Driver(Protocol):
    """What runs things.

    Every method raises:
        DriverFailed: when the platform did not do it, or did not say.
    """

    def capabilities(self) -> Capabilities: ...

    def list(self, pair: Pair) -> Sequence[Instance]:
        """All of the pair's instances that there are, of every generation, running or not."""

    def launch(self, asked: Launch) -> Sequence[Instance]:
        """All instances of the generation are there (not: healthy) when this returns; none of them gets traffic."""

    def probe(self, pair: Pair, instance: str) -> Health:
        """Whether it answers; one try, within seconds."""

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        """From now on these generations serve, and no other; every new connection after it returns goes by them. No shares: nobody."""

    def serving(self, pair: Pair) -> Sequence[Share]:
        """Who serves now, as the edge itself says."""

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:
        """Whether what it had begun ended within the time; it gets nothing new."""

    def burn(self, pair: Pair, instance: str) -> None:
        """It is gone, with everything that was written in it."""

    def observe(self, pair: Pair, instance: str) -> Observation: ...


@runtime_checkable
class Rehearses(Protocol):
    """A driver may have this beside: what `launch` and `shift` would do, in its platform's own words, for a dry run. Changes nothing."""

    def rehearsed(self, asked: Launch) -> Sequence[str]: ...


def instance_id(pair: Pair, generation: int, number: int) -> str:
    """What an instance is called everywhere: lower-case letters, digits and hyphens, at most 63 (a DNS label).

    Two pairs never share an id: what cannot be said in a label is told apart by a digest.
    """
    from assaymark.deployment.drivers.naming import label  # noqa: PLC0415 - only who launches needs it

    return label(pair, f"g{generation}-{number}")
