"""DefectDojo's Generic Findings Import, JSON and CSV; and, by the same rows, findings of DefectDojo's own API.

A row becomes what it names: a component with a vulnerability, a place in a file, an address, a secret, a setting, otherwise a control that
is not met. Rows that are over (mitigated, duplicate, false) are no findings; which is which is `Row.standing`.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from assaymark.checks.application.code.sarif_in import Region, Result
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.readers import dialect_of
from assaymark.errors import UsageError
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, EndpointSite, Fix, HostSite, Layer, RuleId, Sighting
from assaymark.model.identity import Seen
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports import components, hidden, settings_seen
from assaymark.server.imports.code import Source, located
from assaymark.server.imports.components import Vulnerable, purl_named, rated
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.endpoints import operation_of, service_of
from assaymark.server.imports.found import Ask, Spoken, World, check_of, slug, tool_of
from assaymark.server.imports.hidden import Leak
from assaymark.server.imports.places import path_of
from assaymark.server.imports.settings_seen import Setting
from assaymark.server.imports.speech import count, cwe_note, line_of

_IDS = re.compile(
    r"(?:CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3}|PYSEC-\d{4}-\d+|GO-\d{4}-\d+|RUSTSEC-\d{4}-\d+|MAL-\d{4}-\d+|SNYK-[\w-]+)\Z",
    re.IGNORECASE,
)
_SECRETS = frozenset({"gitleaks", "trufflehog", "detect-secrets", "github-secrets", "ggshield", "kingfisher", "whispers"})
_SETTINGS = {"checkov": "terraform", "tfsec": "terraform", "terrascan": "terraform", "kics": "terraform", "hadolint": "dockerfile"}
_OF_TOOLS = {"npm-audit": Ecosystem.NPM, "yarn-audit": Ecosystem.NPM, "pip-audit": Ecosystem.PYPI, "safety": Ecosystem.PYPI}
_OF_FILES = {
    "package-lock": Ecosystem.NPM, "yarn-lock": Ecosystem.NPM, "pnpm-lock": Ecosystem.NPM, "bun-lock": Ecosystem.NPM,
    "poetry-lock": Ecosystem.PYPI, "uv-lock": Ecosystem.PYPI, "pdm-lock": Ecosystem.PYPI, "pipfile-lock": Ecosystem.PYPI,
    "requirements": Ecosystem.PYPI, "go-mod": Ecosystem.GO, "cargo-lock": Ecosystem.CRATES, "pom": Ecosystem.MAVEN,
    "gradle-lock": Ecosystem.MAVEN, "gemfile-lock": Ecosystem.RUBYGEMS, "composer-lock": Ecosystem.PACKAGIST, "nuget-lock": Ecosystem.NUGET,
}  # fmt: skip
_NAMES = {
    "anchore-grype": "grype", "semgrep-json-report": "semgrep", "npm-audit-v7": "npm-audit", "pip-audit": "pip-audit", "osv": "osv-scanner",
    "sonarqube-api-import": "sonarqube", "sonarqube-detailed": "sonarqube", "generic-findings-import": "generic", "zap": "zap",
}  # fmt: skip
_SUFFIX = re.compile(r"\s*\bscan\b\s*", re.IGNORECASE)
_LONGEST_CELL = 1 << 20


class Row(Struct, omit_defaults=True):
    """One finding as DefectDojo has it; absent and null are the same."""

    title: str | None = ""
    severity: str | None = ""
    description: str | None = ""
    mitigation: str | None = ""
    references: str | None = ""
    date: str | None = ""
    cwe: Any = None
    cve: str | None = None
    vulnerability_ids: list[Any] | None = None
    component_name: str | None = None
    component_version: str | None = None
    file_path: str | None = None
    line: Any = None
    sast_source_file_path: str | None = None
    sast_source_line: Any = None
    vuln_id_from_tool: str | None = None
    service: str | None = None
    param: str | None = None
    fix_version: str | None = None
    endpoints: list[Any] | None = None
    active: bool | None = True
    verified: bool | None = None
    false_p: bool | None = None
    duplicate: bool | None = None
    out_of_scope: bool | None = None
    risk_accepted: bool | None = None
    is_mitigated: bool | None = None
    urls: tuple[str, ...] = ()
    """Addresses of its endpoints, where they are known by more than a number."""

    @property
    def standing(self) -> str:
        """Whether it stands: ``open``, or the word for why it does not."""
        if self.duplicate:
            return "duplicate"
        if self.is_mitigated:
            return "mitigated"
        if self.false_p:
            return "false positive"
        if self.out_of_scope:
            return "out of scope"
        if self.risk_accepted:
            return "risk accepted"
        return "open" if self.active is not False else "inactive"

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the vulnerability."""
        named = [each.get("vulnerability_id") if isinstance(each, dict) else each for each in self.vulnerability_ids or ()]
        return tuple(
            dict.fromkeys(
                each.strip() for each in (self.cve, *named, self.vuln_id_from_tool) if isinstance(each, str) and _IDS.match(each.strip())
            )
        )


class _Document(Struct):
    findings: list[Row]
    name: str | None = ""
    type: str | None = ""


class From(Struct, frozen=True):
    """Whose word the rows are."""

    tool: str
    check: CheckId
    ask: Ask
    world: World


def tool_named(scan: str) -> str:
    """The tool behind a scan type of DefectDojo: ``Trivy Scan`` is trivy."""
    name = slug(_SUFFIX.sub(" ", scan), "defectdojo")
    return _NAMES.get(name) or tool_of(name)


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What a document of Generic Findings Import in JSON says.

    Raises:
        UsageError: when it is none.
    """
    document = decoded(data, _Document, "DefectDojo's Generic Findings Import")
    for number, row in enumerate(document.findings, 1):
        if not row.title or not row.severity:
            raise UsageError(f"finding {number} has no title or no severity", advice="both are needed, and a description")
    return _spoken(document.findings, document.type or document.name or "generic", (ask, world))


def read_csv(data: bytes, ask: Ask, world: World) -> Spoken:
    """The same in CSV.

    Raises:
        UsageError: when a line has no title or no severity, or cannot be read.
    """
    return _spoken(list(_lines(data)), "generic", (ask, world))


def _lines(data: bytes) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_CELL)
    try:
        for number, cells in enumerate(csv.DictReader(io.StringIO(data.decode(), newline="")), 2):
            if not cells.get("Title"):
                raise UsageError(f"line {number} has no title", advice="every line needs one")
            yield _row({str(name): value for name, value in cells.items() if isinstance(value, str)})
    except csv.Error as error:
        raise UsageError("the table cannot be read", why=str(error)[:200], advice="write CSV with commas and double quotes") from error


def _row(cells: dict[str, str]) -> Row:
    def is_true(name: str, *, otherwise: bool = False) -> bool:
        return cells[name].strip().lower() in ("true", "1", "yes") if cells.get(name) else otherwise

    url = cells.get("Url") or cells.get("url") or ""
    return Row(
        title=cells["Title"], severity=cells.get("Severity") or "Info", description=cells.get("Description", ""),
        mitigation=cells.get("Mitigation", ""), fix_version=cells.get("fix_version"), active=is_true("Active", otherwise=True),
        references=cells.get("References", ""), date=cells.get("Date", ""), cwe=cells.get("CweId"), cve=cells.get("CVE"),
        vulnerability_ids=[cells.get("Vulnerability Id", "")],
        false_p=is_true("FalsePositive"), duplicate=is_true("Duplicate"), is_mitigated=is_true("IsMitigated"), urls=(url,) if url else (),
    )  # fmt: skip


def _spoken(rows: Sequence[Row], scan: str, given: tuple[Ask, World]) -> Spoken:
    ask, world = given
    bounded(len(rows), "DefectDojo")
    tool = tool_named(scan)
    check = check_of(tool, ask)
    standing = Counter(row.standing for row in rows)
    open_ = [row for row in rows if row.standing == "open"]
    seen = [one for row in open_ for one in seen_of(row, From(tool, check, ask, world))]
    notes = tuple(f"{number} findings were left out: {word}" for word, number in sorted(standing.items()) if word != "open")
    return Spoken(tuple(seen), checks=((check, ask.layer),), notes=notes)


def seen_of(row: Row, source: From) -> list[Seen]:
    """The row as what it names; one sighting, or one per address."""
    path = path_of(row.file_path or row.sast_source_file_path or "")
    if row.component_name and row.ids:
        return components.seen_of(source.check, [_component(row, path, source.tool)], source.ask, source.world)
    if source.tool in _SECRETS:
        leak = Leak(_rule(row), path, row.title or "", rated(row.severity or ""), context="", line=_number(row.line))
        return hidden.seen_of(source.tool, source.check, [leak], (source.ask, source.world))[0]
    if source.tool in _SETTINGS and path:
        return settings_seen.seen_of(source.tool, source.check, [_setting(row, path, source.tool)], source.ask)
    urls = [*row.urls, *(each for each in row.endpoints or () if isinstance(each, str)), *_addresses(row.endpoints)]
    if urls:
        return [_at_address(row, url, source) for url in dict.fromkeys(urls[:100])]
    if path:
        return located(Source(source.tool, source.check, source.ask, source.world.contents), [_result(row, path)])[0]
    return [_control(row, source)]


def _number(value: object) -> int:
    return count(value) if isinstance(value, int) else int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 9 else 0


def _rule(row: Row) -> str:
    return line_of(row.vuln_id_from_tool or slug(row.title or "", "unnamed"), 150)


def _notes(row: Row) -> tuple[tuple[str, str], ...]:
    return (*cwe_note(row.cwe), *((("what it is", line_of(row.description)),) if row.description else ()))


def _component(row: Row, path: str, tool: str) -> Vulnerable:
    dialect = dialect_of(path)
    ecosystem = _OF_FILES.get(dialect or "") or _OF_TOOLS.get(tool)
    name, version = row.component_name or "", row.component_version or ""
    title = re.sub(r"^\S+\s+", "", row.title or "") if (row.title or "").startswith(row.ids) else row.title or ""
    return Vulnerable(
        purl=name if name.startswith("pkg:") else purl_named(ecosystem.value if ecosystem else "", name, version),
        version=version,
        ids=row.ids,
        severity=rated(row.severity or ""),
        title=title,
        path=path,
        fixed=row.fix_version or "",
        line=_number(row.line),
        notes=cwe_note(row.cwe),
    )


def _setting(row: Row, path: str, tool: str) -> Setting:
    return Setting(
        ids=(_rule(row),),
        family="dockerfile" if path.rpartition("/")[2].startswith("Dockerfile") else _SETTINGS[tool],
        path=path,
        resource=row.component_name or "",
        message=row.title or "",
        severity=rated(row.severity or ""),
        line=_number(row.line),
        advice=row.mitigation or "",
    )


def _result(row: Row, path: str) -> Result:
    line = _number(row.line) or _number(row.sast_source_line)
    weakness = _number(row.cwe)
    return Result(
        rule=_rule(row),
        message=row.title or "",
        path=path,
        severity=rated(row.severity or ""),
        confidence=Confidence.MEDIUM,
        region=Region(line) if line else None,
        cwe=weakness,
    )


def _addresses(endpoints: Sequence[Any] | None) -> Iterator[str]:
    for each in endpoints or ():
        if isinstance(each, dict) and isinstance(each.get("host"), str):
            port = f":{each['port']}" if isinstance(each.get("port"), int) else ""
            yield f"{each.get('protocol') or 'https'}://{each['host']}{port}/{str(each.get('path') or '').lstrip('/')}"


def _at_address(row: Row, url: str, source: From) -> Seen:
    site = EndpointSite(service_of(url), operation_of("", url), line_of(row.param or "", 200))
    sighting = _sighting(row, site, source.tool)
    return Seen(sighting, source.check, source.ask.on(Layer.APPLICATION), sha256(site.service.encode("utf-8", "surrogatepass")), "")


def _control(row: Row, source: From) -> Seen:
    site = HostSite(line_of(row.title or "unnamed", 200), line_of(row.component_name or row.service or "", 200))
    unit = sha256(f"{site.control}\x00{site.target}".encode("utf-8", "surrogatepass"))
    return Seen(_sighting(row, site, source.tool), source.check, source.ask.on(Layer.APPLICATION), unit, "")


def _sighting(row: Row, site: EndpointSite | HostSite, tool: str) -> Sighting:
    return Sighting(
        rule=RuleId(f"{tool}/{_rule(row)}"),
        site=site,
        severity=rated(row.severity or "", Severity.INFO),
        message=line_of(row.title or "unnamed"),
        confidence=Confidence.MEDIUM,
        fix=Fix(line_of(row.mitigation)) if row.mitigation else None,
        notes=_notes(row),
    )
