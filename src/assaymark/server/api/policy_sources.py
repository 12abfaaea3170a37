"""Where policies live in git: a path of a branch of a repository that is looked after."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.jobs.job import Priority
from assaymark.model.access import Permission
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work.policy_jobs import job_for
from assaymark.store import policy_sources, repositories, trail
from assaymark.store.policy_sources import SourceRow

router = Router("policies")
_WRITE = Permission.POLICIES_WRITE


class NewSource(Struct, frozen=True, forbid_unknown_fields=True):
    repository: int
    """Number of a repository that is looked after."""
    path: str = ""
    """A file, or a folder of which every `*.yaml` and `*.yml` is read; empty is the whole repository."""
    branch: str = ""
    """Without it the default branch."""


@router.add("GET", "/policy-sources", Permission.POLICIES_READ)
def list_policy_sources(call: Call, after: str | None = None, limit: int = 50) -> Page[SourceRow]:
    """Repositories in which policies live, with what the last look at each found."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        rows = policy_sources.page(link, after=start, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/policy-sources", _WRITE, status=201)
def add_policy_source(call: Call, body: NewSource) -> SourceRow:
    """Read policies from a repository from now on: at once, after each push, and every hour."""
    call.need(_WRITE, None)
    path = _path(body.path)
    if len(body.branch) > 300 or any(ord(letter) < 33 or letter in "~^:?*[\\" for letter in body.branch):
        raise invalid(f"{body.branch[:80]!r} is no branch", "write it as main")
    with call.service.database.write() as link:
        repository = repositories.get(link, body.repository)
        if repository is None or not call.who.may(Permission.SUBJECTS_READ, repository.team):
            raise not_found("this repository")
        if repository.ended_at is not None:
            raise conflict("this repository is looked after no more", "register it again")
        number = policy_sources.add(link, repository.id, path, body.branch.removeprefix("refs/heads/"), call.service.now())
        call.service.queue.put(link, job_for(number, Priority.CALL))
        _note(call, link, "policy-source.added", number, {"repository": repository.name, "path": path})
        return _found(link, number)


@router.add("POST", "/policy-sources/{source}/read", _WRITE, status=202)
def read_policy_source(call: Call, source: int) -> SourceRow:
    """Read it now."""
    call.need(_WRITE, None)
    with call.service.database.write() as link:
        row = _found(link, source)
        call.service.queue.put(link, job_for(row.id, Priority.CALL))
    return row


@router.add("DELETE", "/policy-sources/{source}", _WRITE, status=204)
def end_policy_source(call: Call, source: int) -> Nothing:
    """Read it no more; what is in force stays."""
    call.need(_WRITE, None)
    with call.service.database.write() as link:
        row = _found(link, source)
        policy_sources.end(link, row.id, call.service.now())
        _note(call, link, "policy-source.ended", row.id, {"repository": row.repository_name, "path": row.path})
    return Nothing()


def _path(text: str) -> str:
    path = text.strip().strip("/")
    if len(path) > 500 or not path.isprintable() or any(part in ("", ".", "..") for part in path.split("/") if path):
        raise invalid(f"{text[:80]!r} is no path in a repository", "write it as policies or policies/base.yaml")
    return path


def _found(link: sa.Connection, number: int) -> SourceRow:
    row = policy_sources.get(link, number) if 0 < number < 1 << 63 else None
    if row is None or row.ended_at is not None:
        raise not_found("this source")
    return row


def _note(call: Call, link: sa.Connection, action: str, number: int, details: dict[str, str]) -> None:
    by = rights.by(call)
    done = trail.Action(call.service.now(), by.actor, action, "success", by.person, "policy-source", str(number), origin=by.origin,
                        details=details)  # fmt: skip
    trail.record(link, done)
