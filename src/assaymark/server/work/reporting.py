"""A report that was accepted becomes a finding like any other: by an assessment of trigger ``import`` and the one way of recording.

Guarantees: the finding is seen by a check of its own, ``report/<number>``, so that no check of ours and no import closes it, and it closes
nothing; `repair` lets that check look again and see nothing. All of it happens in the transaction in which the report changes. When a tool
sees the same by its own means, the identity is the same and both are witnesses.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

import assaymark
from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, SubjectId
from assaymark.model.digest import sha256
from assaymark.model.finding import (
    CheckId,
    CodeSite,
    ConfigurationSite,
    EndpointSite,
    Finding,
    HostSite,
    Kind,
    Layer,
    RuleClassId,
    RuleId,
    Sighting,
    Site,
    Span,
)
from assaymark.model.identity import Seen, identify
from assaymark.model.rules import RuleInfo, catalogue
from assaymark.model.severity import Confidence, Severity
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.model.verdict import CheckRun, Judged, State
from assaymark.server.service import Service
from assaymark.server.work.hearsay import hearsay
from assaymark.server.work.items import follow
from assaymark.store.recording import Recording, record
from assaymark.store.tables import assessment, finding, subject
from assaymark.views.encoding import packed
from assaymark.views.sanitise import one_line

LAYERS = {
    Kind.CODE: Layer.APPLICATION,
    Kind.ENDPOINT: Layer.APPLICATION,
    Kind.CONFIGURATION: Layer.PLATFORM,
    Kind.HOST: Layer.INFRASTRUCTURE,
}
"""Kinds that a report can become, and the layer of each where nobody says another."""
_PREFIX = "report"
_LONGEST_MESSAGE = 300


class Wanted(Struct, frozen=True):
    """What a report is to become."""

    kind: Kind
    rule_class: RuleClassId
    severity: Severity
    layer: Layer
    message: str
    path: str = ""
    line: int = 0
    part: str = ""
    """Of code the statement, of an endpoint the parameter, of a configuration the attribute, of a host the target."""
    notes: tuple[tuple[str, str], ...] = ()


class Place(Struct, frozen=True):
    """The subject that has it."""

    id: SubjectId
    kind: SubjectKind
    name: str
    team: TeamId | None


class _Chosen(Struct, frozen=True):
    """A vocabulary in which rules of reports belong to the family that was chosen."""

    rule_class: RuleClassId

    def class_of(self, rule: RuleId) -> RuleClassId:
        del rule
        return self.rule_class

    def describe(self, rule: RuleId) -> RuleInfo:
        return RuleInfo(id=rule, rule_class=self.rule_class, title=catalogue().classes[self.rule_class].title)


def found_in(wanted: Wanted, place: Place, report: int) -> Finding:
    """The finding that the report becomes."""
    check = check_of(report)
    sighting = Sighting(
        rule=RuleId(f"{_PREFIX}/{wanted.rule_class}"),
        site=_site(wanted, place),
        severity=wanted.severity,
        message=one_line(wanted.message)[:_LONGEST_MESSAGE],
        span=Span(wanted.line, 1, wanted.line, 1) if wanted.line else None,
        confidence=Confidence.HIGH,
        notes=wanted.notes,
    )
    return identify([Seen(sighting, check, wanted.layer, sha256(b""), wanted.path)], _Chosen(wanted.rule_class))[0]


def check_of(report: int) -> CheckId:
    """Under which name a report is known as a witness."""
    return CheckId(f"{_PREFIX}/{report}")


def _site(wanted: Wanted, place: Place) -> Site:
    part = wanted.part or one_line(wanted.message)
    match wanted.kind:
        case Kind.ENDPOINT:
            return EndpointSite(place.name, wanted.path, wanted.part)
        case Kind.CONFIGURATION:
            return ConfigurationSite(wanted.path, part)
        case Kind.HOST:
            return HostSite(wanted.rule_class, wanted.part or place.name)
        case _:
            return CodeSite((), part)


def write(service: Service, link: sa.Connection, place: Place, made: Finding, actor: str) -> int:
    """Record it, in the caller's transaction; gives the finding's number."""
    _record(service, link, place, (made,), (), actor)
    return int(link.execute(sa.select(finding.c.id).where(finding.c.fingerprint == made.fingerprint)).scalar_one())


def repair(service: Service, link: sa.Connection, place: Place, report: int, actor: str) -> None:
    """Nobody sees it by this report any more."""
    run = CheckRun(check_of(report), Layer.APPLICATION, assaymark.__version__, "", 1, 0, 0.0)
    _record(service, link, place, (), (run,), actor)


def _record(  # noqa: PLR0913, PLR0917 - what a recording is made of
    service: Service, link: sa.Connection, place: Place, found: tuple[Finding, ...], checks: tuple[CheckRun, ...], actor: str
) -> None:
    now = service.now()
    trigger = Trigger(TriggerKind.IMPORT, subject_kind=place.kind, actor=actor)
    values = {
        "subject": place.id,
        "team": place.team,
        "state": AssessmentState.RUNNING.value,
        "trigger": TriggerKind.IMPORT.value,
        "trigger_details": msgspec.json.encode(trigger, order="sorted").decode(),
        "actor": actor,
        "queued_at": now,
        "started_at": now,
    }
    number = AssessmentId(link.execute(assessment.insert().returning(assessment.c.id), values).scalar_one())
    verdict = hearsay("what was reported", tuple(Judged(each, State.KNOWN) for each in found), checks)
    blob = service.blobs.put(packed(verdict))
    summary = "a report was accepted" if found else "what was reported is repaired"
    record(link, Recording(number, place.id, verdict, blob, whole=True, at=now, summary=summary))
    follow(service, link, actor=actor)


def place_of(link: sa.Connection, number: int) -> Place | None:
    """A subject that is looked after; None when it is not there or has ended."""
    query = sa.select(subject.c.id, subject.c.kind, subject.c.name, subject.c.team).where(subject.c.id == number)
    row = link.execute(query.where(subject.c.ended_at.is_(None))).first()
    return Place(SubjectId(row.id), SubjectKind(row.kind), row.name, row.team) if row else None
