"""What is known of a pair: its generations and the steps they took. Pure: steps in, state out.

    wanted ─► verified ─► launched ─► healthy ─► shifting ─► shifted ─► soaked ─► live ─► retired
                 │            │          │           │          │          │
                 └────────────┴──────────┴─────► aborting ◄─────┴──────────┘ ─► aborted
                                                                        live ─► stopping ─► stopped

Laws (property tests in ``tests/deployment``)
* numbers only rise, and each is used once; an aborted or retired generation never moves again;
* at most one generation of a pair is on its way, at most one is live;
* a step that does not follow from the last is refused: a journal cannot be talked into a state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from assaymark.deployment.drivers.driver import Pair
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant

KEEPER = "phoenix"
"""Who asks, where nobody did: the keeper by itself."""


class State(StrEnum):
    """Where a generation is on its way."""

    WANTED = "wanted"
    """It has its number, digest and configuration."""
    VERIFIED = "verified"
    """Its endorsement holds now, or a break-glass order lets it through."""
    LAUNCHED = "launched"
    HEALTHY = "healthy"
    SHIFTING = "shifting"
    """Canary: it gets a part of the traffic; said once for each percentage."""
    SHIFTED = "shifted"
    """It gets everything, the old one is still there."""
    SOAKED = "soaked"
    """It was watched for its time; the old one is being burnt."""
    LIVE = "live"
    RETIRED = "retired"
    """Superseded, and all its instances are burnt."""
    STOPPING = "stopping"
    """It gets nothing any more, and is being burnt; nothing takes its place."""
    STOPPED = "stopped"
    """Taken away without a successor: it was revoked, and the terms say to stop; or somebody burnt it."""
    ABORTING = "aborting"
    """The old one has everything again; the new one is being burnt."""
    ABORTED = "aborted"


_NEXT: Mapping[State, frozenset[State]] = {
    State.WANTED: frozenset({State.VERIFIED, State.ABORTED}),
    State.VERIFIED: frozenset({State.LAUNCHED, State.ABORTING}),
    State.LAUNCHED: frozenset({State.HEALTHY, State.ABORTING}),
    State.HEALTHY: frozenset({State.SHIFTING, State.SHIFTED, State.ABORTING}),
    State.SHIFTING: frozenset({State.SHIFTING, State.SHIFTED, State.ABORTING}),
    State.SHIFTED: frozenset({State.SOAKED, State.ABORTING}),
    State.SOAKED: frozenset({State.LIVE}),
    State.LIVE: frozenset({State.RETIRED, State.STOPPING}),
    State.STOPPING: frozenset({State.STOPPED}),
    State.ABORTING: frozenset({State.ABORTED}),
}
ENDED = frozenset({State.RETIRED, State.STOPPED, State.ABORTED})
ON_ITS_WAY = frozenset(State) - ENDED - {State.LIVE}


class Why(StrEnum):
    """What a generation rose for."""

    DEPLOY = "deploy"
    ROLLBACK = "rollback"
    """An older digest as a new generation; pinned until a person releases it."""
    DRIFT = "drift"
    REVOKED = "revoked"
    AGE = "age"


class Step(Struct, frozen=True, omit_defaults=True):
    """One entry of a pair's journal; what it says has happened."""

    number: int
    """From 1, without a gap."""
    at: Instant
    generation: int
    state: State
    actor: str
    """Login of who asked, or `KEEPER`."""
    digest: str = ""
    image: str = ""
    configuration: str = ""
    """Digest; with `digest` and `image` said with `State.WANTED` only."""
    why: Why = Why.DEPLOY
    percent: int = 0
    """Of `State.SHIFTING`."""
    endorsement: str = ""
    """Its id; of `State.VERIFIED`."""
    breakglass: str = ""
    """Digest of the order that let it through instead."""
    until: Instant = Instant(0)
    """When that order ends."""
    pinned: bool = False
    born: tuple[str, ...] = ()
    """Ids of instances; of `State.LAUNCHED`."""
    burnt: tuple[str, ...] = ()
    """Ids that are gone for ever; of `RETIRED`, `STOPPED`, `ABORTED`, `LIVE`."""
    reason: str = ""
    """In words, for people; never a secret."""


class Generation(Struct, frozen=True):
    """One of a pair, as its steps tell it."""

    number: int
    state: State
    digest: str
    image: str
    configuration: str
    why: Why
    actor: str
    began: Instant
    moved: Instant
    """When it reached its state."""
    live_since: Instant = Instant(0)
    percent: int = 0
    endorsement: str = ""
    breakglass: str = ""
    until: Instant = Instant(0)
    pinned: bool = False
    instances: tuple[str, ...] = ()
    reason: str = ""
    stopped_by: str = ""
    """Who had it taken away."""


class Ledger(Struct, frozen=True):
    """All that is known of a pair."""

    pair: Pair
    generations: Mapping[int, Generation] = {}
    steps: int = 0
    burnt: frozenset[str] = frozenset()

    @property
    def live(self) -> Generation | None:
        return next((each for each in self.generations.values() if each.state is State.LIVE), None)

    @property
    def moving(self) -> Generation | None:
        return next((each for each in self.generations.values() if each.state in ON_ITS_WAY), None)

    @property
    def highest(self) -> int:
        return max(self.generations, default=0)


def told(pair: Pair, steps: Iterable[Step]) -> Ledger:
    """The ledger that these steps make.

    Raises:
        UsageError: when one does not follow from those before it.
    """
    ledger = Ledger(pair)
    for step in steps:
        ledger = after(ledger, step)
    return ledger


def after(ledger: Ledger, step: Step) -> Ledger:
    """The ledger with one more step.

    Raises:
        UsageError: when it does not follow.
    """
    if step.number != ledger.steps + 1:
        raise _wrong(ledger, step, f"it is number {step.number}, after {ledger.steps}")
    known = ledger.generations.get(step.generation)
    found = _begun(ledger, step) if known is None else _moved(ledger, known, step)
    return Ledger(ledger.pair, {**ledger.generations, step.generation: found}, step.number, ledger.burnt | frozenset(step.burnt))


def _begun(ledger: Ledger, step: Step) -> Generation:
    if step.state is not State.WANTED:
        raise _wrong(ledger, step, "the generation is not known")
    if step.generation <= ledger.highest:
        raise _wrong(ledger, step, f"generations only rise, and {ledger.highest} was there")
    if ledger.moving is not None:
        raise _wrong(ledger, step, f"generation {ledger.moving.number} is still on its way")
    return Generation(
        step.generation, step.state, step.digest, step.image, step.configuration, step.why, step.actor, step.at, step.at,
        pinned=step.pinned, reason=step.reason,
    )  # fmt: skip


def _moved(ledger: Ledger, known: Generation, step: Step) -> Generation:
    if step.state is known.state and step.state in {State.LIVE, State.LAUNCHED}:
        return _again(ledger, known, step)
    if step.state not in _NEXT.get(known.state, frozenset()):
        raise _wrong(ledger, step, f"it is {known.state}")
    if returning := ledger.burnt.intersection(step.born):
        raise _wrong(ledger, step, f"{min(returning)} was burnt, and what was burnt never returns")
    if step.state is State.LIVE and ledger.live is not None:
        raise _wrong(ledger, step, f"generation {ledger.live.number} is live")
    return replace(
        known,
        state=step.state,
        moved=step.at,
        live_since=step.at if step.state is State.LIVE else known.live_since,
        percent=step.percent or known.percent,
        endorsement=step.endorsement or known.endorsement,
        breakglass=step.breakglass or known.breakglass,
        until=step.until or known.until,
        instances=step.born or known.instances,
        reason=step.reason or known.reason,
        stopped_by=step.actor if step.state is State.STOPPING else known.stopped_by,
    )


def _again(ledger: Ledger, known: Generation, step: Step) -> Generation:
    """A live generation is pinned or released, or its instances were made anew within it."""
    if returning := ledger.burnt.intersection(step.born):
        raise _wrong(ledger, step, f"{min(returning)} was burnt, and what was burnt never returns")
    return replace(
        known, pinned=step.pinned, endorsement=step.endorsement or known.endorsement, instances=step.born or known.instances,
        reason=step.reason or known.reason,
    )  # fmt: skip


def _wrong(ledger: Ledger, step: Step, why: str) -> UsageError:
    return UsageError(f"generation {step.generation} of {ledger.pair} cannot become {step.state}", why=why)
