"""What happened, in order: rows that only grow until they are forgotten by age. Read by channels, digests and pages."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.store import bulk
from assaymark.store.tables import channel_message, repository, subject
from assaymark.store.tables import happening as table
from assaymark.store.texts import cut, plain

_LONGEST_TITLE = 500
_LONGEST_FACT = 500
_MOST_FACTS = 30


class HappeningRow(Struct, frozen=True):
    """One as it was written down, with the names that things had then."""

    id: int
    kind: HappeningKind
    at: Instant
    team: TeamId | None
    title: str
    path: str
    subject: SubjectId | None
    repository: RepositoryId | None
    subject_name: str
    repository_name: str
    severity: Severity | None
    actor: str
    data: dict[str, str]


_columns = tuple(table.c[name] for name in HappeningRow.__struct_fields__)


def write(link: sa.Connection, happening: Happening) -> HappeningRow:
    """Write it down within the caller's transaction; texts are cut to what rows hold."""
    subject_name, repository_number, repository_name = _names(link, happening)
    values = {
        "kind": happening.kind.value,
        "at": happening.at,
        "team": happening.team,
        "title": cut(happening.title, _LONGEST_TITLE),
        "path": plain(happening.path),
        "subject": happening.subject,
        "repository": repository_number,
        "subject_name": subject_name,
        "repository_name": repository_name,
        "severity": None if happening.severity is None else happening.severity.rank,
        "actor": cut(happening.actor, _LONGEST_FACT),
        "data": msgspec.json.encode(
            {plain(name): cut(value, _LONGEST_FACT) for name, value in list(happening.data.items())[:_MOST_FACTS]}, order="sorted"
        ).decode(),
    }
    return _row((link.execute(table.insert().returning(table.c.id), values).scalar_one(), *values.values()))


def _names(link: sa.Connection, happening: Happening) -> tuple[str, RepositoryId | None, str]:
    """Name of the subject, number and name of the repository: that of the subject where none is said."""
    name, number = "", happening.repository
    if happening.subject is not None:
        found = link.execute(sa.select(subject.c.name, subject.c.repository).where(subject.c.id == happening.subject)).first()
        if found is not None:
            name, number = found.name, number if number is not None else found.repository
    if number is None:
        return name, None, ""
    return name, number, link.execute(sa.select(repository.c.name).where(repository.c.id == number)).scalar() or ""


def get(link: sa.Connection, number: int) -> HappeningRow | None:
    """One."""
    row = link.execute(sa.select(*_columns).where(table.c.id == number)).first()
    return _row(row) if row else None


def newest(link: sa.Connection) -> int:
    """Number of the last one; 0 when there is none."""
    return int(link.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0)


def page(link: sa.Connection, teams: frozenset[TeamId] | None, *, before: int | None, limit: int) -> Sequence[HappeningRow]:
    """Newest first; only of these teams, unless None. Asked one team at a time, so that the index gives the order."""
    earlier = [] if before is None else [table.c.id < before]
    if teams is None:
        return [_row(row) for row in link.execute(sa.select(*_columns).where(*earlier).order_by(table.c.id.desc()).limit(limit))]
    found = [
        _row(row)
        for team in teams
        for row in link.execute(sa.select(*_columns).where(table.c.team == team, *earlier).order_by(table.c.id.desc()).limit(limit))
    ]
    return sorted(found, key=lambda each: -each.id)[:limit]


def since(link: sa.Connection, teams: frozenset[TeamId] | None, *, after: int, limit: int) -> Sequence[HappeningRow]:
    """What came after this one, newest first."""
    return [each for each in page(link, teams, before=None, limit=limit) if each.id > after]


def forget(link: sa.Connection, *, before: Instant, most: int) -> int:
    """Remove the oldest ones of before then, of which no message is kept; gives how many."""
    kept = sa.exists().where(channel_message.c.happening == table.c.id)
    old = sa.select(table.c.id).where(table.c.at < before, ~kept).order_by(table.c.at).limit(most)
    ids = list(link.execute(old).scalars())
    for portion in bulk.portions(ids):
        link.execute(table.delete().where(table.c.id.in_(list(portion))))
    return len(ids)


def _row(row: Sequence[object] | sa.Row[tuple[object, ...]]) -> HappeningRow:
    values = dict(zip(HappeningRow.__struct_fields__, row, strict=True))
    rank = values["severity"]
    values["kind"] = HappeningKind(str(values["kind"]))
    values["severity"] = None if rank is None else list(Severity)[int(str(rank))]
    values["data"] = msgspec.json.decode(str(values["data"]), type=dict[str, str])
    return HappeningRow(**values)  # type: ignore[arg-type]
