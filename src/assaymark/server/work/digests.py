"""Handlers: the mails of what waits for somebody and what changed, to whom they are due.

Guarantees: what a person may not see (any more) is in no mail of his, because it is asked when the mail is made; when nothing waits and
nothing changed there is no mail; a mail that was not taken is tried again for a day, and nothing of it is lost, because he counts as told
only after it was taken. Not guaranteed: that a mail comes once, when the process dies between handing it over and writing that down.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import sqlalchemy as sa
import structlog

from assaymark.errors import AssayError, UsageError
from assaymark.feedback.channels.mail import DigestMail, Line, Section, compose
from assaymark.feedback.channels.telling import Telling
from assaymark.jobs.job import Job, Priority
from assaymark.model.access import Permission, PersonId, Principal
from assaymark.model.assessment import SECOND, AssessmentState, Instant
from assaymark.model.happening import HappeningKind
from assaymark.server import mailing
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store import digests, happenings, items, mine, people, teams
from assaymark.store.digests import DigestRow
from assaymark.store.happenings import HappeningRow
from assaymark.store.people import PersonRow
from assaymark.store.tables import decision_answer, decision_request

_MOST_DUE = 10_000
_SHOWN, _CHANGED = 20, 60
_SETTLED = 60 * SECOND
"""What happened within the last minute is told in the next mail: another transaction may still be writing something older."""
_FIRST_PAUSE, _LONGEST_PAUSE, _TRIES = 900 * SECOND, 6 * 3600 * SECOND, 6
_UNTOLD = frozenset({HappeningKind.CHANNEL_TESTED, HappeningKind.FINDING_OPENED, HappeningKind.FINDING_CLOSED})
"""What items tell already, in fewer words."""
_DAY = 86400 * SECOND
_log = structlog.get_logger("assaymark.mail")


def send_digests(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Put a job for each mail whose time has come."""
    if not service.settings.mail:
        return
    with service.database.write() as link:
        for person in digests.due(link, service.now(), most=_MOST_DUE):
            service.queue.put(link, job_for(person))


def job_for(person: PersonId, *, at_once: bool = False) -> Job:
    """One person's mail; `at_once` whether or not it is time, and without counting him as told."""
    name = f"digest:{person}"
    arguments: dict[str, int | str | bool | None] = {"person": int(person), "at_once": at_once}
    key = f"{name}:now" if at_once else name
    return Job("send-digest", arguments, key=key, lock=name, priority=Priority.CALL if at_once else Priority.SCHEDULE, seconds=120)


def send_digest(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Make and send one (arguments: ``person``, ``at_once``)."""
    number, at_once = PersonId(int(arguments["person"])), bool(arguments.get("at_once"))
    now = service.now()
    with service.database.write() as link:
        row, who = digests.get(link, number), people.get(link, number)
        if row is None or who is None or who.disabled_at is not None:
            return
        following = digests.next_time(row.every, row.weekday, row.hour, now)
        if not at_once and (row.next_at > now or not digests.claim(link, row, following)):
            return
    with service.database.read() as link:
        mail, until = made(service, link, row, who)
    problem, may_pass = "", False
    if mail.sections or at_once:
        problem, may_pass = _sent(service, mail, who)
    with service.database.write() as link:
        if problem:
            pause = min(_FIRST_PAUSE * 2**row.failures, _LONGEST_PAUSE)
            again = Instant(now + pause) if may_pass and row.failures + 1 < _TRIES and now + pause < following else None
            digests.failed(link, row, problem, again=None if at_once else again)
        elif not at_once:
            digests.told(link, number, until, sent_at=now if mail.sections else None)


def _sent(service: Service, mail: DigestMail, who: PersonRow) -> tuple[str, bool]:
    """(what went wrong, whether it may pass); empty when it was taken."""
    now = service.now()
    number = f"digest-{who.id}-{now}"
    try:
        server = mailing.mail_server(service.settings)
        mailing.send(server, compose(mail, sender=server.sender, to=who.email, number=number, date=formatdate(now / SECOND)))
    except AssayError as error:
        _log.warning("mail.failed", person=who.id, error=error.what)
        return error.diagnosis(), not isinstance(error, UsageError)
    return "", False


def made(service: Service, link: sa.Connection, row: DigestRow, who: PersonRow) -> tuple[DigestMail, int]:
    """The mail, and up to which happening it tells."""
    principal = Principal(who.id, who.login, teams.grants_of(link, who.id))
    url = service.settings.url
    seen = principal.teams_with(Permission.ASSESSMENTS_READ)
    happened = happenings.page(link, seen, before=None, limit=_CHANGED * 2)
    fresh = [each for each in happened if row.told_until < each.id and each.at <= service.now() - _SETTLED]
    told = [each for each in fresh if each.kind not in _UNTOLD and row.wants.holds(each)]
    sections = [
        _items(link, principal, url, service.now()),
        _requests(link, principal, url),
        _changes(link, principal, url),
        Section("What changed", tuple(_line(each, url) for each in told[:_CHANGED]), f"{url}/", is_whole=len(told) <= _CHANGED),
    ]
    until = max((each.id for each in fresh), default=row.told_until)
    mail = DigestMail(who.name or who.login, row.every, tuple(each for each in sections if each.lines), url, end_url(service, link, who.id))
    return mail, until


def _items(link: sa.Connection, who: Principal, url: str, now: Instant) -> Section:
    """What he is to repair, the worst first."""
    mine_only = items.Filter(person=who.person)
    found, more = items.page(link, who.teams_with(Permission.FINDINGS_READ), mine_only, items.Part(limit=_SHOWN))
    lines = tuple(
        Line(each.title, f"{url}/items/{each.id}", f"{each.severity.value}, {_age(each.since, now)}, {each.findings} findings")
        for each in found
    )
    return Section("What is yours to repair", lines, f"{url}/", is_whole=more is None)


def _requests(link: sa.Connection, who: Principal, url: str) -> Section:
    """What others ask of those who may decide."""
    allowed = who.teams_with(Permission.FINDINGS_DECIDE)
    answered = sa.exists().where(decision_answer.c.request == decision_request.c.id)
    query = sa.select(decision_request.c.id, decision_request.c.reason, decision_request.c.asked_by).where(~answered)
    query = query.where(decision_request.c.person.is_distinct_from(who.person))
    query = query if allowed is None else query.where(decision_request.c.team.in_(allowed))
    rows = list(link.execute(query.order_by(decision_request.c.id.desc()).limit(_SHOWN + 1)))
    lines = tuple(Line(f"{row.asked_by}: {row.reason}", f"{url}/requests/{row.id}") for row in rows)
    return Section("Requests that wait for an answer", lines[:_SHOWN], f"{url}/requests", is_whole=len(lines) <= _SHOWN)


def _changes(link: sa.Connection, who: Principal, url: str) -> Section:
    """His own changes that do not pass."""
    found = mine.changes(link, who.teams_with(Permission.ASSESSMENTS_READ), who.person, _SHOWN)
    stuck = [each for each in found if each.state in (AssessmentState.FAIL, AssessmentState.UNPROVEN)]
    lines = tuple(Line(f"{each.subject_name}: {each.summary}", f"{url}/changes/{each.id}", each.state) for each in stuck)
    return Section("Changes of yours that do not pass", lines, f"{url}/changes")


def _line(row: HappeningRow, url: str) -> Line:
    telling = Telling(row, url)
    return Line(telling.title, telling.url, telling.heading)


def _age(since: Instant, now: Instant) -> str:
    days = max(now - since, 0) // _DAY
    return "since today" if not days else f"for {days} day{'s' if days > 1 else ''}"


# --- the link by which it is ended -----------------------------------------------------------------------------------


def end_url(service: Service, link: sa.Connection, person: PersonId) -> str:
    """Works without signing in, for this digest only: another one has another link."""
    return f"{service.settings.url}/mail/end/{int(person)}.{_mac(service, person, digests.secret(link, person))}"


def by_link(service: Service, link: sa.Connection, text: str) -> PersonId | None:
    """Whose digest a link ends; None for a link that is none."""
    number, _, mac = text.partition(".")
    if not number.isascii() or not number.isdecimal() or len(number) > 18:
        return None
    person = PersonId(int(number))
    held = digests.secret(link, person)
    expected = _mac(service, person, held)
    return person if hmac.compare_digest(expected.encode(), mac.encode("utf-8", "replace")) and held else None


def _mac(service: Service, person: PersonId, secret: str) -> str:
    return hashlib.sha256(service.vault.derive(f"digest-end:{int(person)}:{secret}")).hexdigest()[:40]
