"""Keeps a pair as it should be: one round looks at what runs, and says what is due. Deciding is pure (`due`), looking is not (`looked`).

Guarantees
* what is due is decided from what is known now and by the terms alone; nothing is due while a generation is on its way;
* only what is permitted now is ever wished for; what was revoked is not replaced by itself;
* what is merely unproven (trust too old, a place that does not answer) takes nothing away: it alerts;
* replacements are counted in the journal: beyond the rate of the terms the keeper alerts, so that what cannot be healed by replacing it is
  not replaced without end. A replacement that was aborted counts too.

An instance that is not there or does not run is a drift like any other: nothing is repaired within a generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from assaymark.deployment.drift.drifted import Action, Drift, Weight
from assaymark.deployment.drift.instances import Looked, look
from assaymark.deployment.drivers.driver import Driver
from assaymark.deployment.phoenix.generation import KEEPER, Generation, Ledger, State, Why
from assaymark.deployment.phoenix.permit import Permit, Permitted, Standing
from assaymark.deployment.phoenix.run import Wish
from assaymark.deployment.phoenix.terms import Policy, Terms
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant

_HOUR = 3600 * SECOND
_AUTOMATIC = frozenset({Why.DRIFT, Why.REVOKED, Why.AGE})
_MOST_FORMER = 20
"""Earlier digests that are asked about, the newest first, when what runs was revoked."""
_POLICIES: Mapping[Why, Callable[[Terms], Policy]] = {
    Why.DRIFT: lambda terms: terms.on_drift,
    Why.REVOKED: lambda terms: terms.on_revoked,
    Why.AGE: lambda terms: terms.on_age,
}


class Deed(StrEnum):
    """What is to be done."""

    REPLACE = "replace"
    STOP = "stop"
    ALERT = "alert"


class Due(Struct, frozen=True):
    """What is due, and why."""

    deed: Deed
    why: Why
    reason: str
    wish: Wish | None = None
    """Of `Deed.REPLACE`."""


def due(ledger: Ledger, terms: Terms, permitted: Mapping[str, Permitted], drifts: Sequence[Drift], now: Instant) -> Due | None:
    """What is due for a pair whose live digest, and others that could take its place, stand as `permitted` says.

    The heaviest comes first: an approval that was taken back, then drift, then age.
    """
    live = ledger.live
    if live is None or ledger.moving is not None:
        return None
    held = permitted.get(live.digest, Permitted(ok=False))
    if not held.ok:
        return _unapproved(ledger, live, terms, (permitted, held), now)
    found = [each for each in drifts if each.action is Action.REPLACE]
    aged = [each for each in found if each.kind == "age"]
    if len(found) > len(aged):
        return _decided(ledger, terms, (Why.DRIFT, _told([each for each in found if each.kind != "age"])), live.digest, now)
    age = now - (live.live_since or live.began)
    if aged or (terms.max_age_hours and age > terms.max_age_hours * _HOUR):
        return _decided(ledger, terms, (Why.AGE, f"it runs for {age // _HOUR} hours, at most {terms.max_age_hours}"), live.digest, now)
    alerts = [each for each in drifts if each.action is Action.ALERT]
    return Due(Deed.ALERT, Why.DRIFT, _told(alerts)) if alerts else None


def candidates(ledger: Ledger, wanted: str = "") -> tuple[str, ...]:
    """Digests to ask the permit about: what runs, what is wanted, and what was live before, the newest first."""
    before = sorted((each for each in ledger.generations.values() if each.live_since), key=lambda each: -each.number)
    live = (ledger.live.digest,) if ledger.live else ()
    named = (*live, *((wanted,) if wanted else ()), *(each.digest for each in before))
    return tuple(dict.fromkeys(named))[: _MOST_FORMER + 1]


def asked(digests: Sequence[str], ledger: Ledger, permit: Permit, now: Instant) -> dict[str, Permitted]:
    """How they stand. What could take the live one's place is asked about only when it has to go."""
    found: dict[str, Permitted] = {}
    for digest in digests:
        found[digest] = permit(digest, ledger.pair, now)
        if found[digest].ok:
            break
    return found


def looked(ledger: Ledger, driver: Driver, terms: Terms, now: Instant) -> Looked:
    """What differs between the live generation and what its instances are.

    Where a platform rolls by itself, instances come and go within a generation: only that there are too few is told, and replaces nothing.

    Raises:
        DriverFailed: when the platform does not say what it can.
        UsageError: when the terms name an instant that is none.
    """
    if ledger.live is None:
        return Looked((), ())
    seen = look(driver, ledger, terms, now)
    if not driver.capabilities().rolls:
        return seen
    kept = [each for each in seen.drifts if (each.kind, each.expected) != ("instance", "running")]
    running = sum(each.running and each.generation == ledger.live.number for each in driver.list(ledger.pair))
    if running < terms.least:
        name = str(ledger.pair)
        kept.append(Drift(name, "instances", "instance", f"{terms.least} running", f"{running} running", Weight.HIGH, Action.ALERT))
        return Looked(tuple(kept), (*seen.ids, name))
    return Looked(tuple(kept), (*seen.ids, str(ledger.pair)))


def _unapproved(
    ledger: Ledger, live: Generation, terms: Terms, stands: tuple[Mapping[str, Permitted], Permitted], now: Instant
) -> Due | None:
    permitted, held = stands
    reason = f"{live.digest} is {held.standing}: {'; '.join(held.reasons)}"
    ended = bool(live.breakglass) and held.standing is not Standing.REVOKED
    if held.standing is Standing.UNPROVEN and not ended:
        return Due(Deed.ALERT, Why.REVOKED, reason)
    if ended:
        reason = f"the break-glass order ended that let {live.digest} run: {'; '.join(held.reasons)}"
    if held.standing is Standing.EXPIRED and not ended:
        if terms.on_expired is not Policy.REPLACE:
            deed = Deed.STOP if terms.on_expired is Policy.STOP else Deed.ALERT
            return Due(deed, Why.AGE, reason)
    elif terms.on_revoked is not Policy.REPLACE:
        return Due(Deed.STOP if terms.on_revoked is Policy.STOP else Deed.ALERT, Why.REVOKED, reason)
    other = next((digest for digest, each in permitted.items() if each.ok), "")  # in the order of `candidates`
    if not other:
        deed = Deed.STOP if terms.without_approved is Policy.STOP else Deed.ALERT
        return Due(deed, Why.REVOKED, f"{reason}; nothing approved can take its place")
    return _decided(ledger, terms, (Why.REVOKED, reason), other, now)


def _decided(ledger: Ledger, terms: Terms, cause: tuple[Why, str], digest: str, now: Instant) -> Due:
    why, reason = cause
    policy = Policy.REPLACE if why is Why.REVOKED else _POLICIES[why](terms)
    if policy is not Policy.REPLACE:
        return Due(Deed.STOP if policy is Policy.STOP else Deed.ALERT, why, reason)
    since = now - terms.replacement_hours * _HOUR
    done = sum(each.why in _AUTOMATIC and each.began > since for each in ledger.generations.values())
    if done >= terms.most_replacements:
        limit = f"{done} replacements within {terms.replacement_hours} hours are the most that the terms allow"
        return Due(Deed.ALERT, why, f"{reason}; {limit}")
    live = ledger.live
    pinned = live is not None and live.pinned and live.digest == digest
    return Due(Deed.REPLACE, why, reason, Wish(digest, image_of(ledger, terms, digest), KEEPER, why, pinned, reason))


def image_of(ledger: Ledger, terms: Terms, digest: str) -> str:
    """How the driver is told of a digest: as it was before, or by the name in the terms."""
    before = [each.image for each in ledger.generations.values() if each.digest == digest and each.image]
    return before[-1] if before else f"{terms.image}@{digest}" if terms.image else digest


def rolled_back(ledger: Ledger, number: int | None = None, digest: str = "") -> Generation:
    """Which generation a rollback is to: the one that is named, by number or digest, or the newest that was live with another digest.

    Raises:
        UsageError: when there is none, or it was never live.
    """
    live = ledger.live
    if number is not None:
        named = ledger.generations.get(number)
        if named is None or not named.live_since:
            raise UsageError(f"generation {number} of {ledger.pair} was never live", advice="see `assay instances --all`")
        return named
    over = [each for each in ledger.generations.values() if each.state in {State.RETIRED, State.STOPPED}]
    former = [each for each in over if (each.digest == digest if digest else live is None or each.digest != live.digest)]
    if not former:
        why = f"{digest[:100]} was never live" if digest else "no other digest was live before"
        raise UsageError(f"there is nothing to roll {ledger.pair} back to", why=why, advice="see `assay instances --all`")
    return max(former, key=lambda each: each.number)


def _told(drifts: Sequence[Drift]) -> str:
    shown = "; ".join(f"{each.where}: {each.kind} {each.what}" for each in drifts[:5])
    return f"{shown}; and {len(drifts) - 5} more" if len(drifts) > 5 else shown
