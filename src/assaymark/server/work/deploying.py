"""What a deployer tells of its steps: judged, kept, logged, and made known, in one transaction.

Guarantees: a pair's steps are taken in the order of their numbers, each once; the same again changes nothing; one that contradicts what was
told under its number, leaves a gap or does not follow is refused, and nothing of the telling is taken then. Every step is a line of the
transparency log. Who is told as having asked is the deployer's word; who told it is known. A generation that becomes live is recorded as a
deployment of its environment, so that figures, traces and revocations know what runs.

Not guaranteed: that what a deployer tells has happened. It is the word of whoever holds its token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.phoenix.generation import ENDED, Generation, State, Step, after
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.people.accounts import By
from assaymark.server.problem import ApiError, invalid
from assaymark.server.service import Service
from assaymark.server.work import deployed_subject, standing
from assaymark.server.work.publish import publish
from assaymark.store import drifts, environments, generations, log, trail
from assaymark.store.environments import PairRow
from assaymark.store.generations import Teller
from assaymark.store.trail import Action

MOST_STEPS = 500
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = {"digest": 200, "image": 1000, "configuration": 200, "actor": 200, "endorsement": 200, "breakglass": 200, "reason": 2000}
_MOST_IDS = 10_000
_LONGEST_ID = 300
_LATEST = 253_402_300_800 * SECOND
"""The year 10000."""
_KINDS = {
    State.LIVE: HappeningKind.DEPLOYMENT_REPLACED, State.ABORTED: HappeningKind.DEPLOYMENT_ABORTED,
    State.STOPPED: HappeningKind.DEPLOYMENT_STOPPED,
}  # fmt: skip


class StepsTaken(Struct, frozen=True):
    """What became of a telling."""

    steps: int
    """How many are known of the pair now: go on with the number after."""
    fresh: int
    """How many of those that were told are new."""


def tell(service: Service, link: sa.Connection, pair: PairRow, steps: Sequence[Step], by: By) -> StepsTaken:
    """Take these steps of a pair.

    Raises:
        ApiError: 400 for what is no step, 409 for one that contradicts, leaves a gap or does not follow.
    """
    for step in steps:
        _checked(step)
    locked = environments.pair_of(link, pair.id, lock=True)
    assert locked is not None  # noqa: S101 - pairs are never deleted
    fresh = _fresh(link, locked, steps)
    teller = Teller(by.actor, by.person, service.now())
    known, became = generations.ledger(link, locked, fresh), []
    for step in fresh:
        try:
            known = after(known, step)
        except UsageError as error:
            raise ApiError(
                409,
                "step-does-not-follow",
                "this step does not follow from those before it",
                detail=f"{error.what}: {error.why}",
                advice=f"{locked.steps} steps of {locked.pair} are known here; tell what the journal says after them",
            ) from error
        generations.keep(link, locked.id, step, known.generations[step.generation], teller)
        became.append(known.generations[step.generation])
    environments.heard(link, locked.id, by.actor, teller.at, steps=known.steps)
    _carry_out(service, link, locked, list(zip(fresh, became, strict=True)), by)
    return StepsTaken(known.steps, len(fresh))


def _fresh(link: sa.Connection, pair: PairRow, steps: Sequence[Step]) -> list[Step]:
    """Those that are new, in order; the others are the same as before."""
    numbers = [step.number for step in steps]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False:
        raise invalid("the numbers of the steps do not rise by one", "tell them in the order of the journal")
    there = generations.told_before(link, pair.id, [number for number in numbers if number <= pair.steps])
    for step in steps:
        if step.number <= pair.steps and there.get(step.number) != step:
            raise ApiError(
                409, "steps-contradict", "another deployer told another step under this number",
                detail=f"step {step.number} of {pair.pair} is known as {_said(there.get(step.number))}, told now is {_said(step)}",
                advice="one deployer keeps a pair: stop this one, or give it the journal of the other",
            )  # fmt: skip
    fresh = [step for step in steps if step.number > pair.steps]
    if fresh and fresh[0].number != pair.steps + 1:
        raise ApiError(
            409, "steps-missing", "steps are missing before these",
            detail=f"{pair.steps} steps of {pair.pair} are known here, the first that was told is {fresh[0].number}",
            advice=f"tell them from {pair.steps + 1} on",
        )  # fmt: skip
    return fresh


def _said(step: Step | None) -> str:
    return "nothing" if step is None else f"generation {step.generation} {step.state.value} {step.digest[:19]}".rstrip()


def _checked(step: Step) -> None:
    """Bounds of every text, and digests that are some."""
    for name, most in _LONGEST.items():
        text = getattr(step, name)
        if len(text) > most or "\0" in text:
            raise invalid(f"step {step.number}: `{name}` has more than {most} letters, or one that is none")
    if step.state is State.WANTED and not _DIGEST.fullmatch(step.digest):
        raise invalid(f"step {step.number}: {step.digest[:80]!r} is no digest", "what is deployed is named by sha256:<64 hex digits>")
    ids = (*step.born, *step.burnt)
    if len(ids) > _MOST_IDS or any(not 0 < len(each) <= _LONGEST_ID or "\0" in each for each in ids):
        raise invalid(f"step {step.number}: at most {_MOST_IDS} instances, each with a name of at most {_LONGEST_ID} letters")
    if not (0 < step.at < _LATEST and 0 <= step.until < _LATEST and 0 < step.number < 1 << 31 and 0 < step.generation < 1 << 31):
        raise invalid(f"step {step.number}: a time, a number or a generation is out of range")


# --- what follows from a step ----------------------------------------------------------------------------------------


Taken = tuple[Step, Generation]


def _carry_out(service: Service, link: sa.Connection, pair: PairRow, taken: Sequence[Taken], by: By) -> None:
    going = {row.number: row for row in generations.going_on(link, [pair.id]).get(pair.id, [])}
    for step, became in taken:
        if step.state is State.LIVE:
            drifts.superseded(link, pair.id, step.generation, service.now())
        elif step.state is State.RETIRED:  # only where another one takes its place
            drifts.superseded(link, pair.id, max(step.generation + 1, *going, 0), service.now())
        elif step.state in ENDED:
            drifts.burnt(link, pair.id, step.generation, service.now())
        deployed_subject.record(service, link, pair, (step, became), by)
        _tell(service, link, pair, (step, became))
        if step.breakglass:
            _note_glass(service, link, pair, (step, became), by)
    for number in dict.fromkeys(step.generation for step, _ in taken if step.state in {State.VERIFIED, State.LIVE}):
        if number in going:  # its deployer says that it is approved; the server looks by itself
            standing.look(service, link, pair, going[number])
    entries = [_entry(pair, each, by, service.now()) for each in taken]
    lines = log.append(link, entries, team=pair.team) if taken else ()
    generations.logged(link, pair.id, {step.number: line for (step, _), line in zip(taken, lines, strict=True)})


def _tell(service: Service, link: sa.Connection, pair: PairRow, taken: Taken) -> None:
    step, became = taken
    kind = HappeningKind.DEPLOYMENT_FORCED if step.breakglass else _KINDS.get(step.state)
    if kind is None or (step.state is State.LIVE and became.live_since != step.at):
        return
    facts = {"environment": pair.environment_name, "component": pair.component, "generation": str(became.number)}
    facts |= {"digest": became.digest, "why": became.why.value, "state": became.state.value, "reason": became.reason}
    facts |= {"breakglass": step.breakglass, "until": str(step.until) if step.until else ""}
    loud = Severity.CRITICAL if step.breakglass else Severity.HIGH if step.state in {State.ABORTED, State.STOPPED} else None
    told = Happening(
        kind, service.now(), pair.team, _sentence(pair, step, became)[:500], standing.path_of(pair), severity=loud, actor=became.actor,
        data={name: text for name, text in facts.items() if text},
    )  # fmt: skip
    publish(service, link, told)


def _sentence(pair: PairRow, step: Step, became: Generation) -> str:
    what, why = f"generation {became.number} ({became.digest[:19]}…)", f": {became.reason}" if became.reason else ""
    if step.breakglass:
        return f"The glass was broken at {pair.pair}: {what} runs without an approval, by {became.actor}{why}"
    match step.state:
        case State.LIVE:
            return f"{pair.pair} runs {what} now, for {became.why.value}, by {became.actor}{why}"
        case State.ABORTED:
            return f"{what} of {pair.pair} was aborted{why}"
        case _:
            return f"{pair.pair} was stopped at {what}{why}"


def _note_glass(service: Service, link: sa.Connection, pair: PairRow, taken: Taken, by: By) -> None:
    """In the trail too: somebody went around the approval."""
    step, became = taken
    details = {"environment": pair.environment_name, "component": pair.component, "generation": str(became.number)}
    details |= {"digest": became.digest, "order": step.breakglass, "by": became.actor, "reason": became.reason[:500]}
    told = Action(
        service.now(), by.actor, "deployment.glass-broken", "success", by.person, "pair", str(pair.id), pair.team, by.origin, details
    )
    trail.record(link, told)


def _entry(pair: PairRow, taken: Taken, by: By, now: Instant) -> Entry:
    """The line of the transparency log: what the step says, and who told it; its time is the server's."""
    step, became = taken
    kind = EntryType.BREAKGLASS if step.breakglass else EntryType.BURN if step.state in ENDED else EntryType.DEPLOY
    facts = {
        "environment": pair.environment_name, "component": pair.component, "generation": str(step.generation), "step": str(step.number),
        "state": step.state.value, "why": became.why.value, "by": step.actor, "happened": stamp(step.at),
        "configuration": step.configuration,
        "percent": str(step.percent or ""), "order": step.breakglass, "until": str(step.until or ""), "reason": step.reason,
        "born": str(len(step.born) or ""), "burnt": str(len(step.burnt) or ""),
    }  # fmt: skip
    named = step.endorsement if _DIGEST.fullmatch(step.endorsement) else ""
    return Entry(kind, now, by.actor, (became.digest,), named, {name: text for name, text in facts.items() if text})
