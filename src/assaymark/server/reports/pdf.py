"""The report as one page of PDF, tagged so that a screen reader reads it in order: headings, paragraphs, rows, figures with their words.

Needs the extra `pdf`. Guarantees: everything stands on one page of A4; what does not fit is cut and said to be; the same content gives
the same bytes. Fonts are those that every reader has, so letters that Windows' Latin alphabet lacks are ``?``; the HTML has them all.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from assaymark.errors import EngineMissing
from assaymark.model.severity import Severity
from assaymark.server.reports.content import Content, Risk
from assaymark.server.reports.drawings import charts
from assaymark.server.web.layout import day, took
from assaymark.store.figures import Figures, band_names
from assaymark.views.trends import Chart

_WIDTH, _HEIGHT, _EDGE = 595.28, 841.89, 36.0
_TEAMS, _ENDINGS = 8, 6
_COLOURS = {"critical": (0.56, 0.18, 0), "high": (0.70, 0.30, 0), "medium": (0.54, 0.38, 0), "known": (0.34, 0.38, 0.45)}
_BLUE, _GREY, _BLACK = (0.11, 0.36, 0.72), (0.34, 0.38, 0.45), (0.11, 0.14, 0.19)


def written(told: Content) -> bytes:
    """The file.

    Raises:
        EngineMissing: when the extra is not installed.
    """
    try:
        from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415
    except ImportError as error:
        raise EngineMissing("PDF needs reportlab", why="it is not installed", advice="pip install 'assaymark[pdf]'") from error
    data = io.BytesIO()
    canvas = Canvas(data, pagesize=(_WIDTH, _HEIGHT), pageCompression=1, invariant=1, lang="en", pdfVersion=(1, 7))
    title = f"Security of {told.title} as of {day(told.as_of)}"
    canvas.setTitle(_latin(title))
    canvas.setAuthor(_latin(told.server))
    canvas.setViewerPreference("DisplayDocTitle", "true")
    page = _Page(canvas)
    _head(page, told, title)
    _numbers(page, told)
    _trends(page, charts(told.trend))
    _severities(page, told)
    _teams(page, told.teams)
    _endings(page, told)
    page.close()
    canvas.save()
    return data.getvalue()


def _latin(text: str) -> str:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return plain.encode("cp1252", "replace").decode("cp1252")


class _Page:
    """A canvas that is written from top to bottom, each piece under a tag."""

    def __init__(self, canvas: Any) -> None:
        self._canvas, self.y = canvas, _HEIGHT - _EDGE
        self._pieces: list[tuple[str, str]] = []
        """(tag, words instead of it) in the order of reading."""

    @contextmanager
    def tagged(self, tag: str, instead: str = "") -> Iterator[Any]:
        code: list[str] = self._canvas._code  # noqa: SLF001 - reportlab has no door for marked content
        code.append(f"/{tag} <</MCID {len(self._pieces)}>> BDC")
        self._pieces.append((tag, instead))
        yield self._canvas
        code.append("EMC")

    @contextmanager
    def ornament(self) -> Iterator[Any]:
        """What says nothing: rules, frames."""
        self._canvas._code.append("/Artifact BMC")  # noqa: SLF001
        yield self._canvas
        self._canvas._code.append("EMC")  # noqa: SLF001

    def write(self, text: str, size: float, *, tag: str = "P", bold: bool = False, colour: tuple[float, float, float] = _BLACK) -> None:
        """A paragraph, broken into lines."""
        font = "Helvetica-Bold" if bold else "Helvetica"
        with self.tagged(tag) as canvas:
            canvas.setFillColorRGB(*colour)
            canvas.setFont(font, size)
            for line in self._lines(_latin(text), font, size):
                self.y -= size * 1.25
                canvas.drawString(_EDGE, self.y, line)

    def _lines(self, text: str, font: str, size: float) -> list[str]:
        lines, line = [], ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and self._canvas.stringWidth(longer, font, size) > _WIDTH - 2 * _EDGE:
                lines.append(line)
                line = word
            else:
                line = longer
        return [*lines, line]

    def heading(self, text: str) -> None:
        self.y -= 7
        self.write(text, 9.5, tag="H2", bold=True)

    def table(self, widths: Sequence[float], rows: Sequence[Sequence[str]]) -> None:
        """The first row is its head; numbers stand at the right."""
        for index, row in enumerate(rows):
            self.y -= 10.5
            x = _EDGE
            for column, (width, cell) in enumerate(zip(widths, row, strict=True)):
                room = width * (_WIDTH - 2 * _EDGE)
                with self.tagged("TH" if index == 0 or column == 0 else "TD") as canvas:
                    canvas.setFillColorRGB(*(_GREY if index == 0 else _BLACK))
                    canvas.setFont("Helvetica", 7.5)
                    text = self.fitted(_latin(cell), room - 4)
                    if column and _is_number(rows[-1][column]):
                        canvas.drawRightString(x + room - 4, self.y, text)
                    else:
                        canvas.drawString(x, self.y, text)
                x += room
            with self.ornament() as canvas:
                canvas.setStrokeColorRGB(0.87, 0.88, 0.91)
                canvas.setLineWidth(0.5)
                canvas.line(_EDGE, self.y - 3, _WIDTH - _EDGE, self.y - 3)

    def fitted(self, text: str, room: float) -> str:
        if self._canvas.stringWidth(text, "Helvetica", 7.5) <= room:
            return text
        while text and self._canvas.stringWidth(text + "...", "Helvetica", 7.5) > room:
            text = text[:-1]
        return text + "..."

    def close(self) -> None:
        """End the page and give the document its tree of tags (ISO 32000-1, 14.7)."""
        from reportlab.pdfbase.pdfdoc import PDFArray, PDFDictionary, PDFName, PDFString  # noqa: PLC0415

        self._canvas.showPage()
        document = self._canvas._doc  # noqa: SLF001
        page = document.Pages.pages[-1]
        sheet = document.Reference(page)
        root, whole = PDFDictionary(), PDFDictionary()
        whole_ref, root_ref = document.Reference(whole), document.Reference(root)
        kids = []
        for number, (tag, instead) in enumerate(self._pieces):
            piece = {"Type": PDFName("StructElem"), "S": PDFName(_STANDARD.get(tag, tag)), "P": whole_ref, "Pg": sheet, "K": number}
            kids.append(document.Reference(PDFDictionary(piece | ({"Alt": PDFString(instead)} if instead else {}))))
        whole.dict.update({"Type": PDFName("StructElem"), "S": PDFName("Document"), "P": root_ref, "K": PDFArray(kids)})
        parents = PDFDictionary({"Nums": PDFArray([0, PDFArray(kids)])})
        root.dict.update(
            {"Type": PDFName("StructTreeRoot"), "K": whole_ref, "ParentTree": document.Reference(parents), "ParentTreeNextKey": 1}
        )
        page.__NoDefault__ = [*page.__NoDefault__, "StructParents", "Tabs"]
        page.StructParents, page.Tabs = 0, PDFName("S")
        document.Catalog.StructTreeRoot = root
        document.Catalog.MarkInfo = PDFDictionary({"Marked": "true"})


_STANDARD = {"TH": "P", "TD": "P"}
"""Cells are read in order, as paragraphs: a table's own tree would promise headers that it does not link."""


def _is_number(text: str) -> bool:
    return text.replace(".", "").replace("–", "").replace(" of ", "").isdecimal() or text in {"–", ""}


def _head(page: _Page, told: Content, title: str) -> None:
    page.write(title, 15, tag="H1", bold=True)
    when = dt.datetime.fromtimestamp(told.issued_at / 1e6, dt.UTC).strftime("%Y-%m-%d %H:%M")
    page.write(f"Issued {when} UTC by {told.server}. Flows are of the 90 days before. Signed: see the envelope.", 7.5, colour=_GREY)
    page.y -= 3
    page.write(f"Risk: {risk_said(told)}", 9)


def risk_said(told: Content) -> str:
    """Chosen beside actual, in words."""
    risk = told.risk
    if risk.chosen is None:
        return f"nobody has chosen a level yet. {risk.open} findings are open, {risk.late} past their due day."
    within = f"{risk.judged - risk.wider} of {risk.judged} things are judged by it or a stricter one"
    rest = f", {risk.wider} by a wider one" if risk.wider else ""
    rest += f"; of {risk.unknown} no level is noted" if risk.unknown else ""
    stops = f"{risk.above} open findings are of a severity that it stops in changes, {risk.late} are past their due day."
    return f"the level {risk.chosen} was chosen. {within}{rest}. {stops}"


def _numbers(page: _Page, told: Content) -> None:
    now, before = told.now, told.before
    since = day(now.weakened.at or now.weakened.since) or "unknown"
    speed, endorsed = now.speed, now.endorsed
    rows = [
        ("", "Now", f"On {day(now.window_from)}"),
        ("Not made worse since", since, day(before.weakened.at or before.weakened.since) or "unknown"),
        ("Open findings", str(now.total("open")), str(before.total("open"))),
        ("Past their due day", str(now.total("late")), str(before.total("late"))),
        ("Fixed in time", f"{now.total('in_time')} of {now.total('promised')}", f"{before.total('in_time')} of {before.total('promised')}"),
        ("Let through", str(now.total("waived")), str(before.total("waived"))),
        ("Not proven", f"{now.coverage.unproven} of {now.coverage.subjects}", f"{before.coverage.unproven} of {before.coverage.subjects}"),
        ("Endorsed of what runs", f"{endorsed.endorsed} of {endorsed.running}" if endorsed else "unknown: nothing is endorsed yet", ""),
        *_deployed(now, before),
        ("Time to verdict, 95 of 100", took(speed.verdict_p95_us) or "unknown", took(before.speed.verdict_p95_us) or "unknown"),
        ("Time to delivery, half", took(speed.delivery_p50_us) or "unknown", took(before.speed.delivery_p50_us) or "unknown"),
    ]
    page.table((0.4, 0.35, 0.25), rows)


def _deployed(now: Figures, before: Figures) -> list[tuple[str, str, str]]:
    """Where anything is deployed by phoenix upgrades."""
    if now.deployed is None:
        return []
    then = before.deployed
    orders, drifts = now.deployed.forced_in_window, now.deployed.drifts
    return [
        ("Break-glass orders in 90 days", str(orders), str(then.forced_in_window) if then else ""),
        ("Drifts that stand open", str(drifts), str(then.drifts) if then else ""),
    ]


def _trends(page: _Page, drawn: Sequence[Chart]) -> None:
    page.heading("Four trends")
    top = page.y - 4
    for index, chart in enumerate(drawn):
        x, y = _EDGE + (index % 2) * 266, top - 84 - (index // 2) * 90
        _chart(page, chart, (x, y))
    page.y = top - 90 * ((len(drawn) + 1) // 2)


def _chart(page: _Page, chart: Chart, at: tuple[float, float]) -> None:
    known = [value for line in chart.lines for value in line.values if value is not None]
    top = max(known, default=0) or 1
    said = "; ".join(f"{line.name} {next((f'{v:g}' for v in reversed(line.values) if v is not None), 'unknown')}" for line in chart.lines)
    with page.tagged("Figure", _latin(f"{chart.title}: at last {said} {chart.unit}; at most {top:g}")) as canvas:
        canvas.setFillColorRGB(*_BLACK)
        canvas.setFont("Helvetica-Bold", 7.5)
        canvas.drawString(at[0], at[1] + 74, _latin(f"{chart.title}{chart.unit and f' ({chart.unit})'}: {said}"))
        canvas.setStrokeColorRGB(0.8, 0.82, 0.86)
        canvas.setLineWidth(0.5)
        canvas.line(at[0] + 30, at[1] + 10, at[0] + 252, at[1] + 10)
        canvas.setFont("Helvetica", 6.5)
        canvas.drawRightString(at[0] + 27, at[1] + 64, f"{top:g}")
        canvas.drawRightString(at[0] + 27, at[1] + 8, "0")
        for line in chart.lines:
            _line(canvas, chart, line.values, (line.kind, top, at))
        if chart.times:
            canvas.drawString(at[0] + 30, at[1] + 1, day(chart.times[0] * 1_000_000))
            canvas.drawRightString(at[0] + 252, at[1] + 1, day(chart.times[-1] * 1_000_000))


def _line(canvas: Any, chart: Chart, values: Sequence[float | None], how: tuple[str, float, tuple[float, float]]) -> None:
    kind, top, (x, y) = how
    span = max(chart.times[-1] - chart.times[0], 1) if chart.times else 1
    canvas.setStrokeColorRGB(*_COLOURS.get(kind, _BLUE))
    canvas.setLineWidth(1.1)
    canvas.setDash(*(((4, 2),) if kind in {"high", "known"} else ()))
    path, is_down = canvas.beginPath(), False
    for time, value in zip(chart.times, values, strict=True):
        if value is None:
            is_down = False
            continue
        spot = (x + 30 + 222 * (time - chart.times[0]) / span, y + 10 + 56 * value / top)
        (path.lineTo if is_down else path.moveTo)(*spot)
        is_down = True
    canvas.drawPath(path)
    canvas.setDash()


def _severities(page: _Page, told: Content) -> None:
    page.heading("Open by severity and age")
    rows = [("Severity", "Open", *band_names(), "Late", "Promised", "Mean days to fix")]
    for row in told.now.rows:
        days = getattr(told.promised, row.severity.value)
        mean = "–" if row.mean_days is None else f"{row.mean_days:g}"
        rows.append((row.severity.value, str(row.open), *map(str, row.bands), str(row.late), "–" if days is None else str(days), mean))
    assert len(rows) == len(Severity) + 1  # noqa: S101
    page.table((0.11, 0.07, 0.1, 0.1, 0.11, 0.12, 0.12, 0.07, 0.08, 0.12), rows)


def _teams(page: _Page, risks: Sequence[Risk]) -> None:
    if not risks:
        return
    page.heading("Risk chosen and actual, by team")
    rows = [("Team", "Chosen", "By it or stricter", "Of a severity it stops", "Late", "Open")]
    for risk in risks[:_TEAMS]:
        within = f"{risk.judged - risk.wider} of {risk.judged}" if risk.chosen else "–"
        above = "–" if risk.above is None else str(risk.above)
        rows.append((risk.name, risk.chosen.value if risk.chosen else "–", within, above, str(risk.late), str(risk.open)))
    page.table((0.34, 0.14, 0.16, 0.18, 0.09, 0.09), rows)
    if len(risks) > _TEAMS:
        page.write(f"{len(risks) - _TEAMS} further teams stand in the figures.", 7, colour=_GREY)


def _endings(page: _Page, told: Content) -> None:
    page.heading("Exceptions that end within 90 days")
    rows = [("Ends", "Severity", "Finding", "Where")]
    rows += [(each.until, each.severity.value, each.title, each.subject) for each in told.endings.rows[:_ENDINGS]]
    if len(rows) > 1:
        page.table((0.12, 0.1, 0.48, 0.3), rows)
    more = "" if told.endings.complete else " (of those that were read; there are more)"
    page.write(f"{told.endings.soon} end within 90 days, {told.endings.endless} have no end{more}.", 7.5, colour=_GREY)
