"""Subjects: what is looked after, in which state, with how many findings open."""

from __future__ import annotations

from msgspec import Struct

from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.trigger import SubjectKind
from assaymark.model.verdict import Outcome
from assaymark.server.api import cursor
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import not_found
from assaymark.store import subjects
from assaymark.store.narrowing import MOST_COUNTED
from assaymark.store.subjects import Filter, Key, Order, Part, Point, Posture, SubjectRow

router = Router("subjects")


class SubjectPage(Struct, frozen=True):
    """A subject with what its page shows."""

    subject: SubjectRow
    repository_name: str
    details: dict[str, str]
    """Further facts, as the trigger told them."""
    posture: Posture


@router.add("GET", "/subjects", Permission.SUBJECTS_READ)
def list_subjects(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    kind: tuple[SubjectKind, ...] = (),
    team: int | None = None,
    repository: int | None = None,
    state: Outcome | None = None,
    name: str = "",
    with_ended: bool = False,
    order: Order = Order.NAME,
    as_of: str = "",
    count: bool = False,
    after: str | None = None,
    limit: int = 50,
) -> Page[SubjectRow]:
    """Subjects, by name; `order` can also be by last verdict or by the worst findings. As of an instant the order is by name.

    `count` asks for `at_least`, counted up to 1000.
    """
    asked = Filter(
        kinds=tuple(each.value for each in kind),
        team=None if team is None else TeamId(team),
        repository=None if repository is None else RepositoryId(repository),
        state=state.value if state else "",
        name=name,
        with_ended=with_ended,
        at=moment(call, as_of),
    )
    order = order if asked.at is None else Order.NAME
    start = Key(cursor.decode(after, subjects.KEYS[order])) if after else None
    teams = call.who.teams_with(Permission.SUBJECTS_READ)
    with call.service.database.read() as connection:
        rows, end = subjects.page(connection, teams, asked, Part(order, start, limit))
        total = subjects.count(connection, teams, asked, MOST_COUNTED) if count else None
    return Page(tuple(rows), next=cursor.encode(end.values) if end else None, at_least=total)


@router.add("GET", "/subjects/{subject}", Permission.SUBJECTS_READ)
def get_subject(call: Call, subject: int, as_of: str = "") -> SubjectPage:
    """A subject, its last verdict and what stands open in it."""
    at = moment(call, as_of)
    with call.service.database.read() as connection:
        row = subjects.one(connection, subject, at)
        if row is None or not call.who.may(Permission.SUBJECTS_READ, row.team):
            raise not_found(f"subject {subject}")
        return SubjectPage(
            subject=row,
            repository_name=subjects.repository_of(connection, row),
            details=subjects.details_of(connection, subject),
            posture=subjects.posture_of(connection, row.id, at),
        )


@router.add("GET", "/subjects/{subject}/posture", Permission.SUBJECTS_READ)
def list_posture(call: Call, subject: int, as_of: str = "", after: str | None = None, limit: int = 100) -> Page[Point]:
    """How the number of open findings went, newest first: one entry per change of it."""
    at = moment(call, as_of)
    start = cursor.decode(after, (int, int)) if after else None
    with call.service.database.read() as connection:
        row = subjects.one(connection, subject, at)
        if row is None or not call.who.may(Permission.SUBJECTS_READ, row.team):
            raise not_found(f"subject {subject}")
        points, end = subjects.series(connection, SubjectId(subject), at=at, after=start, limit=limit)
    return Page(tuple(points), next=cursor.encode(end) if end else None)


class Sum(Struct, frozen=True):
    """What stands open in all subjects that a list holds."""

    as_of: Instant
    open: Posture


@router.add("GET", "/posture", Permission.SUBJECTS_READ)
def get_posture(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    kind: tuple[SubjectKind, ...] = (),
    team: int | None = None,
    repository: int | None = None,
    name: str = "",
    as_of: str = "",
) -> Sum:
    """How many findings stand open in all, or in those subjects that the filters leave: exact, now or as of an instant."""
    asked = Filter(
        kinds=tuple(each.value for each in kind),
        team=None if team is None else TeamId(team),
        repository=None if repository is None else RepositoryId(repository),
        name=name,
        at=moment(call, as_of),
    )
    with call.service.database.read() as connection:
        summed = subjects.summed(connection, call.who.teams_with(Permission.SUBJECTS_READ), asked)
    return Sum(call.service.now() if asked.at is None else asked.at, summed)
