"""Decide about many findings at once: one decision for each, portion by portion.

Guarantees: each portion is one transaction, so that whatever stops it leaves whole decisions; asked again with the same `name`, what was
decided is not decided twice; what the caller may not decide about is counted and named, and the rest is done.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.model.decision import DecisionKind, Justification, Scope, check_days, check_words
from assaymark.server.api import decisions as api
from assaymark.server.api import rights, sieve
from assaymark.server.api.route import Call, Router
from assaymark.server.problem import ApiError, invalid
from assaymark.server.work.deciding import Deciding
from assaymark.store import bulk, decisions, findings
from assaymark.store.decisions import Draft
from assaymark.store.findings import FindingRow, Part, Standing
from assaymark.store.narrowing import MOST_ROWS
from assaymark.store.tables import occurrence

router = Router("decisions")
MOST = 1000
"""Findings of one request."""
_PORTION = 100
_MOST_NAMED = 50


class Where(StrEnum):
    """How far each decision reaches."""

    SUBJECT = "subject"
    """Only where it stands."""
    REPOSITORY = "repository"
    """Everywhere in its repository: all branches and merge requests; where there is none, only where it stands."""
    TEAM = "team"
    """In everything of the team."""


class Bulk(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be decided about, and how."""

    kind: DecisionKind
    reason: Annotated[str, Meta(min_length=1, max_length=2000)]
    until: dt.date
    name: Annotated[str, Meta(min_length=1, max_length=100)]
    """Of this act, chosen by you: sent again with the same one, nothing is decided twice."""
    ids: Annotated[tuple[int, ...], Meta(max_length=MOST)] = ()
    """Of rows of the list of findings."""
    query: Annotated[str, Meta(max_length=2000)] = ""
    """Or a filter as in the address of that list, e.g. `rule_class=sql-injection&severity=low`: the first 1000 that are not waived."""
    where: Where = Where.REPOSITORY
    owner: Annotated[str, Meta(max_length=200)] = ""
    justification: Justification | None = None
    up_to_severity: bool = True
    """What becomes more severe than it is now is not covered any more."""


class NotDone(Struct, frozen=True):
    """A row that was not decided about."""

    id: int
    why: str


class Done(Struct, frozen=True):
    """What came of it."""

    made: int
    """Decisions."""
    already: int
    """Rows that a decision covers already, from this act or another."""
    refused: int
    """Rows that were not decided about."""
    why: tuple[NotDone, ...]
    """Why not, of the first 50."""
    changed: int
    """Occurrences that are let through now."""
    more: bool
    """There are more than one request takes: send it again under another name."""


@router.add("POST", "/decisions/bulk", Permission.FINDINGS_DECIDE)
def decide_many(call: Call, body: Bulk) -> Done:
    """Decide about many findings: those of `ids`, or those that a filter gives, at most 1000 at once; a decision for each of them."""
    if bool(body.ids) == bool(body.query):
        raise invalid("give either `ids` or `query`")
    check_words(body.kind, body.reason, body.justification)
    check_days(body.until, decisions.day_of(call.service.now()))
    rows, refused, more = _chosen(call, body)
    tally = _Tally(refused)
    for portion in bulk.portions(rows, _PORTION):
        _portion(call, body, portion, tally)
    return Done(tally.made, tally.already, len(tally.refused), tuple(tally.refused[:_MOST_NAMED]), tally.changed, more)


class _Tally(Struct):
    refused: list[NotDone]
    made: int = 0
    already: int = 0
    changed: int = 0


def _chosen(call: Call, body: Bulk) -> tuple[list[FindingRow], list[NotDone], bool]:
    teams = call.who.teams_with(Permission.FINDINGS_READ)
    with call.service.database.read() as link:
        if body.ids:
            there = set(link.execute(sa.select(occurrence.c.id).where(bulk.among(link, occurrence.c.id, body.ids))).scalars())
            rows = findings.rows_of(link, [number for number in dict.fromkeys(body.ids) if number in there], None)
            found = [row for row in rows if teams is None or row.team in teams]
            known = {row.id for row in found}
            return found, [NotDone(number, "it is not here") for number in body.ids if number not in known], False
        asked = sieve.read_query(body.query).filter(call.service.now())
        if asked.at is not None or asked.state is not Standing.OPEN:
            raise invalid("only what stands open now can be decided about", "leave `as_of` and `state` out of the filter")
        asked = msgspec.structs.replace(asked, waived=False)
        rows = []
        place = None
        while len(rows) < MOST:
            part, place = findings.page(link, teams, asked, Part(after=place, limit=MOST_ROWS))
            rows += part
            if place is None:
                break
    return rows[:MOST], [], place is not None or len(rows) > MOST


def _portion(call: Call, body: Bulk, rows: Sequence[FindingRow], tally: _Tally) -> None:
    with call.service.database.write() as link:
        doing = Deciding(call.service, link)
        by, seen = rights.by(call), set[str]()
        for row in rows:
            if row.closed_at is not None:
                tally.refused.append(NotDone(row.id, "it does not stand open any more"))
                continue
            if row.waived:
                tally.already += 1
                continue
            about = decisions.about_subject(link, row.subject.id)
            scope = _scope(body, row, about)
            try:
                team = api.team_for(call, link, scope)
            except (ApiError, AssayError) as error:
                tally.refused.append(NotDone(row.id, str(error)))
                continue
            origin = _origin(call, body, scope)
            if origin in seen:
                tally.already += 1
                continue
            seen.add(origin)
            draft = Draft(
                kind=body.kind, scope=scope, reason=body.reason, owner=body.owner.strip() or call.who.login, until=body.until,
                by=api.who(call), team=team, justification=body.justification, source="bulk", origin=origin,
            )  # fmt: skip
            made = doing.make(draft, by)
            tally.made += made is not None
            tally.already += made is None
        tally.changed += doing.finish()


def _scope(body: Bulk, row: FindingRow, about: decisions.About | None) -> Scope:
    severity = row.severity if body.up_to_severity else None
    if body.where is Where.TEAM and row.team is not None:
        return Scope(finding=row.fingerprint, team=row.team, severity=severity)
    if body.where is Where.REPOSITORY and about is not None and about.repository is not None:
        return Scope(finding=row.fingerprint, repository=about.repository, severity=severity)
    return Scope(finding=row.fingerprint, subject=row.subject.id, severity=severity)


def _origin(call: Call, body: Bulk, scope: Scope) -> str:
    said = f"{call.who.person}\0{body.name}\0{decisions.encoded(scope)}"
    return "bulk:" + hashlib.sha256(said.encode()).hexdigest()
