"""Verdicts and rows to record, made small."""

from __future__ import annotations

import json

import sqlalchemy as sa

from assaymark.model.assessment import AssessmentId, Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Core, Finding, Kind, Layer, Place, RuleClassId, RuleId, Witness
from assaymark.model.identity import fingerprint
from assaymark.model.severity import Confidence, Severity
from assaymark.model.subject import SubjectRef
from assaymark.model.verdict import CheckRun, Judged, Outcome, Posture, State, Verdict, WaiverRef
from assaymark.store.database import Database
from assaymark.store.recording import Recording, record
from assaymark.store.tables import assessment, finding, occurrence, subject, team

COMMIT = "git-sha1:" + "c" * 40


def seen(
    name: str,
    path: str = "a.py",
    *,
    line: int = 1,
    severity: Severity = Severity.HIGH,
    rule: str = "ruff/S608",
    state: State = State.KNOWN,
    kind: Kind = Kind.CODE,
    rule_class: str = "sql-injection",
    waiver: WaiverRef | None = None,
    more: tuple[str, ...] = (),
) -> Judged:
    """A finding whose identity is its name."""
    core = Core(kind, RuleClassId(rule_class), (name, "statement"))
    rules = (rule, *more)
    witnesses = tuple(Witness(CheckId(each.partition("/")[0]), RuleId(each), f"{name} is wrong") for each in rules)
    made = Finding(
        fingerprint=fingerprint(core, "scope/1"),
        core=core,
        place=Place(path, line, 1, line, 9),
        layer=Layer.APPLICATION,
        severity=severity,
        confidence=Confidence.HIGH,
        witnesses=witnesses,
        input=Digest("git-sha1:" + "a" * 40),
        statement=f"run({name})",
    )
    return Judged(made, state, waiver)


def gap(path: str, check: str = "ruff") -> Judged:
    """A check could not look at a path."""
    return seen(f"{check} at {path}", path, rule=f"{check}/unchecked", kind=Kind.UNCHECKED, rule_class="unchecked", state=State.NEW)


def verdict(*findings: Judged, checks: tuple[str, ...] = ("ruff",), outcome: Outcome = Outcome.PASS, head: str = COMMIT) -> Verdict:
    """One over these."""
    runs = tuple(CheckRun(CheckId(each), Layer.APPLICATION, "1", "", 1, 0, 0.1) for each in checks)
    return Verdict(
        outcome=outcome,
        base=SubjectRef("empty", "", ""),
        head=SubjectRef("commit", "head", head),
        reasons=(),
        findings=findings,
        checks=runs,
        policy_level="1",
        fail_on="high",
        knowledge="",
        policy_digest="",
        scheme="scope/1",
        whole=True,
        before=Posture({}),
        after=Posture({}),
        seconds=0.1,
        tool_version="0",
        rules={},
    )


def add_team(database: Database, slug: str) -> int:
    with database.write() as link:
        made = link.execute(team.insert().values(slug=slug, name=slug, created_at=0).returning(team.c.id)).scalar_one()
    return int(made)


def add_subject(database: Database, name: str = "main", *, kind: str = "branch", team: int | None = None, at: int = 0) -> SubjectId:
    with database.write() as link:
        values = {"kind": kind, "key": name, "name": name, "team": team, "created_at": at}
        return SubjectId(link.execute(subject.insert().values(values).returning(subject.c.id)).scalar_one())


def ask(database: Database, of: SubjectId, *, at: int = 0, trigger: str = "push", head: str = "") -> AssessmentId:
    """A queued assessment."""
    with database.write() as link:
        team = link.execute(sa.select(subject.c.team).where(subject.c.id == of)).scalar()
        values = {"subject": of, "team": team, "state": "running", "trigger": trigger, "queued_at": at, "head": head}
        return AssessmentId(link.execute(assessment.insert().values(values).returning(assessment.c.id)).scalar_one())


def tell(database: Database, of: SubjectId, given: Verdict | None, at: int, *, whole: bool = True, trigger: str = "push") -> AssessmentId:
    """Ask for an assessment and record this as its end."""
    asked = ask(database, of, at=at, trigger=trigger)
    with database.write() as link:
        assert record(link, Recording(asked, of, given, "", whole, Instant(at)))
    return asked


def standing(database: Database, of: SubjectId, at: int | None = None) -> list[tuple[str, str]]:
    """(name, path) of what is open, now or at an instant."""
    c = occurrence.c
    asked = sa.select(finding.c.core, c.path).join(finding, finding.c.id == c.finding).where(c.subject == of)
    asked = (
        asked.where(c.closed_at.is_(None))
        if at is None
        else asked.where(c.opened_at <= at, sa.or_(c.closed_at.is_(None), c.closed_at > at))
    )
    with database.read() as link:
        return sorted((json.loads(core)[2][0], path) for core, path in link.execute(asked))
