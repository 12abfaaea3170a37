"""Whole rendered reports, held in files. ``ASSAYMARK_UPDATE_GOLDEN=1`` writes them anew; look at the difference before committing it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
from tests.views import views_sample as sample

from assaymark.model.verdict import Verdict
from assaymark.views import explain, history
from assaymark.views.formats import FORMATS, renderer
from assaymark.views.options import Options
from assaymark.views.style import Style

GOLDEN = Path(__file__).parent / "golden"
SUFFIX = {
    "terminal": "txt", "json": "json", "sarif": "sarif", "junit": "xml", "gitlab-codequality": "json", "gitlab-sast": "json",
    "gitlab-secrets": "json", "github": "txt", "github-summary": "md", "markdown": "md", "html": "html",
}  # fmt: skip
VERDICTS = {"rich": sample.rich, "empty": sample.empty, "unproven": sample.unproven, "hostile": sample.hostile}
EVERY_SAMPLE = {"terminal", "github", "markdown", "junit"}
"""Formats that people read line by line; the others' shapes are held by their schemas and by the rich sample."""


def same_as_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("ASSAYMARK_UPDATE_GOLDEN"):
        path.write_text(text, "utf-8", newline="\n")
    assert path.read_text("utf-8") == text, f"{name} differs; see the module's docstring"


@pytest.mark.parametrize("form", FORMATS)
def test_rich_verdict_renders_as_recorded(form: str) -> None:
    same_as_golden(f"rich.{form}.{SUFFIX[form]}", renderer(form)(sample.rich(), sample.OPTIONS))


@pytest.mark.parametrize("name", [name for name in VERDICTS if name != "rich"])
@pytest.mark.parametrize("form", sorted(EVERY_SAMPLE))
def test_other_verdicts_render_as_recorded(form: str, name: str) -> None:
    same_as_golden(f"{name}.{form}.{SUFFIX[form]}", renderer(form)(VERDICTS[name](), sample.OPTIONS))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("verbose", msgspec.structs.replace(sample.OPTIONS, verbose=True)),
        ("ascii", msgspec.structs.replace(sample.OPTIONS, ascii=True, width=72)),
        ("colour", msgspec.structs.replace(sample.OPTIONS, colour=True)),
    ],
)
def test_terminal_renders_each_way_as_recorded(name: str, options: Options) -> None:
    same_as_golden(f"rich.terminal-{name}.txt", renderer("terminal")(sample.rich(), options))


def test_ten_thousand_findings_fit_on_one_screen_as_recorded() -> None:
    text = renderer("terminal")(sample.huge(), sample.OPTIONS)
    assert text.count("\n") < 40
    same_as_golden("huge.terminal.txt", text)


def test_explanation_renders_as_recorded() -> None:
    verdict: Verdict = sample.rich()
    finding = verdict.findings[1].finding
    text = explain.render_explanation(finding, verdict.rules[finding.rule], page=sample.explain(sample.SQL))
    same_as_golden("rich.explanation.txt", text)


def test_history_renders_as_recorded() -> None:
    same_as_golden("history.txt", history.render(sample.HISTORY, Style()))
    same_as_golden("history.json", history.render_json(sample.HISTORY))


@pytest.mark.skipif("ASSAYMARK_UPDATE_GOLDEN" in os.environ, reason="files are being written in any order")
def test_every_golden_file_is_of_a_test() -> None:
    expected = {f"rich.{form}.{SUFFIX[form]}" for form in FORMATS}
    expected |= {f"{name}.{form}.{SUFFIX[form]}" for name in VERDICTS if name != "rich" for form in EVERY_SAMPLE}
    expected |= {f"rich.terminal-{name}.txt" for name in ("verbose", "ascii", "colour")}
    expected |= {"huge.terminal.txt", "rich.explanation.txt", "history.txt", "history.json"}
    assert {path.name for path in GOLDEN.iterdir()} == expected
