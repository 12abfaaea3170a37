"""Handler: what policies would have done with verdicts that were given, by judging each again from what is kept of its grounds.

Guarantees: nothing is scanned, fetched or changed; each verdict is judged by the code that judges changes, with everything that it rested
on (its day, waivers, decisions, approvals), so that a policy gives what it then gives for real; bounded in number and in time; what cannot
be told (grounds that are not kept, a check that did not run and that a floor asks for) is counted and said. Killed, it begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from assaymark.errors import AssayError
from assaymark.jobs.job import Job, Priority
from assaymark.model.digest import Digest
from assaymark.model.verdict import Outcome, Reason
from assaymark.server.service import Service
from assaymark.server.work import governing
from assaymark.server.work.handlers import Attempt
from assaymark.store import policies, simulations
from assaymark.store.simulations import Counts, Detail, Ending, Named, NewOutcome, Past, SimulationState, Wish
from assaymark.verdict import grounds as judged_by
from assaymark.verdict.given import Given
from assaymark.verdict.grounds import Grounds
from assaymark.verdict.organisation import OrganisationPolicy, in_force_for

MOST = 2000
"""Verdicts of one simulation."""
SECONDS = 570.0
_PORTION = 25
_MOST_TOLD = 10
_log = structlog.get_logger("assaymark.simulate")


def order(service: Service, link: Any, wish: Wish) -> int:
    """Let it be simulated, within the caller's transaction."""
    number = simulations.add(link, wish, service.now())
    key = f"simulate:{number}"
    service.queue.put(
        link, Job("simulate-policy", {"simulation": number}, key=key, lock="simulate", priority=Priority.CALL, most_attempts=3)
    )
    return number


def named(link: Any, proposed: Sequence[OrganisationPolicy], service: Service) -> tuple[Named, ...]:
    """Every policy that is asked: those that are proposed, in the place of those of their names that are in force."""
    mine = {each.metadata.name: Named(each.metadata.name, each.metadata.version, each.digest, proposed=True) for each in proposed}
    now = {row.name: Named(row.name, row.version, row.digest, proposed=False) for row, _ in policies.in_force(link, service.now())}
    return tuple(row for _, row in sorted({**now, **mine}.items()))


class Patient(Struct):
    """The attempt of somebody who waits for it at a terminal."""

    number: int = 1
    is_last: bool = True

    def should_stop(self) -> bool:
        """Nobody asks for that but by a signal."""
        return False


class _Question(Struct, frozen=True):
    number: int
    asked: tuple[OrganisationPolicy, ...]
    rows: tuple[Past, ...]


def simulate(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Do it (arguments: ``simulation``)."""
    number = int(arguments["simulation"])
    try:
        question = _question(service, number)
    except AssayError as error:
        _end(service, number, Ending(SimulationState.FAILED, problem=f"{error.what} {error.why}".strip()))
        return
    if question is None:
        return
    counts = _Sums()
    done = 0
    for portion in _portions(question.rows):
        found = [each for each in (_judge(service, past, question.asked, counts) for past in portion) if each is not None]
        done += len(portion)
        with service.database.write() as link:
            simulations.advance(link, number, done, found)
        if attempt.should_stop():
            _end(service, number, Ending(SimulationState.CANCELLED, counts.frozen(), "somebody cancelled it"))
            return
    _end(service, number, Ending(SimulationState.DONE, counts.frozen()))
    _log.info("policy.simulated", simulation=number, verdicts=done)


def _question(service: Service, number: int) -> _Question | None:
    """What is asked over what; None when it has ended. Of the policies in force those count that were when it was ordered."""
    with service.database.write() as link:
        row = simulations.get(link, number)
        if row is None:
            return None
        texts = msgspec.json.decode(simulations.proposed(link, number), type=dict[str, str])
        asked = []
        for each in row.policies:
            kept = None if each.proposed else policies.by_digest(link, each.digest)
            document = kept.document if kept is not None else texts[each.name]
            asked.append(governing.parsed(document, f"policy {each.name} {each.version}"))
        past = simulations.past(link, before=None, limit=row.most)
        ends = (past[-1].assessment, past[0].assessment) if past else (None, None)
        if not simulations.begin(link, number, len(past), ends):
            return None
    return _Question(number, tuple(asked), tuple(past))


def _portions(rows: Sequence[Past]) -> Iterator[Sequence[Past]]:
    return (rows[at : at + _PORTION] for at in range(0, len(rows), _PORTION))


def _end(service: Service, number: int, ending: Ending) -> None:
    with service.database.write() as link:
        simulations.end(link, number, ending, service.now())


class _Sums(Struct):
    sums: Counter[str] = msgspec.field(default_factory=Counter)
    rules: Counter[str] = msgspec.field(default_factory=Counter)
    unknown: Counter[str] = msgspec.field(default_factory=Counter)

    def frozen(self) -> Counts:
        return Counts(**self.sums, by_rule=dict(sorted(self.rules.items())), why_unknown=dict(sorted(self.unknown.items())))


# --- one verdict -----------------------------------------------------------------------------------------------------


class Again(Struct, frozen=True):
    """A verdict as it would be."""

    outcome: Outcome
    stopping: tuple[Reason, ...]
    rules: tuple[str, ...]
    """That spoke."""
    unknown: str = ""


def again(grounds: Grounds, asked: tuple[OrganisationPolicy, ...]) -> Again:
    """The judgement under other policies. Pure."""
    rules, floors = in_force_for(asked, grounds.given.about)
    given = Given(rules=rules, floors=floors)
    missing = judged_by.unsaid(grounds, given)
    decision = judged_by.decide(judged_by.under(grounds, given))
    spoke = tuple(sorted({reason.rule for reason in decision.reasons if reason.rule}))
    why = f"check {', '.join(missing)} did not run: the repository had switched it off" if missing else ""
    if not why and judged_by.unlooked(grounds, given):
        why = "nobody looked which components the change adds"
    return Again(decision.outcome, tuple(reason for reason in decision.reasons if reason.stops), spoke, why)


def _judge(service: Service, past: Past, asked: tuple[OrganisationPolicy, ...], counts: _Sums) -> NewOutcome | None:
    """What differs; None when nothing does."""
    if not past.grounds:
        return _unknown(past, counts, "what it was judged by is not kept")
    try:
        grounds = judged_by.unpacked(service.blobs.get(Digest(past.grounds)))
        now = again(grounds, asked)
    except AssayError as error:
        return _unknown(past, counts, f"{error.what}"[:200])
    if now.unknown:
        return _unknown(past, counts, now.unknown)
    counts.sums["judged"] += 1
    counts.rules.update(now.rules)
    counts.sums[_change(past.state, now.outcome)] += 1
    if past.state == now.outcome:
        return None
    before = tuple(reason.text for reason in judged_by.decide(grounds).reasons if reason.stops)
    after = tuple(reason.text for reason in now.stopping)
    detail = Detail(
        tuple(text[:500] for text in after if text not in before)[:_MOST_TOLD],
        tuple(text[:500] for text in before if text not in after)[:_MOST_TOLD],
        now.rules[:_MOST_TOLD],
    )
    return NewOutcome(past.assessment, past.team, past.state, now.outcome.value, detail)


def _change(was: str, would: Outcome) -> str:
    if was == would:
        return "same"
    if was == Outcome.PASS:
        return "stopped"
    return "let_through" if would is Outcome.PASS else "otherwise"


def _unknown(past: Past, counts: _Sums, why: str) -> NewOutcome:
    counts.sums["unknown"] += 1
    counts.unknown[why] += 1
    return NewOutcome(past.assessment, past.team, past.state, "", Detail(unknown=why))
