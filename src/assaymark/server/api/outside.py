"""Reports from anyone, inside or outside, by a link of a team: no account, no mail, no attachment.

Guarantees: a link is 256 random bits and can be revoked; what comes by it is bounded in size and in number, per address, per link and for
the whole server; whoever reports gets another such link, which is all by which he can see what became of it and answer. He is not told who
of the team writes, nor anything of the finding; his address is neither kept with the report nor in the trail.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server.api.limits import network_of
from assaymark.server.api.route import Call, Router
from assaymark.server.people import credential
from assaymark.server.people.session import origin
from assaymark.server.problem import ApiError, conflict, invalid, not_found
from assaymark.server.work.publish import publish
from assaymark.store import attempts, findings, reports, teams, trail
from assaymark.store.attempts import Limit
from assaymark.store.findings import Filter, Standing
from assaymark.store.reports import LinkRow, Report, ReportRow, ReportState, Step
from assaymark.store.texts import cut
from assaymark.store.trail import Action

router = Router("reports")
_MOST_BYTES = 64 << 10
HOUR = 3600 * SECOND
PER_ADDRESS, PER_LINK, IN_ALL = 6, 60, 600
"""Reports within an hour."""
ANSWERS = 20
"""Messages to one report within an hour."""
LONGEST = {"what": 200, "place": 500, "steps": 10_000, "contact": 200}
"""Characters."""
REPORTER = "reporter"
"""As the trail calls whoever came by a link."""


class Addressee(Struct, frozen=True):
    """To whom a link leads."""

    name: str
    team: str
    """Its name; empty for the whole organisation."""


class NewReport(Struct, frozen=True, forbid_unknown_fields=True):
    what: str
    """What is wrong, in one line."""
    place: str = ""
    """Where: an address, a file, a host."""
    steps: str = ""
    """How somebody else can see it."""
    contact: str = ""
    """How to reach you, if you want to be."""
    website: str = ""
    """Leave it empty: programs that fill in every field give themselves away here."""


class Received(Struct, frozen=True):
    """Keep the address: it is the only way to see what became of the report."""

    follow: str

    def __repr__(self) -> str:
        return "Received()"


class Said(Struct, frozen=True):
    """A message or a decision."""

    at: Instant
    is_yours: bool
    state: str
    """What the report became by it; empty for words alone."""
    text: str


class FollowView(Struct, frozen=True):
    """A report, for whoever sent it."""

    what: str
    place: str
    steps: str
    contact: str
    state: ReportState
    is_repaired: bool
    """Nothing that was reported stands open any more."""
    at: Instant
    messages: tuple[Said, ...]


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    text: str


@router.add("GET", "/report/{link}", None, public=True)
def look_at_report_link(call: Call, link: str) -> Addressee:
    """To whom a link leads."""
    with call.service.database.read() as connection:
        row = _link(connection, link)
        team = teams.get(connection, row.team) if row.team is not None else None
    return Addressee(row.name, team.name if team else "")


@router.add("POST", "/report/{link}", None, public=True, status=201, most_bytes=_MOST_BYTES)
def report_something(call: Call, link: str, body: NewReport) -> Received:
    """Report what is wrong; answers an address by which you can follow it."""
    given = checked(body)
    with call.service.database.read() as connection:
        row = _link(connection, link)
    network = network_of(origin(call.request))
    _count(
        call,
        Limit(f"report:from:{network}", PER_ADDRESS, HOUR),
        Limit(f"report:by:{row.id}", PER_LINK, HOUR),
        Limit("report", IN_ALL, HOUR),
    )
    secret = credential.new_secret()
    with call.service.database.write() as connection:
        row = _link(connection, link)  # it may have been revoked in between
        made = reports.receive(connection, row, credential.hashed(secret), given, call.service.now())
        if made is None:
            raise ApiError(503, "too-many-wait", "too many reports wait here", advice="try again in some days, or ask for another way")
        _note(call, connection, "report.received", made, row.team)
        _tell(call, connection, made, row)
    return Received(f"{call.service.settings.url}/follow/{secret}")


@router.add("GET", "/follow/{secret}", None, public=True)
def follow_report(call: Call, secret: str) -> FollowView:
    """What became of a report, for whoever sent it."""
    with call.service.database.read() as connection:
        row = _followed(connection, secret, lock=False)
        entries = reports.entries(connection, row.id)
        is_repaired = row.state is ReportState.REPAIRED or (row.finding is not None and not _stands(connection, row))
    said = tuple(Said(each.at, each.login is None, each.state, each.text) for each in entries)
    return FollowView(row.what, row.place, row.steps, row.contact, row.state, is_repaired, row.at, said)


@router.add("POST", "/follow/{secret}/messages", None, public=True, status=201, most_bytes=_MOST_BYTES)
def answer_as_reporter(call: Call, secret: str, body: Words) -> FollowView:
    """Say more about what you reported, or answer the team."""
    text = words(body.text)
    with call.service.database.read() as connection:
        number = _followed(connection, secret, lock=False).id
    _count(call, Limit(f"report:said:{number}", ANSWERS, HOUR))
    with call.service.database.write() as connection:
        row = _followed(connection, secret, lock=True)
        if not reports.proceed(connection, row, Step(text), call.service.now()):
            raise full()
        _note(call, connection, "report.answered", row.id, row.team)
    told: FollowView = follow_report(call, secret)
    return told


def checked(body: NewReport) -> Report:
    """What may be kept of it.

    Raises:
        ApiError: 400, naming the field.
    """
    if body.website:
        raise invalid("`website` is to stay empty", "empty it: it is there to tell programs from people")
    if not body.what.strip():
        raise invalid("`what` is empty", "say in one line what is wrong")
    for name, most in LONGEST.items():
        if len(getattr(body, name)) > most:
            raise invalid(f"`{name}` is longer than {most} characters", "shorten it; more can be said in a message afterwards")
    return Report(" ".join(body.what.split()), body.place.strip(), body.steps.strip(), body.contact.strip())


def words(text: str) -> str:
    """A message.

    Raises:
        ApiError: 400 for none or too much.
    """
    said = text.strip()
    if not said or len(said) > LONGEST["steps"]:
        raise invalid(f"`text` has 1 to {LONGEST['steps']} characters")
    return said


def full() -> ApiError:
    return conflict("this report holds as many messages as it may", "make another one that names this")


def _link(connection: sa.Connection, secret: str) -> LinkRow:
    row = reports.link_by(connection, credential.hashed(secret)) if credential.is_secret(secret) else None
    if row is None:
        raise not_found("this link")
    return row


def _followed(connection: sa.Connection, secret: str, *, lock: bool) -> ReportRow:
    row = reports.by_secret(connection, credential.hashed(secret), lock=lock) if credential.is_secret(secret) else None
    if row is None:
        raise not_found("this report")
    return row


def _stands(connection: sa.Connection, row: ReportRow) -> bool:
    """Whether the finding stands open where the report was taken: in its subject, or in anything of its team."""
    asked = Filter(finding=row.finding, subject=row.subject, team=None if row.subject else row.team, state=Standing.OPEN)
    return findings.count(connection, None, asked) > 0


def _count(call: Call, *limits: Limit) -> None:
    now = call.service.now()
    with call.service.database.write() as connection:
        refused = attempts.begin(connection, limits, now=now)
    if refused is not None:
        seconds = max(1, (refused.again_at - now) // SECOND)
        raise ApiError(
            429, "too-many-reports", "there were too many reports", advice=f"try again in {seconds // 60 + 1} minutes",
            headers={"Retry-After": str(seconds)},
        )  # fmt: skip


def _tell(call: Call, connection: sa.Connection, number: int, row: LinkRow) -> None:
    """Not what was reported: channels lead further than those who decide."""
    title = cut(f"Somebody reported something by the link {row.name}", 300)
    data = {"report": str(number)}
    publish(
        call.service,
        connection,
        Happening(HappeningKind.REPORT_RECEIVED, call.service.now(), row.team, title, f"/reports/{number}", data=data),
    )


def _note(call: Call, connection: sa.Connection, action: str, number: int, team: TeamId | None) -> None:
    done = Action(call.service.now(), REPORTER, action, "success", None, "report", str(number), team)
    trail.record(connection, done)
