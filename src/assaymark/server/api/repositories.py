"""Repositories that are looked after: registered by hand, found in a group, or come by a delivery."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType

from assaymark.jobs.job import Priority
from assaymark.model.access import Permission, TeamId
from assaymark.model.trigger import RemoteRepository
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import viewed
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.outgoing import parse
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.webhooks.receive import need_home
from assaymark.server.work.intake import Source, end_repository
from assaymark.server.work.items import follow
from assaymark.server.work.register import poll_job, register
from assaymark.store import connections, repositories, trail
from assaymark.store.repositories import RepositoryRow
from assaymark.store.tables import repository as table
from assaymark.store.trail import Action
from assaymark.triggers.webhooks.delivery import PayloadInvalid, ref

router = Router("repositories")
_Of = Annotated[int | None, Meta(description="Only those that came by this connection.")]
_Ended = Annotated[bool, Meta(description="Those that are looked after no more, instead of the others.")]


class RepositoryView(Struct, frozen=True):
    """A repository."""

    id: int
    connection: int | None
    name: str
    clone_url: str
    web_url: str
    default_branch: str
    team: int | None
    created_at: int
    fetched_at: int | None
    ended_at: int | None
    problem: str
    """Why it could not be asked at the last look, and what to do; empty when it could."""


@router.add("GET", "/repositories", Permission.SUBJECTS_READ)
def list_repositories(
    call: Call, connection: _Of = None, ended: _Ended = False, after: str | None = None, limit: int = 50
) -> Page[RepositoryView]:
    """Repositories in the order in which they came; with `ended` those that are looked after no more."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    conditions: tuple[sa.ColumnElement[bool], ...] = (~repositories.ALIVE if ended else repositories.ALIVE,)
    conditions += (table.c.connection == connection,) if connection is not None else ()
    teams = call.who.teams_with(Permission.SUBJECTS_READ)
    with call.service.database.read() as link:
        rows = repositories.page(link, teams, after=start, limit=limit + 1, conditions=conditions)
    return viewed(rows, limit, _view)


@router.add("GET", "/repositories/{repository}", Permission.SUBJECTS_READ)
def get_repository(call: Call, repository: int) -> RepositoryView:
    """One repository."""
    with call.service.database.read() as link:
        return _view(_visible(call, link, repository))


class NewRepository(Struct, frozen=True, forbid_unknown_fields=True):
    clone_url: str
    """https, ssh, or file inside a folder that the administrator allowed; without credentials."""
    name: str = ""
    """The path of its address where it is left out."""
    default_branch: str = ""
    """Asked of the repository where it is left out."""
    connection: int | None = None
    """Whose token it is fetched with."""
    team: int | None = None
    """The connection's where it is left out."""


class Registration(Struct, frozen=True):
    """What came of it."""

    id: int
    new: bool
    """False: it was looked after already, and nothing was queued."""
    assessments: tuple[int, ...]
    """Empty while the repository is asked for its default branch."""


@router.add("POST", "/repositories", Permission.SUBJECTS_WRITE, status=201)
def register_repository(call: Call, body: NewRepository) -> Registration:
    """Look after a repository from now on; its default branch is judged at once."""
    parse(body.clone_url)
    with call.service.database.write() as link:
        home = connections.get(link, body.connection) if body.connection is not None else None
        if body.connection is not None and (
            home is None or home.ended_at is not None or not call.who.may(Permission.CONNECTIONS_READ, home.team)
        ):
            raise not_found("this connection")
        wanted = body.team if body.team is not None or home is None else home.team
        team = None if wanted is None else TeamId(wanted)
        call.need(Permission.SUBJECTS_WRITE, team)
        remote = RemoteRepository(_short(body.name), body.clone_url, default_branch=_branch(body.default_branch))
        if home is not None:
            need_home(home, remote.clone_url)
        source = Source(connection_id=body.connection, team=team, cause="registration")
        done = register(call.service, link, remote, source, again=True)
        if not call.who.may(Permission.SUBJECTS_READ, done.repository.team):
            raise conflict("this address is looked after for another team", "ask an administrator to hand it over")
        if done.new:
            _note(call, link, "repository.registered", done.repository, {"clone_url": done.repository.clone_url})
    return Registration(int(done.repository.id), done.new, tuple(int(each) for each in done.assessments))


class RepositoryChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    team: int | UnsetType | None = UNSET
    """Takes its subjects and what is open in them along; what has ended stays with the team before."""
    default_branch: str | UnsetType = UNSET


@router.add("PATCH", "/repositories/{repository}", Permission.SUBJECTS_WRITE)
def change_repository(call: Call, repository: int, body: RepositoryChange) -> RepositoryView:
    """Hand a repository to another team, or name another default branch."""
    with call.service.database.write() as link:
        row = _visible(call, link, repository)
        call.need(Permission.SUBJECTS_WRITE, row.team)
        told: dict[str, str] = {}
        if body.team is not UNSET and body.team != row.team:
            team = None if body.team is None else TeamId(body.team)
            call.need(Permission.SUBJECTS_WRITE, team)
            repositories.give_to(link, row.id, team, call.service.now())
            follow(call.service, link, actor=call.who.login)
            told["team"] = str(body.team)
        if body.default_branch is not UNSET:
            repositories.describe(link, row.id, call.service.now(), default_branch=_branch(body.default_branch))
            follow(call.service, link, actor=call.who.login)
            told["default_branch"] = body.default_branch
        _note(call, link, "repository.changed", row, told)
        return _view(_visible(call, link, repository))


@router.add("DELETE", "/repositories/{repository}", Permission.SUBJECTS_WRITE, status=204)
def stop_repository(call: Call, repository: int) -> Nothing:
    """Look after it no more: what waits is cancelled, what was found stays readable as of the days before."""
    with call.service.database.write() as link:
        row = _visible(call, link, repository)
        call.need(Permission.SUBJECTS_WRITE, row.team)
        end_repository(call.service, link, row.id)
        _note(call, link, "repository.ended", row, {})
    return Nothing()


@router.add("POST", "/repositories/{repository}/poll", Permission.ASSESSMENTS_RUN, status=202)
def poll_repository(call: Call, repository: int) -> RepositoryView:
    """Look now whether its branches and tags moved, and judge what did."""
    with call.service.database.write() as link:
        row = _visible(call, link, repository)
        call.need(Permission.ASSESSMENTS_RUN, row.team)
        if row.ended_at is not None:
            raise conflict("this repository is looked after no more", "register it again")
        call.service.queue.put(link, poll_job(row.id, Priority.CALL))
    return _view(row)


def _visible(call: Call, link: sa.Connection, number: int) -> RepositoryRow:
    row = repositories.get(link, number)
    if row is None or not call.who.may(Permission.SUBJECTS_READ, row.team):
        raise not_found("this repository")
    return row


def _view(row: RepositoryRow) -> RepositoryView:
    return RepositoryView(**{name: getattr(row, name) for name in RepositoryView.__struct_fields__})


def _branch(text: str) -> str:
    name = text.removeprefix("refs/heads/")
    try:
        return ref(f"refs/heads/{name}").removeprefix("refs/heads/") if name else ""
    except PayloadInvalid as error:
        raise invalid(f"{text[:100]!r} is no branch", "write it as main") from error


def _short(text: str) -> str:
    name = " ".join(text.split())
    if len(name) > 300 or not name.isprintable():
        raise invalid("name has at most 300 printable characters")
    return name


def _note(call: Call, link: sa.Connection, action: str, row: RepositoryRow, details: dict[str, str]) -> None:
    by = rights.by(call)
    done = Action(call.service.now(), by.actor, action, "success", by.person, "repository", str(row.id), row.team, by.origin, details)
    trail.record(link, done)
