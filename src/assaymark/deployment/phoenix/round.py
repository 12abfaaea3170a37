"""One round of the keeper: goes on with what was left, looks, decides by `keep.due` or by what a server wants, and carries it out.

Guarantees: what is on its way is brought to its end before anything else is looked at; what a server wants is asked of the permit like
every other wish, so that a server can propose and never force; a pinned generation gives way to a wish only where somebody let go of it.
What a person looks away from at the server is not acted upon until then; it is told all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from assaymark.deployment.drift.drifted import Action, Drift
from assaymark.deployment.drift.instances import Looked
from assaymark.deployment.drivers.driver import Driver
from assaymark.deployment.phoenix import keep, run
from assaymark.deployment.phoenix.clock import Clock
from assaymark.deployment.phoenix.generation import KEEPER, Generation, State, Why
from assaymark.deployment.phoenix.journal import Journal
from assaymark.deployment.phoenix.keep import Deed, Due
from assaymark.deployment.phoenix.permit import Permit, Permitted
from assaymark.deployment.phoenix.run import Farewell, Wish
from assaymark.deployment.phoenix.terms import Policy, Terms
from assaymark.model.assessment import SECOND, Instant


class Means(Struct, frozen=True):
    """What a round works with."""

    driver: Driver
    terms: Terms
    permit: Permit
    clock: Clock
    told: Callable[[int, Looked], None] | None = None
    """Is told what was seen of which generation before anything is done about it; may not raise."""


class Away(Struct, frozen=True):
    """A drift that a person looks away from, at a server and with a reason, until an instant."""

    where: str
    what: str
    kind: str
    observed: str
    until: Instant


class Wanted(Struct, frozen=True):
    """What a server wants of the pair; empty digest: nothing."""

    digest: str = ""
    image: str = ""
    """Counts only where the terms name none, and when it ends in the digest."""
    actor: str = ""
    pins: bool = False
    releases: bool = False
    """What is pinned may be let go of for it."""
    stop: bool = False
    """What runs was revoked, and the environment says to stop."""
    why: str = ""
    looked_away: tuple[Away, ...] = ()


class Round(Struct, frozen=True):
    """What became of it."""

    due: Due | None = None
    drifts: tuple[Drift, ...] = ()
    resumed: Generation | None = None
    """That was left on its way, and came to its end first."""
    ended: Generation | None = None
    """That rose, or was stopped, in this round."""
    permitted: Permitted | None = None
    """How what runs stood when it was asked about."""

    @property
    def good(self) -> bool:
        """Whether nothing is left that people have to see to."""
        if self.ended is not None:
            return self.ended.state in {State.LIVE, State.STOPPED}
        return self.due is None


def one(journal: Journal, means: Means, wanted: Wanted | None = None) -> Round:
    """A round for the pair of an open journal.

    Raises:
        DriverFailed: when the platform does not answer; the next round goes on.
        UsageError: when the terms make no sense.
    """
    wish = wanted or Wanted()
    resumed = run.resume(journal, means.driver, means.terms, means.permit, means.clock)
    ledger, now = journal.ledger, means.clock.now()
    seen = keep.looked(ledger, means.driver, means.terms, now)
    if means.told is not None and ledger.live is not None:
        means.told(ledger.live.number, seen)
    drifts = tuple(_ignored(each, wish.looked_away, now) for each in seen.drifts)
    permitted = keep.asked(keep.candidates(ledger, wish.digest), ledger, means.permit, now) if ledger.live else {}
    held = permitted.get(ledger.live.digest) if ledger.live else None
    wished = _wished(journal, means, wish)
    found = _stopped(wish, means.terms, keep.due(ledger, means.terms, permitted, drifts, now))
    # A wish that may run is fresh, too: what drifted is not replaced by itself first.
    due = wished if wished is not None and wished.deed is Deed.REPLACE else found or wished
    return Round(due, drifts, resumed, _carried(journal, means, due, wish), held)


def _ignored(drift: Drift, looked_away: Sequence[Away], now: Instant) -> Drift:
    """Of exactly this difference, as it was seen then: what differs otherwise meanwhile counts."""
    same = [
        each
        for each in looked_away
        if (each.where, each.what, each.kind, each.observed) == (drift.where, drift.what, drift.kind, drift.observed)
    ]
    until = max((each.until for each in same if each.until > now), default=None)
    return drift if until is None else replace(drift, action=Action.IGNORE, until=until)


def _stopped(wish: Wanted, terms: Terms, due: Due | None) -> Due | None:
    """A server that says to stop is heard where the keeper finds the same thing wrong, and the terms do not want an alert alone."""
    if wish.stop and terms.on_revoked is not Policy.ALERT and due is not None and due.why is Why.REVOKED and due.deed is Deed.ALERT:
        return Due(Deed.STOP, Why.REVOKED, f"{due.reason}; {wish.why}")
    return due


def _wished(journal: Journal, means: Means, wish: Wanted) -> Due | None:
    """What a server wants, when it is not what runs and may run."""
    live = journal.ledger.live
    if not wish.digest or (live is not None and live.digest == wish.digest):
        return None
    if live is not None and live.pinned and not wish.releases:
        return None
    tried = [each for each in journal.ledger.generations.values() if each.digest == wish.digest and each.state is State.ABORTED]
    since = means.clock.now() - means.terms.replacement_hours * 3600 * SECOND
    if sum(each.began > since for each in tried) >= means.terms.most_replacements:
        return Due(Deed.ALERT, Why.DEPLOY, f"{wish.digest} is wanted, and was aborted {len(tried)} times")
    held = means.permit(wish.digest, journal.pair, means.clock.now())
    if not held.ok:
        return Due(Deed.ALERT, Why.DEPLOY, f"{wish.digest} is wanted, and may not run: {'; '.join(held.reasons)}")
    named = wish.image.endswith(f"@{wish.digest}") and not means.terms.image
    image = wish.image if named else keep.image_of(journal.ledger, means.terms, wish.digest)
    return Due(Deed.REPLACE, Why.DEPLOY, wish.why, Wish(wish.digest, image, wish.actor or KEEPER, Why.DEPLOY, wish.pins, wish.why))


def _carried(journal: Journal, means: Means, due: Due | None, wish: Wanted) -> Generation | None:
    if due is None or due.deed is Deed.ALERT:
        return None
    if due.deed is Deed.STOP:
        return run.stop(journal, means.driver, means.terms, means.clock, Farewell(KEEPER, due.reason))
    assert due.wish is not None  # noqa: S101 - every replacement has one
    live = journal.ledger.live
    if live is not None and live.pinned and due.why is Why.DEPLOY and wish.releases:
        run.release(journal, wish.actor or KEEPER, means.clock)
    return run.upgrade(journal, means.driver, due.wish, means.terms, means.permit, means.clock)
