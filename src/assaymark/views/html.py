"""The verdict as one HTML file that needs nothing else: no network, no font, no library.

A content security policy allows exactly the style and the script that are in it, by hash. Content is escaped (see `html_text`); without
the script every finding is shown and only the filter is missing. Made to meet WCAG 2.2 AA: landmarks, table headers, visible focus,
contrast of 4.5 at least, nothing said by colour alone.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from assaymark.model.severity import Severity
from assaymark.model.verdict import Judged, State, Verdict
from assaymark.views.causes import OF_THE_CHANGE, OPEN, causes, count, is_gap, other_reasons, outcome_sentence, urgency
from assaymark.views.html_charts import before_and_after, by_cause, time_per_check
from assaymark.views.html_parts import banner, cause_cards, evidence, filter_bar, reasons, state_names, tiles
from assaymark.views.html_tables import check_table, finding_table, history_table
from assaymark.views.html_text import section, text
from assaymark.views.options import Options


@cache
def _asset(name: str) -> str:
    return (files("assaymark.views") / "assets" / name).read_text("utf-8").replace("\r\n", "\n")


def _source(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def render(verdict: Verdict, options: Options | None = None) -> str:
    """The whole document."""
    options = options or Options()
    style, script = _asset("report.css"), _asset("report.js")
    policy = f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; base-uri 'none'; form-action 'none'"
    sentence = outcome_sentence(verdict)
    title = text(f"{options.project or 'Assaymark'}: {verdict.outcome.value}, {sentence}")
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">',
        f'<meta name="referrer" content="no-referrer">\n<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>',
        '<a class="skip" href="#content">Skip to the content</a>',
        f'<header class="top"><div class="wrap">{heading(verdict, options)}</div></header>',
        f'<main id="content" class="wrap">{body(verdict, options)}</main>',
        f'<footer><div class="wrap">Assaymark {text(verdict.tool_version)}. This file loads nothing from anywhere.</div></footer>',
        f"<script>{script}</script>\n</body>\n</html>\n",
    ]
    return "\n".join(parts)


def heading(verdict: Verdict, options: Options) -> str:
    """The verdict and its figures, for a page that has a head and a style of its own."""
    return banner(verdict, options, outcome_sentence(verdict)) + tiles(count(verdict), verdict)


def body(verdict: Verdict, options: Options) -> str:
    """Everything below the heading; lines of their own, so that two reports can be compared."""
    return "\n".join(_sections(verdict, options))


def _sections(verdict: Verdict, options: Options) -> list[str]:
    real = sorted((j for j in verdict.findings if not is_gap(j.finding)), key=urgency)
    of_change = [j for j in real if j.state in OF_THE_CHANGE and j.waiver is None]
    made = [reasons(other_reasons(verdict)), _charts(verdict, real)]
    if real:
        occurring = [s.value for s in sorted(Severity, key=lambda s: -s.rank) if any(j.finding.severity is s for j in real)]
        bar = filter_bar(occurring, state_names(real))
        cards = cause_cards(causes(verdict, of_change), options) or '<p class="soft">This change brings nothing new.</p>'
        made.append(section("change", "What this change brings", len(of_change), bar + cards))
    made += [
        finding_table("waived", "Waived", [j for j in real if j.waiver and j.state in OPEN]),
        finding_table("newly-known", "Newly known", _unwaived(real, State.NEWLY_KNOWN)),
        finding_table("known", "Known before", _unwaived(real, State.KNOWN)),
        finding_table("fixed", "Fixed", [j for j in real if j.state is State.FIXED]),
        history_table(options.history),
        check_table(verdict),
        evidence(verdict),
    ]
    return [part for part in made if part]


def _unwaived(listed: list[Judged], state: State) -> list[Judged]:
    return [judged for judged in listed if judged.state is state and judged.waiver is None]


def _charts(verdict: Verdict, real: list[Judged]) -> str:
    open_ones = [j for j in real if j.state in OPEN and j.waiver is None]
    part = "everything" if verdict.whole else "what changed"
    drawn = [before_and_after(verdict.before, verdict.after, f"of {part}, before and after")]
    if open_ones:
        drawn.append(by_cause(causes(verdict, open_ones), f"open findings of {part}, by family"))
    if verdict.checks:
        drawn.append(time_per_check(verdict.checks))
    return section("figures", "In figures", None, f'<div class="charts">{"".join(drawn)}</div>')
