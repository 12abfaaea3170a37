"""The sections of the HTML report."""

from __future__ import annotations

from collections.abc import Sequence

from assaymark.model.finding import Finding
from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, Outcome, Reason, State, Verdict
from assaymark.views.causes import Cause, Counts, standards_of
from assaymark.views.explain import language_of, platform_of, safe_code
from assaymark.views.html_text import block, filter_data, page_details, section, severity_badge, text
from assaymark.views.options import Options
from assaymark.views.sanitise import location
from assaymark.views.terminal_tables import duration

OPENED = 12
"""Findings whose details are open when the page is: a screen or two."""
_WORD = {Outcome.PASS: ("✓", "Pass"), Outcome.FAIL: ("✗", "Fail"), Outcome.UNPROVEN: ("?", "Unproven")}


def banner(verdict: Verdict, options: Options, sentence: str) -> str:
    """Outcome, subject, and who says so."""
    symbol, word = _WORD[verdict.outcome]
    when = f"{text(options.finished)} UTC" if options.finished else ""
    head = f"<b>{text(verdict.head.name)}</b>"
    subject = f"Everything in {head}" if verdict.whole else f"{head} against {text(verdict.base.name)}"
    return (
        f'<div class="brand"><span><b>{text(options.project) or "Assaymark"}</b> security verdict</span><span>{when}</span></div>'
        f'<div class="card verdict {verdict.outcome.value}"><span class="word"><span aria-hidden="true">{symbol}</span>{word}</span>'
        f"<h1>{text(sentence[:1].upper() + sentence[1:])}</h1>"
        f'<p class="subject">{subject}. Policy level {text(verdict.policy_level)} stops at {text(verdict.fail_on)}.</p></div>'
    )


def tiles(counts: Counts, verdict: Verdict) -> str:
    """The numbers that are asked first."""
    inputs, hits = sum(run.inputs for run in verdict.checks), sum(run.hits for run in verdict.checks)
    shown = [
        ("bad" if counts.new else "", counts.new, "new"),
        ("good" if counts.fixed else "", counts.fixed, "fixed"),
        ("", counts.changed, "changed"),
        ("", counts.known + counts.newly_known, "known"),
        ("", counts.waived, "waived"),
        ("doubt" if counts.unchecked else "", counts.unchecked, "not checked"),
        ("", duration(verdict.seconds), f"{hits * 100 // inputs} % reused" if inputs else "in all"),
    ]
    rows = "".join(
        f'<li class="{kind}"><span class="value">{value}</span><span class="label">{label}</span></li>' for kind, value, label in shown
    )
    return f'<ul class="tiles" aria-label="Numbers">{rows}</ul>'


def reasons(listed: Sequence[Reason]) -> str:
    """What else speaks against a plain pass, and what to do."""
    rows = []
    for reason in listed:
        kind = "unproven" if reason.kind.value == "unproven" else "stops" if reason.stops else ""
        where = f"{reason.path}:{reason.line}" if reason.line else reason.path
        place = f'<span class="mono">{text(where)}</span> ' if where else ""
        advice = f'<p class="soft">Do this: {text(reason.advice)}</p>' if reason.advice else ""
        rest = "" if reason.stops else '<p class="soft">This does not stop the change.</p>'
        rows.append(
            f'<li class="{kind}"><span class="kind">{reason.kind.value}</span>'
            f'<div class="told"><p>{place}{text(reason.text)}</p>{advice}{rest}</div></li>'
        )
    return (
        section("reasons", "What else to do", len(listed), f'<div class="card"><ul class="reasons">{"".join(rows)}</ul></div>')
        if rows
        else ""
    )


def filter_bar(severities: Sequence[str], states: Sequence[str]) -> str:
    """Hidden until the script runs: without it every finding is simply shown."""
    by_severity = "".join(f'<option value="{name}">{name}</option>' for name in severities)
    by_state = "".join(f'<option value="{name}">{name}</option>' for name in states)
    return (
        '<div class="filter" role="search" aria-label="Findings" hidden>'
        f'<label>Severity <select id="by-severity"><option value="">all</option>{by_severity}</select></label>'
        f'<label>State <select id="by-state"><option value="">all</option>{by_state}</select></label>'
        '<label>Words <input id="by-words" type="search" autocomplete="off" spellcheck="false"></label><output></output></div>'
    )


def cause_cards(found: Sequence[Cause], options: Options) -> str:
    """One card per cause, its findings folded beneath."""
    cards: list[str] = []
    opened = 0
    for cause in found:
        cards.append(_cause(cause, options, max(OPENED - opened, 0)))
        opened += len(cause.findings)
    return "\n".join(cards)


def _cause(cause: Cause, options: Options, room: int) -> str:
    page = options.explain(cause.rule_class)
    why = text(page.in_short if page else cause.findings[0].finding.message)
    fix = f"<dt>Fix</dt><dd>{text(cause.advice)}</dd>" if cause.advice else ""
    findings = "".join(_finding(judged, cause.severity, opened=index < room) for index, judged in enumerate(cause.findings))
    where = cause.findings[0].finding.place.path
    more = page_details(page, safe_code(page, language_of(where), platform_of(where, cause.findings[0].finding.rule))) if page else ""
    return (
        f'<article class="cause" data-group><header>{severity_badge(cause.severity)}<h3>{text(cause.title)}</h3>'
        f'<span class="soft">{text(cause.rule_class)}{standards_of(cause)}</span></header>'
        f'<dl class="advice"><dt>Why</dt><dd>{why}</dd>{fix}</dl>{more}<div>{findings}</div></article>'
    )


def _finding(judged: Judged, worst: Severity, *, opened: bool) -> str:
    finding = judged.finding
    stops = '<span class="tag stops">stops</span>' if judged.gates else '<span class="tag">does not stop</span>'
    was = f", was {judged.previous.severity.value}" if judged.previous and judged.previous.severity is not finding.severity else ""
    milder = "" if finding.severity is worst else severity_badge(finding.severity)
    place = f'<span class="place mono">{text(location(finding.place))}</span>'
    summary = f'{place}<span class="tag">{judged.state.value}{was}</span>{stops}{milder}'
    return (
        f'<details class="finding" {filter_data(judged)}{" open" if opened else ""}><summary>{summary}'
        f'<span class="id mono">{text(finding.short_id)}</span></summary><div class="body">{_body(finding)}</div></details>'
    )


def _body(finding: Finding) -> str:
    shown = block(finding.statement) if finding.statement else ""
    replacement = f"<p>Replace with</p>{block(finding.fix.replacement)}" if finding.fix and finding.fix.replacement else ""
    seen = "".join(f"<li><code>{text(w.rule)}</code> {text(w.message)}</li>" for w in finding.witnesses[1:])
    notes = "".join(f"<li>{text(name)}: {text(value)}</li>" for name, value in finding.notes)
    further = f"<ul>{seen}{notes}</ul>" if seen or notes else ""
    said = f"<p><code>{text(finding.rule)}</code> {text(finding.message)}</p>"
    return f"{shown}{said}{replacement}{further}"


def evidence(verdict: Verdict) -> str:
    """The digests that the verdict names, and notices."""
    facts = [
        ("Base", verdict.base.digest),
        ("Head", verdict.head.digest),
        ("Policy", verdict.policy_digest),
        ("Knowledge", verdict.knowledge),
        ("Identity scheme", verdict.scheme),
        *(("Notice", notice) for notice in verdict.notices),
    ]
    rows = "".join(f"<dt>{name}</dt><dd{'' if name == 'Notice' else ' class=mono'}>{text(value)}</dd>" for name, value in facts)
    return section("evidence", "Evidence", None, f'<div class="card"><dl class="evidence">{rows}</dl></div>')


def state_names(listed: Sequence[Judged]) -> list[str]:
    """States that occur, in the model's order, for the filter."""
    present = {"waived" if judged.waiver else judged.state.value for judged in listed}
    return [name for name in (*(state.value for state in State), "waived") if name in present]
