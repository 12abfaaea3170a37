"""The tables of the HTML report: headers with scope, numbers right-aligned, wide ones scroll and take the focus."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from assaymark.model.verdict import CheckRun, Judged, Outcome, Verdict, WaiverRef
from assaymark.views.history import HistoryPoint
from assaymark.views.html_charts import trend
from assaymark.views.html_text import filter_data, section, severity_badge, text
from assaymark.views.sanitise import location
from assaymark.views.terminal_tables import duration

POINTS_SHOWN = 30
"""Rows of the history; the chart shows all of it."""
_OUTCOME = {Outcome.PASS: "✓ pass", Outcome.FAIL: "✗ fail", Outcome.UNPROVEN: "? unproven"}


class Column(Struct, frozen=True):
    title: str
    kind: str = ""
    """Class of its cells: ``num``, ``mono``."""
    heads_row: bool = False


class Row(Struct, frozen=True):
    cells: tuple[str, ...]
    """HTML."""
    attributes: str = ""


def table(name: str, columns: Sequence[Column], rows: Sequence[Row], *, caption: str = "", group: bool = False) -> str:
    """A table under the heading that has the id `name`."""
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    head = "".join(f'<th scope="col"{_class(c if c.kind == "num" else Column(c.title))}>{text(c.title)}</th>' for c in columns)
    body = "\n".join(_row(columns, row) for row in rows)
    opening = f'<div class="scroll"{" data-group" if group else ""} tabindex="0" role="group" aria-labelledby="{name}">'
    return f"{opening}<table>{said}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _class(column: Column) -> str:
    return f' class="{column.kind}"' if column.kind else ""


def _row(columns: Sequence[Column], row: Row) -> str:
    cells = []
    for column, cell in zip(columns, row.cells, strict=True):
        tag, scope = ("th", ' scope="row"') if column.heads_row else ("td", "")
        cells.append(f"<{tag}{scope}{_class(column)}>{cell}</{tag}>")
    return f"<tr{row.attributes and ' ' + row.attributes}>{''.join(cells)}</tr>"


def finding_table(name: str, title: str, listed: Sequence[Judged]) -> str:
    """Findings in rows: for those that this change did not bring."""
    if not listed:
        return ""
    waived = any(judged.waiver for judged in listed)
    columns = [Column("Severity"), Column("Place", "mono place", heads_row=True), Column("Weakness")]
    columns += [Column("Waiver")] if waived else []
    columns.append(Column("Id", "mono"))
    rows = [Row(_finding_cells(judged, waived=waived), filter_data(judged)) for judged in listed]
    return section(name, title, len(listed), table(name, columns, rows, group=True))


def _finding_cells(judged: Judged, *, waived: bool) -> tuple[str, ...]:
    finding = judged.finding
    middle = (_waiver(judged.waiver),) if waived else ()
    left = (severity_badge(finding.severity), text(location(finding.place)), text(finding.core.rule_class))
    return (*left, *middle, text(finding.short_id))


def _waiver(waiver: WaiverRef | None) -> str:
    if waiver is None:
        return ""
    parts = (waiver.reason, waiver.owner, f"until {waiver.until}" if waiver.until else waiver.source)
    return text(" · ".join(part for part in parts if part))


def check_table(verdict: Verdict) -> str:
    """What ran, on how much, and what it could not read."""
    columns = [Column("Check", heads_row=True), Column("Layer"), Column("Version", "mono")]
    columns += [Column(title, "num") for title in ("Inputs", "Remembered", "Not checked", "Skipped", "Time")]
    rows = [Row(_check_cells(run)) for run in verdict.checks]
    return section("checks", "Checks", len(rows), table("checks", columns, rows)) if rows else ""


def _check_cells(run: CheckRun) -> tuple[str, ...]:
    skipped = ", ".join(f"{number} {reason}" for reason, number in run.skipped) or "0"
    numbers = (str(run.inputs), str(run.hits), str(run.unchecked), text(skipped), duration(run.seconds))
    return (text(run.check), run.layer.value, text(run.version), *numbers)


def history_table(points: Sequence[HistoryPoint]) -> str:
    """The newest commits, newest first."""
    columns = [Column("Commit", "mono", heads_row=True), Column("Date"), Column("Verdict")]
    columns += [Column(title, "num") for title in ("Open", "New", "Fixed")]
    columns.append(Column("Subject"))
    rows = [Row(_point_cells(point)) for point in list(reversed(points))[:POINTS_SHOWN]]
    drawn = trend(points) if len(points) > 1 else ""
    caption = f"The newest {POINTS_SHOWN} of {len(points)} commits" if len(points) > POINTS_SHOWN else ""
    return section("history", "History", len(points), drawn + table("history", columns, rows, caption=caption)) if points else ""


def _point_cells(point: HistoryPoint) -> tuple[str, ...]:
    subject = f'{text(point.subject)} <span class="soft">{text(point.author)}</span>'
    numbers = (str(point.total), str(point.new), str(point.fixed))
    return (text(point.commit[:10]), text(point.when[:10]), _OUTCOME[point.outcome], *numbers, subject)
