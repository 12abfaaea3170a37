"""Dependency-Track: projects (`GET /api/v1/project`), findings of each (`GET /api/v1/finding/project/{uuid}/export`, FPF), bills of
materials (`GET /api/v1/bom/cyclonedx/project/{uuid}`, also with vulnerabilities or as VEX). Projects become subjects, what it found
findings, its analyses decisions, and what a bill holds is looked after from now on.

Guarantees: files may come in any order and any number; a bill is known by the name and version of what it describes.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct, field

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.decision import DecisionKind, Justification
from assaymark.model.finding import Layer
from assaymark.model.trigger import SubjectKind
from assaymark.server.imports import bill, markup
from assaymark.server.imports.components import seen_of
from assaymark.server.imports.documents import checked_json, decoded, is_xml, utf8
from assaymark.server.imports.found import Ask, Said, World, check_of
from assaymark.server.imports.kinds import DocumentKind, kind_of
from assaymark.server.imports.native.dependency_track import LETS_THROUGH, TOOL, Finding, Project, document_of, statements, vulnerable
from assaymark.server.imports.speech import line_of
from assaymark.server.migrations.plan import LONGEST_NAME, Decided, Plan, Planned
from assaymark.verdict.vex import split_purl

SOURCE = "dependency-track"
_KINDS = {"CONTAINER": SubjectKind.IMAGE, "DEVICE": SubjectKind.HOST, "FIRMWARE": SubjectKind.HOST, "OPERATING_SYSTEM": SubjectKind.HOST}
_DECISIONS = {
    "not-affected": DecisionKind.NOT_AFFECTED,
    "false-positive": DecisionKind.FALSE_POSITIVE,
    "fixed": DecisionKind.FIXED,
    "accepted": DecisionKind.ACCEPT,
}
_WHY = {
    "code_not_present": Justification.CODE_NOT_PRESENT,
    "code_not_reachable": Justification.CODE_NOT_EXECUTED,
    "requires_configuration": Justification.CODE_NOT_CONTROLLED,
    "requires_dependency": Justification.COMPONENT_NOT_PRESENT,
    "requires_environment": Justification.CODE_NOT_CONTROLLED,
}


class _Described(Struct):
    name: str = ""
    version: str = ""
    group: str = ""
    uuid: str = field(name="bom-ref", default="")


class _Metadata(Struct):
    component: _Described | None = None


class _Bill(Struct):
    metadata: _Metadata | None = None


def plan(documents: Iterable[bytes], world: World, index: Index | None = None) -> Plan:
    """What a migration of these files would do.

    Raises:
        UsageError: when one of them is none of Dependency-Track's, or they name no project.
    """
    reader = _Reader(world, index)
    for data in documents:
        reader.take(utf8(data))
    return reader.finished()


class _Reader:
    def __init__(self, world: World, index: Index | None) -> None:
        self._world, self._index = world, index
        self._plan = Plan(SOURCE)
        self._projects: dict[str, Planned] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._exports: list[tuple[Project, list[Finding]]] = []
        self._bills: list[tuple[bytes, DocumentKind]] = []

    def take(self, data: bytes) -> None:
        """One file."""
        if not is_xml(data):
            checked_json(data)
        if data.lstrip().startswith(b"["):
            for row in decoded(data, list[Project], "Dependency-Track (its list of projects)"):
                self._project(row)
            return
        kind = kind_of(data)
        if kind is DocumentKind.DEPENDENCY_TRACK:
            document = document_of(data)
            self._exports.append((document.project or Project(), document.findings or []))
        elif kind in (DocumentKind.CYCLONEDX, DocumentKind.CYCLONEDX_XML):
            self._bills.append((data, kind))
        else:
            raise UsageError(
                f"{kind.value} is no export of Dependency-Track", advice="send projects, findings (FPF) and bills of materials"
            )

    def _project(self, row: Project) -> Planned | None:
        if not row.uuid or not row.name:
            self._plan.loses("projects without an id or a name")
            return None
        if row.uuid not in self._projects:
            name = line_of(" ".join(filter(None, (f"{row.group}/{row.name}" if row.group else row.name, row.version))), LONGEST_NAME)
            kind = _KINDS.get(row.classifier or "", SubjectKind.ENVIRONMENT).value
            self._projects[row.uuid] = Planned(f"{SOURCE}:project:{row.uuid}", kind, name)
            self._names[row.name, row.version or ""] = row.uuid
            if row.active is False or row.inactive_since:
                self._plan.loses("that a project is inactive: its subject is looked after all the same")
            self._plan.loses("tags of projects", len(row.tags or ()))
            self._plan.loses("that a project belongs to another", int(row.parent is not None))
            self._plan.becomes("project → subject")
        return self._projects[row.uuid]

    def finished(self) -> Plan:
        """When all files were taken."""
        for project, findings in self._exports:
            subject = self._project(project)
            if subject is None:
                self._plan.loses("findings of a project that the export does not name", len(findings))
                continue
            self._findings(subject, findings)
        for data, kind in self._bills:
            self._bill(data, kind)
        self._plan.subjects = list(self._projects.values())
        if not self._plan.subjects:
            raise UsageError("these files name no project", advice="export GET /api/v1/project, and the findings and bills of each")
        return self._plan

    def _findings(self, subject: Planned, findings: list[Finding]) -> None:
        check = check_of(TOOL, Ask())
        subject.checks.setdefault(check, Layer.APPLICATION)
        subject.seen += seen_of(check, [vulnerable(row) for row in findings], Ask(), self._world)
        self._plan.becomes("finding → finding", len(findings))
        self._decide(subject, list(statements(findings)))

    def _decide(self, subject: Planned, said: list[Said]) -> None:
        for each in said:
            kind = _DECISIONS.get(each.status)
            if kind is None or each.status not in LETS_THROUGH:
                self._plan.loses(f"analyses that let nothing through: {each.status}")
                continue
            word = each.reason.partition(":")[0].strip().lower()
            why = (_WHY.get(word) or Justification.MITIGATED) if kind is DecisionKind.NOT_AFFECTED else None
            for product in each.products:
                package, version = split_purl(product)
                origin = f"{subject.key}:{each.ids[0]}:{package}@{version}"
                reason = each.reason or f"{each.status} in Dependency-Track, without a word why"
                subject.decided.append(
                    Decided(origin, kind, reason, "Dependency-Track", None, package, version, each.ids[0], justification=why)
                )
                self._plan.becomes(f"analysis → decision ({kind.value})")

    def _bill(self, data: bytes, kind: DocumentKind) -> None:
        text = markup.as_json(data) if kind is DocumentKind.CYCLONEDX_XML else data
        described = _described(text)
        found = self._projects.get(described.uuid) or self._projects.get(self._names.get((described.name, described.version), ""))
        if found is None:
            if not described.name:
                self._plan.loses("bills of materials that do not say what they describe")
                return
            key = described.uuid or f"{described.name}@{described.version}"
            found = self._project(Project(uuid=key, name=described.name, version=described.version, group=described.group))
        assert found is not None  # noqa: S101 - it has an id and a name
        told = bill.read(text, DocumentKind.CYCLONEDX, (Ask(), self._world), self._index)
        found.sets |= told.sets
        found.seen += told.seen
        found.checks |= dict(told.checks)
        self._plan.becomes("component → component that is looked after", sum(len(held.packages) for _, held in told.sets.values()))
        self._plan.becomes("vulnerability of a bill → finding", len(told.seen))
        self._decide(found, list(told.statements))


def _described(data: bytes) -> _Described:
    try:
        found = msgspec.json.decode(data, type=_Bill).metadata
    except UNDECODABLE:
        return _Described()
    return (found.component if found else None) or _Described()
