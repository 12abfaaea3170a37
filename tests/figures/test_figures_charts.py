"""Charts: drawn whole by the server, hostile text stays text; the vendored library is the one that was published."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

import pytest

from assaymark.views.trends import Chart, Line, drawn

ROOT = Path(__file__).parents[2]
PUBLISHED = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}
"""SHA-256 of the files in the tarball uplot-1.6.32.tgz, whose published integrity is
sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==.
"""


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_vendored_library_is_what_was_published(name: str) -> None:
    data = (files("assaymark.server.web") / "static" / name).read_bytes()
    assert hashlib.sha256(data).hexdigest() == PUBLISHED[name]


def test_the_notice_holds_the_licence_of_what_is_vendored() -> None:
    notice = (ROOT / "NOTICE").read_text()
    assert "uplot 1.6.32" in notice
    assert "Copyright (c) 2022 Leon Sorokin" in notice
    assert "THE SOFTWARE IS PROVIDED" in notice


def test_what_is_not_known_is_a_gap_and_no_zero() -> None:
    chart = drawn(Chart("Open", "", [0, 86_400, 172_800, 259_200], [Line("high", [1.0, None, 3.0, 4.0], "high")]))
    assert chart.count("<polyline") == 2
    assert "high: 1 to 4" in chart
    assert "&quot;values&quot;:[1.0,null,3.0,4.0]" in chart


@pytest.mark.parametrize("values", [[], [None, None], [5.0]])
def test_too_little_is_said_instead_of_drawn(values: list[float | None]) -> None:
    chart = drawn(Chart("Open", "", [86_400 * n for n in range(len(values))], [Line("high", values)]))
    assert "Not enough days are known yet" in chart
    assert "<svg" not in chart


def test_nothing_but_zeros_is_drawn_along_the_floor() -> None:
    chart = drawn(Chart("Open", "", [0, 86_400], [Line("high", [0.0, 0.0])]))
    assert chart.count("148.0") >= 2


def test_hostile_names_are_text() -> None:
    chart = drawn(Chart("<script>", '"><script>', [0, 86_400], [Line("'\"><img src=x onerror=alert(1)>", [1.0, 2.0], '"><script>')], "<b>"))
    assert "<script" not in chart
    assert "<img" not in chart
    assert "<b>" not in chart
