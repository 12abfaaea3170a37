"""OCSF events (JSON, a list, or one per line), versions 1.0 to 1.5: Vulnerability Finding 2002, Compliance Finding 2003, Detection
Finding 2004, Application Security Posture Finding 2007; e.g. of Prowler or Amazon Inspector. Other classes are counted and left out.

Guarantees: what passed, was resolved or suppressed is no finding; a finding is known by its check and its resource (or by component and
vulnerability), not by the event's id, which differs from run to run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field

from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, EventSite, Fix, HostSite, Layer, RuleId, Sighting
from assaymark.model.identity import Seen
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports import components
from assaymark.server.imports.components import Vulnerable, purl_named
from assaymark.server.imports.documents import bounded, rows
from assaymark.server.imports.found import Ask, Spoken, World, check_of, tool_of
from assaymark.server.imports.places import path_of
from assaymark.server.imports.speech import cwe_note, line_of

VULNERABILITY, COMPLIANCE, DETECTION, POSTURE = 2002, 2003, 2004, 2007
_READ = frozenset({VULNERABILITY, COMPLIANCE, DETECTION, POSTURE})
_SEVERITIES = {1: Severity.INFO, 2: Severity.LOW, 3: Severity.MEDIUM, 4: Severity.HIGH, 5: Severity.CRITICAL, 6: Severity.CRITICAL}
_SURE = {1: Confidence.LOW, 2: Confidence.MEDIUM, 3: Confidence.HIGH}
_PASSED = frozenset({"PASS", "PASSED", "SUCCESS", "NOT_APPLICABLE"})
_SUPPRESSED, _RESOLVED, _ARCHIVED, _DELETED = 3, 4, 5, 6
_CLOSING = 3
"""Activity: the finding was closed."""


class _Product(Struct):
    name: str | None = ""
    vendor_name: str | None = ""


class _Metadata(Struct):
    product: _Product | None = None
    event_code: str | None = ""


class _Analytic(Struct):
    uid: str | None = ""
    name: str | None = ""


class _Info(Struct):
    uid: Any = None
    title: str | None = ""
    desc: str | None = ""
    analytic: _Analytic | None = None


class _Resource(Struct):
    uid: str | None = ""
    name: str | None = ""
    type: str | None = ""
    region: str | None = ""


class _Remediation(Struct):
    desc: str | None = ""


class _Named(Struct):
    uid: str | None = ""


class _Score(Struct):
    base_score: float | None = None


class _Cve(Struct):
    uid: str | None = ""
    cvss: list[_Score] | None = None
    cwe: _Named | None = None


class _Package(Struct):
    name: str | None = ""
    version: str | None = ""
    purl: str | None = ""
    package_manager: str | None = ""
    type: str | None = ""
    fixed_in_version: str | None = ""
    path: str | None = ""


class _Vulnerability(Struct):
    cve: _Cve | None = None
    advisory: _Named | None = None
    cwe: _Named | None = None
    title: str | None = ""
    desc: str | None = ""
    severity: str | None = ""
    affected_packages: list[_Package] | None = None
    packages: list[_Package] | None = None
    remediation: _Remediation | None = None
    references: list[str] | None = None


class _Compliance(Struct):
    control: str | None = ""
    status: str | None = ""
    status_id: int | None = None


class _Actor(Struct):
    user: _Named | None = None


class _Event(Struct):
    class_uid: int = 0
    category_uid: int = 0
    activity_id: int | None = None
    severity_id: int | None = None
    severity: str | None = ""
    confidence_id: int | None = None
    status_id: int | None = None
    status_code: str | None = ""
    status_detail: str | None = ""
    message: str | None = ""
    metadata: _Metadata | None = None
    finding_info: _Info | None = None
    finding: _Info | None = None
    resources: list[_Resource] | None = None
    resource: _Resource | None = None
    vulnerabilities: list[_Vulnerability] | None = None
    compliance: _Compliance | None = None
    remediation: _Remediation | None = None
    actor: _Actor | None = None
    risk: str | None = field(name="risk_details", default="")


class _Where(Struct, frozen=True):
    check: CheckId
    tool: str
    ask: Ask


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the events say, each for its own product.

    Raises:
        UsageError: when one is no event.
    """
    seen: list[Seen] = []
    packages: dict[CheckId, list[Vulnerable]] = {}
    checks: dict[CheckId, Layer] = {}
    left: Counter[int] = Counter()
    for number, event in enumerate(rows(data, _Event, "OCSF"), 1):
        bounded(number, "OCSF")
        product = event.metadata.product if event.metadata else None
        tool = tool_of((product.name or product.vendor_name or "") if product else "")
        where = _Where(check_of(tool, ask), tool, ask)
        checks.setdefault(where.check, ask.on(Layer.INFRASTRUCTURE))
        if event.class_uid not in _READ:
            left[event.class_uid] += 1
        elif _is_open(event):
            packages.setdefault(where.check, []).extend(_vulnerable(event))
            seen += _others(event, where)
    for check, found in packages.items():
        seen += components.seen_of(check, found, ask, world)
    notes = tuple(
        f"{count} events of class {number} were left out: they are no findings that are read here" for number, count in left.items()
    )
    return Spoken(tuple(dict.fromkeys(seen)), checks=tuple(checks.items()), notes=notes)


def _is_open(event: _Event) -> bool:
    if event.activity_id == _CLOSING or event.status_id in (_RESOLVED, _ARCHIVED, _DELETED):
        return False
    said = {(event.status_code or "").upper(), (event.compliance.status or "").upper() if event.compliance else ""}
    if said & _PASSED or (event.compliance and event.compliance.status_id == 1):
        return False
    # Prowler before 5 wrote 3 with what failed, and MANUAL and MUTED in words.
    return event.status_id != _SUPPRESSED or (event.status_code or "").upper() == "FAIL"


def _severity(event: _Event) -> Severity:
    return _SEVERITIES.get(event.severity_id or 0) or components.rated(event.severity or "")


def _vulnerable(event: _Event) -> Iterator[Vulnerable]:
    for row in event.vulnerabilities or ():
        score = row.cve.cvss[0].base_score if row.cve and row.cve.cvss else None
        ids = tuple(dict.fromkeys(each for each in (row.cve.uid if row.cve else "", row.advisory.uid if row.advisory else "") if each))
        for package in (row.affected_packages or row.packages or ()) if ids else ():
            manager = package.package_manager or package.type or ""
            yield Vulnerable(
                purl=package.purl or purl_named(manager, package.name or "", package.version or ""),
                version=package.version or "",
                ids=ids,
                severity=components.rated(row.severity) if row.severity else components.scored(score) or _severity(event),
                title=row.title or row.desc or "",
                path=path_of(package.path or ""),
                fixed=package.fixed_in_version or "",
                url=next(iter(row.references or ()), ""),
                notes=(("where", _target(event)), *cwe_note(_cwe(row))),
            )


def _cwe(row: _Vulnerability) -> str:
    named = row.cwe or (row.cve.cwe if row.cve else None)
    return (named.uid or "") if named else ""


def _others(event: _Event, where: _Where) -> Iterator[Seen]:
    """One per resource; of a vulnerability, where it names no package."""
    if event.class_uid == VULNERABILITY:
        for row in event.vulnerabilities or ():
            if not (row.affected_packages or row.packages):
                named = (row.cve.uid if row.cve else "") or (row.advisory.uid if row.advisory else "") or _control(event)
                yield from (_seen(event, where, (named, _name(one))) for one in _resources(event))
        return
    yield from (_seen(event, where, (_control(event), _name(one))) for one in _resources(event))


def _resources(event: _Event) -> list[_Resource]:
    return event.resources or ([event.resource] if event.resource else [_Resource()])


def _name(resource: _Resource) -> str:
    return line_of(resource.uid or resource.name or "", 300)


def _target(event: _Event) -> str:
    return ", ".join(filter(None, (_name(one) for one in _resources(event)[:5])))


def _info(event: _Event) -> _Info:
    return event.finding_info or event.finding or _Info()


def _control(event: _Event) -> str:
    info = _info(event)
    code = event.metadata.event_code if event.metadata else ""
    analytic = (info.analytic.uid or info.analytic.name) if info.analytic else ""
    control = event.compliance.control if event.compliance else ""
    return line_of(code or analytic or control or info.title or str(info.uid or "unnamed"), 150)


def _seen(event: _Event, where: _Where, named: tuple[str, str]) -> Seen:
    control, target = named
    info = _info(event)
    actor = (event.actor.user.uid or "") if event.actor and event.actor.user else ""
    is_event = event.class_uid == DETECTION and bool(actor)
    sighting = Sighting(
        rule=RuleId(f"{where.tool}/{line_of(control, 150)}"),
        site=EventSite(control, line_of(actor, 200), target) if is_event else HostSite(control, target),
        severity=_severity(event),
        message=line_of(event.status_detail or event.message or info.title or info.desc or control),
        confidence=_SURE.get(event.confidence_id or 0, Confidence.MEDIUM),
        fix=Fix(line_of(event.remediation.desc)) if event.remediation and event.remediation.desc else None,
        notes=tuple((name, line_of(text)) for name, text in (("where", target), ("what it is", info.desc or event.risk or "")) if text),
    )
    unit = sha256(f"{control}\x00{target}".encode("utf-8", "surrogatepass"))
    return Seen(sighting, where.check, where.ask.on(Layer.INFRASTRUCTURE), unit, "")
