"""What sensors tell of drifts, and looking away from one for a time.

Guarantees: a drift is new once, and what is new in one telling is one happening and one line of the transparency log, however much it is;
what was told before and is not there any more has vanished, where the telling says what it looked at. Nobody can accept a drift: a person
with a reason can look away until an instant, which lies at most as many days after the first time that somebody did as the terms say.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.drift.drifted import Drift
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.people.accounts import By
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.service import Service
from assaymark.server.work import standing
from assaymark.server.work.publish import publish
from assaymark.store import drifts, environments, generations, log, trail
from assaymark.store.drifts import WEIGHTS, DriftRow, Told
from assaymark.store.environments import PairRow
from assaymark.store.generations import GenerationRow
from assaymark.store.trail import Action

MOST_DRIFTS = 1000
LONGEST_REASON = 1000
DAY = 86_400 * SECOND
_NAMED = 20
_SEVERITIES = dict(zip(WEIGHTS, (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL), strict=True))


class Seen(Struct, frozen=True):
    """What a look found."""

    generation: int
    """0: the one that is live."""
    drifts: tuple[Drift, ...]
    looked: tuple[str, ...] | None
    """Ids of instances and names of trees that were looked at as a whole; None: all of the pair; empty: none."""


class DriftsTaken(Struct, frozen=True):
    """What became of it."""

    fresh: int
    """That were not known."""
    vanished: int
    open: int
    """That stand open now, counted up to 1000."""


def tell(service: Service, link: sa.Connection, pair: PairRow, seen: Seen, by: By) -> DriftsTaken:
    """Take what a look at a pair found.

    Raises:
        ApiError: 404 when the generation is not known, 409 when it ended.
    """
    locked = environments.pair_of(link, pair.id, lock=True)
    assert locked is not None  # noqa: S101 - pairs are never deleted
    now, row = service.now(), _generation(link, locked, seen.generation)
    fresh = drifts.tell(link, pair.id, Told(row.number, seen.drifts, now, by.actor))
    gone = 0
    if seen.looked is None or seen.looked:
        gone = drifts.vanished(link, pair.id, but=seen.drifts, places=seen.looked, at=now)
    names = {each.where for each in seen.drifts} | set(seen.looked or ())
    generations.seen(link, pair.id, sorted(names), now)
    environments.heard(link, pair.id, by.actor, now)
    if fresh:
        _tell(service, link, pair, row, fresh)
        line = log.append(link, [_entry(pair, row, fresh, by, now)], team=pair.team)[0]
        drifts.logged(link, pair.id, fresh, line)
    return DriftsTaken(len(fresh), gone, drifts.count(link, None, drifts.Filter((pair.id,), open=True)))


def _generation(link: sa.Connection, pair: PairRow, number: int) -> GenerationRow:
    going = generations.going_on(link, [pair.id]).get(pair.id, [])
    found = next((row for row in going if (row.is_live if not number else row.number == number)), None)
    if found is None:
        raise conflict(
            f"generation {number} of {pair.pair} does not run" if number else f"nothing of {pair.pair} is live",
            "what is gone has no drift; tell its steps first where they were not told",
        )
    return found


def _worst(fresh: Sequence[Drift]) -> Drift:
    return max(fresh, key=lambda each: WEIGHTS.index(each.weight))


def _tell(service: Service, link: sa.Connection, pair: PairRow, row: GenerationRow, fresh: Sequence[Drift]) -> None:
    worst = _worst(fresh)
    who = f", by {worst.cause.program or f'process {worst.cause.pid}'}" if worst.cause is not None else ""
    more = f" and {len(fresh) - 1} more" if len(fresh) > 1 else ""
    title = f"{pair.pair} drifted: {worst.kind} of {worst.what} in {worst.where}{who}{more}; generation {row.number}, {worst.action.value}"
    facts = standing.facts_of(pair, row) | {"drifts": str(len(fresh)), "weight": worst.weight.value, "action": worst.action.value}
    facts |= {"where": worst.where, "what": worst.what, "kind": worst.kind}
    data = {name: text for name, text in facts.items() if text}
    path, severity = standing.path_of(pair), _SEVERITIES[worst.weight]
    publish(service, link, Happening(HappeningKind.DRIFT_FOUND, service.now(), pair.team, title[:500], path, severity=severity, data=data))


def _entry(pair: PairRow, row: GenerationRow, fresh: Sequence[Drift], by: By, now: Instant) -> Entry:
    facts = {"environment": pair.environment_name, "component": pair.component, "generation": str(row.number), "drifts": str(len(fresh))}
    for number, each in enumerate(fresh[:_NAMED]):
        facts[f"drift {number + 1}"] = f"{each.kind} of {each.what} in {each.where}: {each.observed}"[:500]
    return Entry(EntryType.DRIFT, now, by.actor, (row.digest,), details=facts)


# --- looking away ----------------------------------------------------------------------------------------------------


def ignore(service: Service, link: sa.Connection, number: int, until: Instant, by: tuple[By, str]) -> DriftRow:
    """Look away from a drift until then; `by` is who, and why.

    Raises:
        ApiError: 400 when the end or the reason makes no sense, 404 and 409 when there is nothing to look away from.
    """
    row, now = _standing(link, number), service.now()
    who, reason = by
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise invalid("the reason is missing or too long", f"say why, in at most {LONGEST_REASON} letters")
    terms = environments.one(link, row.environment)
    assert terms is not None  # noqa: S101 - environments are never deleted
    latest = Instant((row.ignored_from or now) + terms.ignore_days * DAY)
    if not now < until <= latest:
        raise invalid(
            f"the end is not between now and {stamp(latest)}",
            f"it may be looked away from for {terms.ignore_days} days from the first time on; after that a newer generation is the way",
        )
    drifts.ignore(link, number, until, (who.actor, reason.strip()), now)
    _note(service, link, row, who, ("drift.ignored", {"until": stamp(until), "reason": reason.strip()[:500]}))
    return _standing(link, number)


def look_again(service: Service, link: sa.Connection, number: int, by: By) -> DriftRow:
    """End it before its time."""
    row = _standing(link, number)
    if not row.is_ignored(service.now()):
        raise conflict(f"nobody looks away from drift {number}")
    drifts.look_again(link, number, service.now())
    _note(service, link, row, by, ("drift.looked-at", {}))
    return _standing(link, number)


def _standing(link: sa.Connection, number: int) -> DriftRow:
    row = drifts.one(link, number, lock=True)
    if row is None:
        raise not_found(f"drift {number}")
    if row.resolved_at is not None:
        raise conflict(f"drift {number} is {row.resolution}", "there is nothing to look away from")
    return row


def _note(service: Service, link: sa.Connection, row: DriftRow, by: By, what: tuple[str, dict[str, str]]) -> None:
    action, details = what
    told = {"environment": row.environment_name, "component": row.component, "where": row.place[:200], "what": row.what[:300]} | details
    now = service.now()
    trail.record(link, Action(now, by.actor, action, "success", by.person, "drift", str(row.id), row.team, by.origin, told))
    log.append(link, [Entry(EntryType.DRIFT, now, by.actor, details=told | {"drift": str(row.id), "did": action})], team=row.team)
