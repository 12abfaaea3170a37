"""The HTML report: one safe, valid, accessible file."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import html5lib
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.views import views_sample as sample

from assaymark.model.verdict import Verdict
from assaymark.views import html

VERDICTS = {"rich": sample.rich, "empty": sample.empty, "unproven": sample.unproven, "hostile": sample.hostile}
ANY_TEXTS = st.lists(st.text(st.characters(), min_size=1, max_size=12), min_size=1, max_size=3).map(tuple)
TEXTS_OF_MARKUP = st.lists(st.text("<>&\"'/=! -scriptonlad:x`", min_size=1, max_size=20), min_size=1, max_size=3).map(tuple)
TAGS = {
    "html", "head", "meta", "title", "style", "body", "a", "header", "div", "span", "b", "h1", "h2", "h3", "h4", "p", "ul", "ol", "li",
    "main", "section", "figure", "figcaption", "svg", "line", "rect", "text", "circle", "polygon", "polyline", "label", "select",
    "option", "input", "output", "article", "dl", "dt", "dd", "details", "summary", "pre", "code", "i", "em", "strong", "table", "caption",
    "thead", "tbody", "tr", "th", "td", "footer", "script",
}  # fmt: skip


def parsed(text: str) -> Any:
    """The tree; any parse error of the HTML standard is an error here."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def tag(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def check(text: str) -> Any:
    tree = parsed(text)
    for element in tree.iter():
        assert isinstance(element.tag, str), f"comment or instruction: {element}"
        assert tag(element) in TAGS
        for name, value in element.attrib.items():
            assert not str(name).lower().startswith("on")
            assert name not in {"style", "src", "srcset", "action", "data"}
            assert name != "href" or value.startswith(("https://", "#"))
    assert len([e for e in tree.iter() if tag(e) == "script"]) == 1
    return tree


@pytest.mark.parametrize("name", VERDICTS)
def test_every_sample_is_valid_and_carries_no_markup_of_others(name: str) -> None:
    check(html.render(VERDICTS[name](), sample.OPTIONS))


@settings(max_examples=25, deadline=None)
@given(st.one_of(ANY_TEXTS, TEXTS_OF_MARKUP))
def test_no_text_becomes_markup(texts: tuple[str, ...]) -> None:
    project = msgspec.structs.replace(sample.OPTIONS, project=texts[0], history=())
    check(html.render(sample.hostile(texts), project))


def test_the_policy_allows_exactly_the_style_and_script_that_are_there() -> None:
    tree = check(html.render(sample.rich(), sample.OPTIONS))
    (policy,) = [e.get("content") for e in tree.iter() if e.get("http-equiv") == "Content-Security-Policy"]
    for name in ("style", "script"):
        (element,) = [e for e in tree.iter() if tag(e) == name]
        digest = base64.b64encode(hashlib.sha256(element.text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_landmarks_headings_and_table_headers_are_there() -> None:
    tree = check(html.render(sample.rich(), sample.OPTIONS))
    names = [tag(e) for e in tree.iter()]
    assert [names.count(name) for name in ("h1", "main", "header", "footer")][0:2] == [1, 1]
    assert tree.find("body/header") is not None
    assert tree.find("body/footer") is not None
    ids = [e.get("id") for e in tree.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for element in tree.iter():
        if element.get("aria-labelledby"):
            assert element.get("aria-labelledby") in ids
        if tag(element) == "th":
            assert element.get("scope") in {"col", "row"}
        if tag(element) == "svg":
            assert element.get("role") == "img"
            assert element.get("aria-label")
        if tag(element) in {"select", "input"}:
            assert any(element in list(label) for label in tree.iter() if tag(label) == "label")


def _luminance(colour: str) -> float:
    def linear(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.03928 else float(((value + 0.055) / 1.055) ** 2.4)

    red, green, blue = (linear(colour[i : i + 2]) for i in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_aa_in_light_dark_and_print() -> None:
    style = html._asset("report.css")
    themes = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL)]
    assert len(themes) == 3
    for theme in themes:
        words = ("text", "soft", "accent", "pass", "fail", "doubt", "critical", "high", "medium", "low", "info")
        low = [f"{word} on {ground}" for word in words for ground in ("page", "card") if contrast(theme[word], theme[ground]) < 4.5]
        low += [f"{word} on its wash" for word in ("pass", "fail", "doubt") if contrast(theme[word], theme[f"{word}-wash"]) < 4.5]
        low += [f"{word} on code" for word in ("text", "soft") if contrast(theme[word], theme["code"]) < 4.5]
        assert low == []


def test_every_finding_is_in_the_report_however_many() -> None:
    text = html.render(sample.huge(3_000), sample.OPTIONS)
    assert len(re.findall(r"<details class=\"finding\"", text)) == 3_000


def test_nothing_is_loaded_from_anywhere() -> None:
    text = html.render(sample.rich(), sample.OPTIONS)
    assert not re.search(r"url\(|@import|<link|<img|<iframe|<object|<base|fetch\(|XMLHttp|innerHTML|eval\(", text)


def test_the_trend_is_drawn_only_from_a_history() -> None:
    def trend(verdict: Verdict, points: int) -> bool:
        return "<polyline" in html.render(verdict, msgspec.structs.replace(sample.OPTIONS, history=sample.HISTORY[:points]))

    assert [trend(sample.rich(), points) for points in (0, 1, 2, 30)] == [False, False, True, True]
