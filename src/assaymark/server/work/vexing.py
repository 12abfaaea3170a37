"""VEX in: statements of a document become decisions; VEX out: what stands open in a subject or repository, with what was decided.

Guarantees: a document is taken in portions, each one transaction, and what it says is decided once, however often it is sent; a later
statement that something is affected takes the earlier one back. A statement lasts a year from its own date: what is older is said and not
decided. Bounded: so many statements of a document, so many rows of an answer.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import PolicyInvalid, UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.access import TeamId
from assaymark.model.component_notes import ALIASES, VERSION
from assaymark.model.decision import LONGEST_REASON, MOST_DAYS, DecisionKind, Justification, Scope
from assaymark.model.finding import Core, Kind
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work.deciding import Deciding
from assaymark.store import bulk, decisions
from assaymark.store.decisions import Draft
from assaymark.store.narrowing import Teams, standing
from assaymark.store.recording import Detail
from assaymark.store.tables import finding, occurrence, subject
from assaymark.verdict.cyclonedx_vex import parse_cyclonedx_vex
from assaymark.verdict.vex import LETS_THROUGH, Statement, Status, parse_vex
from assaymark.views.vex import Known, Row

MOST_STATEMENTS = 10_000
MOST_ROWS = 20_000
SOURCE = "vex"
_PORTION = 200
_MOST_NOTES = 50


class Place(Struct, frozen=True):
    """Where a document holds: the scope without what it is about."""

    scope: Scope
    team: TeamId | None


class Taken(Struct, frozen=True):
    """What came of a document."""

    made: int
    """Decisions."""
    already: int
    """Statements that were taken before."""
    withdrawn: int
    """Decisions that it takes back."""
    undecided: int
    """Statements that decide nothing: affected, under investigation, too old, or about nothing that is named by a package URL."""
    changed: int
    """Occurrences that are let through, or not any more."""
    notes: tuple[str, ...]
    """Why not, of the first 50."""


def read(data: bytes) -> tuple[Statement, ...]:
    """The statements of an OpenVEX or CycloneDX document.

    Raises:
        UsageError: when it is neither.
    """
    try:
        head = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except UNDECODABLE as error:
        raise UsageError("the document is no JSON object", why=str(error)[:300], advice="send OpenVEX or CycloneDX as JSON") from error
    try:
        found = parse_cyclonedx_vex(data, "the document") if "bomFormat" in head else parse_vex(data, "the document")
    except PolicyInvalid as error:
        raise UsageError(error.what, why=error.why, advice="send OpenVEX or CycloneDX as JSON") from error
    if sum(len(each.products) for each in found) > MOST_STATEMENTS:
        raise UsageError("the document says too much at once", why=f"more than {MOST_STATEMENTS} statements", advice="send it in parts")
    return found


def take(service: Service, statements: Sequence[Statement], place: Place, by: By) -> Taken:
    """Decide what they say."""
    tally = _Tally()
    today = decisions.day_of(service.now())
    pairs = [(each, product) for each in sorted(statements, key=lambda one: one.at) for product in each.products]
    for each in statements:
        if not each.products:
            tally.note(f"{each.vulnerabilities[0]}: no component is named by a package URL")
    for portion in bulk.portions(pairs, _PORTION):
        with service.database.write() as link:
            doing = Deciding(service, link)
            for statement, product in portion:
                _one(doing, link, _Said(statement, product, place, by, today), tally)
            tally.changed += doing.finish()
    return Taken(tally.made, tally.already, tally.withdrawn, tally.undecided, tally.changed, tuple(tally.notes[:_MOST_NOTES]))


class _Tally(Struct):
    made: int = 0
    already: int = 0
    withdrawn: int = 0
    undecided: int = 0
    changed: int = 0
    notes: list[str] = msgspec.field(default_factory=list)

    def note(self, why: str) -> None:
        self.undecided += 1
        if len(self.notes) < _MOST_NOTES:
            self.notes.append(why[:300])


class _Said(Struct, frozen=True):
    statement: Statement
    product: tuple[str, str]
    place: Place
    by: By
    today: dt.date

    @property
    def scope(self) -> Scope:
        package, version = self.product
        return msgspec.structs.replace(self.place.scope, package=package, version=version, advisory=self.statement.vulnerabilities[0])

    @property
    def origin(self) -> str:
        text = msgspec.json.encode([decisions.encoded(self.scope), self.statement])
        return f"{SOURCE}:{hashlib.sha256(text).hexdigest()}"


def _one(doing: Deciding, link: sa.Connection, said: _Said, tally: _Tally) -> None:
    statement = said.statement
    name = f"{statement.vulnerabilities[0]} in {said.product[0]}"
    until = min(statement.at + dt.timedelta(days=MOST_DAYS), said.today + dt.timedelta(days=MOST_DAYS))
    if statement.status not in LETS_THROUGH:
        for number in decisions.of_source(link, SOURCE, said.scope, doing.at):
            doing.withdraw(number, said.by, f"a later statement says {statement.status}: {statement.said}")
            tally.withdrawn += 1
        tally.note(f"{name}: {statement.status} decides nothing")
    elif until < said.today:
        tally.note(f"{name}: the statement of {statement.at} is older than {MOST_DAYS} days: look again and renew its timestamp")
    elif statement.at > said.today:
        tally.note(f"{name}: the statement's date {statement.at} is to come")
    else:
        try:
            made = doing.make(_draft(said, until), said.by)
        except UsageError as error:
            tally.note(f"{name}: {error.what}")
            return
        tally.made += made is not None
        tally.already += made is None


def _draft(said: _Said, until: dt.date) -> Draft:
    statement = said.statement
    word = next((each for each in Justification if statement.said.startswith(each.value)), None)
    is_fixed = statement.status is Status.FIXED
    kind = DecisionKind.FIXED if is_fixed else DecisionKind.NOT_AFFECTED if word else DecisionKind.FALSE_POSITIVE
    reason = statement.said.removeprefix(word.value).strip() if word else statement.said
    return Draft(
        kind=kind, scope=said.scope, reason=(reason or statement.said or statement.status.value)[:LONGEST_REASON],
        owner=(statement.author.strip() or said.by.actor)[:200], until=until, by=decisions.By(said.by.actor, said.by.person),
        team=said.place.team, justification=None if is_fixed else word, source=SOURCE, origin=said.origin,
    )  # fmt: skip


# --- out -------------------------------------------------------------------------------------------------------------


def known(link: sa.Connection, teams: Teams, where: sa.ColumnElement[bool], at: int | None) -> list[Row]:
    """What stands open of components in these subjects, with what was decided.

    Raises:
        UsageError: when that is more than one document holds.
    """
    o = occurrence.c
    mine = [] if teams is None else [o.team.in_(sorted(teams))]
    query = sa.select(finding.c.core, o.detail, o.decision, o.own).join(finding, finding.c.id == o.finding)
    query = query.join(subject, subject.c.id == o.subject)
    query = query.where(where, o.kind == Kind.COMPONENT.value, *standing(occurrence, at), *mine).limit(MOST_ROWS + 1)
    rows = link.execute(query).all()
    if len(rows) > MOST_ROWS:
        raise UsageError(f"there are more than {MOST_ROWS} vulnerable components", advice="ask for one subject at a time")
    given = decisions.of_ids(link, [row.decision for row in rows if row.decision is not None])
    return [(_known(row.core, row.detail, own=bool(row.own)), given.get(row.decision)) for row in rows]


def _known(core: str, detail: str, *, own: bool) -> Known:
    parts = msgspec.json.decode(core, type=Core).parts
    said = msgspec.json.decode(detail, type=Detail)
    notes = dict(said.notes)
    return Known(
        advisory=parts[1], package=parts[0], aliases=tuple(_words(notes.get(ALIASES, ""))), versions=tuple(_words(notes.get(VERSION, ""))),
        own=said.waiver if own else "",
    )  # fmt: skip


def _words(text: str) -> Iterator[str]:
    return (word for word in text.split(", ") if word)
