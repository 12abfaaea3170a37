"""A verdict becomes rows: in one transaction the assessment ends, occurrences open and close, the summary follows.

Guarantees
* what one repair removes is one item, which opens and closes with what stands in it (`item_keeping`);
* an assessment ends once: recording it again changes nothing and says so;
* an occurrence closes only when a finished check over its place no longer sees the finding (`occurrences`): a check that did not run, or a
  path that it could not look at, closes nothing;
* of a merge request's subject the occurrences are what its change brings (`State.NEW`), whatever it touches; of any other subject they are
  everything in it, and only a recording of the `whole` changes them: a push's verdict over what differs says nothing about the rest;
* what people decided (`store.decisions`) is applied here, whoever saw the finding: it never stands open in between;
* memory and statements are bounded by portions, however many findings there are.

Not here: telling the forge, which the caller does in the same transaction when `record` says True.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import SubjectNotFound
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, SubjectId
from assaymark.model.decision import MOST_DAYS, Decision
from assaymark.model.digest import Digest
from assaymark.model.finding import Finding, Kind
from assaymark.model.rules import catalogue
from assaymark.model.severity import Severity
from assaymark.model.trigger import SubjectKind, TriggerKind
from assaymark.model.verdict import Judged, State, Verdict, WaiverRef
from assaymark.store import bulk, decision_book, decisions, item_keeping
from assaymark.store.occurrences import UNSAID, Decided, Difference, Reach, Sighted, Standing, difference
from assaymark.store.tables import assessment as assessments
from assaymark.store.tables import finding as findings
from assaymark.store.tables import occurrence as occurrences
from assaymark.store.tables import posture
from assaymark.store.tables import subject as subjects
from assaymark.store.texts import cut, plain
from assaymark.verdict.given import SOURCE, Terms, ref_of

_ALIVE = (AssessmentState.QUEUED.value, AssessmentState.RUNNING.value)
_LONGEST_STATEMENT = 2_000
_LONGEST_MESSAGE = 1_000
FINDING_COLUMNS = ("fingerprint", "kind", "layer", "rule_class", "rule", "title", "core", "value", "first_seen_at")
OCCURRENCE_COLUMNS = (
    "finding", "subject", "team", "kind", "layer", "rule_class", "rule", "severity", "confidence", "path", "line", "line_now", "message",
    "detail", "ordinal", "waived", "own", "decision", "checks", "opened_at", "opened_by", "since",
)  # fmt: skip


class Recording(Struct, frozen=True):
    """What is known at the end of an assessment."""

    assessment: AssessmentId | None
    """None for an inventory that nobody asked a verdict of: only occurrences and counts follow."""
    subject: SubjectId
    verdict: Verdict | None
    """None when it could not be run to its end; it is unproven then, and `summary` says why."""
    blob: Digest | str
    """Of the verdict's JSON in the blobs; empty without one."""
    whole: bool
    """The verdict saw everything in the subject, so that what it does not see is gone."""
    at: Instant
    summary: str = ""
    """One sentence; with a verdict it may be left out."""
    ages: Mapping[str, Instant] = {}
    """By fingerprint: of what begins here, when it began where it was looked after before."""


def record(connection: sa.Connection, recording: Recording) -> bool:
    """Write it down within the caller's transaction; False, and nothing written, when the assessment had ended.

    Raises:
        SubjectNotFound: when there is no such subject.
    """
    decisions.lock(connection, shared=True)
    locked = sa.select(subjects).where(subjects.c.id == recording.subject).with_for_update()
    subject = next((row._asdict() for row in connection.execute(locked)), None)
    if subject is None:
        raise SubjectNotFound(f"there is no subject {recording.subject}")
    trigger = _alive(connection, recording)
    if trigger is None:
        return False
    verdict = recording.verdict
    counts = _counted(verdict)
    is_request = subject["kind"] == SubjectKind.MERGE_REQUEST
    if verdict is not None and (recording.whole or is_request):
        states = frozenset({State.NEW}) if is_request and not _is_import(trigger) else frozenset(State) - {State.FIXED}
        seen = [judged for judged in verdict.findings if judged.state in states]
        written = _occurrences(connection, recording, subject, seen, says_waivers=not _is_import(trigger))
        counts = written if _is_import(trigger) else counts
    _summarise(connection, recording, subject, _end(connection, recording, counts))
    return True


def _alive(connection: sa.Connection, recording: Recording) -> str | None:
    """Trigger of the assessment, locked until the transaction ends; None when it had ended, empty when there is none."""
    if recording.assessment is None:
        return ""
    a = assessments.c
    query = sa.select(a.trigger).where(a.id == recording.assessment, a.subject == recording.subject, a.state.in_(_ALIVE))
    return connection.execute(query.with_for_update()).scalar()


def _counted(verdict: Verdict | None) -> tuple[int, int]:
    """New and fixed ones of a change."""
    states = [judged.state for judged in verdict.findings if judged.finding.core.kind is not Kind.UNCHECKED] if verdict else []
    return states.count(State.NEW), states.count(State.FIXED)


def _is_import(trigger: str) -> bool:
    return trigger == TriggerKind.IMPORT


def _end(connection: sa.Connection, recording: Recording, counts: tuple[int, int]) -> Mapping[str, Any] | None:
    """The assessment's row after it ended now; None when there is none to end."""
    if recording.assessment is None:
        return None
    verdict = recording.verdict
    statement = (
        assessments.update()
        .where(
            assessments.c.id == recording.assessment,
            assessments.c.subject == recording.subject,
            assessments.c.state.in_(_ALIVE),
        )
        .values(
            state=verdict.outcome.value if verdict else AssessmentState.UNPROVEN.value,
            finished_at=recording.at,
            verdict=str(recording.blob),
            summary=cut(recording.summary or (_sentence(verdict) if verdict else ""), _LONGEST_MESSAGE),
            head=sa.case((assessments.c.head == "", verdict.head.digest if verdict else ""), else_=assessments.c.head),
            new_findings=counts[0],
            level=verdict.policy_level if verdict else "",
            fixed_findings=counts[1],
        )
        .returning(assessments.c.state, assessments.c.head, assessments.c.trigger)
    )
    return next((row._asdict() for row in connection.execute(statement)), None)


def _sentence(verdict: Verdict) -> str:
    """The first reason, or that there is none."""
    stopping = [reason for reason in verdict.reasons if reason.stops]
    return stopping[0].text if stopping else "nothing that stops the line"


# --- occurrences -----------------------------------------------------------------------------------------------------


def _occurrences(
    connection: sa.Connection, recording: Recording, subject: Mapping[str, Any], seen: list[Judged], *, says_waivers: bool
) -> tuple[int, int]:
    """Write what changed; gives how many began and how many ended."""
    verdict = recording.verdict
    assert verdict is not None  # noqa: S101 - the caller asked
    if recording.assessment is None:  # an inventory is of the head that was judged last: what it sees came, or went, with that
        recording = msgspec.structs.replace(recording, assessment=subject["last_assessment"])
    ids = _known(connection, seen, recording.at)
    sighted = (_sighted(judged, ids[judged.finding.fingerprint], says_waivers=says_waivers) for judged in seen)
    decided = _decided(connection, recording, subject, seen)
    found = difference(_standing(connection, recording.subject), sighted, reach_of(verdict), decided)
    ending = {"closed_at": recording.at, "closed_by": recording.assessment}
    bulk.change_all(connection, occurrences, found.closed, ending)
    bulk.change_all(connection, occurrences, found.continued, ending | {"continued": 1})
    for portion in bulk.portions(found.touched):
        ids_, lines, checks = (list(column) for column in zip(*portion, strict=True))
        bulk.change(connection, occurrences, ids_, {"line_now": lines, "checks": checks})
    opened = [opening.sighted.judged.finding for opening in found.opened]
    items = item_keeping.identify(connection, subject, opened, recording.at)
    bulk.add(connection, occurrences, (*OCCURRENCE_COLUMNS, "item"), _rows(found, recording, subject["team"], items))
    return sum(opening.since is None for opening in found.opened), len(found.closed)


def _decided(connection: sa.Connection, recording: Recording, subject: Mapping[str, Any], seen: Sequence[Judged]) -> Decided:
    """Says what people decided about each."""
    about = decisions.About(recording.subject, subject["repository"], subject["team"])
    said = recording.verdict.terms if recording.verdict else None
    terms = Terms(said.waiver_days, said.approver_required) if said else terms_of_row(subject["most_days"], subject["needs_approver"])
    found = decision_book.look_up(connection, about, terms, recording.at, [judged.finding for judged in seen])
    return lambda one: found.of(one.judged.finding, rule=one.rule, severity=one.severity)


def terms_of_row(most_days: int, needs_approver: int) -> Terms:
    """What a subject's policy asks of decisions, as its last verdict said."""
    return Terms(most_days or MOST_DAYS, bool(needs_approver))


def reach_of(verdict: Verdict) -> Reach:
    """Which checks ran, and where each of them could not look."""
    gaps: dict[str, set[str]] = {}
    for judged in verdict.findings:
        finding = judged.finding
        if finding.core.kind is Kind.UNCHECKED and judged.state is not State.FIXED:
            for witness in finding.witnesses:
                gaps.setdefault(witness.check, set()).add(plain(finding.place.path))
    return Reach((run.check for run in verdict.checks), {check: frozenset(paths) for check, paths in gaps.items()})


def _known(connection: sa.Connection, seen: list[Judged], at: Instant) -> dict[str, int]:
    """Ids of the findings by fingerprint; those that nobody saw before are added."""
    wanted = {judged.finding.fingerprint: judged.finding for judged in seen}
    ids: dict[str, int] = {}
    for portion in bulk.portions(sorted(wanted)):
        ids |= _ids(connection, portion)
        fresh = [_finding_row(wanted[fingerprint], at) for fingerprint in portion if fingerprint not in ids]
        if fresh:
            bulk.add_unless_there(connection, findings, FINDING_COLUMNS, fresh)
            ids |= _ids(connection, [row[0] for row in fresh])
    return ids


def _ids(connection: sa.Connection, fingerprints: Iterable[str]) -> dict[str, int]:
    chosen = bulk.among(connection, findings.c.fingerprint, fingerprints)
    return {row[0]: row[1] for row in connection.execute(sa.select(findings.c.fingerprint, findings.c.id).where(chosen))}


def _finding_row(finding: Finding, at: Instant) -> tuple[Any, ...]:
    core = finding.core
    title = catalogue().describe(finding.rule).title
    parts = msgspec.json.encode([core.kind, plain(core.rule_class), [cut(part, _LONGEST_STATEMENT) for part in core.parts]]).decode()
    return (
        finding.fingerprint, core.kind.value, finding.layer.value, plain(core.rule_class), plain(finding.rule),
        cut(title if title != finding.rule else finding.message, _LONGEST_MESSAGE), parts,
        "/".join(core.parts) if core.kind is Kind.SECRET else "", at,
    )  # fmt: skip


def _standing(connection: sa.Connection, subject: SubjectId) -> Iterator[Standing]:
    c = occurrences.c
    columns = (c.id, c.finding, c.path, c.severity, c.rule, c.own, c.decision, c.line_now, c.checks, c.ordinal, c.since)
    asked = sa.select(*columns).where(c.subject == subject, c.closed_at.is_(None))
    for row in connection.execute(asked):
        yield Standing(*tuple[Any, ...](row))


def _sighted(judged: Judged, finding: int, *, says_waivers: bool) -> Sighted:
    seen = judged.finding
    return Sighted(
        finding=finding,
        path=plain(seen.place.path),
        severity=seen.severity.rank,
        rule=plain(seen.rule),
        own=1 if judged.waiver and judged.waiver.source != SOURCE else 0 if says_waivers else UNSAID,
        line=seen.place.line,
        checks=" ".join(sorted({plain(witness.check).replace(" ", "-") for witness in seen.witnesses})),
        judged=judged,
    )


def _rows(found: Difference, recording: Recording, team: int | None, items: Mapping[int, int]) -> Iterator[tuple[Any, ...]]:
    at, by, subject = recording.at, recording.assessment, recording.subject
    for position, opening in enumerate(found.opened):
        seen = opening.sighted
        finding, own = seen.judged.finding, max(seen.own, 0)
        yield (
            seen.finding, subject, team, finding.core.kind.value, finding.layer.value, plain(finding.core.rule_class), seen.rule,
            seen.severity, finding.confidence.rank, seen.path, seen.line, seen.line, cut(finding.message, _LONGEST_MESSAGE),
            _detail(seen.judged, opening.decision), opening.ordinal, int(own or opening.decision is not None), own,
            opening.decision.id if opening.decision else None, opening.checks, at, by,
            recording.ages.get(finding.fingerprint, at) if opening.since is None else opening.since, items.get(position),
        )  # fmt: skip


class Detail(Struct, frozen=True, omit_defaults=True):
    """What a page about one occurrence shows beside its columns."""

    statement: str = ""
    advice: str = ""
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    witnesses: tuple[tuple[str, str], ...] = ()
    """(check, rule) of those that saw it when it was opened."""
    notes: tuple[tuple[str, str], ...] = ()
    waiver: str = ""
    """Why it is let through, and by whom."""
    waived_until: str = ""
    """ISO date, inclusive; empty where it has no end."""


def _detail(judged: Judged, decision: Decision | None) -> str:
    finding, waiver = judged.finding, judged.waiver
    if decision is not None:
        waiver = ref_of(decision)
    elif waiver is not None and waiver.source == SOURCE:
        waiver = None
    made = Detail(
        statement=cut(finding.statement, _LONGEST_STATEMENT),
        advice=cut(finding.fix.advice, _LONGEST_MESSAGE) if finding.fix else "",
        column=finding.place.column,
        end_line=finding.place.end_line,
        end_column=finding.place.end_column,
        witnesses=tuple((plain(w.check), plain(w.rule)) for w in finding.witnesses),
        notes=tuple((plain(name), cut(text, _LONGEST_MESSAGE)) for name, text in finding.notes),
        waiver=waiver_text(waiver) if waiver else "",
        waived_until=cut(waiver.until, 10) if waiver else "",
    )
    return msgspec.json.encode(made).decode()


def waiver_text(waiver: WaiverRef) -> str:
    """Who lets it through, why and until when, on one line."""
    return cut(" · ".join(word for word in (waiver.source, waiver.reason, waiver.owner, waiver.until) if word), _LONGEST_MESSAGE)


# --- the subject --------------------------------------------------------------------------------------


def _summarise(connection: sa.Connection, recording: Recording, subject: Mapping[str, Any], ended: Mapping[str, Any] | None) -> None:
    values: dict[str, Any] = dict(note_posture(connection, recording.subject, recording.at))
    if ended is not None and not _is_import(ended["trigger"]):
        values |= {"state": ended["state"], "last_assessment": recording.assessment, "judged_at": recording.at}
        values["head"] = ended["head"] or subject["head"]
    elif recording.verdict is not None and not subject["state"] and ended is None:
        values |= {"state": recording.verdict.outcome.value, "judged_at": recording.at, "head": recording.verdict.head.digest}
    if recording.verdict is not None and recording.verdict.terms is not None:
        asked = recording.verdict.terms
        values |= {"most_days": asked.waiver_days, "needs_approver": int(asked.approver_required)}
    connection.execute(subjects.update().where(subjects.c.id == recording.subject).values(values))


def note_posture(connection: sa.Connection, subject: int, at: Instant) -> dict[str, int]:
    """Count what stands open in a subject and write it down where that differs from what was noted last; gives the columns of `subject`.

    Called by whoever opens or closes occurrences, in the same transaction; items follow.
    """
    item_keeping.settle(connection, subject, at)
    counts = _counts(connection, subject)
    names = [posture.c[name] for name in counts]
    last = sa.select(*names).where(posture.c.subject == subject).order_by(posture.c.at.desc(), posture.c.id.desc()).limit(1)
    noted = connection.execute(last).first()
    if tuple(noted or ()) != tuple(counts.values()) and (noted or any(counts.values())):
        connection.execute(posture.insert(), {"subject": subject, "at": at, **counts})
    return {name if name in ("waived", "unchecked") else f"open_{name}": count for name, count in counts.items()}


def _counts(connection: sa.Connection, subject: int) -> dict[str, int]:
    c = occurrences.c
    is_gap = sa.case((c.kind == Kind.UNCHECKED.value, 1), else_=0)
    asked = sa.select(c.severity, c.waived, is_gap, sa.func.count()).where(c.subject == subject, c.closed_at.is_(None))
    counts = dict.fromkeys([*(severity.value for severity in reversed(Severity)), "waived", "unchecked"], 0)
    names = [severity.value for severity in Severity]
    for severity, waived, gap, count in connection.execute(asked.group_by(c.severity, c.waived, is_gap)):
        counts["waived" if waived else "unchecked" if gap else names[severity]] += count
    return counts
