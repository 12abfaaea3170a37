"""Kind of document -> its reader. A door that looks alike for every format: bytes, how it was asked for, what the server knows."""

from __future__ import annotations

from collections.abc import Callable

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.server.imports import bill, junit, ocsf, sarif, verdicts, vex
from assaymark.server.imports.documents import checked_json, is_xml, utf8
from assaymark.server.imports.found import Ask, Spoken, World
from assaymark.server.imports.kinds import BILLS, DocumentKind
from assaymark.server.imports.native import (
    bandit,
    checkov,
    dependency_track,
    generic,
    gitleaks,
    grype,
    npm_audit,
    nuclei,
    osv_scanner,
    pip_audit,
    semgrep,
    snyk,
    sonarqube,
    trivy,
    zap,
)

Reader = Callable[[bytes, Ask, World], Spoken]
READERS: dict[DocumentKind, Reader] = {
    DocumentKind.SARIF: lambda data, ask, world: sarif.read(data, ask, world.contents),
    DocumentKind.JUNIT: lambda data, ask, _: junit.read(data, ask),
    DocumentKind.VERDICT: lambda data, ask, _: verdicts.read(data, ask),
    DocumentKind.OPENVEX: lambda data, _, __: vex.read_openvex(data),
    DocumentKind.OCSF: ocsf.read,
    DocumentKind.TRIVY: trivy.read,
    DocumentKind.GRYPE: grype.read,
    DocumentKind.SEMGREP: semgrep.read,
    DocumentKind.GITLEAKS: gitleaks.read,
    DocumentKind.ZAP: zap.read,
    DocumentKind.ZAP_XML: zap.read_xml,
    DocumentKind.NUCLEI: nuclei.read,
    DocumentKind.CHECKOV: checkov.read,
    DocumentKind.BANDIT: bandit.read,
    DocumentKind.NPM_AUDIT: npm_audit.read,
    DocumentKind.PIP_AUDIT: pip_audit.read,
    DocumentKind.OSV_SCANNER: osv_scanner.read,
    DocumentKind.SNYK: snyk.read,
    DocumentKind.SONARQUBE: sonarqube.read,
    DocumentKind.GENERIC: generic.read,
    DocumentKind.GENERIC_CSV: generic.read_csv,
    DocumentKind.DEPENDENCY_TRACK: dependency_track.read,
}


def read(data: bytes, kind: DocumentKind, given: tuple[Ask, World], index: Index | None = None) -> Spoken:
    """What a document says.

    Raises:
        UsageError: when it is not what its kind promises, or cannot be read one way only.
    """
    data = utf8(data)
    if not is_xml(data) and kind is not DocumentKind.GENERIC_CSV:
        checked_json(data)
    if kind in BILLS:
        return bill.read(data, kind, given, index)
    return READERS[kind](data, *given)
