"""Carries a generation from a wish to what runs, and the one before to the fire. Every deed may be asked again after a kill.

Guarantees
* the intent is in the journal before a deed, its result after it; a resumed run reads the journal, asks the driver what there is, and goes
  on at the same state: names are made from the intent, so what was launched is found and not launched twice;
* nothing is launched, and nothing gets traffic, unless the permit says so at that moment: it is asked before the launch, before each shift
  and before the old generation is burnt;
* whatever goes wrong before the old generation is being burnt gives everything back to it, and burns the new one;
* an error that is written down holds no secret of the configuration.

Not here: when to rise (`keep`), and what a server is told (`Journal.watchers`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec import Struct

from assaymark.deployment.drivers.driver import Capabilities, Configuration, Driver, DriverFailed, Instance, Launch, Share
from assaymark.deployment.phoenix import configuration, watching
from assaymark.deployment.phoenix.clock import Clock
from assaymark.deployment.phoenix.generation import KEEPER, Generation, State, Step, Why
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.permit import Permit, Permitted
from assaymark.deployment.phoenix.terms import Terms
from assaymark.deployment.phoenix.watching import Watched
from assaymark.errors import AssayError, UsageError
from assaymark.model.assessment import SECOND, Instant

_LONGEST = 2000
_FRESH = SECOND
"""For so long a permit that was just given is not asked for again."""


_TRIED_IN_PARTS = frozenset({Why.DEPLOY, Why.ROLLBACK})
"""What is wrong with what runs is not left with most of the traffic while its successor is tried."""


class Wish(Struct, frozen=True):
    """What somebody wants to run."""

    digest: str
    image: str
    """``name@sha256:<hex>``, or as the driver takes it."""
    actor: str
    why: Why = Why.DEPLOY
    pinned: bool = False
    reason: str = ""


class Farewell(Struct, frozen=True):
    """What runs is to go, without a successor."""

    actor: str
    reason: str


def upgrade(journal: Journal, driver: Driver, wish: Wish, terms: Terms, verifier: Permit, clock: Clock) -> Generation:  # noqa: PLR0913, PLR0917
    """A new generation, up to its end: live or aborted. The journal is open, and nothing is on its way in it.

    Raises:
        UsageError: when the wish cannot be, before anything was written.
        DriverFailed: when the platform fails where there is no way back; `resume` goes on.
    """
    running = _Run(journal, driver, terms, verifier, clock)
    live = journal.ledger.live
    if terms.canary and not running.able.divides:
        raise UsageError(f"the driver {running.able.driver} cannot divide traffic", advice="take `canary` out of the terms")
    if live is not None and live.pinned and wish.why is Why.DEPLOY and wish.digest != live.digest:
        pinned = f"{journal.pair} is pinned to generation {live.number} ({live.digest})"
        raise UsageError(pinned, why=live.reason, advice="release it: assay rollback --release")
    listed = max((each.generation for each in driver.list(journal.pair)), default=0)
    number = max(journal.ledger.highest, listed) + 1
    running.step(
        number, State.WANTED, actor=wish.actor, digest=wish.digest, image=wish.image, configuration=running.configured().digest,
        why=wish.why, pinned=wish.pinned, reason=wish.reason,
    )  # fmt: skip
    return running.carry(number)


def resume(journal: Journal, driver: Driver, terms: Terms, verifier: Permit, clock: Clock) -> Generation | None:
    """Go on with what is on its way, to its end; gives it, or None where nothing was. What serves and runs is then as the journal says.

    Raises:
        DriverFailed: when the platform fails where there is no way back.
    """
    running = _Run(journal, driver, terms, verifier, clock)
    moving = journal.ledger.moving
    if moving is not None:
        return running.carry(moving.number)
    if journal.ledger.generations:
        running.settle()
    return None


def stop(journal: Journal, driver: Driver, terms: Terms, clock: Clock, wish: Farewell) -> Generation:
    """Take the live generation away without a successor.

    Raises:
        UsageError: when nothing is live, or another is on its way.
        DriverFailed: when the platform does not do it; `resume` goes on.
    """
    live = journal.ledger.live
    if live is None or journal.ledger.moving is not None:
        raise UsageError(f"nothing of {journal.pair} can be stopped", why="none is live" if live is None else "another is on its way")
    running = _Run(journal, driver, terms, _nobody, clock)
    running.step(live.number, State.STOPPING, actor=wish.actor, reason=wish.reason)
    return running.carry(live.number)


def release(journal: Journal, actor: str, clock: Clock) -> Generation:
    """Unpin what is live.

    Raises:
        UsageError: when nothing is pinned.
    """
    live = journal.ledger.live
    if live is None or not live.pinned:
        raise UsageError(f"nothing of {journal.pair} is pinned")
    step = Step(journal.ledger.steps + 1, clock.now(), live.number, State.LIVE, actor, pinned=False, reason="released")
    return journal.append(step).generations[live.number]


class _Run:
    def __init__(self, journal: Journal, driver: Driver, terms: Terms, verifier: Permit, clock: Clock) -> None:
        self._journal, self._driver, self._terms, self._verifier, self._clock = journal, driver, terms, verifier, clock
        self._pair = journal.pair
        self.able: Capabilities = driver.capabilities()
        self._configured: Configuration | None = None
        self._asked: tuple[Instant, str, Permitted] | None = None
        self._deeds: Mapping[State, Callable[[Generation], None]] = {
            State.WANTED: self._verify,
            State.VERIFIED: self._launch,
            State.LAUNCHED: self._probe,
            State.HEALTHY: self._shift,
            State.SHIFTING: self._canary,
            State.SHIFTED: self._soak,
            State.SOAKED: self._retire,
            State.ABORTING: self._go_back,
            State.STOPPING: self._take_away,
        }

    # --- the way ---------------------------------------------------------------------------------------------------------

    def carry(self, number: int) -> Generation:
        while True:
            found = self._journal.ledger.generations[number]
            deed = self._deeds.get(found.state)
            if deed is None:
                return found
            try:
                deed(found)
            except AssayError as error:
                if found.state in {State.SOAKED, State.ABORTING, State.STOPPING}:
                    raise  # there is no way back from here: it is asked again
                self._abort(found, f"{error.what}{': ' if error.why else ''}{error.why}")

    def step(self, number: int, state: State, **said: object) -> None:
        words = {"actor": KEEPER, **said}
        if words.get("reason"):
            words["reason"] = self._safe(str(words["reason"]))
        self._journal.append(Step(self._journal.ledger.steps + 1, self._clock.now(), number, state, **words))  # type: ignore[arg-type]

    def configured(self) -> Configuration:
        if self._configured is None:
            self._configured = configuration.gathered(self._terms.configuration, self._journal.key())
        return self._configured

    def _verify(self, found: Generation) -> None:
        held = self._permitted(found.digest)
        if not held.ok:
            self.step(found.number, State.ABORTED, reason=_why_not(found, held))
            return
        until = held.expires if held.breakglass else Instant(0)
        reason = "; ".join((*held.notes, *held.reasons)) if held.breakglass else "; ".join(held.notes)
        self.step(
            found.number, State.VERIFIED, endorsement=held.endorsement, breakglass=held.breakglass, until=until, reason=reason,
        )  # fmt: skip

    def _launch(self, found: Generation) -> None:
        if not self._still_permitted(found):
            return
        given = self.configured()
        if given.digest != found.configuration:
            self._abort(found, "the configuration outside is not what it was when this generation was wanted; deploy again")
            return
        strange = watching.not_as_deployed(self._of(found), found)
        if strange:
            self._abort(found, strange)
            return
        there = self._driver.launch(self._asked_for(found, given))
        mine = [each for each in there if each.generation == found.number]
        strange = watching.not_as_deployed(mine, found)
        if strange or len(mine) < self._terms.count:
            self._abort(found, strange or f"{len(mine)} of {self._terms.count} instances were launched")
            return
        self.step(found.number, State.LAUNCHED, born=tuple(sorted(each.id for each in mine)))

    def _probe(self, found: Generation) -> None:
        wrong = watching.until_healthy(self._watched(found))
        if wrong:
            self._abort(found, wrong)
        else:
            self.step(found.number, State.HEALTHY)

    def _shift(self, found: Generation) -> None:
        if not self._still_permitted(found):
            return
        rest = [percent for percent in self._terms.canary if percent > found.percent]
        if self._journal.ledger.live is None or found.why not in _TRIED_IN_PARTS:
            rest = []
        if rest:
            self.step(found.number, State.SHIFTING, percent=rest[0])
            return
        self._driver.shift(self._pair, (Share(found.number, 100),))
        self.step(found.number, State.SHIFTED)

    def _canary(self, found: Generation) -> None:
        live = self._journal.ledger.live
        shares: tuple[Share, ...] = (Share(found.number, found.percent),)
        if live is not None:
            shares = (Share(live.number, 100 - found.percent), *shares)
        self._driver.shift(self._pair, shares)
        wrong = watching.steady(self._watched(found), self._terms.canary_seconds)
        if wrong:
            self._abort(found, f"at {found.percent} %: {wrong}")
        else:
            self._shift(found)

    def _soak(self, found: Generation) -> None:
        self._driver.shift(self._pair, (Share(found.number, 100),))  # after a kill: what the journal says, serves
        wrong = watching.steady(self._watched(found), self._terms.soak_seconds)
        if wrong:
            self._abort(found, wrong)
        elif self._still_permitted(found):
            self.step(found.number, State.SOAKED)

    def _retire(self, found: Generation) -> None:
        old = self._journal.ledger.live
        self._driver.shift(self._pair, (Share(found.number, 100),))
        burnt = self.burn(lambda each: each.generation != found.number, drain=True)
        if old is not None:
            self.step(old.number, State.RETIRED, burnt=_all(burnt, old.instances), reason=f"superseded by generation {found.number}")
            burnt = ()
        self.step(found.number, State.LIVE, burnt=burnt)

    def _take_away(self, found: Generation) -> None:
        self._driver.shift(self._pair, ())
        burnt = self.burn(lambda _: True)
        self.step(found.number, State.STOPPED, actor=found.stopped_by, burnt=_all(burnt, found.instances), reason=found.reason)

    # --- the way back ----------------------------------------------------------------------------------------------------

    def _abort(self, found: Generation, reason: str) -> None:
        launched = found.state is not State.WANTED
        self.step(found.number, State.ABORTING if launched else State.ABORTED, reason=reason)

    def _go_back(self, found: Generation) -> None:
        old = self._journal.ledger.live
        if old is not None and self.able.rolls:
            self._roll_back(old)
        self._driver.shift(self._pair, (Share(old.number, 100),) if old is not None else ())
        burnt = self.burn(lambda each: each.generation == found.number)
        self.step(found.number, State.ABORTED, burnt=_all(burnt, found.instances), reason=found.reason)

    def _roll_back(self, old: Generation) -> None:
        """The platform took the old generation away: the same digest again, under the same number, as other instances."""
        there = self._driver.launch(self._asked_for(old, Configuration(old.configuration), again=True))
        ids = tuple(sorted(each.id for each in there if each.generation == old.number))
        wrong = watching.until_healthy(self._watched(old))
        if set(ids) != set(old.instances) or wrong:
            gone = tuple(sorted(set(old.instances) - set(ids)))
            self.step(
                old.number, State.LIVE, pinned=old.pinned, born=ids, burnt=gone, reason=f"runs again; {wrong}" if wrong else "runs again"
            )

    # --- deeds -----------------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing is on its way: let what the journal says serve, and burn what it does not know."""
        live = self._journal.ledger.live
        wanted = (Share(live.number, 100),) if live is not None else ()
        if tuple(self._driver.serving(self._pair)) != wanted:
            self._driver.shift(self._pair, wanted)
        self.burn(lambda each: live is None or each.generation != live.number)

    def burn(self, which: Callable[[Instance], bool], *, drain: bool = False) -> tuple[str, ...]:
        ids = sorted(each.id for each in self._driver.list(self._pair) if which(each))
        for each in ids:
            if drain and self._terms.drain_seconds:
                self._drain(each)
            self._driver.burn(self._pair, each)
        left = [each.id for each in self._driver.list(self._pair) if which(each)]
        if left:
            raise DriverFailed(f"{left[0]} is still there after it was burnt", advice="look at the platform, and ask again")
        return tuple(ids)

    def _drain(self, instance: str) -> None:
        try:
            self._driver.drain(self._pair, instance, self._terms.drain_seconds)
        except DriverFailed:
            return  # it is burnt all the same: what cannot be drained may not live on

    def _of(self, found: Generation) -> list[Instance]:
        return [each for each in self._driver.list(self._pair) if each.generation == found.number]

    def _watched(self, found: Generation) -> Watched:
        return Watched(self._pair, found, self._driver, self._terms, self._clock)

    def _asked_for(self, found: Generation, given: Configuration, *, again: bool = False) -> Launch:
        terms = self._terms
        return Launch(
            self._pair, found.number, found.image, found.digest, terms.count, given, terms.options, healthy=terms.least, again=again
        )  # fmt: skip

    def _permitted(self, digest: str) -> Permitted:
        now = self._clock.now()
        if self._asked is None or self._asked[1] != digest or now - self._asked[0] > _FRESH:
            self._asked = (now, digest, self._verifier(digest, self._pair, now))
        return self._asked[2]

    def _still_permitted(self, found: Generation) -> bool:
        held = self._permitted(found.digest)
        if not held.ok:
            self._abort(found, _why_not(found, held))
        return held.ok

    def _safe(self, text: str) -> str:
        """Without the values of secrets, which a platform may repeat in an error."""
        if self._terms.configuration.secrets:
            with suppress(UsageError):  # one that cannot be read now was given to nobody now
                for value in sorted(self.configured().secrets.values(), key=len, reverse=True):
                    text = text.replace(value, "***") if len(value) > 2 else text
        return text[:_LONGEST]


def _nobody(_digest: str, _pair: object, _now: Instant, /) -> Permitted:
    return Permitted(ok=False)


def _all(burnt: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """What the platform had and what the journal knew: all of it is gone, and never returns."""
    return tuple(sorted({*burnt, *known}))


def _why_not(found: Generation, held: Permitted) -> str:
    return f"{found.digest} may not run: {'; '.join(held.reasons) or held.standing}"
