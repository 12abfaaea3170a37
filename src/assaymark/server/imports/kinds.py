"""What kind of document it is, by its own words and never by its name.

Guarantees: looks at the first level (of a list, at its first row), so that it costs little whatever the size; what fits no kind is refused
with the list of those that are read. Does not say whether the document is whole: its reader does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.server.imports.documents import is_lines, is_xml, root_of, utf8

KNOWN = (
    "SARIF 2.1.0, CycloneDX (JSON or XML), SPDX 2.3 or 3.0 (JSON), OpenVEX, OCSF, JUnit XML, a verdict of `assay check --format json`, or "
    "a report of Trivy, Grype, Semgrep, Gitleaks, ZAP, Nuclei, Checkov, Bandit, npm audit, pip-audit, OSV-Scanner, Snyk or SonarQube, "
    "DefectDojo's Generic Findings Import, Dependency-Track's findings"
)


class DocumentKind(StrEnum):
    SARIF = "sarif"
    CYCLONEDX = "cyclonedx"
    CYCLONEDX_XML = "cyclonedx-xml"
    SPDX = "spdx"
    SPDX3 = "spdx-3"
    JUNIT = "junit"
    VERDICT = "verdict"
    OPENVEX = "openvex"
    OCSF = "ocsf"
    TRIVY = "trivy"
    GRYPE = "grype"
    SEMGREP = "semgrep"
    GITLEAKS = "gitleaks"
    ZAP = "zap"
    ZAP_XML = "zap-xml"
    NUCLEI = "nuclei"
    CHECKOV = "checkov"
    BANDIT = "bandit"
    NPM_AUDIT = "npm-audit"
    PIP_AUDIT = "pip-audit"
    OSV_SCANNER = "osv-scanner"
    SNYK = "snyk"
    SONARQUBE = "sonarqube"
    GENERIC = "generic-findings"
    GENERIC_CSV = "generic-findings-csv"
    DEPENDENCY_TRACK = "dependency-track"


BILLS = frozenset({DocumentKind.CYCLONEDX, DocumentKind.CYCLONEDX_XML, DocumentKind.SPDX, DocumentKind.SPDX3})
_XML = {
    "testsuites": DocumentKind.JUNIT,
    "testsuite": DocumentKind.JUNIT,
    "bom": DocumentKind.CYCLONEDX_XML,
    "OWASPZAPReport": DocumentKind.ZAP_XML,
}
_CYCLONEDX = "http://cyclonedx.org/schema/bom/"
_ABSENT = Raw()


class _Probe(Struct):
    """First level of whatever may come; what is absent is empty."""

    runs: Raw = _ABSENT
    bom_format: Raw = field(name="bomFormat", default=_ABSENT)
    spdx_version: Raw = field(name="spdxVersion", default=_ABSENT)
    context: Any = field(name="@context", default=None)
    graph: Raw = field(name="@graph", default=_ABSENT)
    statements: Raw = _ABSENT
    verdict: Raw = _ABSENT
    outcome: Any = None
    schema_version: Any = field(name="SchemaVersion", default=None)
    artifact_name: Raw = field(name="ArtifactName", default=_ABSENT)
    cluster_name: Raw = field(name="ClusterName", default=_ABSENT)
    target: Raw = field(name="Target", default=_ABSENT)
    matches: Raw = _ABSENT
    descriptor: Raw = _ABSENT
    source: Raw = _ABSENT
    distro: Raw = _ABSENT
    results: Raw = _ABSENT
    errors: Raw = _ABSENT
    paths: Raw = _ABSENT
    metrics: Raw = _ABSENT
    generated_at: Raw = _ABSENT
    check_type: Raw = _ABSENT
    checkov_version: Raw = _ABSENT
    resource_count: Raw = _ABSENT
    old_resource_count: Raw = field(name="resourcecount", default=_ABSENT)
    program_name: Any = field(name="@programName", default=None)
    zap_version: Raw = field(name="@version", default=_ABSENT)
    site: Raw = _ABSENT
    audit_version: Any = field(name="auditReportVersion", default=None)
    advisories: Raw = _ABSENT
    actions: Raw = _ABSENT
    vulnerabilities: Raw = _ABSENT
    metadata: Raw = _ABSENT
    dependencies: Raw = _ABSENT
    fixes: Raw = _ABSENT
    version: Any = None
    vulns: Raw = _ABSENT
    name: Any = None
    ok: Any = None
    package_manager: Raw = field(name="packageManager", default=_ABSENT)
    summary: Raw = _ABSENT
    iac_issues: Raw = field(name="infrastructureAsCodeIssues", default=_ABSENT)
    issues: Raw = _ABSENT
    hotspots: Raw = _ABSENT
    components: Raw = _ABSENT
    paging: Raw = _ABSENT
    total: Raw = _ABSENT
    class_uid: Any = None
    category_uid: Any = None
    template_id: Any = field(name="template-id", default=None)
    old_template_id: Any = field(name="templateID", default=None)
    info: Raw = _ABSENT
    rule_id: Any = field(name="RuleID", default=None)
    file: Any = field(name="File", default=None)
    findings: Raw = _ABSENT
    meta: Raw = _ABSENT
    project: Raw = _ABSENT
    old_rule: Any = field(name="rule", default=None)
    offender: Any = None


_decode = msgspec.json.Decoder(_Probe).decode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


def kind_of(data: bytes) -> DocumentKind:
    """The kind.

    Raises:
        UsageError: when it is none that is read here, with what it looks like instead.
    """
    data = utf8(data)
    if is_xml(data):
        return _of_xml(data)
    if data.lstrip()[:4] == b"SPDX":
        raise UsageError("this is an SPDX document as text", advice="export it as SPDX 2.3 JSON")
    if is_csv(data):
        return DocumentKind.GENERIC_CSV
    try:
        found = _of_list(data) if data.lstrip().startswith(b"[") else _of_object(_decode(_first(data)))
    except RecursionError as error:
        raise UsageError("the document is nested too deeply", advice="no tool writes such a report: check where it comes from") from error
    except UNDECODABLE as error:
        raise UsageError("the document is neither JSON nor XML that is read here", why=str(error)[:200], advice=f"send {KNOWN}") from error
    if found is None:
        raise UsageError("the document is JSON of a kind that is not read here", advice=f"send {KNOWN}")
    return found


def is_csv(data: bytes) -> bool:
    """Whether the first line names the columns that DefectDojo's table of findings has to have."""
    first = data[:4096].partition(b"\n")[0].decode("utf-8", "replace")
    return {"Title", "Severity"} <= {name.strip().strip('"') for name in first.split(",")}


def _first(data: bytes) -> bytes:
    return data.strip().partition(b"\n")[0] if is_lines(data) else data


def _of_xml(data: bytes) -> DocumentKind:
    name, space = root_of(data)
    found = _XML.get(name)
    if found is None or (found is DocumentKind.CYCLONEDX_XML and not space.startswith(_CYCLONEDX)):
        what = f"XML with the root element <{name[:60]}>" if name else "what begins like XML and is none"
        raise UsageError(f"{what} is not read here", advice=f"send {KNOWN}")
    return found


def _of_list(data: bytes) -> DocumentKind | None:
    found = _decode_list(data)
    if not found:
        raise UsageError("an empty list does not say which tool wrote it", advice="name it with `format`, e.g. format=gitleaks")
    if not bytes(found[0]).lstrip().startswith(b"{"):
        return None
    probe = _decode(found[0])
    if probe.rule_id is not None or (probe.old_rule is not None and probe.offender is not None):
        return DocumentKind.GITLEAKS
    if probe.target != _ABSENT:
        return DocumentKind.TRIVY
    if probe.name is not None and probe.version is not None and probe.vulns != _ABSENT:
        return DocumentKind.PIP_AUDIT
    kind = _of_object(probe)
    return kind if kind in _IN_LISTS else None


_IN_LISTS = frozenset({DocumentKind.OCSF, DocumentKind.CHECKOV, DocumentKind.SNYK, DocumentKind.NUCLEI})


def _of_object(probe: _Probe) -> DocumentKind | None:
    return _of_standard(probe) or _of_tool(probe)


def _of_standard(probe: _Probe) -> DocumentKind | None:
    context = probe.context if isinstance(probe.context, str) else ""
    table = (
        (bool(bytes(probe.runs)), DocumentKind.SARIF),
        (bool(bytes(probe.bom_format)), DocumentKind.CYCLONEDX),
        ("spdx.org/rdf/3" in context and bool(bytes(probe.graph)), DocumentKind.SPDX3),
        (bool(bytes(probe.spdx_version)), DocumentKind.SPDX),
        ("openvex" in context, DocumentKind.OPENVEX),
        (bool(bytes(probe.verdict)) or probe.outcome is not None, DocumentKind.VERDICT),
        (isinstance(probe.class_uid, int) or isinstance(probe.category_uid, int), DocumentKind.OCSF),
    )
    return next((kind for holds, kind in table if holds), None)


def _of_tool(probe: _Probe) -> DocumentKind | None:
    has = {name for name in probe.__struct_fields__ if isinstance(getattr(probe, name), Raw) and bytes(getattr(probe, name))}
    table = (
        (bool({"artifact_name", "cluster_name"} & has), DocumentKind.TRIVY),
        ("matches" in has and bool({"descriptor", "source", "distro"} & has), DocumentKind.GRYPE),
        ("check_type" in has or ("checkov_version" in has and bool({"resource_count", "old_resource_count"} & has)), DocumentKind.CHECKOV),
        ("site" in has and (probe.program_name is not None or "zap_version" in has), DocumentKind.ZAP),
        ({"results", "metrics", "generated_at"} <= has, DocumentKind.BANDIT),
        (probe.audit_version is not None or {"advisories", "actions"} <= has or {"advisories", "metadata"} <= has, DocumentKind.NPM_AUDIT),
        ("iac_issues" in has or ("vulnerabilities" in has and ("package_manager" in has or probe.ok is not None)), DocumentKind.SNYK),
        (bytes(probe.dependencies).startswith(b"[") and not {"vulnerabilities", "components"} & has, DocumentKind.PIP_AUDIT),
        ("hotspots" in has and "paging" in has, DocumentKind.SONARQUBE),
        ("issues" in has and bool({"paging", "total", "components"} & has), DocumentKind.SONARQUBE),
        ((probe.template_id or probe.old_template_id) is not None and "info" in has, DocumentKind.NUCLEI),
        ("meta" in has and bool({"findings", "project"} & has), DocumentKind.DEPENDENCY_TRACK),
        (bytes(probe.findings).startswith(b"["), DocumentKind.GENERIC),
        ("results" in has and "errors" in has, DocumentKind.SEMGREP),
    )
    found = next((kind for holds, kind in table if holds), None)
    return found or (_of_results(probe.results) if "results" in has else None)


class _Row(Struct):
    source: Raw = _ABSENT
    packages: Raw = _ABSENT
    check_id: Any = None


def _of_results(results: Raw) -> DocumentKind | None:
    """OSV-Scanner and Semgrep both speak of `results` alone; an empty list is OSV-Scanner's way."""
    if not bytes(results).lstrip().startswith(b"["):
        return None
    found = _decode_list(results)
    if not found:
        return DocumentKind.OSV_SCANNER
    row = msgspec.json.decode(found[0], type=_Row) if bytes(found[0]).lstrip().startswith(b"{") else _Row()
    if row.check_id is not None:
        return DocumentKind.SEMGREP
    return DocumentKind.OSV_SCANNER if bytes(row.packages) else None
