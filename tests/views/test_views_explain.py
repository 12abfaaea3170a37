"""Explanations: parsed from their pages, complete or refused."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from unicodedata import category

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.views import views_sample as sample

from assaymark.errors import InternalError, UsageError
from assaymark.model.finding import RuleClassId
from assaymark.model.rules import RuleInfo, catalogue
from assaymark.model.verdict import Judged, Outcome, State
from assaymark.views import causes, explain, history, terminal
from assaymark.views.formats import FORMATS, renderer
from assaymark.views.style import Style


def test_a_page_falls_into_its_parts() -> None:
    page = explain.parse(sample.SQL, sample.PAGE)
    assert page.title == "SQL built from text that others control"
    assert page.in_short == "Whoever can send the text can read or change every row that the program's account can."
    assert [block.language for block in page.safe] == ["python", "javascript"]
    assert page.safe[0].code.startswith("# never an f-string\n")
    assert page.references[0] == explain.Reference("CWE-89", "https://cwe.mitre.org/data/definitions/89.html")
    assert page.advice == "Hand values over as parameters; the driver keeps them apart from the statement."


def test_a_comment_in_sample_code_is_no_heading() -> None:
    page = explain.parse(sample.SQL, sample.PAGE.replace("# never an f-string", "## Why it matters\n# x"))
    assert page.safe[0].code.startswith("## Why it matters\n# x\n")
    assert "Whoever" in page.why


@pytest.mark.parametrize("heading", ["## Why it matters", "## How it is exploited", "## Safe code", "## References"])
def test_a_page_without_a_section_is_refused(heading: str) -> None:
    with pytest.raises(InternalError, match="not whole") as caught:
        explain.parse(sample.SQL, sample.PAGE.replace(heading, "### x"))
    assert heading[3:] in caught.value.why


def test_safe_code_is_of_the_language_or_its_sibling_or_all() -> None:
    page = explain.parse(sample.SQL, sample.PAGE)
    assert [b.language for b in explain.safe_code(page, "py")] == ["python"]
    assert [b.language for b in explain.safe_code(page, "ts")] == ["javascript"]
    assert [b.language for b in explain.safe_code(page, "cobol")] == ["python", "javascript"]


@pytest.mark.parametrize(
    ("path", "language"),
    [("a/b.py", "python"), ("x.TSX", "typescript"), ("ci/Jenkinsfile", "groovy"), (".github/workflows/x.yml", "yaml"), ("Makefile", "")],
)
def test_language_is_read_from_the_name(path: str, language: str) -> None:
    assert explain.language_of(path) == language


def test_a_foreign_rule_has_no_page_and_a_class_of_ours_without_one_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    assert explain.find_explanation(RuleClassId("semgrep/own-rule")) is None
    for name in ("no-such-class", "../../errors", "a/b"):
        with pytest.raises(InternalError, match="no explanation"):
            explain.explanation(RuleClassId(name))


def test_every_packaged_page_keeps_the_outline() -> None:
    folder = files("assaymark.views") / "explanations"
    pages = sorted(page.name for page in folder.iterdir() if page.name.endswith(".md"))
    assert pages
    for name in pages:
        page = explain.explanation(RuleClassId(name.removesuffix(".md")))
        assert page.rule_class in catalogue().classes
        assert page.in_short
        assert page.references


def test_a_foreign_finding_is_explained_by_what_its_rule_says() -> None:
    found = sample.finding("x.js", 3, rule_class=RuleClassId("semgrep/own-rule"), rule="semgrep/own-rule")
    rule = RuleInfo(id=found.rule, rule_class=found.core.rule_class, title="Own rule", url="https://example.org/rule")
    text = explain.render_explanation(found, rule)
    assert "Own rule" in text
    assert "https://example.org/rule" in text


@given(st.text(st.characters(), max_size=20))
def test_an_explanation_holds_no_escape_of_others(text: str) -> None:
    found = sample.finding(path=f"{text}.py", message=text, statement=text, fix=text, notes=((text, text),))
    shown = explain.render_explanation(found, RuleInfo(id=found.rule, rule_class=sample.SQL, title=text), page=sample.explain(sample.SQL))
    assert all(char == "\n" or char.isprintable() or category(char) == "Zs" for char in shown)
    assert "\x1b" not in shown


# --- what stands around ----------------------------------------------------------------------------------------------


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        renderer("pdf\x1b")
    assert "\x1b" not in caught.value.diagnosis()
    assert "terminal, json, sarif" in caught.value.advice


def test_every_registered_format_can_be_had() -> None:
    assert all(callable(renderer(name)) for name in FORMATS)


def test_the_terminal_view_starts_without_heavy_imports() -> None:
    """Start-up is part of the product: no rich, no click, no other view, and no catalogue read while nothing is found."""
    code = (
        "import sys, assaymark.views.terminal; from assaymark.model.rules import catalogue;"
        "names = {'rich', 'click', 'html', 'xml', 'asyncio', 'logging', 'assaymark.views.html', 'assaymark.views.sarif'};"
        "heavy = names & set(sys.modules);"
        "print(sorted(heavy), catalogue.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["[]", "0"]


def test_causes_come_most_urgent_first_and_hold_every_finding_once() -> None:
    verdict = sample.rich()
    found = causes.causes(verdict, verdict.findings)
    assert [c.gates for c in found] == sorted((c.gates for c in found), reverse=True)
    assert sum(len(c.findings) for c in found) == sum(not causes.is_gap(j.finding) for j in verdict.findings)


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([], "nothing got worse"),
        ([State.FIXED], "nothing got worse, 1 fixed"),
        ([State.NEW], "1 new finding below the level that stops"),
        ([State.NEW, State.NEW, State.FIXED], "2 new findings below the level that stops, 1 fixed"),
        ([State.KNOWN, State.NEWLY_KNOWN], "nothing got worse"),
    ],
)
def test_a_pass_says_what_it_lets_through(states: list[State], said: str) -> None:
    judged = [Judged(sample.finding(line=number + 1), state) for number, state in enumerate(states)]
    assert causes.outcome_sentence(sample.verdict_of(judged, outcome=Outcome.PASS)) == said


def test_counts_put_each_finding_in_one_number() -> None:
    counts = causes.count(sample.rich())
    assert msgspec.structs.asdict(counts) == {
        "new": 4, "changed": 1, "known": 1, "newly_known": 1, "fixed": 1, "waived": 2, "unchecked": 1, "gating": 4,
    }  # fmt: skip


def test_order_of_findings_changes_nothing_on_the_terminal() -> None:
    verdict = sample.rich()
    turned = msgspec.structs.replace(verdict, findings=tuple(reversed(verdict.findings)))
    first, second = (terminal.render(v, sample.OPTIONS).splitlines()[:20] for v in (verdict, turned))
    assert first == second


def test_colour_only_adds_escapes() -> None:
    plain = terminal.render(sample.rich(), sample.OPTIONS)
    coloured = terminal.render(sample.rich(), msgspec.structs.replace(sample.OPTIONS, colour=True))
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert coloured != plain


@pytest.mark.parametrize("width", [40, 60, 80, 132])
def test_ascii_output_is_ascii_and_keeps_to_the_width(width: int) -> None:
    text = terminal.render(sample.rich(), msgspec.structs.replace(sample.OPTIONS, ascii=True, width=width))
    assert text.isascii()
    if width >= 80:
        assert max(map(len, text.splitlines())) <= width + 2  # three dots stand for one ellipsis


def test_an_unhonoured_state_of_the_world_is_shown_as_is() -> None:
    text = terminal.render(sample.verdict_of([Judged(sample.finding(), State.NEW)]), sample.OPTIONS)
    assert "new, does not stop" in text


@given(st.lists(st.integers(0, 1000), max_size=200), st.integers(1, 60))
def test_a_sparkline_is_as_wide_as_asked_and_keeps_zero_apart(values: list[int], width: int) -> None:
    line = history.sparkline(values, width)
    assert len(line) == min(len(values), width)
    if len(values) <= width:
        assert all((bar == "▁") == (value == 0) for bar, value in zip(line, values, strict=True))


def test_an_empty_history_says_so() -> None:
    assert history.render([], Style()) == "No commit was judged.\n"


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [("a **b** c", "a b c"), ("*now*", "now"), ("`x` and [y](https://z.example)", "x and y"), ("2*3*4 f(**kw)", "2*3*4 f(**kw)")],
)
def test_pages_lose_their_marks_as_plain_text(markdown: str, shown: str) -> None:
    assert explain.plain(markdown) == shown
