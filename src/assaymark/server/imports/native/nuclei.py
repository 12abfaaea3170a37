"""Nuclei's JSON (`-json-export`, a list) and JSON lines (`-jsonl`): what matched where. Requests, responses and what was extracted are
not kept: they may hold somebody's session.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, EndpointSite, Fix, HostSite, Layer, RuleId, Sighting
from assaymark.model.identity import Seen
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.components import rated
from assaymark.server.imports.documents import bounded, rows
from assaymark.server.imports.endpoints import operation_of, service_of
from assaymark.server.imports.found import Ask, Spoken, World, check_of
from assaymark.server.imports.speech import cwe_note, line_of

_TOOL = "nuclei"
_WEB = frozenset({"http", "headless"})


class _Class(Struct):
    cwe: Any = field(name="cwe-id", default=None)
    cve: Any = field(name="cve-id", default=None)


class _Info(Struct):
    name: str = ""
    severity: str | None = ""
    description: str | None = ""
    remediation: str | None = ""
    classification: _Class | None = None


class _Row(Struct):
    info: _Info
    template: str = field(name="template-id", default="")
    old_template: str = field(name="templateID", default="")
    matcher: str | None = field(name="matcher-name", default="")
    old_matcher: str | None = field(name="matcher_name", default="")
    type: str = ""
    host: str | None = ""
    matched: str | None = field(name="matched-at", default="")
    old_matched: str | None = field(name="matched", default="")
    port: Any = None
    status: bool | None = field(name="matcher-status", default=None)


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Nuclei's.
    """
    del world
    check = check_of(_TOOL, ask)
    seen: dict[tuple[str, EndpointSite | HostSite], Seen] = {}
    for number, row in enumerate(rows(data, _Row, "Nuclei"), 1):
        bounded(number, "Nuclei")
        if row.status is False:
            continue
        made = _seen(check, row, ask)
        assert isinstance(made.sighting.site, EndpointSite | HostSite)  # noqa: S101 - made so below
        seen.setdefault((made.sighting.rule, made.sighting.site), made)
    return Spoken(tuple(seen.values()), checks=((check, ask.on(Layer.APPLICATION)),))


def _seen(check: CheckId, row: _Row, ask: Ask) -> Seen:
    rule = line_of(row.template or row.old_template or "unnamed", 150)
    matcher = line_of(row.matcher or row.old_matcher or "", 100)
    url = row.matched or row.old_matched or row.host or ""
    control = f"{rule}:{matcher}" if matcher else rule
    is_web = row.type in _WEB or "://" in url
    site = EndpointSite(service_of(url), operation_of("", url), matcher) if is_web else HostSite(control, service_of(url))
    told = row.info
    known = told.classification or _Class()
    cve = known.cve[0] if isinstance(known.cve, list) and known.cve else known.cve
    title = line_of(told.name or rule, 200)
    where = f"{site.service}{site.operation}" if isinstance(site, EndpointSite) else site.target
    sighting = Sighting(
        rule=RuleId(f"{_TOOL}/{rule}"),
        site=site,
        severity=rated(told.severity or "", Severity.INFO),
        message=line_of(f"{title}{f' ({matcher})' if matcher else ''}: {where}"),
        confidence=Confidence.MEDIUM,
        fix=Fix(line_of(told.remediation)) if told.remediation else None,
        notes=(
            *cwe_note(known.cwe),
            *((("vulnerability", line_of(str(cve), 60).upper()),) if cve else ()),
            *((("what it is", line_of(told.description)),) if told.description else ()),
        ),
    )
    layer = Layer.APPLICATION if is_web else Layer.PLATFORM
    return Seen(sighting, check, ask.on(layer), sha256(where.encode("utf-8", "surrogatepass")), "")
