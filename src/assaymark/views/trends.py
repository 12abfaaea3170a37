"""Lines over time, as SVG that needs no script and prints; the values stand beside it for whoever draws or reads them better."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence

from msgspec import Struct

from assaymark.views.html_text import text

_WIDTH, _HEIGHT, _LEFT, _FOOT, _TOP = 480, 170, 52, 22, 10


class Line(Struct, frozen=True):
    """One of a chart."""

    name: str
    values: Sequence[float | None]
    """None: not known, or nothing to tell."""
    kind: str = "solid"
    """Class of its colour: a severity, ``solid`` or ``known``."""


class Chart(Struct, frozen=True):
    """Values at instants (seconds since 1970)."""

    title: str
    unit: str
    times: Sequence[int]
    lines: Sequence[Line]
    note: str = ""


def drawn(chart: Chart) -> str:
    """A figure; every text in it is escaped."""
    caption = f'<figcaption>{text(chart.title)} <span class="soft">{text(_said(chart))}</span></figcaption>'
    if sum(value is not None for line in chart.lines for value in line.values) < 2:
        return f'<figure class="chart trend">{caption}<p class="soft">Not enough days are known yet.</p></figure>'
    data = json.dumps(
        {
            "unit": chart.unit,
            "times": list(chart.times),
            "lines": [{"name": line.name, "kind": line.kind, "values": list(line.values)} for line in chart.lines],
        },
        separators=(",", ":"),
    )
    return f'<figure class="chart trend" data-trend="{_attribute(data)}">{caption}{_svg(chart)}</figure>'


def _attribute(data: str) -> str:
    return data.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _said(chart: Chart) -> str:
    """What the lines say, for who does not see them."""
    parts = []
    for line in chart.lines:
        known = [value for value in line.values if value is not None]
        if known:
            parts.append(f"{line.name}: {known[0]:g} to {known[-1]:g}{chart.unit and ' ' + chart.unit}")
    return "; ".join([*parts, *([chart.note] if chart.note else [])]) or "nothing is known yet"


def _svg(chart: Chart) -> str:
    known = [value for line in chart.lines for value in line.values if value is not None]
    top = max(known) or 1
    first, last = chart.times[0], chart.times[-1]
    span = max(last - first, 1)

    def spot(time: int, value: float) -> str:
        x = _LEFT + (time - first) / span * (_WIDTH - _LEFT - 8)
        return f"{x:.1f},{_TOP + (_HEIGHT - _FOOT - _TOP) * (1 - value / top):.1f}"

    floor = _HEIGHT - _FOOT
    body = [f'<line class="axis" x1="{_LEFT}" y1="{y}" x2="{_WIDTH}" y2="{y}"/>' for y in (_TOP, floor)]
    body += [_small(_LEFT - 6, _TOP + 4, f"{top:g}", "end"), _small(_LEFT - 6, floor + 4, "0", "end")]
    body += [_small(_LEFT, _HEIGHT - 4, _day(first), "start"), _small(_WIDTH, _HEIGHT - 4, _day(last), "end")]
    for line in chart.lines:
        for part in _parts(chart.times, line.values):
            points = " ".join(spot(time, value) for time, value in part)
            body.append(f'<polyline class="line {text(line.kind)}" points="{points}"/>')
    said = text(f"{chart.title}. {_said(chart)}")
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{said}">{"".join(body)}</svg>'


def _parts(times: Sequence[int], values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    """Runs of known values: what is not known is a gap and no zero."""
    found: list[list[tuple[int, float]]] = [[]]
    for time, value in zip(times, values, strict=True):
        if value is None:
            found.append([])
        else:
            found[-1].append((time, value))
    return [run for run in found if run]


def _small(x: float, y: float, said: str, anchor: str) -> str:
    return f'<text class="soft" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{text(said)}</text>'


def _day(time: int) -> str:
    return dt.datetime.fromtimestamp(time, dt.UTC).strftime("%Y-%m-%d")
