"""Handlers: judge again what subjects hold after the advisories changed, without reading their content (decision 21).

Guarantees: what is judged is what the last inventory noted (package sets, policy, statements), with the newest advisories; findings open
and close as an inventory's would; where nothing differs, nothing is written but that it was looked at. A verdict is that of the head that
was judged last, with its reasons, as it reads now: new knowledge in old content is debt and stops nobody, as everywhere (`newly-known`).
Subjects are taken up a bounded number at a time, oldest first, and one that was hit several times is judged once.
"""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

import assaymark
from assaymark.checks.application.dependencies.check import Dependencies
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.matcher import match
from assaymark.checks.application.dependencies.matching.wording import sightings
from assaymark.checks.application.dependencies.readers import dialect_of
from assaymark.errors import SubjectUnreadable
from assaymark.flow import knowledge_digest
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, SubjectId
from assaymark.model.digest import Digest, digest_of, git_blob
from assaymark.model.finding import Finding, Kind, RuleId, Sighting, Span, UncheckedSite
from assaymark.model.identity import CURRENT, Seen, identify
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity
from assaymark.model.subject import SubjectRef
from assaymark.model.trigger import Trigger, TriggerKind
from assaymark.model.verdict import CheckRun, Judged, PolicyRef, Reason, ReasonKind, State, Verdict
from assaymark.server.service import Service
from assaymark.server.work import governing, knowledge, rejudge_jobs
from assaymark.server.work.deliver import announce
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.holdings import grounds_of
from assaymark.server.work.items import follow
from assaymark.server.work.telling import tell_change, tell_hit
from assaymark.server.work.withdrawing import revisit
from assaymark.store import arrivals, components, held, snapshots
from assaymark.store.arrivals import Arrival
from assaymark.store.held import Holding, Remembered
from assaymark.store.recording import Recording, record
from assaymark.verdict import decide as judge
from assaymark.verdict.again import outcome_of
from assaymark.verdict.policy import Policy
from assaymark.verdict.rules import raised
from assaymark.verdict.vex import Statement

CHECK = Dependencies.id
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NAMED = 5

Told = Callable[[Service, sa.Connection, SubjectId, AssessmentId], None]
AFTERWARDS: tuple[Told, ...] = (revisit,)
"""Called in the transaction that records what new knowledge changed, e.g. to revisit what was endorsed on the ground of the old verdict."""


class Case(Struct, frozen=True):
    """A subject as its last inventory and its last verdict left it."""

    subject: held.Noted
    holdings: tuple[Holding, ...]
    remembered: tuple[Remembered, ...]
    policy: Policy
    statements: tuple[Statement, ...]
    last: Verdict | None
    causes: tuple[str, ...]
    policies: tuple[PolicyRef, ...] = ()
    """Of the organisation, whose floors lie under `policy`."""


def rejudge_hits(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Take up the next subjects that a change of the advisories hit."""
    now = service.now()
    with service.database.write() as connection:
        chosen = snapshots.take(connection, most=rejudge_jobs.MOST_FLYING, at=now, alive_since=Instant(now - rejudge_jobs.FLIGHT))
        for subject in chosen:
            service.queue.put(connection, rejudge_jobs.one(subject))
        if snapshots.some_wait(connection):
            rejudge_jobs.put_next(service, connection, due_at=Instant(now + rejudge_jobs.AGAIN))


def rejudge(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Judge one subject again (arguments: ``subject``).

    Raises:
        SubjectUnreadable: when what it holds changed meanwhile, or is not kept; the queue tries again.
        PolicyInvalid: when this release reads its policy no more.
    """
    number, started = SubjectId(int(arguments["subject"])), time.monotonic()
    case = _case(service, number)
    verdict = None
    if case is not None and CHECK not in case.policy.checks.disable and (case.holdings or case.remembered):
        index = Index(knowledge.advisories_file(service))
        verdict = judged(case, seen(service, case, index), index, service.now())
        verdict = None if verdict is None else replace(verdict, seconds=time.monotonic() - started)
    with service.database.write() as connection:
        if case is not None and held.holdings(connection, number) != case.holdings:
            raise SubjectUnreadable(f"{case.subject.name} changed while it was judged again", advice="it is tried again")
        made = _write_down(service, connection, case, verdict) if case is not None and verdict is not None else None
        snapshots.judged(connection, number, made, service.now())
        if snapshots.some_wait(connection):
            rejudge_jobs.put_next(service, connection)


def _case(service: Service, number: SubjectId) -> Case | None:
    with service.database.read() as connection:
        noted = held.noted(connection, number)
        if noted is None or noted.ended:
            return None
        holdings, remembered = held.holdings(connection, number), held.remembered(connection, number, CHECK)
        causes = snapshots.causes(connection, number)
    policy, statements = grounds_of(service, noted.grounds).read()
    last = msgspec.json.decode(service.blobs.get(Digest(noted.verdict)), type=Verdict) if noted.verdict else None
    floors = governing.floors_of(service, number)
    return Case(noted, holdings, remembered, raised(policy, floors), statements, last, tuple(causes), tuple(each.policy for each in floors))


# --- what is in it now -----------------------------------------------------------------------------------------------


def seen(service: Service, case: Case, index: Index) -> list[Finding]:
    """The findings of the check as it would find them in the same content today."""
    found: list[Seen] = []
    for each in case.holdings:
        dialect = dialect_of(each.path)
        if dialect is not None:
            packages = components.kept(service.blobs, each.digest)
            found += [_seen(sighting, each) for sighting in sightings(packages, dialect, match(packages, index), index)]
    read = {each.path for each in case.holdings}
    for old in case.remembered:
        if old.core.kind is Kind.UNCHECKED and old.path not in read:  # what could not be read then was not read now either
            site = UncheckedSite(CHECK, old.core.parts[1], old.core.parts[2])
            span = Span(old.line, 1, old.line, 1) if old.line else None
            gap = Sighting(RuleId(f"{CHECK}/unchecked"), site, Severity.MEDIUM, old.message, span=span)
            found.append(_seen(gap, Holding(0, old.path, Digest(""), _stand_in(old.path))))
    return identify(found, catalogue())


def _seen(sighting: Sighting, holding: Holding) -> Seen:
    return Seen(sighting, CHECK, Dependencies.layer, holding.input, holding.path)


def _stand_in(path: str) -> Digest:
    """For content of which nothing is known but where it stood."""
    return digest_of(["not read", path])


# --- what is said of it ----------------------------------------------------------------------------------------------


def judged(case: Case, now: Iterable[Finding], index: Index, at: Instant) -> Verdict | None:
    """The last verdict as it reads with this knowledge; None when nothing differs. Pure."""
    new = list(now)
    old = _old(case, new)
    today = dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).date()
    base = judge.Side(old, case.policy, frozenset((CHECK, f.input) for f in old if f.core.kind is Kind.UNCHECKED), vex=case.statements)
    head = judge.Side(new, case.policy, vex=case.statements)
    decision = judge.decide(base, head, today=today, newly_known=frozenset(f.fingerprint for f in new))
    ranks = {(each.fingerprint, each.path): each.severity for each in case.remembered}
    differs = any(
        each.state is not State.KNOWN or ranks.get((each.finding.fingerprint, each.finding.place.path)) != each.finding.severity.rank
        for each in decision.judged
    )
    if not differs:
        return None
    run = CheckRun(CHECK, Dependencies.layer, Dependencies.version, index.snapshot, len(case.holdings), 0, 0.0)
    gone = {f.fingerprint for f in old} - {f.fingerprint for f in new}
    stay = [reason for reason in _reasons(case) if reason.finding not in gone]
    reasons = tuple(dict.fromkeys([*stay, *decision.reasons]))
    ref = SubjectRef("commit" if _OID.fullmatch(case.subject.head) else "subject", case.subject.name, _named(case.subject.head))
    return Verdict(
        outcome=outcome_of(reasons),
        base=ref,
        head=ref,
        reasons=reasons,
        findings=decision.judged,
        checks=(run,),
        policy_level=decision.policy.policy.level,
        fail_on=decision.policy.gate.fail_on,
        knowledge=knowledge_digest([run]),
        policy_digest=digest_of(decision.policy),
        scheme=CURRENT,
        whole=False,
        before=decision.before,
        after=decision.after,
        seconds=0.0,
        tool_version=assaymark.__version__,
        rules={w.rule: catalogue().describe(w.rule) for j in decision.judged for w in j.finding.witnesses},
        notices=decision.notices,
        policies=case.policies,
    )


def _old(case: Case, new: list[Finding]) -> list[Finding]:
    """What was open, weighing what it weighs now: knowledge that changed a weight is not the subject's doing."""
    weights = {(f.fingerprint, f.place.path): f.severity for f in new}
    inputs = {each.path: each.input for each in case.holdings}
    return [
        each.finding(CHECK, Dependencies.layer, inputs.get(each.path, _stand_in(each.path)), weights.get((each.fingerprint, each.path)))
        for each in case.remembered
    ]


def _reasons(case: Case) -> tuple[Reason, ...]:
    """Why the head was judged as it was."""
    if case.last is not None:
        return case.last.reasons
    if case.subject.state == AssessmentState.UNPROVEN:
        return (Reason(ReasonKind.UNPROVEN, case.subject.summary or "it could not be judged", "push again, or replay it", stops=True),)
    return ()


def _named(head: str) -> str:
    return str(git_blob(head)) if _OID.fullmatch(head) else head


def _merged(last: Verdict | None, now: Verdict) -> Verdict:
    """For whoever reads it: what was said of the head by other checks stays beside what is said now."""
    if last is None:
        return now
    others = tuple(each for each in last.findings if not _is_ours(each))
    runs = tuple(each for each in last.checks if each.check != CHECK)
    return replace(
        now, base=last.base, findings=(*now.findings, *others), checks=(*runs, *now.checks), rules={**last.rules, **now.rules},
        knowledge=knowledge_digest((*runs, *now.checks)),
    )  # fmt: skip


def _is_ours(each: Judged) -> bool:
    return all(witness.check == CHECK for witness in each.finding.witnesses)


def _write_down(service: Service, connection: sa.Connection, case: Case, verdict: Verdict) -> AssessmentId:
    """The assessment, begun and ended in one transaction."""
    blob = service.blobs.put(msgspec.json.encode(_merged(case.last, verdict)))
    at, subject = service.now(), case.subject
    arrival = Arrival(
        subject=subject.id,
        team=subject.team,
        trigger=TriggerKind.ADVISORY,
        trigger_details=msgspec.json.encode(Trigger(TriggerKind.ADVISORY, ref=subject.ref, after=subject.head), order="sorted").decode(),
        actor="",
        base=subject.head,
        head=subject.head,
        delivery=None,
        cause=_cause(case, verdict),
        at=at,
    )
    number = arrivals.insert(connection, arrival, state=AssessmentState.RUNNING, started_at=at, attempts=1)
    record(connection, Recording(number, subject.id, verdict, blob, whole=True, at=at, summary=_sentence(verdict)))
    follow(service, connection)
    tell_change(service, connection, number, verdict)
    tell_hit(service, connection, number, verdict)
    announce(service, connection, number)
    for tell in AFTERWARDS:
        tell(service, connection, subject.id, number)
    return number


def _cause(case: Case, verdict: Verdict) -> str:
    """Which advisories made the difference: those of the findings that differ, or those for which it was asked."""
    differ = {each.finding.core.parts[-1] for each in verdict.findings if each.state in (State.NEWLY_KNOWN, State.FIXED)}
    ids = [each for each in case.causes if each in differ] or sorted(differ) or list(case.causes)
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more


def _sentence(verdict: Verdict) -> str:
    states = [each.state for each in verdict.findings if each.finding.core.kind is not Kind.UNCHECKED]
    came, went = states.count(State.NEWLY_KNOWN), states.count(State.FIXED)
    words = [f"{came} newly known" if came else "", f"{went} taken back" if went else ""]
    said = ", ".join(word for word in words if word) or "some weigh otherwise"
    stopping = next((reason.text for reason in verdict.reasons if reason.stops), "")
    return f"the advisories changed: {said}" + (f"; {stopping}" if stopping else "")
