"""The verdict on a terminal: what this change did, why it matters, how to repair it, what to do next.

One screen for a normal change: causes are cut to a few places and said so; `Options.verbose` shows everything. Content of others goes
through `sanitise`; nothing is said by colour alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from assaymark.model.severity import Confidence, Severity
from assaymark.model.verdict import Judged, Reason, ReasonKind, State, Verdict
from assaymark.views.causes import OF_THE_CHANGE, Cause, Counts, causes, count, is_gap, other_reasons, outcome_sentence, word_for_new
from assaymark.views.options import Options
from assaymark.views.sanitise import columns, location, one_line, shortened, visible
from assaymark.views.style import Style
from assaymark.views.terminal_tables import check_line, check_table, known_findings, skipped_lines, witnesses

CAUSES_SHOWN = 6
"""With their places, about what fits on one screen of 50 lines."""
PLACES_SHOWN = 3
REASONS_SHOWN = 8
NOTICES_SHOWN = 4
_REASON_MARKS = {
    ReasonKind.NEW_FINDING: ("✗", "new"),
    ReasonKind.WORSENED: ("▲", "worsened"),
    ReasonKind.WEAKENED: ("▲", "weakened"),
    ReasonKind.UNPROVEN: ("?", "unproven"),
    ReasonKind.EXCEPTION: ("·", "exception"),
    ReasonKind.DECIDED: ("·", "decided"),
    ReasonKind.UNROTATED: ("!", "unrotated"),
    ReasonKind.POLICY: ("▲", "policy"),
}


def render(verdict: Verdict, options: Options | None = None) -> str:
    """The report, with a final line feed."""
    options = options or Options()
    pen = Style(colour=options.colour, ascii=options.ascii, width=max(options.width, 40))
    told = [j for j in verdict.findings if j.state in OF_THE_CHANGE and (options.verbose or j.waiver is None)]
    shown = told if options.verbose else [j for j in told if not _is_minor(j)]
    blocks = [_head(verdict, pen), *_cause_blocks(causes(verdict, shown), options, pen)]
    if len(shown) < len(told):
        blocks.append([pen.faint(f"… and {len(told) - len(shown)} minor ones of low confidence, mostly in tests (--verbose shows them)")])
    blocks.append(_reason_block(other_reasons(verdict), options, pen))
    if options.verbose:
        blocks += [known_findings(verdict, pen), check_table(verdict, pen), skipped_lines(verdict, pen)]
    blocks.append(_summary(verdict, options, pen))
    return pen.finish("\n".join("\n".join(block) + "\n" for block in blocks if block))


def _is_minor(judged: Judged) -> bool:
    """Mild and doubtful at once: an assertion in a test. It is counted, and does not take a reader's time."""
    finding = judged.finding
    return not judged.gates and finding.severity.rank <= Severity.LOW.rank and finding.confidence is Confidence.LOW


def _head(verdict: Verdict, pen: Style) -> list[str]:
    whole = "everything" if verdict.whole else f"against {one_line(verdict.base.name)}"
    gate = f" · {visible(verdict.policy_level)} stops at {visible(verdict.fail_on)}"
    subject = shortened(f"{one_line(verdict.head.name)} {whole}", pen.width - 2 - columns(gate)) + gate
    return [
        f"{pen.outcome(verdict.outcome)}  {pen.strong(outcome_sentence(verdict))}",
        pen.faint("  " + subject),
    ]


# --- causes ----------------------------------------------------------------------------------------------------------


def _cause_blocks(found: tuple[Cause, ...], options: Options, pen: Style) -> list[list[str]]:
    shown = found if options.verbose else found[:CAUSES_SHOWN]
    blocks = [_cause(cause, options, pen) for cause in shown]
    hidden = found[len(shown) :]
    if hidden:
        findings = sum(len(cause.findings) for cause in hidden)
        blocks.append([pen.faint(f"… and {len(hidden)} more causes with {findings} findings (--verbose shows them)")])
    return blocks


def _cause(cause: Cause, options: Options, pen: Style) -> list[str]:
    label = f"{visible(cause.rule_class)} · CWE-{cause.cwe}" if cause.cwe else visible(cause.rule_class)
    # 14 columns are taken by the severity's meter and word.
    title = shortened(one_line(cause.title), max(pen.width - 16 - columns(label), 20))
    gap = " " * max(pen.width - 14 - columns(title) - columns(label), 2)
    lines = [f"{pen.severity(cause.severity)} {pen.strong(title)}{gap}{pen.faint(label)}"]
    shown = cause.findings if options.verbose else cause.findings[:PLACES_SHOWN]
    for judged in shown:
        lines += _place(judged, options, pen, new=cause.word_for_new)
    if len(shown) < len(cause.findings):
        lines.append(pen.faint(f"  … and {len(cause.findings) - len(shown)} more places (--verbose shows them)"))
    page = options.explain(cause.rule_class)
    lines += _labelled("why", page.in_short if page else one_line(cause.findings[0].finding.message), pen)
    if cause.advice:
        lines += _labelled("fix", one_line(cause.advice), pen)
    return lines


_TOLD = frozenset({"came and went", "commit"})
"""Notes without which a place would surprise: the content is not in the tree."""


def _place(judged: Judged, options: Options, pen: Style, *, new: str) -> list[str]:
    finding = judged.finding
    tags = [
        new if judged.state is State.NEW else _state_word(judged),
        *(["does not stop"] if not judged.gates and judged.waiver is None else []),
    ]
    if judged.waiver:
        until = f" until {visible(judged.waiver.until)}" if judged.waiver.until else ""
        tags.append(f"waived ({visible(judged.waiver.source)}{until}: {one_line(judged.waiver.reason)})")
    about = shortened(f"{', '.join(tags)} · {finding.short_id}", max(pen.width - 20, 20))
    lines = [f"  {location(finding.place)}  {pen.faint(about)}"]
    excerpt = one_line(finding.statement) or one_line(finding.message)
    lines.append(pen.code("      " + shortened(excerpt, pen.width - 6)))
    lines += [pen.faint(f"      {name}: {shortened(one_line(value), pen.width - 30)}") for name, value in finding.notes if name in _TOLD]
    return lines + (witnesses(finding, pen) if options.verbose else [])


def _state_word(judged: Judged) -> str:
    if judged.state is State.CHANGED and judged.previous and judged.previous.severity is not judged.finding.severity:
        return f"changed, was {judged.previous.severity.value}"
    return judged.state.value


def _labelled(label: str, text: str, pen: Style) -> list[str]:
    first, *rest = textwrap.wrap(text, max(pen.width - 8, 30)) or [""]
    return [f"  {pen.strong(f'{label:<5}')} {first}", *(f"        {line}" for line in rest)]


# --- reasons ---------------------------------------------------------------------------------------------------------


def _reason_block(reasons: tuple[Reason, ...], options: Options, pen: Style) -> list[str]:
    shown = reasons if options.verbose else reasons[:REASONS_SHOWN]
    lines = [line for reason in shown for line in _reason(reason, pen)]
    if len(shown) < len(reasons):
        lines.append(pen.faint(f"… and {len(reasons) - len(shown)} more reasons (--verbose shows them)"))
    return lines


def _reason(reason: Reason, pen: Style) -> list[str]:
    mark, word = _REASON_MARKS[reason.kind]
    paint = pen.doubt if reason.kind is ReasonKind.UNPROVEN else pen.bad if reason.stops else pen.faint
    where = f"{visible(reason.path)}:{reason.line}" if reason.path and reason.line else visible(reason.path)
    # A reason may already begin with the place it speaks of.
    text = one_line(reason.text)
    said = f"{where}  {text}" if where and not text.startswith(where) else text
    head, *rest = textwrap.wrap(said, max(pen.width - 14, 30)) or [""]
    lines = [f"{paint(f'{mark} {word:<10}')}  {head}", *(f"{'':14}{line}" for line in rest)]
    return lines + (_advice(reason.advice, pen) if reason.advice else [])


def _advice(advice: str, pen: Style) -> list[str]:
    wrapped = textwrap.wrap("do this: " + one_line(advice), max(pen.width - 14, 30))
    return [pen.faint(f"{'':14}{line}") for line in wrapped]


# --- summary ---------------------------------------------------------------------------------------------------------


def _summary(verdict: Verdict, options: Options, pen: Style) -> list[str]:
    lines = [pen.faint("─" * min(pen.width, 100)), _count_line(count(verdict), word_for_new(verdict), pen)]
    if not options.verbose:
        lines += check_line(verdict, pen)
    noted = verdict.notices if options.verbose else verdict.notices[:NOTICES_SHOWN]
    for notice in noted:
        lines += _labelled("note", one_line(notice), pen)
    if len(noted) < len(verdict.notices):
        lines.append(pen.faint(f"        … and {len(verdict.notices) - len(noted)} more notes (--verbose shows them)"))
    return lines + _next_step(verdict, pen)


def _count_line(counts: Counts, new: str, pen: Style) -> str:
    numbers = {
        new: counts.new,
        "changed": counts.changed,
        "fixed": counts.fixed,
        "known": counts.known,
        "newly known": counts.newly_known,
        "waived": counts.waived,
        "unchecked": counts.unchecked,
    }
    always = {"new", "fixed"} if new == "new" else {new}
    parts = [f"{number} {word}" for word, number in numbers.items() if number or word in always]
    return pen.strong(" · ".join(parts))


def _next_step(verdict: Verdict, pen: Style) -> list[str]:
    judged = _most_urgent(verdict.findings)
    if judged is None:
        return []
    ident = judged.finding.short_id
    explain, waive = f"assay explain {ident}", f"assay waive {ident}"
    lines = [f"  {pen.strong('next ')} {pen.code(f'{explain:<28}')} why, how it is exploited, safe code"]
    if judged.finding.severity is not Severity.INFO:
        lines.append(f"        {pen.code(f'{waive:<28}')} accept the risk: reason, owner, end date")
    return lines


def _most_urgent(findings: Iterable[Judged]) -> Judged | None:
    candidates = [j for j in findings if j.state in OF_THE_CHANGE and j.waiver is None and not is_gap(j.finding)]
    return max(candidates, key=lambda j: (j.gates, j.finding.severity.rank), default=None)
