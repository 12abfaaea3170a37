"""The whole rendered answer about one tree with both servers in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.webserver.webserver_reading import APACHE, NGINX, sightings

from assaymark.model.check import Check
from assaymark.model.finding import ConfigurationSite

GOLDEN = Path(__file__).parent / "golden"


def rendered(check: Check) -> str:
    site = GOLDEN / "site"
    files = {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}
    rows = []
    for each in sightings(check, files):
        where = f"{each.site.resource} | {each.site.attribute}" if isinstance(each.site, ConfigurationSite) else str(each.site)
        at = f"{each.span.start_line}:{each.span.start_column}-{each.span.end_line}:{each.span.end_column}" if each.span else "0"
        muted = f" muted by {each.suppression.marker!r}" if each.suppression else ""
        rows.append(f"{each.member} {at} {each.rule} {each.severity}/{each.confidence} {where}{muted}\n    {each.message}\n")
    return "".join(rows)


@pytest.mark.parametrize("check", [NGINX, APACHE], ids=["nginx", "apache"])
def test_the_whole_answer_is_the_golden_one(check: Check) -> None:
    assert rendered(check) == (GOLDEN / f"{check.id}.txt").read_text("utf-8")
