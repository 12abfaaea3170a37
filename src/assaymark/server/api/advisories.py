"""Advisories: how fresh they are, where they come from, whom the last change hit, who is affected, and where a component is.

Guarantees: lists hold what the caller may see; what is said of a version is what the check says of it. As of a day of which not everything
is remembered any more, the question is refused instead of answered in part.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.advisories.download import permitted
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.server import outgoing
from assaymark.server.api import cursor, rights
from assaymark.server.api.moment import moment
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work import advisories as work
from assaymark.server.work import knowledge
from assaymark.server.work.advisories import FOLDER, Sources, State
from assaymark.store import setting_rows, snapshots, trail, whereabouts
from assaymark.store.component_rows import shown
from assaymark.store.snapshots import Hit, Snapshot
from assaymark.store.trail import Action
from assaymark.store.wanted import question_of, wanted
from assaymark.store.whereabouts import Affected, Held, Scope

router = Router("advisories")
_CURSOR = (int, int, int, str)
_MOST_IDS = 20
_MOST_ECOSYSTEMS = 200
_LONGEST = 100
View = TypeVar("View")

Ids = Annotated[tuple[str, ...], Meta(description="Id of a vulnerability (CVE, GHSA …); may be given several times.", max_length=_MOST_IDS)]
PackageName = Annotated[str, Meta(description="Name of a package in its ecosystem, or a package URL.", min_length=1, max_length=2000)]
Version = Annotated[str, Meta(description="A version, or a range as `>=1.2,<2`; any without it.", max_length=500)]
EcosystemName = Annotated[str, Meta(description="Ecosystem as OSV names it; all without it.", max_length=60)]
SnapshotNumber = Annotated[int | None, Meta(description="Number of a snapshot; the newest without it.")]


# --- how fresh they are ----------------------------------------------------------------------------------------------


class AdvisoriesView(Struct, frozen=True):
    """What the installation knows."""

    snapshot: Snapshot | None
    """The newest; null before the first update."""
    age_seconds: int | None
    """Since its advisories were compiled."""
    checked_at: Instant | None
    """When the sources were asked last."""
    error: str
    """Why that failed; empty when it did not."""
    sources: Sources


@router.add("GET", "/advisories", Permission.ADVISORIES_READ)
def get_advisories(call: Call) -> AdvisoriesView:
    """The state of the advisories: how old, from where, how many."""
    with call.service.database.read() as connection:
        newest = snapshots.newest(connection)
        state = setting_rows.get(connection, work.STATE, State, State())
        sources = setting_rows.get(connection, work.SOURCES, Sources, Sources())
    return AdvisoriesView(newest, _age(newest, call.service.now()), state.checked_at, state.error, sources)


def _age(snapshot: Snapshot | None, now: Instant) -> int | None:
    if snapshot is None:
        return None
    compiled = dt.datetime.fromisoformat(snapshot.meta["compiled"])
    return max(0, now // 1_000_000 - int(compiled.timestamp()))


@router.add("GET", "/advisories/snapshots", Permission.ADVISORIES_READ)
def list_snapshots(call: Call, after: str | None = None, limit: int = 50) -> Page[Snapshot]:
    """Every snapshot that there was, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as connection:
        rows = snapshots.page(connection, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/advisories/hits", Permission.ADVISORIES_READ)
def list_hits(call: Call, snapshot: SnapshotNumber = None, after: str | None = None, limit: int = 50) -> Page[Hit]:
    """Subjects that hold what changed with a snapshot, and what came of judging them again."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else None
    teams = call.who.teams_with(Permission.ADVISORIES_READ)
    with call.service.database.read() as connection:
        newest = snapshots.newest(connection)
        if newest is None or (snapshot is not None and not 0 < snapshot <= newest.id):
            raise not_found("this snapshot")
        rows = snapshots.page_of_hits(connection, snapshot or newest.id, teams, after=start, limit=limit + 1)
    return page_of(rows, limit, "subject")


# --- bringing them up to date ----------------------------------------------------------------------------------------


class Asked(Struct, frozen=True):
    """What came of asking for an update."""

    queued: bool
    """False when one waits already."""


@router.add("POST", "/advisories/update", Permission.ADVISORIES_WRITE, status=202)
def update_now(call: Call) -> Asked:
    """Fetch what changed at the sources now, and judge again whom it hits."""
    call.need(Permission.ADVISORIES_WRITE, None)
    with call.service.database.write() as connection:
        queued = call.service.queue.put(connection, work.job()) is not None
        _note(call, connection, "advisories.update-asked", {"queued": str(queued).lower()})
    return Asked(queued)


@router.add("PUT", "/advisories/sources", Permission.ADVISORIES_WRITE)
def set_sources(call: Call, body: Sources) -> Sources:
    """Choose where advisories come from: an address with OSV's archives, or `folder` for the server's own offline folder."""
    call.need(Permission.ADVISORIES_WRITE, None)
    if body.origin != FOLDER:
        outgoing.parse(permitted(body.origin), outgoing.WEB)
    if not 0 < len(body.ecosystems) <= _MOST_ECOSYSTEMS:
        raise invalid(f"ecosystems names none, or more than {_MOST_ECOSYSTEMS}", "name those that you use, as OSV does")
    for each in body.ecosystems:
        if not each or len(each) > _LONGEST or "/" in each or each.startswith(".") or not each.isprintable():
            raise invalid(f"there is no ecosystem {each[:_LONGEST]!r}", "name it as OSV does, e.g. PyPI or Debian:12")
    with call.service.database.write() as connection:
        setting_rows.put(connection, work.SOURCES, body, call.service.now())
        _note(call, connection, "advisories.sources-changed", {"origin": body.origin, "ecosystems": ", ".join(body.ecosystems)[:1000]})
    return body


def _note(call: Call, connection: sa.Connection, action: str, details: dict[str, str]) -> None:
    by = rights.by(call)
    done = Action(call.service.now(), by.actor, action, "success", by.person, "advisories", "", origin=by.origin, details=details)
    trail.record(connection, done)


# --- who is affected, and where something is -------------------------------------------------------------------------


class ComponentView(Struct, frozen=True):
    """A package in a subject."""

    subject: SubjectId
    subject_kind: str
    subject_name: str
    team: TeamId | None
    path: str
    ecosystem: str
    release: str
    """Of a distribution."""
    package: str
    version: str
    since: Instant
    """Since when the subject holds the set in which it stands."""
    until: Instant | None


class AffectedView(Struct, frozen=True):
    """A package in a subject that a vulnerability is in."""

    component: ComponentView
    advisories: tuple[str, ...]
    """Those that were asked for and are in it, by their canonical ids."""
    fixed: str
    """The first repaired version after this one; empty when none is known."""


@router.add("GET", "/affected", Permission.FINDINGS_READ)
def list_affected(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    id: Ids,  # noqa: A002 - what people call it
    as_of: str = "",
    count: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page[AffectedView]:
    """Who is affected by a vulnerability, by any of its ids: subjects, paths, versions and repaired versions.

    `count` asks for `at_least`: how many subjects that are, counted up to 10,000.
    """
    scope = _scope(call, as_of, after, limit)
    if not id or not all(0 < len(each) <= _LONGEST for each in id):
        raise invalid("no id of a vulnerability is given", "give id=CVE-2026-1234")
    with call.service.database.read() as connection, _index(call) as index:
        _within_memory(connection, scope)
        rows = whereabouts.affected_by(connection, id, index, scope)
        total = whereabouts.count_affected(connection, id, index, scope) if count else None
    return _page([_affected(row) for row in rows[:limit]], [row.held for row in rows], limit, total)


@router.add("GET", "/components", Permission.SUBJECTS_READ)
def list_components(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    name: PackageName,
    version: Version = "",
    ecosystem: EcosystemName = "",
    as_of: str = "",
    count: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page[ComponentView]:
    """Where a package is: subjects, paths and versions.

    `count` asks for `at_least`: how many subjects that are, counted up to 10,000.
    """
    scope = _scope(call, as_of, after, limit, Permission.SUBJECTS_READ)
    asked = wanted(name, version, ecosystem)
    with call.service.database.read() as connection:
        _within_memory(connection, scope)
        question = question_of(connection, asked)
        rows = whereabouts.where(connection, question, scope)
        total = whereabouts.count(connection, question, scope) if count else None
    return _page([_component(row) for row in rows[:limit]], rows, limit, total)


def _scope(call: Call, as_of: str, after: str | None, limit: int, permission: Permission = Permission.FINDINGS_READ) -> Scope:
    start = cursor.decode(after, _CURSOR) if after else None
    return Scope(call.who.teams_with(permission), moment(call, as_of), start, rights.limited(limit) + 1)


def _within_memory(connection: sa.Connection, scope: Scope) -> None:
    why = whereabouts.forgotten(connection, scope.as_of)
    if why:
        raise conflict(why, "ask as of a later day")


@contextmanager
def _index(call: Call) -> Iterator[Index]:
    with call.service.database.read() as connection:
        if snapshots.newest(connection) is None:
            raise conflict("there are no advisories yet", "POST /advisories/update, or wait for the next update")
    index = Index(knowledge.advisories_file(call.service))
    try:
        yield index
    finally:
        index.close()


def _page(views: list[View], rows: list[Held], limit: int, total: int | None) -> Page[View]:
    return Page(tuple(views), next=cursor.encode(rows[limit - 1].cursor) if len(rows) > limit else None, at_least=total)


def _affected(row: Affected) -> AffectedView:
    return AffectedView(_component(row.held), row.advisories, row.fixed)


def _component(row: Held) -> ComponentView:
    ecosystem, release, name = shown(row.package)
    return ComponentView(
        subject=row.subject,
        subject_kind=row.subject_kind,
        subject_name=row.subject_name,
        team=row.team,
        path=row.path,
        ecosystem=ecosystem,
        release=release,
        package=name,
        version=row.version,
        since=row.since,
        until=row.until,
    )
