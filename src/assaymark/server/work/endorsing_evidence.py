"""Evidence as statements: what the server itself saw (findings, bill of materials), and what jobs bring (test results, bills, statements).

Guarantees: a statement names what it is about by digest and is kept by its own; the same input gives the same bytes. XML of strangers is
read without document types and entities; what a job brings is its word, and is never more than named. Tests that failed speak against an
endorsement; that they passed does not speak for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from xml.parsers import expat

import msgspec
from msgspec import Struct

import assaymark
from assaymark.checks.application.dependencies.bom.bill import Bill, joined
from assaymark.checks.application.dependencies.bom.cyclonedx import cyclonedx
from assaymark.endorsement import statement, strict_json
from assaymark.endorsement.statement import Named, Statement
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.digest import sha256
from assaymark.server.work.endorsing_ground import Looked

VERDICT = "https://assaymark.dev/verdict/v1"
CYCLONEDX = "https://cyclonedx.org/bom"
SPDX = "https://spdx.dev/Document"
TESTS = "https://in-toto.io/attestation/test-result/v0.1"
MOST_BYTES = 32 << 20
_MOST_CASES = 1_000_000
_MOST_NAMED = 1_000
_MOST_DEPTH = 100


class Written(Struct, frozen=True):
    """A statement, ready to be kept."""

    data: bytes
    predicate: str
    failures: int = 0


def own(looked: Looked, verdict: bytes, at: Instant) -> list[Written]:
    """What the server saw: the verdict with its findings, and the packages in it."""
    sets = list(looked.stock)
    found = [Written(_said(looked.subjects, VERDICT, msgspec.Raw(verdict)), VERDICT)]
    if sets:
        packages, places = joined(sets)
        when = dt.datetime.fromtimestamp(at // SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        head = next(iter(looked.subjects[0].digest.values()))
        bill = Bill(looked.name, packages, places, head if looked.is_source else "", when, assaymark.__version__)
        found.append(Written(_said(looked.subjects, CYCLONEDX, msgspec.Raw(cyclonedx(bill))), CYCLONEDX))
    return found


def brought(data: bytes, subject_digest: str) -> Written:
    """What somebody sent, by its content: JUnit's XML, CycloneDX or SPDX as JSON, or an in-toto statement about this digest.

    Raises:
        UsageError: when it is none of these, is too large, or is about something else.
    """
    about = (Named(subject_digest, dict([subject_digest.split(":", 1)])),)
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        result, failures = _tests(text)
        result["configuration"] = [{"name": "junit.xml", "digest": {"sha256": sha256(data).partition(":")[2]}}]
        return Written(_said(about, TESTS, result), TESTS, failures)
    try:
        found = strict_json.read(data, dict[str, Any])
    except strict_json.NotStrictError as error:
        raise UsageError(
            "this is no evidence", why=str(error)[:300], advice="send JUnit XML, or JSON of CycloneDX, SPDX or in-toto"
        ) from error
    if found.get("_type") == statement.TYPE:
        return _statement(data, found, subject_digest)
    if found.get("bomFormat") == "CycloneDX":
        return Written(_said(about, CYCLONEDX, msgspec.Raw(data)), CYCLONEDX)
    if isinstance(found.get("spdxVersion"), str):
        return Written(_said(about, SPDX, msgspec.Raw(data)), SPDX)
    raise UsageError(
        "this is no evidence", why="its JSON is none that is known", advice="send JUnit XML, or JSON of CycloneDX, SPDX or in-toto"
    )


def _said(subjects: Sequence[Named], predicate_type: str, predicate: Any) -> bytes:
    return statement.written(Statement(tuple(subjects), predicate_type, predicate))


def _statement(data: bytes, found: dict[str, Any], subject_digest: str) -> Written:
    """Kept as it came; of test results the failures are counted."""
    try:
        said = msgspec.convert(found, Statement)
    except msgspec.ValidationError as error:
        raise UsageError("this is no in-toto statement", why=str(error)) from error
    kind, _, value = subject_digest.partition(":")
    if not any(each.digest.get(kind) == value for each in said.subject):
        raise UsageError("the statement is about something else", why=f"none of its subjects is {subject_digest}")
    failures = 0
    if said.predicate_type == TESTS and isinstance(said.predicate, dict):
        names = said.predicate.get("failedTests")
        failures = len(names) if isinstance(names, list) else 0
        failures = failures or int(said.predicate.get("result") == "FAILED")
    return Written(data, said.predicate_type[:300], failures)


# --- JUnit -----------------------------------------------------------------------------------------------------------


class _Cases:
    """Counts test cases while the document is read; keeps no tree."""

    def __init__(self) -> None:
        self.passed, self.failed, self.count, self.failures, self.depth = [], [], 0, 0, 0  # type: list[str], list[str], int, int, int
        self._name, self._bad, self.is_junit = "", False, False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > _MOST_DEPTH:
            raise UsageError("the test results are nested too deep", why=f"at most {_MOST_DEPTH} elements stand in each other")
        if self.depth == 1:
            self.is_junit = tag in ("testsuites", "testsuite")
        if tag == "testcase":
            self._name = ".".join(part for part in (attributes.get("classname", ""), attributes.get("name", "")) if part)[:300]
            self._bad, self.count = False, self.count + 1
        elif tag in ("failure", "error"):
            self._bad = True
            self.failures += int(self.depth < 3)  # of a suite that could not even begin

    def end(self, tag: str) -> None:
        self.depth -= 1
        if tag == "testcase":
            self.failures += int(self._bad)
            names = self.failed if self._bad else self.passed
            if len(names) < _MOST_NAMED:
                names.append(self._name)


def _tests(text: bytes) -> tuple[dict[str, Any], int]:
    """JUnit's XML as in-toto's test result, and how many failed."""
    cases, parser = _Cases(), expat.ParserCreate()
    parser.StartElementHandler = cases.start
    parser.EndElementHandler = cases.end
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, ValueError) as error:
        raise UsageError("the test results are no XML", why=str(error)[:300]) from error
    if not cases.is_junit or not cases.count or cases.count > _MOST_CASES:
        raise UsageError(
            "these are no test results", why=f"{cases.count} test cases of JUnit are in it", advice="send a report of JUnit's form"
        )
    result = "FAILED" if cases.failures else "PASSED"
    return {"result": result, "passedTests": cases.passed, "failedTests": cases.failed}, cases.failures


def _refuse(*_declared: Any) -> None:
    raise UsageError("the test results declare a document type", why="entities of strangers are not read", advice="leave the DOCTYPE out")
