"""Figures: what stands open and for how long, what is judged, how soon; as of an instant, for all, a team, a repository, a layer.

What each means: docs/concepts.md. Asked again as of the same instant they are the same, once it is an hour old.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission, Principal, TeamId
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.model.finding import Layer
from assaymark.model.severity import Severity
from assaymark.server.api import cursor
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Router
from assaymark.server.problem import invalid, not_found
from assaymark.store import figure_lists, figure_trends, figures, promises, trail
from assaymark.store.assessments import AssessmentRow
from assaymark.store.figure_days import SETTLED
from assaymark.store.figure_lists import Asked, Named
from assaymark.store.figure_sums import BANDS
from assaymark.store.figure_trends import SPANS, Trend
from assaymark.store.figures import Figures, Scope
from assaymark.store.findings import FindingRow
from assaymark.store.narrowing import Teams
from assaymark.store.promises import PromiseRow, Said, Terms
from assaymark.store.repositories import get as repository_of
from assaymark.store.subjects import SubjectRow
from assaymark.store.teams import get as get_team
from assaymark.store.trail import Action

router = Router("figures")
_READ = Permission.FINDINGS_READ
_ALSO = (Permission.SUBJECTS_READ, Permission.ASSESSMENTS_READ)
"""Figures tell of these too: who may not read them in a team sees no figures of it."""

Band = Annotated[int, Meta(ge=0, le=len(BANDS))]
Span = Annotated[int, Meta(ge=SPANS[0], le=SPANS[-1])]


def teams_of(who: Principal) -> Teams:
    """Teams whose figures may be seen."""
    found = who.teams_with(_READ)
    for permission in _ALSO:
        more = who.teams_with(permission)
        found = more if found is None else found if more is None else found & more
    return found


def scope_of(connection: sa.Connection, who: Principal, *, team: int | None, repository: int | None, layer: Layer | None) -> Scope:
    """What is asked, when it may be seen.

    Raises:
        ApiError: 404 for a team or repository that may not be seen.
    """
    teams = teams_of(who)
    if team is not None and teams is not None and team not in teams:
        raise not_found(f"team {team}")
    if repository is not None:
        row = repository_of(connection, repository)
        if row is None or not all(who.may(each, row.team) for each in (_READ, *_ALSO)):
            raise not_found(f"repository {repository}")
    return Scope(
        teams=teams,
        team=None if team is None else TeamId(team),
        repository=None if repository is None else RepositoryId(repository),
        layer=layer,
    )


class Answer(Struct, frozen=True):
    """Figures, and whether they are final."""

    figures: Figures
    final: bool
    """The instant is so old that nothing is written into it any more."""


class Listing(Struct, frozen=True):
    """Rows behind a figure: of one of the kinds."""

    findings: tuple[FindingRow, ...]
    subjects: tuple[SubjectRow, ...]
    assessments: tuple[AssessmentRow, ...]
    next: str | None
    at_least: int
    """How many there are, counted up to 1000."""


@router.add("GET", "/figures", _READ)
def get_figures(call: Call, team: int | None = None, repository: int | None = None, layer: Layer | None = None, as_of: str = "") -> Answer:
    """All figures, now or as of an instant; what flows is of the 90 days before it."""
    at = moment(call, as_of) or call.service.now()
    with call.service.database.read() as connection:
        scope = scope_of(connection, call.who, team=team, repository=repository, layer=layer)
        return Answer(figures.figures(connection, scope, at), is_final(call, at))


def is_final(call: Call, at: Instant) -> bool:
    return at + SETTLED <= call.service.now()


@router.add("GET", "/figures/trend", _READ)
def get_trend(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    team: int | None = None,
    repository: int | None = None,
    layer: Layer | None = None,
    as_of: str = "",
    days: Span = 365,
) -> Trend:
    """How a few of them went, at the ends of about 52 days, oldest first."""
    at = moment(call, as_of) or call.service.now()
    with call.service.database.read() as connection:
        scope = scope_of(connection, call.who, team=team, repository=repository, layer=layer)
        return figure_trends.trend(connection, scope, at, span_days=days)


@router.add("GET", "/figures/{figure}/list", _READ)
def list_behind_figure(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    figure: Named,
    team: int | None = None,
    repository: int | None = None,
    layer: Layer | None = None,
    severity: Severity | None = None,
    band: Band | None = None,
    as_of: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Listing:
    """The rows that a figure counts. `band` is of open ones: 0 up to 7 days, 1 up to 30, 2 up to 90, 3 up to 365, 4 older.

    Name the instant (`as_of`) that the figures told, so that the list is theirs.
    """
    at = moment(call, as_of) or call.service.now()
    place = cursor.decode(after, (int, int)) if after else None
    with call.service.database.read() as connection:
        scope = scope_of(connection, call.who, team=team, repository=repository, layer=layer)
        asked = Asked(figure, scope, at, severity, band)
        found = figure_lists.page(connection, asked, after=(place[0], place[1]) if place else None, limit=limit)
        many = figure_lists.how_many(connection, asked)
    end = cursor.encode(found.end) if found.end else None
    return Listing(found.findings, found.subjects, found.assessments, end, many)


# --- what was promised -----------------------------------------------------------------------------------------------


class Promised(Struct, frozen=True):
    """What holds, and what was said before."""

    terms: Terms
    """What holds for it."""
    own: bool
    """The team has its own; otherwise what holds for all holds."""
    history: tuple[PromiseRow, ...]
    """Newest first, at most a hundred."""


@router.add("GET", "/promises", _READ)
def get_promises(call: Call, team: int | None = None, as_of: str = "") -> Promised:
    """Within how many days findings are to be gone, and the risk level that was chosen: for all, or for a team."""
    at = moment(call, as_of) or call.service.now()
    teams = call.who.teams_with(_READ)
    if team is not None and teams is not None and team not in teams:
        raise not_found(f"team {team}")
    with call.service.database.read() as connection:
        held = promises.in_force(connection, at)
        said = promises.history(connection, None if team is None else TeamId(team), before=None, limit=100)
    return Promised(held.of(team), team in held.own, tuple(row for row in said if row.at <= at))


class NewPromise(Struct, frozen=True, forbid_unknown_fields=True):
    team: int | None = None
    """For all without it."""
    terms: Terms | None = None
    """Without them a team goes back to what holds for all."""


@router.add("PUT", "/promises", Permission.FINDINGS_DECIDE)
def put_promise(call: Call, body: NewPromise) -> Promised:
    """Say within how many days findings are to be gone, and which risk level is chosen. What was due as of a past day stays that."""
    team = None if body.team is None else TeamId(body.team)
    call.need(Permission.FINDINGS_DECIDE, team)
    if team is None and body.terms is None:
        raise invalid("terms are missing", "give the days per severity")
    with call.service.database.write() as connection:
        if team is not None and get_team(connection, team) is None:
            raise not_found(f"team {team}")
        write_promise(call, connection, team, body.terms)
    found: Promised = get_promises(call, team=body.team)
    return found


def write_promise(call: Call, connection: sa.Connection, team: TeamId | None, terms: Terms | None) -> None:
    """With its entry in the trail, in the caller's transaction."""
    at = call.service.now()
    promises.add(connection, Said(at, team, terms, call.who.person))
    told = {} if terms is None else {each.value: str(getattr(terms, each.value)) for each in Severity} | {"level": str(terms.level or "")}
    origin = call.request.client.host if call.request.client else ""
    done = Action(at, call.who.login, "promise.made", "success", call.who.person, "promise", "", team, origin, told)
    trail.record(connection, done)
