"""The report as one HTML file that needs nothing else: its styles are in it, it holds no script, and it can be mailed and printed.

Guarantees: every text is escaped by the template; the file's one style sheet is known by its digest, so that the server may show the file
under a policy that allows this style and nothing else (`policy`).
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from assaymark.server.reports.content import Content
from assaymark.server.reports.drawings import charts
from assaymark.server.web.layout import render
from assaymark.store.figures import band_names
from assaymark.views.trends import drawn


@cache
def style() -> str:
    """The style sheet, as it stands in the file."""
    return (files("assaymark.server.web") / "templates" / "report.css").read_text("utf-8")


def written(told: Content) -> bytes:
    """The file."""
    html = render(
        "report-document.html",
        told=told,
        style=Markup(style()),  # noqa: S704 - a file of ours
        charts=[Markup(drawn(each)) for each in charts(told.trend)],  # noqa: S704 - `drawn` escapes
        bands=band_names(),
    )
    return html.encode()


@cache
def policy() -> str:
    """Of the answer that shows it."""
    digest = base64.b64encode(hashlib.sha256(style().encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
