"""Posture: the figures of all, a team, a repository or a layer, now or as of a day, beside those of an earlier day; each leads to its list.

Guarantees: as of a day that is over the page is the same whenever it is asked, but for names; charts are drawn on the server and are whole
without a script. There is no grade and no score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from markupsafe import Markup
from msgspec import Struct
from starlette.responses import Response

from assaymark.model.access import Permission
from assaymark.model.assessment import Instant
from assaymark.model.finding import Layer
from assaymark.model.severity import Severity
from assaymark.server.api import cursor
from assaymark.server.api.figures import scope_of, teams_of
from assaymark.server.problem import invalid
from assaymark.server.reports.drawings import charts
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import figure_lists, figure_trends, figures, repositories, subjects
from assaymark.store.figure_days import SETTLED
from assaymark.store.figure_lists import Asked, Named
from assaymark.store.figure_sums import BANDS, Counted
from assaymark.store.figure_trends import SPANS
from assaymark.store.figures import Figures, Reading, band_names
from assaymark.store.narrowing import MOST_COUNTED
from assaymark.store.promises import DAY
from assaymark.store.teams import TeamRow
from assaymark.store.teams import page as teams_page
from assaymark.views.trends import drawn

_READ = Permission.FINDINGS_READ
_MOST_REPOSITORIES = 50


class _Place(Struct, frozen=True):
    """What the address says."""

    team: int | None
    repository: int | None
    layer: Layer | None
    as_of: str
    at: Instant

    @property
    def words(self) -> dict[str, str]:
        """For the addresses of lists: with the instant itself, so that the list is that of the figure."""
        given = {"team": self.team, "repository": self.repository, "layer": self.layer, "at": int(self.at)}
        return {name: str(value) for name, value in given.items() if value is not None}


def show_posture(visit: Visit) -> Response:
    """All figures of a scope."""
    place = _place(visit)
    earlier = _earlier(visit, place)
    span = asking_number(visit, "days") or 365
    if span not in SPANS:
        raise invalid(f"days={span} is unknown", f"known are {', '.join(map(str, SPANS))}")
    with visit.service.database.read() as connection:
        scope = scope_of(connection, visit.who, team=place.team, repository=place.repository, layer=place.layer)
        reading = Reading(connection, scope)
        now = figures.read(reading, place.at)
        before = figures.read(reading, earlier) if earlier is not None else None
        trend = figure_trends.trend(connection, scope, place.at, span_days=span)
        layers = reading.by_layer(place.at)
        values = _names(visit, reading, place)
        oldest = _oldest(connection, now)
    return visit.page(
        "posture.html",
        now=now,
        before=before,
        charts=[Markup(drawn(each)) for each in charts(trend)],  # noqa: S704 - `drawn` escapes
        layers={name: _short(counted) for name, counted in layers.items()},
        bands=band_names(),
        link=lambda figure, **more: address(place.words, figure, more),
        place=place,
        earlier=earlier,
        against=visit.asked("against"),
        span=span,
        spans=SPANS,
        all_layers=list(Layer),
        final=place.at + SETTLED <= visit.service.now(),
        oldest=oldest,
        **values,
    )


def _place(visit: Visit) -> _Place:
    now = visit.service.now()
    text = visit.asked("at")
    if text:  # an instant that a page of ours told
        at = Instant(asking_number(visit, "at") or 0)
        if at > now:
            raise invalid("`at` lies ahead", "leave it out for now")
    else:
        day = asking.as_of(visit)
        at = now if day is None else Instant(min(day, now))
    return _Place(
        team=asking_number(visit, "team"),
        repository=asking_number(visit, "repository"),
        layer=asking.choice(visit, "layer", Layer),
        as_of=visit.asked("as_of"),
        at=at,
    )


def _earlier(visit: Visit, place: _Place) -> Instant | None:
    """The end of the day to compare with; thirty days before, unless another is named or none is wanted."""
    text = visit.asked("against")
    if not text:
        return Instant(max(0, (place.at // DAY - 30) * DAY + DAY - 1))
    day = asking.day_end(text, visit.service.now())
    if day >= place.at:
        raise invalid(f"against={text!r} is not earlier", "name a day before the one that is shown")
    return day


def asking_number(visit: Visit, name: str) -> int | None:
    """A number in the address; None when it is missing."""
    text = visit.asked(name)
    if not text:
        return None
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise invalid(f"{name}={text[:40]!r} is no number")
    return int(text)


def address(words: Mapping[str, str], figure: str, more: Mapping[str, Any]) -> str:
    """Of the list behind a figure."""
    given = {"figure": figure, **words, **{name: str(value) for name, value in more.items()}}
    return f"/posture/list?{urlencode(given)}"


def _short(counted: Counted) -> dict[str, int]:
    return {"open": sum(counted.open), "late": sum(counted.late), "waived": sum(counted.waived), "unchecked": counted.unchecked}


def _names(visit: Visit, reading: Reading, place: _Place) -> dict[str, Any]:
    connection, scope = reading.connection, reading.scope
    teams = teams_of(visit.who)
    known: list[TeamRow] = teams_page(connection, after="", limit=200, teams=teams)
    names = {int(row.id): row.name for row in known}
    counted = reading.by_team(place.at) if place.team is None and place.repository is None else {}
    own = None if place.team is None else frozenset({scope.team}) if scope.team else None
    rows = repositories.page(connection, own if own is not None else teams, after=0, limit=_MOST_REPOSITORIES)
    repository = repositories.get(connection, place.repository) if place.repository is not None else None
    ordered = sorted(counted.items(), key=lambda each: (-sum(each[1].late), -sum(each[1].open), each[0]))
    return {
        "teams": known,
        "by_team": [(number, names.get(number, f"team {number}"), _short(each)) for number, each in ordered],
        "repositories": [(row.id, row.name) for row in rows],
        "title": repository.name if repository else names.get(place.team or 0, "") if place.team else "Everything",
    }


def _oldest(connection: sa.Connection, found: Figures) -> str:
    number = found.running.subject
    row = subjects.one(connection, number) if number is not None else None
    return row.name if row else ""


def show_list(visit: Visit) -> Response:
    """The rows behind a figure."""
    place = _place(visit)
    figure = asking.choice(visit, "figure", Named)
    if figure is None:
        raise invalid("figure is missing", f"known are {', '.join(each.value for each in Named)}")
    severity, band = asking.choice(visit, "severity", Severity), asking_number(visit, "band")
    if band is not None and band > len(BANDS):
        raise invalid(f"band={band} is unknown", f"there are 0 to {len(BANDS)}")
    after = asking.after(visit, (int, int))
    with visit.service.database.read() as connection:
        scope = scope_of(connection, visit.who, team=place.team, repository=place.repository, layer=place.layer)
        asked = Asked(figure, scope, place.at, severity, band)
        found = figure_lists.page(connection, asked, after=(after[0], after[1]) if after else None)
        many = figure_lists.how_many(connection, asked)
    kept = {name: value for name, value in visit.request.query_params.items() if name not in {"after", "at", "as_of"}}
    onward = {**kept, "at": str(int(place.at)), "after": cursor.encode(found.end)} if found.end else None
    return visit.page(
        "posture-list.html",
        figure=figure.value,
        found=found,
        many=many,
        most=MOST_COUNTED,
        severity=severity,
        band=None if band is None else band_names()[band],
        onward=f"/posture/list?{urlencode(onward)}" if onward else None,
        at=place.at,
    )


SCREENS = [
    Screen("GET", "/posture", show_posture, _READ),
    Screen("GET", "/posture/list", show_list, _READ),
]
