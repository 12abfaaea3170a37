"""The four trends that posture and report draw."""

from __future__ import annotations

from assaymark.model.severity import Severity
from assaymark.store.figure_trends import Trend
from assaymark.views.trends import Chart, Line


def charts(trend: Trend) -> list[Chart]:
    """Four trends."""
    times = [point.at // 1_000_000 for point in trend.points]
    worst = [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM]
    opened = [Line(each.value, [float(point.open[each.rank]) for point in trend.points], each.value) for each in worst]
    flow = [
        Line("came", [float(point.came) for point in trend.points], "known"),
        Line("fixed", [float(point.fixed) for point in trend.points]),
    ]
    late = [Line("late", [None if point.late is None else float(point.late) for point in trend.points], "high")]
    mean = [Line("days to fix", [point.mean_days for point in trend.points])]
    speed = [Line("95 of 100 within", [_seconds(point.verdict_p95_us) for point in trend.points])]
    has_late = any(point.late is not None for point in trend.points)
    return [
        Chart("Open findings", "", times, opened),
        Chart("Past their due day", "", times, late) if has_late else Chart("Came and fixed", "", times, flow),
        Chart("Time to fix", "days", times, mean, "mean of those fixed in the 90 days before"),
        Chart("Time to verdict", "s", times, speed),
    ]


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else round(microseconds / 1e6, 2)
