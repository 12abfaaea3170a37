"""SARIF 2.1.0 (OASIS, errata 01), within the limits that GitHub sets for uploads.

One run per check, because GitHub takes one tool per run. Results are ordered by what stops first, then by severity, so that a reader who
keeps only the top keeps the right ones. What does not fit is counted in a notification of its run and in `notices`: nothing is dropped
silently. What could not be checked is a tool notification, never a result: it is a gap, not a weakness.
Every result carries GitHub's fingerprint form and, beside it, ours; ``automationDetails.id`` is the stable category of the check.
"""

from __future__ import annotations

import zlib
from typing import Any

from msgspec import Struct

from assaymark.model.finding import CheckId
from assaymark.model.verdict import CheckRun, Judged, State, Verdict
from assaymark.views.causes import OF_THE_CHANGE, OPEN, is_gap, ordinals, urgency
from assaymark.views.encoding import json_text
from assaymark.views.options import Options
from assaymark.views.sanitise import visible
from assaymark.views.sarif_results import BASE, location_of, result_of
from assaymark.views.sarif_rules import rules_of, taxonomy_of

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


class Limits(Struct, frozen=True):
    """What GitHub accepts (docs: "SARIF support for code scanning", "SARIF limits")."""

    runs: int = 20
    results: int = 25_000
    """Per run; more is refused."""
    results_kept: int = 5_000
    """Per run; the rest is accepted and not shown."""
    gzip_bytes: int = 10_000_000
    notifications: int = 1_000
    """Per run, for what could not be checked. Our own: GitHub names none, and a broken parser must not fill the file."""


GITHUB = Limits()


def render(verdict: Verdict, options: Options | None = None) -> str:
    """The log as JSON text."""
    return build(verdict, options or Options())[0]


def notices(verdict: Verdict, options: Options | None = None) -> tuple[str, ...]:
    """What `render` had to leave out or knows that GitHub will not show; empty nearly always."""
    return build(verdict, options or Options())[1]


def build(verdict: Verdict, options: Options, limits: Limits = GITHUB) -> tuple[str, tuple[str, ...]]:
    """The log, and what was left out of it."""
    room = limits.results
    text, said = _log(verdict, options, limits, room)
    # Deflate takes at most about a thousandth of its input away from what it gets; small logs need no try.
    while len(text) > limits.gzip_bytes and room:
        packed = len(zlib.compress(text.encode(), 6)) + 18
        if packed <= limits.gzip_bytes:
            break
        longest = max(len(judged) for _, judged in _by_check(verdict, options))
        room = int(min(room, longest) * 0.9 * limits.gzip_bytes / packed)
        text, said = _log(verdict, options, limits, room)
    return text, said


def _log(verdict: Verdict, options: Options, limits: Limits, room: int) -> tuple[str, tuple[str, ...]]:
    groups = _by_check(verdict, options)
    kept, left = groups[: limits.runs], groups[limits.runs :]
    notes = [_cut_notes(run, len(judged), room, limits) for run, judged in kept]
    if left:
        names = ", ".join(visible(run.check) for run, _ in left)
        results = sum(len(judged) for _, judged in left)
        notes[0].append(f"SARIF: {len(left)} checks ({names}) with {results} results are left out; GitHub takes {limits.runs} runs")
    runs = [_run(verdict, options, (run, judged[:room]), said) for (run, judged), said in zip(kept, notes, strict=True)]
    text = json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": runs})
    return text, tuple(note for said in notes for note in said)


def _cut_notes(run: CheckRun, results: int, room: int, limits: Limits) -> list[str]:
    notes = []
    name = visible(run.check)
    if results > room:
        notes.append(f"SARIF: {results - room} of {results} results of {name} are left out, the mildest first, to keep to GitHub's limits")
    if min(results, room) > limits.results_kept:
        notes.append(f"SARIF: GitHub shows {limits.results_kept} of the {min(results, room)} results of {name}, the most severe first")
    return notes


def _by_check(verdict: Verdict, options: Options) -> list[tuple[CheckRun, list[tuple[Judged, int]]]]:
    """Every check that ran or saw something, with its results; the one with the worst result first."""
    found: dict[CheckId, list[tuple[Judged, int]]] = {}
    states = OPEN | {State.FIXED} if options.fixed_in_sarif else OPEN
    for judged, ordinal in ordinals(j for j in verdict.findings if j.state in states and not is_gap(j.finding)):
        found.setdefault(judged.finding.witnesses[0].check, []).append((judged, ordinal))
    runs = {run.check: run for run in verdict.checks}
    for check, results in found.items():
        layer = results[0][0].finding.layer
        runs.setdefault(check, CheckRun(check=check, layer=layer, version="", knowledge="", inputs=0, hits=0, seconds=0.0))
    groups = [(run, found.get(check, [])) for check, run in runs.items()]
    return sorted(groups, key=lambda group: (not group[1], urgency(group[1][0][0]) if group[1] else (), group[0].check))


def _run(verdict: Verdict, options: Options, group: tuple[CheckRun, list[tuple[Judged, int]]], notes: list[str]) -> dict[str, Any]:
    run, results = group
    rules = rules_of(verdict, [judged.finding for judged, _ in results], options.explain)
    index = {rule["id"]: number for number, rule in enumerate(rules)}
    driver: dict[str, Any] = {"name": f"Assaymark {visible(run.check)}", "semanticVersion": visible(verdict.tool_version), "rules": rules}
    if run.version:
        driver["version"] = visible(run.version)
    log: dict[str, Any] = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"{visible(options.category)}/{visible(run.check)}/"},
        "invocations": [_invocation(verdict, run, notes)],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": "The root of the repository"}}},
        "results": [result_of(judged, ordinal, index) for judged, ordinal in results],
        "properties": _evidence(verdict, run),
    }
    taxonomy = taxonomy_of(rules)
    if taxonomy:
        log["taxonomies"] = [taxonomy]
        driver["supportedTaxonomies"] = [{"name": "CWE"}]
    return log


def _evidence(verdict: Verdict, run: CheckRun) -> dict[str, Any]:
    return {
        "assaymark/outcome": verdict.outcome.value,
        "assaymark/base": visible(verdict.base.digest),
        "assaymark/head": visible(verdict.head.digest),
        "assaymark/policy": visible(verdict.policy_digest),
        "assaymark/knowledge": visible(run.knowledge),
        "assaymark/scheme": visible(verdict.scheme),
        "assaymark/whole": verdict.whole,
        "assaymark/fixed": sum(j.state is State.FIXED and not is_gap(j.finding) for j in verdict.findings),
    }


def _invocation(verdict: Verdict, run: CheckRun, notes: list[str]) -> dict[str, Any]:
    gaps = [j for j in verdict.findings if is_gap(j.finding) and j.finding.witnesses[0].check == run.check and j.state in OPEN]
    gaps.sort(key=urgency)
    listed = [_gap(judged) for judged in gaps[: GITHUB.notifications]]
    hidden = len(gaps) - len(listed)
    if hidden:
        listed.append(_note("limit", f"{hidden} more inputs of {visible(run.check)} could not be checked"))
    unchecked = max(run.unchecked, len(gaps))
    if unchecked > len(gaps):
        listed.append(_note("unchecked", f"{unchecked} inputs of {visible(run.check)} could not be checked"))
    listed += [_note("limit", text) for text in notes]
    # A gap that was there before this change is told, and is no failure of this run.
    failed = unchecked > len(gaps) or any(judged.state in OF_THE_CHANGE for judged in gaps)
    return {"executionSuccessful": not failed, "toolExecutionNotifications": listed}


def _note(name: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": f"assaymark/{name}"}, "level": "warning", "message": {"text": text}}


def _gap(judged: Judged) -> dict[str, Any]:
    finding = judged.finding
    note = _note("unchecked", visible(finding.message))
    note["level"] = "error" if judged.state in OF_THE_CHANGE else "warning"
    note["locations"] = [location_of(finding)]
    return note
