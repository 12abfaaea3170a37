"""JUnit XML as Jenkins, GitLab and others read it: one suite per check, one case per rule and file.

A case fails when one of its findings stops the line; what could not be checked is a skipped case with the reason, and when it stops the
verdict its suite's posture case says so. A check without findings has one passing case, so that its suite is not taken for missing.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from assaymark.model.finding import Finding
from assaymark.model.verdict import CheckRun, Judged, Reason, ReasonKind, Verdict
from assaymark.views.causes import OPEN, is_gap, other_reasons, urgency
from assaymark.views.options import Options
from assaymark.views.sanitise import excerpt, location, one_line, visible

STATEMENT = 4_000
_BREAKS = {"\n": "&#10;", '"': "&quot;"}


class _Case(Struct, frozen=True):
    name: str
    failure: str = ""
    """First line is the message."""
    kind: str = ""
    skipped: str = ""
    output: str = ""


def render(verdict: Verdict, options: Options | None = None) -> str:
    """The document."""
    del options
    suites = [(_suite_name(run.check), run.seconds, _cases(verdict, run)) for run in _runs(verdict)]
    suites.append((_suite_name("posture"), 0.0, _posture(verdict)))
    cases = [case for _, _, listed in suites for case in listed]
    totals = f'tests="{len(cases)}" failures="{sum(bool(c.failure) for c in cases)}" errors="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="assaymark" {totals} time="{verdict.seconds:.3f}">']
    for name, seconds, listed in suites:
        lines += _suite(name, seconds, listed)
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _suite_name(check: str) -> str:
    return f"assaymark.{visible(check)}"


def _runs(verdict: Verdict) -> list[CheckRun]:
    """The checks that ran, and any that only appears as a witness."""
    runs = {run.check: run for run in verdict.checks}
    for judged in verdict.findings:
        check = judged.finding.witnesses[0].check
        runs.setdefault(check, CheckRun(check=check, layer=judged.finding.layer, version="", knowledge="", inputs=0, hits=0, seconds=0))
    return list(runs.values())


def _cases(verdict: Verdict, run: CheckRun) -> list[_Case]:
    groups: dict[tuple[str, str], list[Judged]] = {}
    gaps: list[Finding] = []
    for judged in verdict.findings:
        finding = judged.finding
        if finding.witnesses[0].check != run.check or judged.state not in OPEN:
            continue
        if is_gap(finding):
            gaps.append(finding)
        else:
            groups.setdefault((finding.rule, finding.place.path), []).append(judged)
    cases = [_case(rule, path, sorted(group, key=urgency)) for (rule, path), group in sorted(groups.items())]
    cases += [_Case(name=f"{location(gap.place)} could be checked", skipped=one_line(gap.message)) for gap in gaps]
    return cases or [_Case(name="no finding")]


def _case(rule: str, path: str, group: Sequence[Judged]) -> _Case:
    name = f"{visible(rule)} in {visible(path)}"
    gating = [judged for judged in group if judged.gates]
    told = "\n\n".join(_told(judged) for judged in group)
    if not gating:
        return _Case(name=name, output=told)
    first = gating[0].finding
    more = f" (and {len(gating) - 1} more)" if len(gating) > 1 else ""
    headline = f"{first.severity.value}: {one_line(first.message)} {location(first.place)}{more}"
    return _Case(name=name, failure=f"{headline}\n{told}", kind=visible(first.core.rule_class))


def _told(judged: Judged) -> str:
    finding = judged.finding
    waived = f", waived: {one_line(judged.waiver.reason)}" if judged.waiver else ""
    lines = [f"{location(finding.place)} {judged.state.value}, {finding.severity.value}, {finding.short_id}{waived}"]
    lines += [one_line(finding.message), excerpt(finding.statement, STATEMENT)]
    lines += [f"fix: {one_line(finding.fix.advice)}"] if finding.fix else []
    return "\n".join(line for line in lines if line)


def _posture(verdict: Verdict) -> list[_Case]:
    """What is about no single finding: weakenings, gaps, exceptions."""
    cases = [_posture_case(reason) for reason in other_reasons(verdict)]
    return cases or [_Case(name="posture did not weaken")]


def _posture_case(reason: Reason) -> _Case:
    name = one_line(f"{reason.kind.value}: {reason.text}")
    told = f"{one_line(reason.text)}\n{one_line(reason.advice)}"
    if reason.kind is ReasonKind.UNPROVEN:
        return _Case(name=name, skipped=one_line(f"{reason.text} {reason.advice}"))
    return _Case(name=name, failure=told, kind=reason.kind.value) if reason.stops else _Case(name=name, output=told)


# --- XML -------------------------------------------------------------------------------------------------------------


def _text(value: str) -> str:
    """Character data. What XML 1.0 forbids (section 2.2) was made visible before."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _attribute(value: str) -> str:
    return "".join(_BREAKS.get(char, char) for char in _text(value))


def _suite(name: str, seconds: float, cases: Sequence[_Case]) -> list[str]:
    failures, skipped = sum(bool(c.failure) for c in cases), sum(bool(c.skipped) for c in cases)
    numbers = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="{skipped}" time="{seconds:.3f}"'
    lines = [f'  <testsuite name="{_attribute(name)}" {numbers}>']
    for case in cases:
        lines += _case_lines(case, name)
    return [*lines, "  </testsuite>"]


def _case_lines(case: _Case, suite: str) -> list[str]:
    opening = f'    <testcase name="{_attribute(case.name)}" classname="{_attribute(suite)}"'
    inner: list[str] = []
    if case.failure:
        message = case.failure.split("\n", 1)[0]
        kind = f'type="{_attribute(case.kind)}" message="{_attribute(message)}"'
        inner.append(f"      <failure {kind}>{_text(case.failure)}</failure>")
    if case.skipped:
        inner.append(f'      <skipped message="{_attribute(case.skipped)}"/>')
    if case.output:
        inner.append(f"      <system-out>{_text(case.output)}</system-out>")
    return [opening + ">", *inner, "    </testcase>"] if inner else [opening + "/>"]
