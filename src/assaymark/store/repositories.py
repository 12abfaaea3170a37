"""Repositories: found again through renames, made once however many deliveries name a new one at the same time.

Guarantees: within a connection the forge's own id is the identity, so a rename, a move to another group and another default branch change
the row and not the subjects' history; a clone URL belongs to one repository at a time, and the one that the forge named last has it.
The row is locked until the caller's transaction ends, so what comes in for one repository is taken in one after the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.model.trigger import RemoteRepository
from assaymark.store import bulk
from assaymark.store.departures import depart
from assaymark.store.item_keeping import hand_over, settle_repository
from assaymark.store.new_rows import insert_new
from assaymark.store.pasts import remember
from assaymark.store.tables import assessment, holding, occurrence, subject
from assaymark.store.tables import repository as table

ALIVE = table.c.ended_at.is_(None)
_SCHEMES = ("http", "https", "ssh", "git", "file")


class RepositoryRow(Struct, frozen=True):
    """A repository that is looked after."""

    id: RepositoryId
    connection: int | None
    name: str
    clone_url: str
    web_url: str
    forge_id: str
    default_branch: str
    team: TeamId | None
    created_at: Instant
    fetched_at: Instant | None
    ended_at: Instant | None
    problem: str = ""
    """Why it could not be asked at the last look, and what to do; empty when it could."""


class Keeper(Struct, frozen=True):
    """On whose behalf a repository is looked for or made."""

    connection: int | None
    team: TeamId | None
    at: Instant


class Foreign(UsageError):  # noqa: N818 - like the rest of the tree
    """It is there, and it belongs to another connection or team."""


def address(text: str) -> str:
    """A clone URL as it is kept: without credentials and fragment, the host in small letters.

    Raises:
        UsageError: for what git would not take as the address of a repository, or would take as an option or a program.
    """
    scp = _scp(text)
    parts = urlsplit(scp or text)
    if parts.scheme not in _SCHEMES or text.startswith("-") or any(ord(letter) < 33 for letter in text) or len(text) > 2000:
        raise UsageError(f"{text[:200]!r} is no address of a git repository", advice="write https://host/owner/name.git")
    if parts.scheme != "file" and not parts.hostname:
        raise UsageError(f"{text[:200]!r} names no host", advice="write https://host/owner/name.git")
    user = f"{parts.username}@" if parts.scheme == "ssh" and parts.username else ""
    host = (parts.hostname or "").lower()
    shown = f"[{host}]" if ":" in host else host
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{user}{shown}{port}", parts.path.rstrip("/"), "", ""))


def _scp(text: str) -> str:
    """``git@host:path`` as a URL."""
    before, colon, path = text.partition(":")
    return f"ssh://{before}/{path.lstrip('/')}" if colon and "/" not in before and not path.startswith("//") and "@" in before else ""


def _forms(url: str) -> list[str]:
    bare = url.removesuffix(".git")
    return [bare, f"{bare}.git"]


def settle(connection: sa.Connection, remote: RemoteRepository, keeper: Keeper) -> RepositoryRow:
    """The repository, made if it is new and brought up to date if it was renamed; locked.

    Raises:
        Foreign: when it is looked after for another connection or team.
        UsageError: when its clone URL is none.
    """
    url = address(remote.clone_url)
    row = _by_forge_id(connection, remote, keeper) or _by_url(connection, url, keeper)
    if row is None:
        made = insert_new(connection, table, _new(remote, url, keeper), "clone_url")
        row = _by_number(connection, made) if made else _by_url(connection, url, keeper)
        if row is None:  # pragma: no cover - conflicts are with committed rows, and those are never deleted
            raise Foreign(f"{url} is being looked after by somebody else")
    return _updated(connection, row, _known(remote, url, keeper), keeper)


def _new(remote: RemoteRepository, url: str, keeper: Keeper) -> dict[str, Any]:
    return {
        "connection": keeper.connection,
        "name": remote.name or urlsplit(url).path.strip("/").removesuffix(".git") or url,
        "clone_url": url,
        "web_url": remote.web_url,
        "forge_id": remote.forge_id,
        "default_branch": remote.default_branch,
        "team": keeper.team,
        "created_at": keeper.at,
    }


def _known(remote: RemoteRepository, url: str, keeper: Keeper) -> dict[str, Any]:
    said: dict[str, Any] = {
        "name": remote.name,
        "web_url": remote.web_url,
        "forge_id": remote.forge_id,
        "default_branch": remote.default_branch,
        "connection": keeper.connection,
    }
    return {"clone_url": url} | {name: value for name, value in said.items() if value}


def _locked(connection: sa.Connection, *conditions: sa.ColumnElement[bool]) -> RepositoryRow | None:
    query = sa.select(table).where(*conditions).order_by(table.c.ended_at.is_not(None), table.c.id).limit(1).with_for_update(key_share=True)
    row = connection.execute(query).first()
    return _row(row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name


def _row(row: Mapping[Any, Any]) -> RepositoryRow:
    return RepositoryRow(**{name: row[name] for name in RepositoryRow.__struct_fields__})


def _by_number(connection: sa.Connection, number: int) -> RepositoryRow | None:
    return _locked(connection, table.c.id == number)


def _by_forge_id(connection: sa.Connection, remote: RemoteRepository, keeper: Keeper) -> RepositoryRow | None:
    if not remote.forge_id or keeper.connection is None:
        return None
    return _locked(connection, table.c.connection == keeper.connection, table.c.forge_id == remote.forge_id)


def _by_url(connection: sa.Connection, url: str, keeper: Keeper) -> RepositoryRow | None:
    row = _locked(connection, table.c.clone_url.in_(_forms(url)))
    if row is None:
        return None
    if not _may_take(row, keeper):
        raise Foreign(
            f"{url} is looked after for somebody else",
            why="another connection or team registered it",
            advice="ask an administrator to move it",
        )
    return row


def _may_take(row: RepositoryRow, keeper: Keeper) -> bool:
    """A connection speaks for what came by it, whatever team that was given to since; of the rest, for what is its own team's."""
    if row.connection is not None and keeper.connection is not None:
        return row.connection == keeper.connection
    return keeper.team is None or row.team == keeper.team


def _updated(connection: sa.Connection, row: RepositoryRow, said: dict[str, Any], keeper: Keeper) -> RepositoryRow:
    if row.forge_id and said.get("forge_id", row.forge_id) != row.forge_id:
        # Another repository lives at this address now: the former one was deleted or renamed without a word.
        retire(connection, row.id, keeper.at)
        made = insert_new(connection, table, {"name": said["clone_url"], "created_at": keeper.at, "team": row.team, **said}, "clone_url")
        found = _by_number(connection, made) if made else None
        if found is None:  # pragma: no cover - its address was freed in this transaction
            raise Foreign(f"{said['clone_url']} is taken")
        return found
    changed = {name: value for name, value in said.items() if getattr(row, name) != value}
    if not _moves(row.clone_url, changed):
        changed.pop("clone_url", None)
    if not changed:
        return row
    if "clone_url" in changed:
        _free(connection, changed["clone_url"], row, keeper)
    connection.execute(table.update().where(table.c.id == row.id).values(**changed))
    if "name" in changed:
        _rename_subjects(connection, row, changed["name"])
    if "default_branch" in changed:
        settle_repository(connection, row.id, keeper.at)
    return _by_number(connection, row.id) or row


def _moves(present: str, changed: Mapping[str, Any]) -> bool:
    """Whether the address is another one, and not the same with or without ``.git``."""
    return changed.get("clone_url", present) not in _forms(present)


def _free(connection: sa.Connection, url: str, row: RepositoryRow, keeper: Keeper) -> None:
    other = _locked(connection, table.c.clone_url.in_(_forms(url)), table.c.id != row.id)
    if other is None:
        return
    if not _may_take(other, keeper):
        raise Foreign(f"{url} is looked after for somebody else", advice="ask an administrator to move it")
    retire(connection, other.id, keeper.at)


def _rename_subjects(connection: sa.Connection, row: RepositoryRow, name: str) -> None:
    """Subjects are shown under the present name of their repository."""
    rest = sa.func.substr(subject.c.name, len(row.name) + 1)
    starts = sa.func.substr(subject.c.name, 1, len(row.name)) == row.name
    connection.execute(subject.update().where(subject.c.repository == row.id, starts).values(name=sa.literal(name).concat(rest)))


def retire(connection: sa.Connection, number: RepositoryId, at: Instant) -> None:
    """End a repository and give its address free."""
    row = _by_number(connection, number)
    if row is not None:
        end(connection, number, at)
        connection.execute(table.update().where(table.c.id == number).values(clone_url=f"{row.clone_url}#{number}"))


def end(connection: sa.Connection, number: RepositoryId, at: Instant) -> None:
    """Look after it and its subjects no more; what was found stays readable as of the days before."""
    connection.execute(table.update().where(table.c.id == number, table.c.ended_at.is_(None)).values(ended_at=at))
    connection.execute(subject.update().where(subject.c.repository == number, subject.c.ended_at.is_(None)).values(ended_at=at))
    depart(connection, subject.c.repository == number, at)


def resume(connection: sa.Connection, number: RepositoryId) -> None:
    """Look after it again; its subjects come back with their next trigger."""
    connection.execute(table.update().where(table.c.id == number).values(ended_at=None))


def give_to(connection: sa.Connection, number: RepositoryId, team: TeamId | None, at: Instant) -> None:
    """Hand it to another team, with its subjects and what is open in them; what has ended stays with the team in whose time it was.

    What stands open ends in rows of the old team and goes on in rows of the new one, so that as of yesterday it still is the old one's.
    """
    connection.execute(table.update().where(table.c.id == number).values(team=team))
    mine = sa.select(subject.c.id).where(subject.c.repository == number).scalar_subquery()
    remember(connection, subject.c.repository == number, at)
    connection.execute(subject.update().where(subject.c.repository == number).values(team=team))
    _go_on(connection, mine, team, at)
    connection.execute(holding.update().where(holding.c.subject.in_(mine), holding.c.closed_at.is_(None)).values(team=team))
    waiting = assessment.c.state.in_(("queued", "running"))
    connection.execute(assessment.update().where(assessment.c.subject.in_(mine), waiting).values(team=team))
    hand_over(connection, list(connection.execute(sa.select(subject.c.id).where(subject.c.repository == number)).scalars()), team, at)


def _go_on(connection: sa.Connection, mine: sa.ScalarSelect[int], team: TeamId | None, at: Instant) -> None:
    c = occurrence.c
    ids = [row[0] for row in connection.execute(sa.select(c.id).where(c.subject.in_(mine), c.closed_at.is_(None)).order_by(c.id))]
    names = [column.name for column in c if column.name not in {"id", "closed_at", "closed_by", "continued"}]
    changed = {"team": sa.literal(team, c.team.type), "opened_at": sa.literal(at, c.opened_at.type)}
    for portion in bulk.portions(ids):
        chosen = bulk.among(connection, c.id, portion)
        # The old rows first: nothing reads in between, and no rule of the database may see both open.
        connection.execute(occurrence.update().where(chosen).values(closed_at=at, continued=1))
        copy = sa.select(*(changed.get(name, c[name]) for name in names)).where(chosen).order_by(c.id)
        connection.execute(occurrence.insert().from_select(names, copy))


def get(connection: sa.Connection, number: int) -> RepositoryRow | None:
    """One, for reading."""
    row = connection.execute(sa.select(table).where(table.c.id == number)).first()
    return _row(row._mapping) if row else None  # noqa: SLF001


def page(
    connection: sa.Connection,
    teams: frozenset[TeamId] | None,
    *,
    after: int,
    limit: int,
    conditions: tuple[sa.ColumnElement[bool], ...] = (),
) -> list[RepositoryRow]:
    """Those of these teams in the order in which they came, from behind `after`."""
    query = sa.select(table).where(table.c.id > after, *conditions).order_by(table.c.id).limit(limit)
    if teams is not None:
        query = query.where(table.c.team.in_(teams))
    return [_row(row._mapping) for row in connection.execute(query)]  # noqa: SLF001


def has_subjects(connection: sa.Connection, number: RepositoryId) -> bool:
    """Whether anything of it was ever judged or is to be."""
    return connection.execute(sa.select(subject.c.id).where(subject.c.repository == number).limit(1)).first() is not None


def describe(connection: sa.Connection, number: RepositoryId, at: Instant, *, default_branch: str) -> None:
    """Another default branch."""
    connection.execute(table.update().where(table.c.id == number).values(default_branch=default_branch))
    settle_repository(connection, number, at)


def note_problem(connection: sa.Connection, number: RepositoryId, problem: str) -> None:
    """Why it could not be asked; empty when it could."""
    connection.execute(table.update().where(table.c.id == number, table.c.problem != problem).values(problem=problem))


def at_address(connection: sa.Connection, text: str) -> RepositoryRow | None:
    """The one at a clone URL, with or without ``.git``, for reading.

    Raises:
        UsageError: when the text is no such address.
    """
    query = (
        sa.select(table).where(table.c.clone_url.in_(_forms(address(text)))).order_by(table.c.ended_at.is_not(None), table.c.id).limit(1)
    )
    row = connection.execute(query).first()
    return _row(row._mapping) if row else None  # noqa: SLF001
