"""Findings: where they stand, since when, and what a list of them consists of."""

from __future__ import annotations

import msgspec
from starlette.responses import Response, StreamingResponse

from assaymark.model.access import Permission
from assaymark.server.api import cursor
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.api.sieve import Sieve
from assaymark.server.export import KINDS, Format, Wanted, written
from assaymark.server.problem import not_found
from assaymark.server.work.excerpt import Excerpt, excerpt
from assaymark.store import findings
from assaymark.store.facets import Facets, facets
from assaymark.store.findings import Filter, FindingInfo, FindingRow, OccurrenceInfo, Order, Part, Place, Standing
from assaymark.store.spells import Spell, spells

router = Router("findings")
_READ = Permission.FINDINGS_READ


@router.add("GET", "/findings", _READ)
def list_findings(  # noqa: PLR0913, PLR0917 - what, in which order, which part
    call: Call,
    sieve: Sieve,
    order: Order = Order.WORST,
    count: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page[FindingRow]:
    """Findings where they stand, worst first or newest first; `text` is words of path, rule and message.

    `count` asks for `at_least`, counted up to 1000.
    """
    asked = sieve.filter(call.service.now())
    start = Place(*cursor.decode(after, (int, int, int))) if after else None
    teams = call.who.teams_with(_READ)
    with call.service.database.read() as connection:
        part = Part(order, start, limit)
        total: int | None = None
        if count and start is None:
            rows, end, total = findings.counted_page(connection, teams, asked, part)
        else:
            rows, end = findings.page(connection, teams, asked, part)
            total = findings.count(connection, teams, asked) if count else None
    return Page(tuple(rows), next=cursor.encode((end.severity, end.since, end.id)) if end else None, at_least=total)


@router.add("GET", "/findings/facets", _READ)
def get_facets(call: Call, sieve: Sieve) -> Facets:
    """What a list of findings consists of, counted over the newest 500 of each severity; exact when `complete`."""
    now = call.service.now()
    asked = sieve.filter(now)
    with call.service.database.read() as connection:
        return facets(connection, call.who.teams_with(_READ), asked, now=now)


@router.add("GET", "/findings/export", _READ, produces="text/csv, application/json, application/sarif+json")
def export_findings(
    call: Call,
    format: Format,  # noqa: A002 - as others call it
    sieve: Sieve,
) -> Response:
    """All findings of a list as a file: CSV, JSON or SARIF, as of the instant of the question or of `as_of`."""
    now = call.service.now()
    asked = sieve.filter(now)
    wanted = Wanted(asked if asked.at is not None else msgspec.structs.replace(asked, at=now), now=asked.at is None)
    parts = written(call.service, call.who.teams_with(_READ), wanted, format)
    headers = {"Content-Disposition": f'attachment; filename="findings.{format.value}"', "Cache-Control": "private, no-store"}
    return StreamingResponse(parts, headers=headers, media_type=KINDS[format])


@router.add("GET", "/findings/{finding}", _READ)
def get_finding(call: Call, finding: int) -> FindingInfo:
    """A weakness, wherever it stands; `finding` as in the lists."""
    with call.service.database.read() as connection:
        found = findings.by_id(connection, finding)
        if found is None or not findings.may_see(connection, call.who.teams_with(_READ), finding):
            raise not_found(f"finding {finding}")
    return found


@router.add("GET", "/findings/{finding}/places", _READ)
def list_places(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call, finding: int, state: Standing = Standing.OPEN, as_of: str = "", after: str | None = None, limit: int = 50
) -> Page[FindingRow]:
    """Everywhere that a weakness stands, in the order in which it came there."""
    start = cursor.decode(after, (int,))[0] if after else 0
    asked = Filter(finding=finding, state=state, at=moment(call, as_of))
    teams = call.who.teams_with(_READ)
    with call.service.database.read() as connection:
        if not findings.may_see(connection, teams, finding):
            raise not_found(f"finding {finding}")
        rows, end = findings.everywhere(connection, teams, asked, after=start, limit=limit)
    return Page(tuple(rows), next=cursor.encode((end,)) if end else None)


@router.add("GET", "/findings/{finding}/history", _READ)
def list_history(call: Call, finding: int, after: str | None = None, limit: int = 50) -> Page[Spell]:
    """Where and when a weakness stood, newest first, with the assessments that saw it come and go."""
    start = cursor.decode(after, (int,))[0] if after else None
    teams = call.who.teams_with(_READ)
    with call.service.database.read() as connection:
        if not findings.may_see(connection, teams, finding):
            raise not_found(f"finding {finding}")
        rows, end = spells(connection, teams, finding, after=start, limit=limit)
    return Page(tuple(rows), next=cursor.encode((end,)) if end else None)


@router.add("GET", "/occurrences/{occurrence}", _READ)
def get_occurrence(call: Call, occurrence: int) -> OccurrenceInfo:
    """A finding in a subject with all that is known of it; `occurrence` is the `id` of a row of the lists."""
    with call.service.database.read() as connection:
        found = findings.occurrence_of(connection, occurrence)
    if found is None or not call.who.may(_READ, found.row.team):
        raise not_found(f"occurrence {occurrence}")
    return found


@router.add("GET", "/occurrences/{occurrence}/code", _READ)
def get_code(call: Call, occurrence: int) -> Excerpt:
    """The lines around an occurrence, in the commit that was judged last; 404 where they are not at hand, and for secrets."""
    with call.service.database.read() as connection:
        found = findings.occurrence_of(connection, occurrence)
    shown = excerpt(call.service, occurrence) if found is not None and call.who.may(_READ, found.row.team) else None
    if shown is None:
        raise not_found(f"the code of occurrence {occurrence}")
    return shown
