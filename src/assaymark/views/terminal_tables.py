"""The parts of the terminal report that answer "how do you know": checks, time, memory, witnesses, what is known and what was skipped."""

from __future__ import annotations

import textwrap

from assaymark.model.finding import Finding
from assaymark.model.verdict import CheckRun, State, Verdict
from assaymark.views.causes import is_gap
from assaymark.views.sanitise import location, one_line, shortened, visible
from assaymark.views.style import Style

CHECKS_SHOWN = 6


def duration(seconds: float) -> str:
    """Rounded as people say it."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def check_line(verdict: Verdict, pen: Style) -> list[str]:
    """All checks in a line or two, slowest first."""
    runs = sorted(verdict.checks, key=lambda run: (-run.seconds, run.check))
    said = [f"{visible(run.check)} {_cost(run)}" for run in runs[:CHECKS_SHOWN]]
    if len(runs) > CHECKS_SHOWN:
        said.append(f"{len(runs) - CHECKS_SHOWN} more")
    total = f"{duration(verdict.seconds)} in all" + (": " if said else "")
    first, *rest = textwrap.wrap(total + " · ".join(said), max(pen.width - 8, 30))
    return [f"  {pen.strong('time ')} {first}", *(f"        {line}" for line in rest)]


def _cost(run: CheckRun) -> str:
    if run.inputs and run.hits == run.inputs:
        return "remembered"
    return f"{duration(run.seconds)} ({run.hits} of {run.inputs} remembered)" if run.hits else duration(run.seconds)


def check_table(verdict: Verdict, pen: Style) -> list[str]:
    """Every check with its version, cost and coverage, and the digests that the verdict rests on."""
    header = f"  {'check':<16} {'layer':<15} {'version':<12} {'inputs':>7} {'hits':>7} {'unchecked':>9} {'time':>9}"
    lines = [pen.strong("Checks"), pen.faint(header)]
    for run in verdict.checks:
        name, version = shortened(visible(run.check), 16), shortened(visible(run.version), 12)
        row = f"  {name:<16} {run.layer.value:<15} {version:<12} {run.inputs:>7} {run.hits:>7} {run.unchecked:>9}"
        lines.append(f"{row} {duration(run.seconds):>9}")
    facts = (
        ("base", verdict.base.digest),
        ("head", verdict.head.digest),
        ("knowledge", verdict.knowledge),
        ("policy", verdict.policy_digest),
        ("identity", verdict.scheme),
        ("assaymark", verdict.tool_version),
    )
    return [*lines, "", *(pen.faint(f"  {name:<10} {visible(value)}") for name, value in facts)]


def skipped_lines(verdict: Verdict, pen: Style) -> list[str]:
    """What there was nothing to read in."""
    rows = [f"  {visible(run.check)}: {number} {visible(reason)}" for run in verdict.checks for reason, number in run.skipped]
    return [pen.strong("Skipped"), *rows] if rows else []


def known_findings(verdict: Verdict, pen: Style) -> list[str]:
    """One line per finding that this change did not bring, and per finding that it removed."""
    lines: list[str] = []
    for state, heading in ((State.KNOWN, "Known"), (State.NEWLY_KNOWN, "Newly known"), (State.FIXED, "Fixed")):
        listed = [j for j in verdict.findings if j.state is state and not is_gap(j.finding)]
        lines += [pen.strong(f"{heading} ({len(listed)})")] if listed else []
        for judged in listed:
            finding = judged.finding
            said = f"{location(finding.place)}  {visible(finding.core.rule_class)} · {finding.short_id}"
            waived = " · waived" if judged.waiver else ""
            lines.append(f"  {pen.severity(finding.severity)} {shortened(said + waived, max(pen.width - 16, 20))}")
    return lines


def witnesses(finding: Finding, pen: Style) -> list[str]:
    """Who saw it, and further facts."""
    seen = [f"seen by {visible(w.rule)}: {one_line(w.message)}" for w in finding.witnesses]
    noted = [f"{one_line(name)}: {one_line(value)}" for name, value in finding.notes]
    return [pen.faint("      " + shortened(line, max(pen.width - 6, 20))) for line in [*seen, *noted]]
