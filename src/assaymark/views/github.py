"""GitHub Actions: annotations by workflow commands, and the job summary.

GitHub shows ten annotations of each level per step; the rest is counted in the last line. Content cannot start a command of its own:
data and properties are escaped as the runner unescapes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from assaymark.model.verdict import Judged, Outcome, Reason, State, Verdict
from assaymark.views.causes import is_gap, other_reasons, outcome_sentence, urgency
from assaymark.views.markdown import render_summary
from assaymark.views.options import Options
from assaymark.views.sanitise import one_line, visible

PER_LEVEL = 10
_SHOWN = frozenset({State.NEW, State.CHANGED, State.NEWLY_KNOWN})


def data(text: str) -> str:
    """A command's message, escaped."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def prop(text: str) -> str:
    """A command's property value, escaped."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def render(verdict: Verdict, options: Options | None = None) -> str:
    """The commands, most urgent first, and one closing line."""
    del options
    commands: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    for reason in other_reasons(verdict):
        commands["error" if reason.stops else "notice"].append(_reason_command(reason))
    listed = [j for j in verdict.findings if j.state in _SHOWN and j.waiver is None and not is_gap(j.finding)]
    for judged in sorted(listed, key=urgency):
        level = _level(judged)
        commands[level].append(_finding_command(level, judged))
    lines = [line for level in commands.values() for line in level[:PER_LEVEL]]
    return "\n".join([*lines, _closing(verdict, list(commands.values()))]) + "\n"


def job_summary(verdict: Verdict, options: Options | None = None) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``."""
    return render_summary(verdict, options)


def _level(judged: Judged) -> str:
    if judged.gates:
        return "error"
    return "notice" if judged.state is State.NEWLY_KNOWN else "warning"


def _finding_command(level: str, judged: Judged) -> str:
    finding = judged.finding
    place = finding.place
    fields = {"file": visible(place.path)}
    if place.line:
        fields["line"] = str(place.line)
        if place.end_line >= place.line:
            fields["endLine"] = str(place.end_line)
        if place.column and place.end_line == place.line:
            fields |= {"col": str(place.column), "endColumn": str(max(place.end_column, place.column))}
    fields["title"] = f"{finding.severity.value}: {visible(finding.core.rule_class)}"
    fix = f"\nFix: {one_line(finding.fix.advice)}" if finding.fix else ""
    return _command(level, fields, f"{one_line(finding.message)}{fix}\nassay explain {finding.short_id}")


def _reason_command(reason: Reason) -> str:
    fields = {"file": visible(reason.path)} if reason.path else {}
    if reason.path and reason.line:
        fields["line"] = str(reason.line)
    fields["title"] = reason.kind.value
    return _command("error" if reason.stops else "notice", fields, f"{one_line(reason.text)}\n{one_line(reason.advice)}")


def _command(level: str, fields: dict[str, str], message: str) -> str:
    properties = ",".join(f"{name}={prop(value)}" for name, value in fields.items())
    return f"::{level} {properties}::{data(message)}"


def _closing(verdict: Verdict, levels: Sequence[list[str]]) -> str:
    hidden = sum(max(len(level) - PER_LEVEL, 0) for level in levels)
    rest = f"; {hidden} more are not annotated here, see the job summary or the SARIF report" if hidden else ""
    level = "notice" if verdict.outcome is Outcome.PASS else "error"
    return _command(level, {"title": f"assay {verdict.outcome.value}"}, f"{outcome_sentence(verdict)}{rest}")
