"""JUnit XML: a test that fails is a control that is not met, a test that could not run is a gap.

The identity is class and name of the test, so that it does not hang on messages or times. Tests that pass say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.application.code.external_report import words
from assaymark.checks.application.dependencies.readers.xml_text import Element, elements
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.errors import UsageError
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, HostSite, RuleId, Sighting, Span
from assaymark.model.identity import Seen
from assaymark.model.severity import Confidence, Severity
from assaymark.server.imports.found import Ask, Spoken, check_of, gap, slug
from assaymark.server.imports.places import path_of

_LONGEST = 300


def read(data: bytes, ask: Ask) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is no JUnit XML, declares entities, or passes a limit.
    """
    try:
        root = elements(data)
    except Unreadable as error:
        raise UsageError(
            "the XML document cannot be read", why=error.reason, advice="send a JUnit report as a test tool writes it"
        ) from error
    if root.name not in ("testsuites", "testsuite"):
        raise UsageError(
            f"XML with the root element <{root.name[:60]}> is not read here",
            advice="send JUnit XML; of a bill of materials send the JSON form",
        )
    suites = [root] if root.name == "testsuite" else list(root.all("testsuite"))
    tool = slug(ask.category or root.attributes.get("name", "") or (suites[0].attributes.get("name", "") if suites else ""), "tests")
    check = check_of("junit", Ask(category=tool))
    seen = [row for suite in suites for case in _cases(suite) for row in _case(check, case, ask)]
    return Spoken(tuple(seen), checks=((check, ask.layer),))


def _cases(suite: Element) -> Iterator[Element]:
    """Of a suite and the suites in it; the tree's depth is bounded by its reader."""
    yield from suite.all("testcase")
    for inner in suite.all("testsuite"):
        yield from _cases(inner)


def _case(check: CheckId, case: Element, ask: Ask) -> Iterator[Seen]:
    name, group = (case.attributes.get(key, "").strip()[:_LONGEST] for key in ("name", "classname"))
    path = path_of(case.attributes.get("file", ""))
    for trouble in case.all("error"):
        yield gap(check, ask.layer, path, _said(trouble, f"{group} {name} could not run"))
    for failure in case.all("failure"):
        line = case.attributes.get("line", "")
        at = min(int(line), 1 << 30) if line.isascii() and line.isdecimal() and len(line) < 10 else 0
        sighting = Sighting(
            rule=RuleId("junit/failed"),
            site=HostSite(name or "unnamed", group),
            severity=Severity.MEDIUM,
            message=_said(failure, f"{group} {name} failed"),
            span=Span(at, 1, at, 1) if at else None,
            confidence=Confidence.MEDIUM,
        )
        yield Seen(sighting, check, ask.layer, sha256(data_of(case)), path)


def data_of(case: Element) -> bytes:
    """What the unit of a test is known by."""
    return "\0".join((case.attributes.get("classname", ""), case.attributes.get("name", ""))).encode("utf-8", "surrogatepass")


def _said(element: Element, otherwise: str) -> str:
    text = words(element.attributes.get("message", "") or element.text.strip().partition("\n")[0])
    return text[:_LONGEST] or otherwise
