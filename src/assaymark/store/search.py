"""One box: where is X, for whatever X is: an advisory, a component, a secret, a rule or family, a digest, a fingerprint, a subject, words.

`recognise` says what a text may be, by its form alone; `search` asks for each of these. Guarantees: every part of the answer is bounded,
narrowed to the teams of who asks, and comes from an index; what is typed is only ever a value of a question. A secret is not handed in: the
caller gives its keyed identity (`Keyed`), so that nothing here could keep or show it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant
from assaymark.model.identity import SCHEMES
from assaymark.model.rules import catalogue
from assaymark.store import assessments, findings, subjects, wanted, whereabouts
from assaymark.store.assessments import AssessmentRow
from assaymark.store.findings import FindingRow
from assaymark.store.narrowing import MOST_COUNTED, Teams, counted, of_teams, standing
from assaymark.store.subjects import SubjectRow
from assaymark.store.tables import assessment, finding, occurrence, subject
from assaymark.store.whereabouts import Affected, Held

LONGEST = 2_000
_ADVISORY = re.compile(r"(?:CVE|GHSA|[A-Z][A-Z0-9]{1,14}(?:-SA)?)-[0-9A-Z][0-9A-Z.:-]{1,40}\Z", re.IGNORECASE)
_CWE = re.compile(r"CWE-(\d{1,5})\Z", re.IGNORECASE)
_DIGEST = re.compile(r"(?:(?:sha256|git-sha1|git-sha256):)?[0-9a-f]{7,64}\Z")
_FINGERPRINT = re.compile(r"(?:[a-z]+/\d{1,3}:)?[0-9a-f]{12,32}\Z")
_VERSIONED = re.compile(r"(@?[^\s@<>=]{1,200})\s*(?:@|(?=[<>=]))\s*([^@]{1,200})\Z")
_NAME = re.compile(r"@?[^\s@<>=]{1,200}\Z")
_RULE = re.compile(r"[A-Za-z0-9_-]{1,60}/[A-Za-z0-9_./-]{1,140}\Z")
_FAMILY = re.compile(r"[a-z][a-z0-9-]{1,80}\Z")


class What(StrEnum):
    """What a text may be."""

    ADVISORY = "advisory"
    COMPONENT = "component"
    SECRET = "secret"  # noqa: S105 - the name of a kind
    RULE = "rule"
    FAMILY = "family"
    DIGEST = "digest"
    FINGERPRINT = "fingerprint"
    SUBJECT = "subject"
    WORDS = "words"


class Keyed(Struct, frozen=True):
    """A value as the installation's key names it."""

    key: str
    identities: tuple[str, ...]
    """Of the value as it was pasted, and without the white space around it."""


class Asker(Struct, frozen=True):
    """Who asks, and about when."""

    findings: Teams
    subjects: Teams
    assessments: Teams
    at: Instant | None = None
    limit: int = 20


class Found(Struct, frozen=True):
    """Everything that the text may mean, each part at most `Asker.limit` long."""

    taken_for: tuple[What, ...]
    """What it has the form of."""
    affected: tuple[Affected, ...] = ()
    """Who is affected by the advisory."""
    affected_subjects: int = 0
    """How many subjects that are, at least."""
    components: tuple[Held, ...] = ()
    component_subjects: int = 0
    findings: tuple[FindingRow, ...] = ()
    finding_count: int = 0
    """At least so many stand where the caller may look."""
    subjects: tuple[SubjectRow, ...] = ()
    assessments: tuple[AssessmentRow, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be asked, and why."""


def recognise(text: str) -> tuple[What, ...]:
    """What the text may be, by its form."""
    if not text or len(text) > LONGEST:
        return ()
    if text.startswith("pkg:"):
        return (What.COMPONENT,)
    one_word = not any(letter.isspace() for letter in text)
    tests = {
        What.ADVISORY: _ADVISORY.match(text) is not None and _CWE.match(text) is None,
        What.DIGEST: _DIGEST.match(text.lower()) is not None,
        What.FINGERPRINT: _FINGERPRINT.match(text.lower()) is not None,
        What.RULE: _RULE.match(text) is not None or (one_word and text.isalnum() and not text.isdigit()),
        What.FAMILY: _FAMILY.match(text) is not None or _CWE.match(text) is not None,
        What.COMPONENT: _NAME.match(text) is not None or _VERSIONED.match(text) is not None,
        What.SECRET: one_word and len(text) >= 8,
        What.SUBJECT: True,
        What.WORDS: True,
    }
    return tuple(what for what, fits in tests.items() if fits)


def search(connection: sa.Connection, text: str, asker: Asker, *, index: Index | None = None, keyed: Keyed | None = None) -> Found:
    """Ask for everything that the text may be; without `index` (of advisories) nothing is said about who is affected."""
    text = text.strip()
    taken = tuple(what for what in recognise(text) if what is not What.SECRET or keyed is not None)
    asked = _Asked(connection, text, asker)
    if keyed is not None:
        hits = asked.secret(keyed)
        if hits.findings:
            return Found((What.SECRET,), findings=hits.findings, finding_count=hits.finding_count)
    notes: list[str] = []
    affected, affected_count = asked.affected(index, notes) if What.ADVISORY in taken else ((), 0)
    held, held_count = asked.components(notes) if What.COMPONENT in taken else ((), 0)
    hits = asked.weaknesses(taken)
    return Found(
        taken_for=taken,
        affected=affected,
        affected_subjects=affected_count,
        components=held,
        component_subjects=held_count,
        findings=hits.findings,
        finding_count=hits.finding_count,
        subjects=asked.subjects(taken),
        assessments=asked.assessments() if What.DIGEST in taken else (),
        notes=tuple(notes),
    )


def only_secret(connection: sa.Connection, keyed: Keyed, asker: Asker) -> Found:
    """Where a value lies that is known to be a secret."""
    hits = _Asked(connection, "", asker).secret(keyed)
    return Found((What.SECRET,), findings=hits.findings, finding_count=hits.finding_count)


class _Hits(Struct, frozen=True):
    findings: tuple[FindingRow, ...] = ()
    finding_count: int = 0


class _Asked:
    def __init__(self, connection: sa.Connection, text: str, asker: Asker) -> None:
        self._connection, self._text, self._asker = connection, text, asker

    def secret(self, keyed: Keyed) -> _Hits:
        """Where the value lies, by its identity."""
        values = [f"{keyed.key}/{identity}" for identity in keyed.identities]
        ids = [row[0] for row in self._connection.execute(sa.select(finding.c.id).where(finding.c.value.in_(values)))]
        return self._standing(ids)

    def affected(self, index: Index | None, notes: list[str]) -> tuple[tuple[Affected, ...], int]:
        if index is None:
            notes.append("there are no advisories on this server yet, so nobody can be said to be affected")
            return (), 0
        scope = whereabouts.Scope(self._asker.subjects, self._asker.at, limit=self._asker.limit)
        ids = {self._text, self._text.upper(), _as_ghsa(self._text)}
        if not index.named(ids):
            notes.append(f"no advisory that is known here is called {self._text[:80]}")
            return (), 0
        self._admit(notes)
        rows = whereabouts.affected_by(self._connection, ids, index, scope)
        return tuple(rows), whereabouts.count_affected(self._connection, ids, index, scope) if rows else 0

    def components(self, notes: list[str]) -> tuple[tuple[Held, ...], int]:
        name, version = self._text, ""
        if not name.startswith("pkg:") and (match := _VERSIONED.match(name)) is not None:
            name, version = match[1], match[2]
        try:
            question = wanted.question_of(self._connection, wanted.wanted(name, version))
        except UsageError as error:
            notes.append(f"as a component: {error.what}")
            return (), 0
        scope = whereabouts.Scope(self._asker.subjects, self._asker.at, limit=self._asker.limit)
        self._admit(notes)
        rows = whereabouts.where(self._connection, question, scope)
        return tuple(rows), whereabouts.count(self._connection, question, scope) if rows else 0

    def _admit(self, notes: list[str]) -> None:
        """Say that an answer about components of long ago may be short, once."""
        why = whereabouts.forgotten(self._connection, self._asker.at)
        if why and why not in notes:
            notes.append(why)

    def weaknesses(self, taken: Sequence[What]) -> _Hits:
        """By the most telling form that finds something."""
        if What.FINGERPRINT in taken:
            hits = self._standing(findings.by_fingerprint(self._connection, self._text.lower(), sorted(SCHEMES)))
            if hits.findings:
                return hits
        for narrowing in self._narrowings(taken):
            part = findings.Part(limit=self._asker.limit)
            rows, _, total = findings.counted_page(self._connection, self._asker.findings, narrowing, part)
            if rows:
                return _Hits(tuple(rows), total)
        return _Hits()

    def _narrowings(self, taken: Sequence[What]) -> list[findings.Filter]:
        at, text = self._asker.at, self._text
        found: list[findings.Filter] = []
        if What.RULE in taken:
            found += [findings.Filter(rule=rule, at=at) for rule in _rules(text)]
        if What.FAMILY in taken:
            found += [findings.Filter(rule_class=family, at=at) for family in _families(text)]
        if What.RULE in taken and "/" in text:
            found.append(findings.Filter(rule_class=text, at=at))  # a rule that nobody mapped is a family of its own
        return [*found, findings.Filter(text=text, at=at)]

    def _standing(self, ids: Sequence[int]) -> _Hits:
        c, asker = occurrence.c, self._asker
        where = [c.finding.in_(ids), *of_teams(c.team, asker.findings), *standing(occurrence, asker.at)]
        if not ids:
            return _Hits()
        query = sa.select(c.id).where(*where)
        rows = [row[0] for row in self._connection.execute(query.order_by(c.id).limit(asker.limit))]
        total = counted(self._connection, query, MOST_COUNTED)
        return _Hits(tuple(findings.rows_of(self._connection, rows, asker.at)), total)

    def subjects(self, taken: Sequence[What]) -> tuple[SubjectRow, ...]:
        """Those of this name, and those whose present head this is."""
        asker, part = self._asker, subjects.Part(limit=self._asker.limit)
        rows, _ = subjects.page(self._connection, asker.subjects, subjects.Filter(name=self._text, at=asker.at), part)
        if rows or What.DIGEST not in taken:
            return tuple(rows)
        chosen = _begins(subject.c.head, self._text)
        query = sa.select(subject.c.id).where(chosen, *of_teams(subject.c.team, asker.subjects)).order_by(subject.c.id)
        ids = [row[0] for row in self._connection.execute(query.limit(asker.limit))]
        return tuple(subjects.rows_of(self._connection, ids, asker.at))

    def assessments(self) -> tuple[AssessmentRow, ...]:
        """Of a commit, also when only its beginning is given, of an image, or with a verdict of this digest."""
        a, asker = assessment.c, self._asker
        chosen = sa.or_(_begins(a.head, self._text), a.verdict == self._text)
        when = [a.queued_at <= asker.at] if asker.at is not None else []
        query = sa.select(a.id).where(chosen, *when, *of_teams(a.team, asker.assessments)).order_by(a.id.desc())
        ids = [row[0] for row in self._connection.execute(query.limit(asker.limit))]
        return tuple(assessments.rows_of(self._connection, ids, asker.at))


def _begins(column: sa.ColumnElement[str], text: str) -> sa.ColumnElement[bool]:
    """Whether a digest begins so, as a range that an index answers: no hex digit comes after ``g``."""
    text = text.lower()
    digits = text.rpartition(":")[2]
    starts = [text] if ":" in text else [digits, f"git-sha1:{digits}", f"sha256:{digits}"]
    return sa.or_(*(sa.and_(column >= start, column < start + "g") for start in starts))


def _as_ghsa(text: str) -> str:
    """GitHub writes its ids in small letters behind the prefix."""
    return f"GHSA-{text[5:].lower()}" if text[:5].upper() == "GHSA-" else text


def _rules(text: str) -> list[str]:
    """Rules of this name: as written, or of whichever tool when only the end is given."""
    if "/" in text:
        return [text]
    return sorted(str(rule) for rule in catalogue().rules if rule.rpartition("/")[2].lower() == text.lower())[:5]


def _families(text: str) -> list[str]:
    match = _CWE.match(text)
    if match is None:
        return [text]
    return sorted(str(name) for name, family in catalogue().classes.items() if family.cwe == int(match[1]))[:10]
