"""Items, written: found for what is recorded, and kept up with what stands open, in the transaction that changes it.

Guarantees
* an item is open while anything that counts stands open in it; each change of its numbers, severity, team or owner ends one row of
  `item_span` and begins the next, so that "as of" answers the same whenever it is asked;
* what is written costs as much as what changed: sums per subject are kept, and only those of the subject at hand are counted anew;
* of two transactions that change one item at the same time, the later one sees the sums of the earlier.

What counts: what stands in a default branch (in any, while it is not known which that is), an image, a running thing; not what a merge
request brings, which is told there, nor what stands in tags and releases, which nobody can repair, nor what somebody decided to let
through, nor gaps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.model.cause import Base, Cause, Home, cause_of, is_gap
from assaymark.model.finding import Finding
from assaymark.model.trigger import SubjectKind
from assaymark.store import bulk
from assaymark.store.tables import finding, image_base, item, item_span, item_subject, occurrence, repository
from assaymark.store.tables import subject as subjects
from assaymark.store.texts import cut, plain

_LONGEST = 1_000
_NEVER = frozenset({SubjectKind.MERGE_REQUEST, SubjectKind.TAG, SubjectKind.RELEASE})
_ITEM_COLUMNS = ("key", "cause", "title", "kind", "layer", "rule_class", "advice", "team", "repository", "created_at")
_SPAN_COLUMNS = (
    "item", "team", "person", "owner", "owner_source", "cause", "kind", "layer", "severity", "findings", "subjects", "opened_at", "since",
)  # fmt: skip
_MOVES = ("team", "person", "owner", "owner_source", "severity", "findings", "subjects")


class _Sum(Struct, frozen=True):
    """What stands open."""

    findings: int
    subjects: int
    severity: int


# --- which item ------------------------------------------------------------------------------------------------------


def identify(connection: sa.Connection, subject: Mapping[str, Any], found: Sequence[Finding], at: Instant) -> dict[int, int]:
    """The item of each finding, by its position; nothing for gaps and for subjects whose findings are nobody's to repair there."""
    if subject["kind"] in _NEVER:
        return {}
    home = home_of(connection, subject)
    causes = {position: (cause_of(finding, home), finding) for position, finding in enumerate(found) if not is_gap(finding)}
    ids = _known(connection, subject, dict(causes.values()), at)
    return {position: ids[cause.key] for position, (cause, _) in causes.items()}


def home_of(connection: sa.Connection, subject: Mapping[str, Any]) -> Home:
    """Where a subject's findings stand."""
    within = f"subject:{subject['id']}" if subject["repository"] is None else f"repository:{subject['repository']}"
    base = _base(connection, subject["id"]) if subject["kind"] == SubjectKind.IMAGE else None
    return Home(within, _team_scope(subject["team"]), subject["name"], base)


def _team_scope(team: int | None) -> str:
    return f"team:{team or ''}"


def _base(connection: sa.Connection, subject: int) -> Base | None:
    row = connection.execute(sa.select(image_base).where(image_base.c.subject == subject)).first()
    if row is None or not row.base:
        return None
    return Base(row.base, row.name, frozenset(msgspec.json.decode(row.inherited, type=list[str])))


def _known(connection: sa.Connection, subject: Mapping[str, Any], causes: Mapping[Cause, Finding], at: Instant) -> dict[str, int]:
    """Ids by key; those that nobody saw before are added."""
    wanted = {cause.key: (cause, finding) for cause, finding in causes.items()}
    ids: dict[str, int] = {}
    for portion in bulk.portions(sorted(wanted)):
        ids |= _ids(connection, portion)
        fresh = [_item_row(subject, *wanted[key], at) for key in portion if key not in ids]
        if fresh:
            bulk.add_unless_there(connection, item, _ITEM_COLUMNS, fresh)
            ids |= _ids(connection, [row[0] for row in fresh])
    return ids


def _ids(connection: sa.Connection, keys: Iterable[str]) -> dict[str, int]:
    asked = sa.select(item.c.key, item.c.id).where(bulk.among(connection, item.c.key, keys))
    return {row[0]: row[1] for row in connection.execute(asked)}


def _item_row(subject: Mapping[str, Any], cause: Cause, finding: Finding, at: Instant) -> tuple[Any, ...]:
    return (
        cause.key, cause.kind.value, plain(cause.title), finding.core.kind.value, finding.layer.value, plain(finding.core.rule_class),
        cut(finding.fix.advice, _LONGEST) if finding.fix else "", subject["team"], subject["repository"], at,
    )  # fmt: skip


def relink(connection: sa.Connection, number: int, found: Sequence[Finding], at: Instant) -> None:
    """After a subject's causes changed, as an image got another base: what stands in it goes on in rows of the items it is of now."""
    c = occurrence.c
    subject = next((row._asdict() for row in connection.execute(sa.select(subjects).where(subjects.c.id == number))), None)
    if subject is None:
        return
    mine = identify(connection, subject, found, at)
    wanted = {(found[position].fingerprint, plain(found[position].place.path)): of for position, of in mine.items()}
    asked = sa.select(occurrence, finding.c.fingerprint).join(finding, finding.c.id == c.finding)
    rows = connection.execute(asked.where(c.subject == number, c.closed_at.is_(None))).all()
    moved = [row for row in rows if wanted.get((row.fingerprint, row.path), row.item) != row.item]
    names = [column.name for column in occurrence.c if column.name not in {"id", "closed_at", "closed_by", "continued"}]
    bulk.change_all(connection, occurrence, (row.id for row in moved), {"closed_at": at, "continued": 1})
    again = (row._asdict() | {"item": wanted[row.fingerprint, row.path], "opened_at": at, "opened_by": None} for row in moved)
    bulk.add(connection, occurrence, names, (tuple(values[name] for name in names) for values in again))
    settle(connection, number, at)


# --- how it stands ---------------------------------------------------------------------------------------------------


def settle(connection: sa.Connection, subject: int, at: Instant) -> None:
    """After occurrences of a subject opened or closed: bring sums and items up with them."""
    row = connection.execute(_about(subject)).first()
    if row is None:
        return
    now = _standing(connection, subject) if _counts(row) else {}
    s = item_subject.c
    noted = {
        each.item: (each.findings, each.severity)
        for each in connection.execute(sa.select(s.item, s.findings, s.severity).where(s.subject == subject))
    }
    changed = sorted(number for number in now.keys() | noted.keys() if now.get(number) != noted.get(number))
    if not changed:
        return
    for portion in bulk.portions(changed):
        connection.execute(item_subject.delete().where(s.subject == subject, bulk.among(connection, s.item, portion)))
    sums = ((number, subject, *now[number]) for number in changed if number in now)
    bulk.add(connection, item_subject, ("item", "subject", "findings", "severity"), sums)
    renew(connection, changed, at, team=(row.team,) if row.repository is not None else None)


def settle_repository(connection: sa.Connection, repository: int, at: Instant) -> None:
    """After another branch of it became the default one, which is the one that counts."""
    asked = sa.select(subjects.c.id).where(subjects.c.repository == repository, subjects.c.kind == SubjectKind.BRANCH)
    for number in connection.execute(asked.order_by(subjects.c.id)).scalars().all():
        settle(connection, number, at)


def _about(subject: int) -> sa.Select[Any]:
    columns = (subjects.c.kind, subjects.c.ref, subjects.c.team, subjects.c.repository, repository.c.default_branch)
    return sa.select(*columns).join(repository, repository.c.id == subjects.c.repository, isouter=True).where(subjects.c.id == subject)


def _counts(row: sa.Row[Any]) -> bool:
    """Whether what stands in a subject is somebody's to repair there."""
    if row.kind in _NEVER:
        return False
    default = row.default_branch or ""
    return row.kind != SubjectKind.BRANCH or not default or row.ref in {default, f"refs/heads/{default}"}


def _standing(connection: sa.Connection, subject: int) -> dict[int, tuple[int, int]]:
    """Item -> (findings, worst severity)."""
    c = occurrence.c
    # As literals, which the index of what counts asks for.
    where = (c.subject == subject, c.closed_at.is_(None), c.waived == sa.literal_column("0"), c.item.is_not(None))
    asked = sa.select(c.item, sa.func.count(), sa.func.max(c.severity)).where(*where).group_by(c.item)
    return {row[0]: (row[1], row[2]) for row in connection.execute(asked)}


def renew(connection: sa.Connection, items: Iterable[int], at: Instant, *, team: tuple[TeamId | None] | None = None) -> None:
    """Bring the rows of these items up with their sums and owners; those of one repository alone follow its team."""
    for portion in bulk.portions(sorted(set(items))):
        rows = _locked(connection, portion)
        if team is not None:
            rows = _moved(connection, rows, team[0])
        sums = _sums(connection, portion)
        spans = {row.item: row for row in connection.execute(_open_spans(connection, portion))}
        _write(connection, [_Case(row, sums.get(row.id), spans.get(row.id)) for row in rows], at)


class _Case(Struct, frozen=True):
    """An item, what stands open of it, and its open row."""

    item: Any
    sum: _Sum | None
    span: Any

    @property
    def values(self) -> dict[str, Any]:
        row, total = self.item, self.sum
        assert total is not None  # noqa: S101 - the caller asked
        owned = {"team": row.team, "person": row.person, "owner": row.owner, "owner_source": row.owner_source}
        return owned | {"severity": total.severity, "findings": total.findings, "subjects": total.subjects}

    @property
    def differs(self) -> bool:
        return self.span is None or any(getattr(self.span, name) != value for name, value in self.values.items())


def _locked(connection: sa.Connection, numbers: Sequence[int]) -> list[Any]:
    return list(connection.execute(sa.select(item).where(bulk.among(connection, item.c.id, numbers)).order_by(item.c.id).with_for_update()))


def _moved(connection: sa.Connection, rows: list[Any], team: TeamId | None) -> list[Any]:
    wrong = [row.id for row in rows if row.team != team and not row.key.startswith("team:")]
    if not wrong:
        return rows
    bulk.change_all(connection, item, wrong, {"team": team})
    return _locked(connection, [row.id for row in rows])


def _sums(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, _Sum]:
    s = item_subject.c
    asked = sa.select(s.item, sa.func.sum(s.findings), sa.func.count(), sa.func.max(s.severity))
    asked = asked.where(bulk.among(connection, s.item, numbers)).group_by(s.item)
    return {row[0]: _Sum(int(row[1]), row[2], row[3]) for row in connection.execute(asked)}


def _open_spans(connection: sa.Connection, numbers: Sequence[int]) -> sa.Select[Any]:
    return sa.select(item_span).where(bulk.among(connection, item_span.c.item, numbers), item_span.c.closed_at.is_(None))


def _write(connection: sa.Connection, cases: Iterable[_Case], at: Instant) -> None:
    gone: list[int] = []
    going_on: list[int] = []
    added: list[tuple[Any, ...]] = []
    told: list[int] = []
    for case in cases:
        if case.sum is None:
            gone += [case.span.id] if case.span is not None else []
            told += [case.item.id] if case.span is not None else []
        elif case.differs:
            going_on += [case.span.id] if case.span is not None else []
            since = at if case.span is None else case.span.since
            row = case.item
            values = case.values | {
                "item": row.id,
                "cause": row.cause,
                "kind": row.kind,
                "layer": row.layer,
                "opened_at": at,
                "since": since,
            }
            added.append(tuple(values[name] for name in _SPAN_COLUMNS))
            told.append(row.id)
    bulk.change_all(connection, item_span, gone, {"closed_at": at})
    bulk.change_all(connection, item_span, going_on, {"closed_at": at, "continued": 1})
    bulk.add(connection, item_span, _SPAN_COLUMNS, added)
    bulk.change_all(connection, item, told, {"untold": 1})


# --- whose it is -----------------------------------------------------------------------------------------------------


class Owner(Struct, frozen=True):
    """Who repairs it."""

    source: str
    """``hand``, ``codeowners``, ``blame`` or ``team``."""
    name: str = ""
    """As people call him or them; empty for the item's team."""
    person: int | None = None


def own(connection: sa.Connection, number: int, owner: Owner, at: Instant, *, basis: str | None = None) -> None:
    """Give an item to somebody; what was given by hand is only given away by hand, by who calls with that source."""
    values: dict[str, Any] = {"owner": plain(owner.name), "owner_source": owner.source, "person": owner.person}
    values |= {} if basis is None else {"basis": basis}
    free = sa.true() if owner.source == "hand" or basis is None else item.c.owner_source != "hand"
    if connection.execute(item.update().where(item.c.id == number, free).values(values)).rowcount:
        renew(connection, [number], at)


def hand_over(connection: sa.Connection, given: Sequence[int], team: TeamId | None, at: Instant) -> None:
    """After subjects were given to another team: what is shared within a team is another item there."""
    c = occurrence.c
    for subject in given:
        asked = sa.select(item).where(item.c.id.in_(sa.select(c.item).where(c.subject == subject, c.closed_at.is_(None))))
        for row in connection.execute(asked.where(item.c.key.startswith("team:"))).all():
            key = f"{_team_scope(team)}:{row.key.split(':', 2)[2]}"
            values = {name: getattr(row, name) for name in _ITEM_COLUMNS} | {"key": key, "team": team}
            bulk.add_unless_there(connection, item, _ITEM_COLUMNS, [tuple(values[name] for name in _ITEM_COLUMNS)])
            other = _ids(connection, [key])[key]
            connection.execute(occurrence.update().where(c.subject == subject, c.item == row.id, c.closed_at.is_(None)).values(item=other))
        settle(connection, subject, at)
        mine = sa.select(item_subject.c.item).where(item_subject.c.subject == subject)
        renew(connection, list(connection.execute(mine).scalars()), at, team=(team,))
