"""What decisions do to what stands open: an occurrence goes on in another row when another decision counts for it, or none any more.

Guarantees: part of the caller's transaction; afterwards each occurrence that was looked at has the decision that counts for it, whatever
the order in which decisions came; memory and statements are bounded by portions. What is recorded at the same time waits (`decisions.lock`)
and finds the decision by itself, so a decision that covers more than `AT_ONCE` can go on in a later transaction (`Spread.after`) without
losing what comes in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.component_notes import ALIASES, VERSION
from assaymark.model.decision import Decision, DecisionId, Scope
from assaymark.model.finding import Core, Kind
from assaymark.store import bulk, decisions
from assaymark.store.decisions import About
from assaymark.store.narrowing import like
from assaymark.store.recording import Detail, note_posture, terms_of_row, waiver_text
from assaymark.store.tables import finding, occurrence, subject
from assaymark.verdict.given import Covering, Facts, anchors, ref_of

AT_ONCE = 10_000
"""Occurrences that one transaction changes."""
_MOST_SUBJECTS = 200
_PORTION = 1_000
_COPIED = tuple(
    column.name for column in occurrence.c if column.name not in ("id", "closed_at", "closed_by", "continued")
)  # every column of a row that goes on
c = occurrence.c


class Spread(Struct, frozen=True):
    """How far a decision went."""

    changed: int = 0
    subjects: frozenset[SubjectId] = frozenset()
    """In which something changed."""
    after: int | None = None
    """Where it goes on; None when it is done."""


def spread(connection: sa.Connection, numbers: Sequence[DecisionId], at: Instant, *, after: int = 0) -> Spread:
    """Bring what stands open in line with these decisions, which began or ended."""
    found = decisions.of_ids(connection, numbers)
    changed, subjects = 0, set[SubjectId]()
    chosen = _candidates(connection, list(found.values()))
    seen = 0
    while seen < AT_ONCE and len(subjects) < _MOST_SUBJECTS:
        query = sa.select(c.id).where(c.closed_at.is_(None), c.id > after, chosen).order_by(c.id).limit(_PORTION)
        ids = list(connection.execute(query).scalars())
        if not ids:
            break
        after, seen = ids[-1], seen + len(ids)
        moved, touched = _settle(connection, ids, at)
        changed, subjects = changed + moved, subjects | touched
        if len(ids) < _PORTION:
            after = 0
            break
    else:
        _recount(connection, subjects, at)
        return Spread(changed, frozenset(subjects), after)
    _recount(connection, subjects, at)
    return Spread(changed, frozenset(subjects))


def _recount(connection: sa.Connection, subjects: Iterable[SubjectId], at: Instant) -> None:
    for number in sorted(subjects):
        connection.execute(subject.update().where(subject.c.id == number).values(note_posture(connection, number, at)))


# --- which occurrences it may concern --------------------------------------------------------------------------------


def _candidates(connection: sa.Connection, given: Sequence[Decision]) -> sa.ColumnElement[bool]:
    """All that these decisions cover or covered, and perhaps more."""
    by_finding: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    others: list[sa.ColumnElement[bool]] = []
    for each in given:
        if each.scope.finding:
            by_finding[each.scope.subject, each.scope.repository].append(each.scope.finding)
        else:
            others.append(sa.and_(*_of_scope(each.scope)))
    for (in_subject, in_repository), fingerprints in by_finding.items():
        ids = sa.select(finding.c.id).where(bulk.among(connection, finding.c.fingerprint, fingerprints))
        others.append(sa.and_(c.finding.in_(ids), *_in(in_subject, in_repository)))
    covered = bulk.among(connection, c.decision, [each.id for each in given])
    return sa.or_(covered, *others)


def _of_scope(scope: Scope) -> list[sa.ColumnElement[bool]]:
    found = _in(scope.subject, scope.repository)
    if scope.team is not None:
        found.append(c.team == scope.team)
    if scope.rule:
        found.append(sa.or_(c.rule == scope.rule, c.rule_class == scope.rule))
    if scope.layer is not None:
        found.append(c.layer == scope.layer.value)
    if scope.severity is not None:
        found.append(c.severity <= scope.severity.rank)
    if scope.package or scope.advisory:
        found.append(c.kind == Kind.COMPONENT.value)
    if scope.package:
        quoted = like(msgspec.json.encode(scope.package).decode())
        named = (finding.c.kind == Kind.COMPONENT.value, finding.c.core.like(quoted, escape="\\"))
        found.append(c.finding.in_(sa.select(finding.c.id).where(*named)))
    return found


def _in(in_subject: int | None, in_repository: int | None) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if in_subject is not None:
        found.append(c.subject == in_subject)
    if in_repository is not None:
        found.append(c.subject.in_(sa.select(subject.c.id).where(subject.c.repository == in_repository)))
    return found


# --- what counts for them --------------------------------------------------------------------------------------------


def _settle(connection: sa.Connection, ids: Sequence[int], at: Instant) -> tuple[int, set[SubjectId]]:
    """Let each of these go on in another row where another decision counts for it."""
    f, s = finding.c, subject.c
    query = sa.select(occurrence, f.fingerprint, f.core, s.repository, s.most_days, s.needs_approver)
    query = query.join(finding, f.id == c.finding).join(subject, s.id == c.subject)
    rows = connection.execute(query.where(bulk.among(connection, c.id, ids), c.closed_at.is_(None)).order_by(c.id)).all()
    facts = {row.id: _facts(row) for row in rows}
    names = dict.fromkeys(name for each in facts.values() for name in anchors(each))
    given = decisions.concerning(connection, names, at)
    coverings: dict[int, Covering] = {}
    moved: list[tuple[Any, Decision | None]] = []
    for row in rows:
        covering = coverings.get(row.subject)
        if covering is None:
            covering = coverings[row.subject] = _covering(row, given, at)
        counts = None if row.own else covering.of(facts[row.id])
        if (counts.id if counts else None) != row.decision:
            moved.append((row, counts))
    bulk.change_all(connection, occurrence, [row.id for row, _ in moved], {"closed_at": at, "continued": 1})
    bulk.add(connection, occurrence, _COPIED, (_continued(row, counts, at) for row, counts in moved))
    return len(moved), {SubjectId(row.subject) for row, _ in moved}


def _covering(row: Any, given: Sequence[Decision], at: Instant) -> Covering:
    about = About(row.subject, row.repository, row.team)
    mine = (each for each in given if decisions.speaks_of(each.scope, about))
    return Covering(mine, terms_of_row(row.most_days, row.needs_approver), decisions.day_of(at))


def _facts(row: Any) -> Facts:
    package = ""
    advisories: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    if row.kind == Kind.COMPONENT.value:
        core = msgspec.json.decode(row.core, type=Core)
        notes = dict(msgspec.json.decode(row.detail, type=Detail).notes)
        package, advisories = core.parts[0], (core.parts[1], *_words(notes, ALIASES))
        versions = _words(notes, VERSION)
    return Facts(row.fingerprint, row.rule, row.rule_class, row.layer, row.severity, row.path, package, advisories, versions)


def _words(notes: Mapping[str, str], name: str) -> tuple[str, ...]:
    return tuple(word for word in notes.get(name, "").split(", ") if word)


def _continued(row: Any, counts: Decision | None, at: Instant) -> tuple[Any, ...]:
    detail = msgspec.json.decode(row.detail, type=Detail)
    ref = ref_of(counts) if counts else None
    detail = msgspec.structs.replace(detail, waiver=waiver_text(ref) if ref else "", waived_until=ref.until if ref else "")
    changed = {
        "decision": counts.id if counts else None, "waived": int(counts is not None), "opened_at": at, "opened_by": None,
        "line": row.line_now, "detail": msgspec.json.encode(detail).decode(),
    }  # fmt: skip
    return tuple(changed[name] if name in changed else getattr(row, name) for name in _COPIED)
