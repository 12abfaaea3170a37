"""ZAP's reports, JSON and XML, traditional and with requests and responses: alerts with their instances. Requests, responses and evidence
are not kept: they may hold somebody's session.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, EndpointSite, Fix, Layer, RuleId, Sighting
from assaymark.model.identity import Seen
from assaymark.model.rules import catalogue
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.documents import bounded, decoded, tree
from assaymark.server.imports.endpoints import operation_of, service_of
from assaymark.server.imports.found import Ask, Spoken, World, check_of
from assaymark.server.imports.speech import cwe_note, line_of, unmarked

_TOOL = "zap"
_RISKS = {"0": Severity.INFO, "1": Severity.LOW, "2": Severity.MEDIUM, "3": Severity.HIGH}
_SURE = {"1": Confidence.LOW, "2": Confidence.MEDIUM, "3": Confidence.HIGH, "4": Confidence.HIGH}
_FALSE_POSITIVE = "0"
_ASPECTS = {
    "10010": "HttpOnly",
    "10011": "Secure",
    "10015": "Cache-Control",
    "10020": "X-Frame-Options",
    "10021": "X-Content-Type-Options",
    "10035": "Strict-Transport-Security",
    "10038": "Content-Security-Policy",
    "10054": "SameSite",
    "10055": "Content-Security-Policy",
    "10063": "Permissions-Policy",
    "90033": "Domain",
}
"""What is missing, where several rules of one class look at one answer: each is a repair of its own."""
_COARSE = frozenset({"browser-protection", "insecure-cookie", "data-exposure", "cleartext-transport"})


class _Instance(Struct):
    uri: str = ""
    method: str = ""
    param: str = ""


class _Alert(Struct):
    pluginid: str = ""
    alert_ref: str = field(name="alertRef", default="")
    alert: str = ""
    name: str = ""
    riskcode: str = ""
    confidence: str = ""
    desc: str = ""
    solution: str = ""
    cweid: str = ""
    instances: list[_Instance] | None = None


class _Site(Struct):
    name: str = field(name="@name", default="")
    alerts: list[_Alert] | None = None


class _Report(Struct):
    site: list[_Site] | _Site | None = None


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the JSON report says.

    Raises:
        UsageError: when it is none of ZAP's.
    """
    del world
    report = decoded(data, _Report, "ZAP")
    sites = report.site if isinstance(report.site, list) else [report.site] if report.site else []
    return _spoken(sites, ask)


def read_xml(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the XML report says.

    Raises:
        UsageError: when it is none of ZAP's.
    """
    del world
    return _spoken(list(_sites(data)), ask)


def _sites(data: bytes) -> Iterator[_Site]:
    for site in tree(data, "ZAP").all("site"):
        alerts = [one for group in site.all("alerts") for one in group.all("alertitem")]
        found = []
        for one in alerts:
            text = one.text_of
            instances = [
                _Instance(each.text_of("uri"), each.text_of("method"), each.text_of("param"))
                for group in one.all("instances")
                for each in group.all("instance")
            ]
            if not instances and text("uri"):
                instances = [_Instance(text("uri"), text("method"), text("param"))]
            found.append(
                _Alert(
                    text("pluginid"),
                    text("alertRef"),
                    text("alert"),
                    text("name"),
                    text("riskcode"),
                    text("confidence"),
                    text("desc"),
                    text("solution"),
                    text("cweid"),
                    instances,
                )
            )
        yield _Site(site.attributes.get("name", ""), found)


def _spoken(sites: list[_Site], ask: Ask) -> Spoken:
    check = check_of(_TOOL, ask)
    alerts = [(site, alert) for site in sites for alert in site.alerts or ()]
    bounded(sum(max(1, len(alert.instances or ())) for _, alert in alerts), "ZAP")
    false = sum(alert.confidence == _FALSE_POSITIVE for _, alert in alerts)
    seen: dict[tuple[str, EndpointSite], Seen] = {}
    for site, alert in alerts:
        if alert.confidence == _FALSE_POSITIVE:
            continue
        for instance in alert.instances or [_Instance(site.name)]:
            made = _seen(check, site, (alert, instance), ask)
            assert isinstance(made.sighting.site, EndpointSite)  # noqa: S101 - made so below
            seen.setdefault((made.sighting.rule, made.sighting.site), made)
    notes = (f"{false} alerts that somebody marked as false in ZAP were left out",) if false else ()
    return Spoken(tuple(seen.values()), checks=((check, ask.on(Layer.APPLICATION)),), notes=notes)


def _seen(check: CheckId, site: _Site, told: tuple[_Alert, _Instance], ask: Ask) -> Seen:
    alert, instance = told
    url = instance.uri or site.name
    title = unmarked(alert.name or alert.alert or f"alert {alert.pluginid}", 200)
    rule = RuleId(f"{_TOOL}/{line_of(alert.pluginid or alert.alert_ref or title, 100)}")
    parameter = line_of(instance.param, 200)
    aspect = _ASPECTS.get(alert.pluginid, title) if catalogue().class_of(rule) in _COARSE else ""
    known_by = parameter if parameter.lower() == aspect.lower() else f"{parameter} {aspect}".strip()
    where = EndpointSite(service_of(url), operation_of(instance.method, url), known_by)
    at = f" in `{parameter}`" if parameter else ""
    sighting = Sighting(
        rule=rule,
        site=where,
        severity=_RISKS.get(alert.riskcode, Severity.INFO),
        message=line_of(f"{title}: {where.operation}{at}"),
        confidence=_SURE.get(alert.confidence, Confidence.LOW),
        fix=Fix(unmarked(alert.solution)) if alert.solution else None,
        notes=(*cwe_note(alert.cweid), *((("what it is", unmarked(alert.desc)),) if alert.desc else ())),
    )
    return Seen(sighting, check, ask.on(Layer.APPLICATION), sha256(where.service.encode("utf-8", "surrogatepass")), "")
