"""Items: what one repair removes, whose it is, and the issues that tell of it; and giving one to somebody."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from assaymark.model.access import Permission, PersonId, TeamId
from assaymark.model.assessment import RepositoryId
from assaymark.model.cause import CauseKind
from assaymark.model.finding import Kind
from assaymark.model.severity import Severity
from assaymark.server.api import cursor, rights
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import invalid, not_found
from assaymark.server.work.assigning import To, assign, release
from assaymark.store import findings, items
from assaymark.store.findings import FindingRow
from assaymark.store.items import Filter, IssueRow, ItemRow, ItemState, Part, Place, Span, SubjectPart

router = Router("items")
_READ = Permission.FINDINGS_READ
_ME, _NOBODY = "me", "nobody"


class ItemView(Struct, frozen=True):
    """An item with what is known of it."""

    item: ItemRow
    advice: str
    """What to do, as the finding that opened it said; empty when it said nothing."""
    subjects: tuple[SubjectPart, ...]
    """Where it stands, the first 200 that the caller may see."""
    issues: tuple[IssueRow, ...]
    history: tuple[Span, ...]
    """How it stood, newest first, the last 200 changes."""


@router.add("GET", "/items", _READ)
def list_items(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    owner: str = "",
    team: int | None = None,
    repository: int | None = None,
    state: ItemState = ItemState.OPEN,
    kind: tuple[Kind, ...] = (),
    cause: tuple[CauseKind, ...] = (),
    severity: tuple[Severity, ...] = (),
    as_of: str = "",
    count: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page[ItemRow]:
    """What one repair removes, worst first and then newest; `owner` is `me`, `nobody` or a person's number.

    `count` asks for `at_least`, counted up to 1000.
    """
    asked = Filter(
        state=state,
        severities=severity,
        kinds=kind,
        causes=cause,
        team=None if team is None else TeamId(team),
        person=_person(call, owner),
        unowned=owner == _NOBODY,
        repository=None if repository is None else RepositoryId(repository),
        at=moment(call, as_of),
    )
    start = Place(*cursor.decode(after, (int, int, int))) if after else None
    teams = call.who.teams_with(_READ)
    with call.service.database.read() as link:
        rows, end = items.page(link, teams, asked, Part(start, limit))
        total = items.count(link, teams, asked) if count else None
    return Page(tuple(rows), next=cursor.encode((end.severity, end.since, end.id)) if end else None, at_least=total)


def _person(call: Call, owner: str) -> PersonId | None:
    if owner in {"", _NOBODY}:
        return None
    if owner == _ME:
        return call.who.person
    if not owner.isascii() or not owner.isdecimal() or len(owner) > 18:
        raise invalid(f"`owner` is none: {owner[:40]!r}", "write me, nobody, or a person's number")
    return PersonId(int(owner))


@router.add("GET", "/items/{item}", _READ)
def get_item(call: Call, item: int, as_of: str = "") -> ItemView:
    """One item: where it stands, the issues that tell of it, and its history."""
    at = moment(call, as_of)
    teams = call.who.teams_with(_READ)
    with call.service.database.read() as link:
        found = items.one(link, item, at)
        if found is None or not call.who.may(_READ, found.team):
            raise not_found(f"item {item}")
        return ItemView(
            item=found,
            advice=items.advice(link, item),
            subjects=tuple(items.subjects_of(link, teams, item, at=at, limit=200)),
            issues=tuple(items.issues_of(link, item)),
            history=tuple(items.history(link, item, at=at)),
        )


@router.add("GET", "/items/{item}/findings", _READ)
def list_item_findings(call: Call, item: int, as_of: str = "", after: str | None = None, limit: int = 50) -> Page[FindingRow]:
    """What stands in an item, the worst first."""
    at = moment(call, as_of)
    start = Place(*cursor.decode(after, (int, int, int))) if after else None
    teams = call.who.teams_with(_READ)
    with call.service.database.read() as link:
        found = items.one(link, item, at)
        if found is None or not call.who.may(_READ, found.team):
            raise not_found(f"item {item}")
        ids, end = items.occurrences_of(link, teams, item, Part(start, limit), at=at)
        rows = findings.rows_of(link, ids, at)
    return Page(tuple(rows), next=cursor.encode((end.severity, end.since, end.id)) if end else None)


class Assignment(Struct, frozen=True, forbid_unknown_fields=True):
    person: int | None = None
    """Somebody with an account who may see the item; without him and without `name` the item is found an owner again by itself."""
    name: Annotated[str, Meta(max_length=200)] = ""
    """Somebody without an account."""


@router.add("PUT", "/items/{item}/owner", Permission.ITEMS_ASSIGN)
def assign_item(call: Call, item: int, body: Assignment) -> ItemRow:
    """Give an item to somebody: this holds over CODEOWNERS and blame until it is taken back."""
    with call.service.database.write() as link:
        found = items.one(link, item)
        if found is None or not (call.who.may(_READ, found.team) or call.who.may(Permission.ITEMS_ASSIGN, found.team)):
            raise not_found(f"item {item}")
        call.need(Permission.ITEMS_ASSIGN, found.team)
        if body.person is None and not body.name.strip():
            release(call.service, link, found, rights.by(call))
        else:
            assign(call.service, link, found, rights.by(call), To(body.person, body.name))
        now = items.one(link, item)
    return msgspec.structs.replace(found) if now is None else now
