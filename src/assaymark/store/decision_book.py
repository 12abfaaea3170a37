"""What is in force, kept in this process by the names of findings, so that recording a finding does not ask the database about each.

Guarantees: before it is used it is brought up to what is committed, by two numbers (the newest decision, the newest step), which nobody can
move while something is recorded (`decisions.lock`); what is not in force at the instant that is asked about is left out then. Memory grows
with what is in force: beyond `MOST` it is not kept, and the database is asked (`decisions.concerning`).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from assaymark.model.assessment import Instant
from assaymark.model.decision import Decision
from assaymark.model.finding import Finding, Kind
from assaymark.store import decisions
from assaymark.store.decisions import About, Step
from assaymark.store.tables import decision as table
from assaymark.store.tables import decision_step as steps
from assaymark.verdict.given import Covering, Terms, anchor, anchors, covers, facts_of, precedence, why_not
from assaymark.verdict.globs import matches_any

MOST = 50_000
_VERSION = "SELECT (SELECT max(id) FROM decision), (SELECT max(id) FROM decision_step)"
_Place = tuple[str, int | None]


class _Kept(Struct):
    """A decision with what says when it holds."""

    decision: Decision
    made_at: int
    ends_at: int
    withdrawn_at: int | None = None

    def holds(self, at: int) -> bool:
        return self.made_at <= at < self.ends_at and (self.withdrawn_at is None or at < self.withdrawn_at)


class _Book:
    """Of one database."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.begin = 0
        self.forget()

    def forget(self) -> None:
        self.version: tuple[Any, ...] = (None, None)
        self.is_too_large = False
        self.by_id: dict[int, _Kept] = {}
        self.rooms: dict[_Place, dict[str, list[_Kept]]] = {}

    def bring_up(self, connection: sa.Connection, at: int) -> None:
        """To what is committed; from the beginning for an instant before the one that it was begun with."""
        version = tuple(connection.exec_driver_sql(_VERSION).one())
        if version == self.version and at >= self.begin:
            return
        with self.lock:
            if at < self.begin or any((new or 0) < (old or 0) for new, old in zip(version, self.version, strict=True)):
                self.forget()
            if not self.by_id:
                self.begin = at
            known, stepped = ((each or 0) for each in self.version)
            self._add(connection, known)
            for row in connection.execute(sa.select(steps).where(steps.c.id > stepped).order_by(steps.c.id)):
                self._step(row)
            self.version = version

    def _add(self, connection: sa.Connection, after: int) -> None:
        asked = sa.select(table).where(table.c.id > after, table.c.ends_at > self.begin).order_by(table.c.id).limit(MOST + 1)
        for row in connection.execute(asked):
            kept = _Kept(decisions.decision_of(row, ""), row.made_at, row.ends_at)
            self.by_id[row.id] = kept
            room = self.rooms.setdefault(_place(kept.decision), {})
            room.setdefault(anchor(kept.decision.scope), []).append(kept)
        self.is_too_large = len(self.by_id) > MOST

    def _step(self, row: Any) -> None:
        kept = self.by_id.get(row.decision)
        if kept is None:
            return
        if row.what == Step.WITHDRAWN:
            kept.withdrawn_at = row.at
        elif row.what == Step.APPROVED:
            kept.decision = _approved(kept.decision, row.by)


def _approved(decision: Decision, by: str) -> Decision:
    return replace(decision, approver=by)


def _place(decision: Decision) -> _Place:
    """The narrowest thing in which it holds."""
    scope = decision.scope
    for kind, number in (("subject", scope.subject), ("repository", scope.repository), ("team", scope.team)):
        if number is not None:
            return kind, number
    return "", None


_books: WeakKeyDictionary[sa.Engine, _Book] = WeakKeyDictionary()


class Lookup:
    """Says what counts for the findings of one subject."""

    def __init__(self, book: _Book, about: About, terms: Terms, at: Instant) -> None:
        self._about, self._terms, self._at = about, terms, at
        places: list[_Place] = [("subject", about.subject), ("repository", about.repository), ("team", about.team), ("", None)]
        self._rooms = [room for place in places if (room := book.rooms.get(place))]
        paths = (kept for room in self._rooms for kept in room.get("path", ()) if self._is_for(kept))
        self._globs = tuple(dict.fromkeys(kept.decision.scope.path for kept in paths))

    def _is_for(self, kept: _Kept) -> bool:
        return kept.holds(self._at) and decisions.speaks_of(kept.decision.scope, self._about) and not why_not(kept.decision, self._terms)

    def of(self, finding: Finding, *, rule: str, severity: int) -> Decision | None:
        """The decision that counts; `rule` and `severity` as they are recorded."""
        core = finding.core
        if core.kind is not Kind.COMPONENT and not (self._globs and matches_any(finding.place.path, self._globs)):
            names = (f"finding {finding.fingerprint}", f"rule {rule}", f"rule {core.rule_class}")
            for room in self._rooms:
                if names[0] in room or names[1] in room or names[2] in room:
                    break
            else:
                return None
        facts = replace(facts_of(finding), rule=rule, severity=severity)
        kept = [each for name in anchors(facts) for room in self._rooms for each in room.get(name, ()) if self._is_for(each)]
        return min((each.decision for each in kept if covers(each.decision.scope, facts)), key=precedence, default=None)


class Asked:
    """The same where there is too much to be kept."""

    def __init__(self, covering: Covering) -> None:
        self._covering = covering

    def of(self, finding: Finding, *, rule: str, severity: int) -> Decision | None:
        """The decision that counts."""
        return self._covering.of(replace(facts_of(finding), rule=rule, severity=severity))


def look_up(connection: sa.Connection, about: About, terms: Terms, at: Instant, findings: Sequence[Finding]) -> Lookup | Asked:
    """What counts for these findings of a subject."""
    book = _books.setdefault(connection.engine, _Book())
    book.bring_up(connection, at)
    if not book.is_too_large:
        return Lookup(book, about, terms, at)
    return Asked(_asked(connection, about, terms, at, findings))


def _asked(connection: sa.Connection, about: About, terms: Terms, at: Instant, findings: Iterable[Finding]) -> Covering:
    names = dict.fromkeys(name for finding in findings for name in anchors(facts_of(finding)))
    today: dt.date = decisions.day_of(at)
    return Covering(decisions.concerning(connection, names, at, about), terms, today)
