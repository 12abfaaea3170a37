"""Checkov's JSON (`checkov -o json`): one report per framework, or a list of them; what failed, what it was told to skip, what it could
not read. Its findings of secrets carry no value and its packages no place, so each is known by what it does carry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from assaymark.model.identity import Seen
from assaymark.server.imports import components, hidden, settings_seen
from assaymark.server.imports.components import Vulnerable, purl_named, rated
from assaymark.server.imports.documents import bounded, rows
from assaymark.server.imports.found import Ask, Spoken, World, check_of, gap
from assaymark.server.imports.hidden import Leak
from assaymark.server.imports.places import path_of
from assaymark.server.imports.settings_seen import Setting

_TOOL = "checkov"


class _Outcome(Struct):
    result: str = ""
    suppress_comment: str | None = None


class _Check(Struct):
    check_id: str
    check_name: str | None = ""
    check_result: _Outcome | None = None
    file_path: str | None = ""
    repo_file_path: str | None = ""
    file_line_range: list[int] | None = None
    resource: str | None = ""
    severity: str | None = None
    guideline: str | None = None
    vulnerability_details: dict[str, Any] | None = None


class _Results(Struct):
    failed_checks: list[_Check] | None = None
    skipped_checks: list[_Check] | None = None
    parsing_errors: list[str] | None = None


class _Report(Struct):
    check_type: str = ""
    results: _Results | None = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Checkov's.
    """
    check = check_of(_TOOL, ask)
    settings: list[Setting] = []
    leaks: list[Leak] = []
    packages: list[Vulnerable] = []
    gaps: list[Seen] = []
    for report in rows(data, _Report, "Checkov"):
        results = report.results or _Results()
        failed = results.failed_checks or []
        if report.check_type == "secrets":
            leaks += _leaks(failed)
        elif report.check_type.startswith("sca_"):
            packages += _packages(failed)
        else:
            settings += _settings(report.check_type, failed, is_skipped=False)
            settings += _settings(report.check_type, results.skipped_checks or (), is_skipped=True)
        gaps += [gap(check, ask.layer, path_of(path), "Checkov could not read the file") for path in results.parsing_errors or ()]
        bounded(len(settings) + len(leaks) + len(packages) + len(gaps), "Checkov")
    seen = settings_seen.seen_of(_TOOL, check, settings, ask) + components.seen_of(check, packages, ask, world)
    hiding, notes = hidden.seen_of(_TOOL, check, leaks, (ask, world))
    return Spoken((*seen, *hiding, *gaps), checks=((check, ask.layer),), notes=notes)


def _place(row: _Check) -> tuple[str, int, int]:
    lines = row.file_line_range or []
    path = (row.repo_file_path or row.file_path or "").lstrip("/")
    return path, lines[0] if lines else 0, lines[1] if len(lines) > 1 else 0


def _settings(family: str, checks: Sequence[_Check], *, is_skipped: bool) -> Iterator[Setting]:
    for row in checks:
        path, line, end = _place(row)
        said = (row.check_result.suppress_comment or "no reason given") if row.check_result else "no reason given"
        resource = row.resource or ""
        # Of a Dockerfile it calls the resource by the file's path.
        own = resource.removeprefix(f"/{path}").lstrip(".") if family == "dockerfile" else resource
        yield Setting(
            ids=(row.check_id,),
            family=family,
            path=path,
            resource=own,
            message=row.check_name or row.check_id,
            severity=rated(row.severity) if row.severity else None,
            line=line,
            end_line=end,
            url=row.guideline or "",
            suppression=f"checkov:skip={row.check_id}: {said}" if is_skipped else "",
        )


def _leaks(checks: Sequence[_Check]) -> Iterator[Leak]:
    for row in checks:
        path, line, end = _place(row)
        # What it calls the resource is a hash of the value: as good as a name within one report, and never compared with ours.
        context = f"{row.resource or ''} {'*' * 6}"
        yield Leak(rule=row.check_id, path=path, message=row.check_name or row.check_id, context=context, line=line, end_line=end)


def _packages(checks: Sequence[_Check]) -> Iterator[Vulnerable]:
    for row in checks:
        told = row.vulnerability_details or {}
        named = (told.get("id"), told.get("package_name"), told.get("package_version"), told.get("severity"), told.get("description"))
        advisory, name, version, severity, description = (str(word or "") for word in named)
        if not advisory or not name:
            continue
        path, line, _ = _place(row)
        yield Vulnerable(
            purl=purl_named(str(told.get("package_type") or "generic"), name, version),
            version=version,
            ids=(advisory,),
            severity=rated(severity or row.severity or ""),
            title=description,
            path=path_of(path),
            line=line,
            url=str(told.get("link") or ""),
        )
