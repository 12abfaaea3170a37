"""From a tool's report to one outcome per input. Pure.

A result belongs to the input in whose folder its file lies. One without a file, or about a file that nobody gave the tool, cannot be
attributed in a batch, so the batch is refused and the caller halves it; alone, it is a sighting of the only input, without a place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assaymark.checks.application.code.sarif_in import Report, Result, Trouble, span_of
from assaymark.checks.application.code.source import plain, python_text, text_of
from assaymark.checks.application.code.suppressions import Suppressions
from assaymark.model import rules
from assaymark.model.check import Checked, Input, Outcome, Unchecked
from assaymark.model.finding import CodeSite, RuleId, Sighting, Suppression
from assaymark.model.scope import LANGUAGES, Locator, locator

_PLACE = re.compile(r"(?:^|/)assay-(\d{6})/(.+)\Z", re.DOTALL)
_NAMED_PLACE = re.compile(r"assay-(\d{6})/([^\s:`'\"]+)")
_OUR_FOLDERS = re.compile(r"[^\s'\"`(]*(?:assay-\d{6}|assay-tool-[^\s/]{1,40})/")
_SYNTAX = re.compile(r"syntax|pars(?:e|ing)\b", re.IGNORECASE)
LONGEST_RULE = 200


def attribute(tool: str, inputs: Sequence[Input], names: Sequence[dict[str, str]], report: Report) -> list[Outcome] | Unchecked:
    """Outcomes in the order of the inputs, or why this report cannot be shared out among them.

    `names` holds for each input the file names that the tool saw, and the members they stand for.
    """
    results: list[list[Result]] = [[] for _ in inputs]
    troubles: list[list[Trouble]] = [[] for _ in inputs]
    for row in report.results:
        at = _owner(row.path, names)
        if at < 0 and len(inputs) > 1:
            return Unchecked("engine-failed", f"{tool} reports on a file that was not given to it.")
        results[max(at, 0)].append(row)
    for trouble in report.troubles:
        named = None if trouble.path else _NAMED_PLACE.search(trouble.text)
        at = _owner(named[0] if named else trouble.path, names)
        if at < 0 and len(inputs) > 1:
            return Unchecked("engine-failed", f"{tool}: {words(trouble.text)}")
        troubles[max(at, 0)].append(trouble)
    return [
        _failed(tool, troubles[at][0]) if troubles[at] else _checked(tool, given, names[at], results[at]) for at, given in enumerate(inputs)
    ]


def words(text: str) -> str:
    """A tool's words without the names of our temporary folders, which differ from run to run."""
    return plain(_OUR_FOLDERS.sub("", text))


def _owner(path: str, names: Sequence[dict[str, str]]) -> int:
    match = _PLACE.search(path)
    at = int(match[1]) if match else -1
    return at if match and at < len(names) and match[2] in names[at] else -1


def _failed(tool: str, trouble: Trouble) -> Unchecked:
    reason = "syntax" if _SYNTAX.search(trouble.text) else "engine-failed"
    return Unchecked(reason, f"{tool}: {words(trouble.text)}")


def _checked(tool: str, given: Input, names: dict[str, str], results: Sequence[Result]) -> Outcome:
    readers: dict[str, _Member] = {}
    sightings = []
    for row in results:
        match = _PLACE.search(row.path)
        name = match[2] if match and match[2] in names else ""
        if name not in readers:
            readers[name] = _Member(given, name, names.get(name, ""))
        sightings.append(readers[name].sighting(tool, row))
    sightings.sort(key=lambda s: (s.member, s.span.start_line if s.span else 0, s.span.start_column if s.span else 0, s.rule, s.message))
    return Checked(tuple(sightings))


class _Member:
    """One file of an input, read at most once; the empty file name is the place of results that have none."""

    def __init__(self, given: Input, file_name: str, member: str) -> None:
        self._member = member
        content = next((part.content for part in given.parts if file_name and part.name == member), b"")
        suffix = file_name.rpartition(".")[2].lower()
        self._is_python = LANGUAGES.get(suffix, suffix) == "python"
        text = python_text(content) if self._is_python else text_of(content)
        self._text = text if isinstance(text, str) else text_of(content)
        self._where: Locator | None = None
        self._suffix = suffix
        self._comments: Suppressions | None = None

    def sighting(self, tool: str, row: Result) -> Sighting:
        rule = RuleId(f"{tool}/{row.rule[:LONGEST_RULE]}")
        known = rules.catalogue().rules.get(rule)
        span = span_of(row.region, self._text, counts_utf16=row.counts_utf16) if row.region else None
        site, suppression = CodeSite((), ""), None
        if span:
            self._where = self._where or locator(self._text, self._suffix)
            self._comments = self._comments or Suppressions(self._text, is_python=self._is_python)
            located = self._where.locate(span.start_line, span.end_line, column=span.start_column)
            site = located.site
            aliases = known.aliases if known else ()
            suppression = self._comments.find({row.rule, *aliases, *_ruff_twin(tool, row.rule)}, located.first_line, located.last_line)
        if row.suppression:
            suppression = Suppression(words(row.suppression)[:200], span.start_line if span else 0)
        notes = (("cwe", f"CWE-{row.cwe}"),) if row.cwe else ()
        return Sighting(
            rule=rule,
            site=site,
            severity=min(row.severity, known.severity, key=lambda s: s.rank) if known else row.severity,
            message=words(row.message),
            span=span,
            confidence=min(row.confidence, known.confidence, key=lambda c: c.rank) if known else row.confidence,
            member=self._member,
            suppression=suppression,
            notes=notes if span else (*notes, ("place", "the tool names none in this file")),
        )


def _ruff_twin(tool: str, rule: str) -> tuple[str, ...]:
    """``noqa`` knows bandit's rules under flake8's letter."""
    return (f"S{rule[1:]}",) if tool == "bandit" and re.fullmatch(r"B\d{3}", rule) else ()
