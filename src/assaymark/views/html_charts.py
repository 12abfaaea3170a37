"""Charts of the HTML report, drawn as SVG: every number stands beside its bar, so nothing is said by shape or colour alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from assaymark.model.severity import Severity
from assaymark.model.verdict import CheckRun, Judged, Outcome, Posture
from assaymark.views.causes import Cause
from assaymark.views.history import HistoryPoint
from assaymark.views.html_text import text
from assaymark.views.sanitise import one_line, shortened
from assaymark.views.terminal_tables import duration

WIDTH = 340
_LABEL, _NUMBER = 118, 86
_ROW = 30
CAUSES_DRAWN = 8
CHECKS_DRAWN = 8
POINTS_DRAWN = 400
"""More are thinned: finer than a pixel says nothing."""


class _Bar(Struct, frozen=True):
    label: str
    value: float
    said: str
    kind: str = "solid"


def figure(title: str, note: str, drawing: str, kind: str = "") -> str:
    caption = f'<figcaption>{text(title)} <span class="soft">{text(note)}</span></figcaption>'
    return f'<figure class="chart {kind}">{caption}{drawing}</figure>'


def _svg(height: float, described: str, body: str, width: int = WIDTH) -> str:
    return f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{text(described)}">{body}</svg>'


def _bar(x: float, y: float, size: tuple[float, float], kind: str) -> str:
    return f'<rect class="{kind}" x="{x:g}" y="{y:g}" width="{size[0]:.1f}" height="{size[1]:g}" rx="2"/>'


def _scaled(value: float, top: float) -> float:
    room = WIDTH - _LABEL - _NUMBER
    return max(value / top * room, 2.0) if value > 0 and top > 0 else 0.0


def _bars(bars: Sequence[_Bar]) -> str:
    top = max((bar.value for bar in bars), default=0)
    body = [f'<line class="axis" x1="{_LABEL}" y1="0" x2="{_LABEL}" y2="{len(bars) * _ROW}"/>']
    for index, bar in enumerate(bars):
        y = index * _ROW
        width = _scaled(bar.value, top)
        label = text(shortened(one_line(bar.label), 17))
        body.append(f'<text x="{_LABEL - 10}" y="{y + 19}" text-anchor="end">{label}</text>{_bar(_LABEL, y + 6, (width, 17), bar.kind)}')
        body.append(f'<text class="soft" x="{_LABEL + width + 8:.1f}" y="{y + 19}">{text(bar.said)}</text>')
    described = "; ".join(f"{one_line(bar.label)}: {bar.said}" for bar in bars)
    return _svg(max(len(bars), 1) * _ROW, described or "nothing", "".join(body))


def before_and_after(before: Posture, after: Posture, note: str) -> str:
    """Open findings by severity on both sides."""
    worst_first = sorted(Severity, key=lambda s: -s.rank)
    top = max((*before.open.values(), *after.open.values()), default=0)
    row = 40
    body = [f'<line class="axis" x1="{_LABEL}" y1="0" x2="{_LABEL}" y2="{len(worst_first) * row}"/>']
    said = []
    for index, severity in enumerate(worst_first):
        old, new = before.open.get(severity.value, 0), after.open.get(severity.value, 0)
        y = index * row
        body.append(f'<text x="{_LABEL - 10}" y="{y + 25}" text-anchor="end">{severity.value}</text>')
        for offset, value, kind, word in ((6, old, "known", "before"), (21, new, severity.value, "after")):
            width = _scaled(value, top)
            body.append(_bar(_LABEL, y + offset, (width, 13), kind))
            body.append(f'<text class="soft" x="{_LABEL + width + 8:.1f}" y="{y + offset + 11}">{value} {word}</text>')
        said.append(f"{severity.value}: {old} before, {new} after")
    return figure("Open findings", note, _svg(len(worst_first) * row, "; ".join(said), "".join(body)))


def by_cause(causes: Sequence[Cause], note: str) -> str:
    """The families with the most open findings."""
    ordered = sorted(causes, key=lambda c: (-len(c.findings), -c.severity.rank, c.rule_class))
    merged: dict[str, list[Judged]] = {}
    worst: dict[str, Severity] = {}
    for cause in ordered:
        merged.setdefault(cause.rule_class, []).extend(cause.findings)
        held = worst.get(cause.rule_class, Severity.INFO)
        worst[cause.rule_class] = cause.severity if cause.severity.rank >= held.rank else held
    ranked = sorted(merged, key=lambda name: (-len(merged[name]), name))
    bars = [_Bar(name, len(merged[name]), str(len(merged[name])), worst[name].value) for name in ranked[:CAUSES_DRAWN]]
    rest = ranked[CAUSES_DRAWN:]
    if rest:
        number = sum(len(merged[name]) for name in rest)
        bars.append(_Bar(f"{len(rest)} others", number, str(number), "known"))
    return figure("Causes", note, _bars(bars))


def time_per_check(runs: Sequence[CheckRun]) -> str:
    """What each check cost and how much was remembered."""
    slowest = sorted(runs, key=lambda run: (-run.seconds, run.check))
    bars = [_Bar(run.check, run.seconds, _cost(run)) for run in slowest[:CHECKS_DRAWN]]
    rest = slowest[CHECKS_DRAWN:]
    if rest:
        seconds = sum(run.seconds for run in rest)
        bars.append(_Bar(f"{len(rest)} others", seconds, duration(seconds), "known"))
    return figure("Time per check", "and the share that was remembered", _bars(bars))


def _cost(run: CheckRun) -> str:
    share = f", {run.hits * 100 // run.inputs} %" if run.inputs else ""
    return duration(run.seconds) + share


def trend(points: Sequence[HistoryPoint]) -> str:
    """Open findings per commit, oldest left; commits that did not pass are marked."""
    drawn = points
    if len(points) > POINTS_DRAWN:
        drawn = [points[(i + 1) * len(points) // POINTS_DRAWN - 1] for i in range(POINTS_DRAWN)]
    width, height, left, foot = 1000, 210, 44, 24
    top = max((p.total for p in drawn), default=0) or 1
    step = (width - left - 12) / max(len(drawn) - 1, 1)
    spots = [(left + i * step, 8 + (height - foot - 8) * (1 - p.total / top)) for i, p in enumerate(drawn)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    floor = height - foot
    rim = f"{spots[0][0]:.1f},{floor} {path} {spots[-1][0]:.1f},{floor}"
    body = [
        *(f'<line class="axis" x1="{left}" y1="{y}" x2="{width}" y2="{y}"/>' for y in (8, floor)),
        *(_small(left - 8, y, str(number), "end") for y, number in ((13, top), (floor + 4, 0))),
        f'<polygon class="area" points="{rim}"/><polyline class="line" points="{path}"/>',
        *_dots(drawn, spots),
        _small(left, height - 6, drawn[0].when[:10], "start"),
        _small(width, height - 6, drawn[-1].when[:10], "end"),
    ]
    described = f"from {points[0].total} to {points[-1].total} open findings over {len(points)} commits"
    drawing = _svg(height, described, "".join(body), width)
    return figure("Trend", f"{described}; filled dots are commits that were stopped", drawing, "wide")


def _dots(points: Sequence[HistoryPoint], spots: Sequence[tuple[float, float]]) -> list[str]:
    kinds: Mapping[Outcome, str] = {Outcome.PASS: "dot", Outcome.FAIL: "dot fail", Outcome.UNPROVEN: "dot unproven"}
    every = len(points) <= 60
    made = []
    for point, (x, y) in zip(points, spots, strict=True):
        if every or point.outcome is not Outcome.PASS:
            said = text(f"{point.commit[:10]} {point.subject}: {point.total} open, {point.outcome.value}")
            made.append(f'<circle class="{kinds[point.outcome]}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{said}</title></circle>')
    return made


def _small(x: float, y: float, said: str, anchor: str) -> str:
    return f'<text class="soft" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{text(said)}</text>'
