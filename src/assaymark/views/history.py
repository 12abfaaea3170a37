"""The way a repository went: one point per commit, as text, JSON and a table row source for the HTML report."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from assaymark.model.severity import Severity
from assaymark.model.verdict import Outcome
from assaymark.views.encoding import json_text
from assaymark.views.sanitise import one_line, shortened, visible
from assaymark.views.style import Style

FORMAT, VERSION = "assaymark/history", "1.0"
_BARS = "▁▂▃▄▅▆▇█"
_WORST_FIRST = tuple(sorted(Severity, key=lambda s: -s.rank))


class HistoryPoint(Struct, frozen=True):
    """What was open after one commit, and what that commit did."""

    commit: str
    subject: str
    author: str
    when: str
    """ISO date, or date and time."""
    open: dict[str, int]
    """Open findings per severity word."""
    new: int
    fixed: int
    outcome: Outcome

    @property
    def total(self) -> int:
        return sum(self.open.values())


class HistoryDocument(Struct, frozen=True):
    """The JSON form."""

    points: tuple[HistoryPoint, ...]
    format: str = FORMAT
    version: str = VERSION


def render_json(points: Sequence[HistoryPoint]) -> str:
    """All points, oldest first as given."""
    return json_text(HistoryDocument(points=tuple(points)))


def sparkline(values: Sequence[int], width: int) -> str:
    """One bar per value, or per stretch of values (its last one) when there are more than `width`; scaled from zero."""
    if not values:
        return ""
    picked = values if len(values) <= width else [values[(i + 1) * len(values) // width - 1] for i in range(width)]
    top = max(picked) or 1
    return "".join(_BARS[0] if v <= 0 else _BARS[max(1, round(v * (len(_BARS) - 1) / top))] for v in picked)


def render(points: Sequence[HistoryPoint], style: Style | None = None) -> str:
    """Trend and table for a terminal, newest commit first."""
    pen = style or Style()
    if not points:
        return "No commit was judged.\n"
    first, last = points[0].total, points[-1].total
    lines = [
        pen.strong("Open findings"),
        f"  {sparkline([p.total for p in points], max(pen.width - 4, 8))}",
        f"  {first} → {_trend(first, last, pen)} over {len(points)} commits" if len(points) > 1 else f"  {last}",
        f"  {sum(p.new for p in points)} came new, {sum(p.fixed for p in points)} were fixed",
        "",
        pen.faint(f"  {'commit':<10} {'date':<10} {'verdict':<10} {'open':>6} {'new':>5} {'fixed':>6}  what"),
    ]
    lines += [_row(point, pen) for point in reversed(points)]
    return pen.finish("\n".join(lines) + "\n")


def _trend(first: int, last: int, pen: Style) -> str:
    text = f"{last} open"
    return pen.good(text) if last < first else pen.bad(text) if last > first else text


def _row(point: HistoryPoint, pen: Style) -> str:
    word = {Outcome.PASS: "✓ pass", Outcome.FAIL: "✗ fail", Outcome.UNPROVEN: "? unproven"}[point.outcome]
    paint = {Outcome.PASS: pen.good, Outcome.FAIL: pen.bad, Outcome.UNPROVEN: pen.doubt}[point.outcome]
    worst = next((f" ({point.open[s.value]} {s.value})" for s in _WORST_FIRST if point.open.get(s.value)), "")
    what = shortened(one_line(f"{point.subject} · {point.author}") + worst, max(pen.width - 56, 20))
    left = f"  {visible(point.commit)[:10]:<10} {visible(point.when)[:10]:<10} "
    return left + paint(f"{word:<10}") + f" {point.total:>6} {point.new:>5} {point.fixed:>6}  {what}"
