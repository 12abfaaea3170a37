"""Known-good components: the catalogue, one of them, a question about many, and the dry run.

Guarantees: how a component stands is derived when it is asked; the catalogue is for everybody who reads endorsements, because it is there
to be used again, and who uses or endorsed something is told only of the caller's teams.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, package_of, parse
from assaymark.checks.application.dependencies.matching.records import package_key
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.endorsement.components import WAIVER_RULE, ComponentKind, ComponentState, Known, Rules
from assaymark.model.access import Permission
from assaymark.model.assessment import Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Page, Router
from assaymark.server.problem import invalid, not_found
from assaymark.server.work import approved_trial
from assaymark.server.work.approved import RULES, Derivation, Entry, Wanted, rules_of
from assaymark.server.work.approved_trial import Trial
from assaymark.store import approved, approved_use, decisions, endorsements, setting_rows, trail
from assaymark.store.approved import ComponentRow, Place, Search
from assaymark.store.approved_use import Adoption, Scope, User
from assaymark.store.endorsements import EndorsementRow
from assaymark.store.trail import Action

router = Router("approved components")
_READ = Permission.ENDORSEMENTS_READ
MOST_ASKED = 1_000
"""Package URLs of one question."""
_MOST_WALKED = 2_000
"""Components that one page looks at for those of a state."""
_PORTION = 1_000
_PLACE = (str, str, str, int)
_MOST_DAYS = 3650


class ComponentSummary(Struct, frozen=True):
    """A component in the catalogue."""

    id: int
    kind: ComponentKind
    name: str
    """Package URL without version; of others where it is from."""
    version: str
    """Of others than packages their digest."""
    state: ComponentState
    why: tuple[ComponentState, ...]
    """Every rule in its way."""
    until: Instant | None
    """Until when it may be used, if nothing happens."""
    ends_soon: bool
    endorsement: int | None
    """The newest valid one, or the last that there was."""
    advisories: tuple[Known, ...]
    """That speak of it now."""
    waivers: tuple[int, ...]
    """Decisions that let it through."""
    instead: str
    """Version to take in its place."""
    adoption: Adoption


class ComponentDetail(Struct, frozen=True):
    """One component, as of an instant."""

    summary: ComponentSummary
    remark: str
    first_seen_at: Instant
    oldest_in_use: str
    newest_in_use: str
    users: tuple[User, ...]
    """The first 50."""
    endorsements: tuple[EndorsementRow, ...]
    """The last 20 that ever vouched for it and that the caller may see."""


@router.add("GET", "/approved", _READ)
def list_approved(  # noqa: PLR0913, PLR0917 - one per filter
    call: Call,
    kind: ComponentKind | None = None,
    name: Annotated[str, Meta(description="How its short name begins, or a package URL without version.", max_length=500)] = "",
    state: ComponentState | None = None,
    as_of: str = "",
    after: str | None = None,
    limit: int = 50,
) -> Page[ComponentSummary]:
    """Components that were endorsed ever, by name. With `state` a page may be short and still have a following one."""
    limit = rights.limited(limit)
    now = moment(call, as_of) or call.service.now()
    start = _place(after) if after else None
    asked = _search(kind, name, state, now)
    with call.service.database.read() as link:
        derivation = Derivation(call.service, link, now)
        found, last = _walk(link, derivation, asked, state, start, limit)
        named = [entry.row.name if entry.row else "" for entry in found]
        shown = derivation.with_instead(found, named)
        rows = tuple(_summary(call, link, entry, now, at=now if as_of else None) for entry in shown)
    return Page(rows, next=None if last is None else cursor.encode((last[0], last[1], last[2].hex(), last[3])))


def _place(after: str) -> Place:
    called, name, key, number = cursor.decode(after, _PLACE)
    try:
        return called, name, bytes.fromhex(key), number
    except ValueError as error:
        raise invalid("`after` is not what a page gave", "leave it out to begin anew") from error


def _search(kind: ComponentKind | None, name: str, state: ComponentState | None, now: Instant) -> Search:
    ends_after = now if state is ComponentState.APPROVED else None
    called = name
    if name.startswith("pkg:"):
        try:
            found = _wanted(name, version_needed=False).package
        except PurlInvalid as error:
            raise invalid(
                f"{name[:200]!r} is no package URL: {error}", "write it as pkg:npm/left-pad, or how a short name begins"
            ) from error
        return Search(kind, name=package_key(found.ecosystem, found.name), ends_after=ends_after)
    return Search(kind, called.strip(), ends_after=ends_after)


def _walk(  # noqa: PLR0913, PLR0917 - where from, what for, how much
    link: sa.Connection, derivation: Derivation, asked: Search, state: ComponentState | None, start: Place | None, limit: int
) -> tuple[list[Entry], Place | None]:
    """Entries of a page, and where it ended when there is more."""
    found: list[Entry] = []
    walked = 0
    while walked < _MOST_WALKED:
        size = limit + 1 if state is None else _PORTION
        rows = approved.page(link, asked, start, size)
        for entry in derivation.of_rows(rows[:limit] if state is None else rows):
            if state in (None, entry.standing.state):
                found.append(entry)
                if len(found) == limit and entry.row is not None and (state is not None or len(rows) > limit):
                    return found, entry.row.place
        walked += len(rows)
        if len(rows) < size or state is None:
            return found, None
        start = rows[-1].place
    return found, start


def _summary(call: Call, link: sa.Connection, entry: Entry, now: Instant, *, at: Instant | None) -> ComponentSummary:
    row, standing = entry.row, entry.standing
    assert row is not None  # noqa: S101 - it is of the catalogue
    return ComponentSummary(
        id=row.id, kind=row.kind, name=entry.url, version=row.version, state=standing.state, why=standing.why, until=standing.until,
        ends_soon=standing.ends_soon(now), endorsement=standing.by.endorsement if standing.by else None, advisories=entry.advisories,
        waivers=standing.waivers, instead=entry.instead,
        adoption=approved_use.adoption(link, row, call.who.teams_with(Permission.SUBJECTS_READ), at),
    )  # fmt: skip


@router.add("GET", "/approved/{component}", _READ)
def get_approved(call: Call, component: int, as_of: str = "") -> ComponentDetail:
    """One component: how it stood at an instant, what vouched for it until then, who used it."""
    now = moment(call, as_of) or call.service.now()
    at = now if as_of else None
    with call.service.database.read() as link:
        row = visible(link, component, now)
        derivation = Derivation(call.service, link, now)
        (entry,) = derivation.with_instead(derivation.of_rows([row]), [row.name])
        readable, subjects = call.who.teams_with(_READ), call.who.teams_with(Permission.SUBJECTS_READ)
        history = [endorsements.one(link, each.vouching.endorsement, now) for each in approved.history(link, row.id, now, None, 20)]
        oldest, newest = approved_use.span_in_use(link, row, subjects)
        return ComponentDetail(
            _summary(call, link, entry, now, at=at), row.remark, row.first_at, oldest, newest,
            tuple(approved_use.users(link, row, Scope(subjects, at))),
            tuple(each for each in history if each is not None and (readable is None or each.team in readable)),
        )  # fmt: skip


def visible(link: sa.Connection, number: int, now: Instant) -> ComponentRow:
    """The component.

    Raises:
        ApiError: 404 when there is none, or was none then.
    """
    row = approved.one(link, number)
    if row is None or row.first_at > now:
        raise not_found(f"component {number}")
    return row


@router.add("GET", "/approved/{component}/users", Permission.SUBJECTS_READ)
def list_approved_users(call: Call, component: int, as_of: str = "", after: str | None = None, limit: int = 50) -> Page[User]:
    """Subjects that use it, now or then."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    at = moment(call, as_of)
    with call.service.database.read() as link:
        row = visible(link, component, at or call.service.now())
        rows = approved_use.users(link, row, Scope(call.who.teams_with(Permission.SUBJECTS_READ), at, start, limit + 1))
    following = cursor.encode((rows[limit - 1].subject,)) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), next=following)


# --- many at once ----------------------------------------------------------------------------------------------------


class AskedComponent(Struct, frozen=True, forbid_unknown_fields=True):
    """A package in a version."""

    purl: Annotated[str, Meta(min_length=5, max_length=2000)]
    """With its version."""
    released: dt.datetime | None = None
    """When it came out, where you know it: a proxy does."""


class Question(Struct, frozen=True, forbid_unknown_fields=True):
    """Which packages, and for whom."""

    components: Annotated[tuple[AskedComponent, ...], Meta(min_length=1, max_length=MOST_ASKED)]
    subject: int | None = None
    """Counts waivers of this subject, its repository and its team as well."""
    instead: bool = True
    """Look for what to take in the place of what may not be used; without it, the answer takes half the time."""


class Answered(Struct, frozen=True):
    """How one of them stands."""

    purl: str
    approved: bool
    """It may be used."""
    state: ComponentState
    why: tuple[ComponentState, ...] = ()
    instead: str = ""
    """Version to take in its place; looked for in the first 100 packages that may not be used."""
    until: Instant | None = None
    advisories: tuple[str, ...] = ()
    problem: str = ""
    """Why the package URL says nothing here."""


class Answers(Struct, frozen=True):
    """In the order of the question."""

    approved: bool
    """All of them may be used."""
    refused: int
    components: tuple[Answered, ...]


@router.add("POST", "/approved/check", _READ)
def check_approved(call: Call, body: Question) -> Answers:
    """Are these packages approved? At most 1,000 at once, for package managers' proxies and pipelines; nothing is changed or kept."""
    read = [_read(each) for each in body.components]
    with call.service.database.read() as link:
        about = None
        if body.subject is not None:
            about = decisions.about_subject(link, body.subject)  # type: ignore[arg-type]
            if about is None or not call.who.may(Permission.SUBJECTS_READ, about.team):
                raise not_found(f"subject {body.subject}")
        derivation = Derivation(call.service, link, call.service.now(), about)
        wanted = [each for each in read if isinstance(each, Wanted)]
        entries = iter(derivation.of_packages(wanted, with_instead=body.instead))
    rows = tuple(
        _answered(each.purl, next(entries)) if isinstance(found, Wanted)
        else Answered(each.purl, approved=False, state=ComponentState.NOT_ENDORSED, why=(ComponentState.NOT_ENDORSED,), problem=found)
        for each, found in zip(body.components, read, strict=True)
    )  # fmt: skip
    refused = sum(not each.approved for each in rows)
    return Answers(not refused, refused, rows)


def _read(asked: AskedComponent) -> Wanted | str:
    released = None if asked.released is None else asked.released if asked.released.tzinfo else asked.released.replace(tzinfo=dt.UTC)
    try:
        return _wanted(asked.purl, None if released is None else Instant(int(released.timestamp() * 1_000_000)))
    except PurlInvalid as error:
        return str(error)


def _wanted(text: str, released: Instant | None = None, *, version_needed: bool = True) -> Wanted:
    purl = parse(text)
    found = package_of(purl)
    if found is None:
        raise PurlInvalid(f"packages of type {purl.type} are not looked after here")
    if version_needed and not found.version:
        raise PurlInvalid("it names no version")
    release = dict(purl.qualifiers).get("distro", "").rpartition("-")[2]
    return Wanted(found, f"v{release}" if release and found.ecosystem is Ecosystem.ALPINE else release, released)


def _answered(purl: str, entry: Entry) -> Answered:
    standing = entry.standing
    return Answered(
        purl, standing.may_be_used, standing.state, standing.why, entry.instead, standing.until, tuple(each.id for each in entry.advisories)
    )


# --- before it is enforced -------------------------------------------------------------------------------------------


@router.add("GET", "/approved/dry-run", _READ)
def try_approved(
    call: Call, changes: Annotated[int, Meta(description="How many of the last changes are looked at, at most 500.")] = 200
) -> Trial:
    """What would be refused if only approved components were allowed: per team, and of the last changes."""
    if not 1 <= changes <= approved_trial.MOST_CHANGES:
        raise invalid(f"`changes` is a number from 1 to {approved_trial.MOST_CHANGES}")
    with call.service.database.read() as link:
        return approved_trial.trial(call.service, link, call.who.teams_with(_READ), changes)


@router.add("GET", "/approved/rules", _READ)
def get_approved_rules(call: Call) -> Rules:
    """What is asked beside an endorsement: an age, an origin, the weight of an advisory that takes the approval away."""
    with call.service.database.read() as link:
        return rules_of(link)


@router.add("PUT", "/approved/rules", Permission.POLICIES_WRITE)
def set_approved_rules(call: Call, body: Rules) -> Rules:
    """Say what is asked beside an endorsement, of everybody."""
    call.need(Permission.POLICIES_WRITE, None)
    if not 0 <= body.min_age_days <= _MOST_DAYS:
        raise invalid(f"`min_age_days` is a number from 0 to {_MOST_DAYS}")
    if len(body.origins) > 200 or not all(each.startswith("pkg:") and len(each) <= 500 and each.isprintable() for each in body.origins):
        raise invalid("`origins` are at most 200 package URLs, each exact or ending in `*`", "e.g. pkg:npm/@acme/*")
    details = {
        "min_age_days": str(body.min_age_days),
        "origins": ", ".join(body.origins)[:1000],
        "blocks_at": str(body.blocks_at or "none"),
    }
    by, at = rights.by(call), call.service.now()
    with call.service.database.write() as link:
        setting_rows.put(link, RULES, body, at)
        trail.record(
            link, Action(at, by.actor, "approved.rules-changed", "success", by.person, "approved", "", origin=by.origin, details=details)
        )
    return body


def waiver_rule(state: ComponentState) -> str:
    """As the scope of a waiver names it."""
    return WAIVER_RULE + state.value
