"""Sends what waits in the outbox: the mark at the commit, the comment on the merge request, and issues of items (`issues`).

Guarantees: an attempt is counted before it is made and a comment's number is kept as soon as it is known, so that a kill leaves at most a
search for our own comment; a comment is touched only when it says something new; a stream's later message replaces the earlier; a forge
that cannot be reached or understood holds nothing up that is for others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec
import sqlalchemy as sa
import structlog
from msgspec import Struct

from assaymark.errors import AssayError, UsageError
from assaymark.feedback.forges.ask import Target
from assaymark.feedback.forges.check_runs import About, run_of
from assaymark.feedback.forges.check_runs import ask as ask_run
from assaymark.feedback.forges.send import Client, Place, Refused, is_spoken, say, set_status
from assaymark.feedback.forges.send import tell_run as send_run
from assaymark.feedback.message import comment, context_of, status
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SECOND, AssessmentId, AssessmentState, Instant, RepositoryId, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.model.verdict import Verdict
from assaymark.server.github_app import App, app_of, usable_token
from assaymark.server.outgoing import client as outgoing_client
from assaymark.server.service import Service
from assaymark.server.work import issues
from assaymark.server.work.handlers import Attempt
from assaymark.store import outbox
from assaymark.store.tables import assessment, connection, repository, subject

_AT_ONCE = 50
_AGAINST = (AssessmentState.PASS, AssessmentState.QUEUED, AssessmentState.RUNNING, AssessmentState.UNPROVEN, AssessmentState.FAIL)
"""How much a state speaks against a merge, the least first."""
_AGAIN = frozenset({TriggerKind.SCHEDULE, TriggerKind.ADVISORY, TriggerKind.IMPORT})
_ENDED = (AssessmentState.SUPERSEDED, AssessmentState.CANCELLED)
_MOMENT = 2 * SECOND
"""What is judged sooner is never called pending: it would be two requests where one says all."""
_log = structlog.get_logger("assaymark.feedback")


class Told(Struct, frozen=True):
    """What has to be known of an assessment to tell of it."""

    assessment: AssessmentId
    subject: SubjectId
    state: AssessmentState
    summary: str
    verdict: str
    trigger: Trigger
    head: str
    kind: str
    """Of the connection."""
    connection: int
    api_url: str
    token: bytes | None
    app: App | None
    """By which check runs are written in place of statuses."""
    repository: str
    home: RepositoryId
    """Row of the repository."""
    forge_id: str
    subject_kind: SubjectKind

    @property
    def mark(self) -> str:
        """Stream of the mark, of which only the latest word is said."""
        return f"commit:{self.connection}:{self.home}:{self.head}:{self.context}"

    @property
    def context(self) -> str:
        """Name of the mark at the commit."""
        return context_of(self.subject_kind, self.trigger.kind)


def announce(service: Service, link: sa.Connection, assessment_id: AssessmentId) -> None:
    """Within the caller's transaction: let it be told how this assessment stands, if there is anybody to tell."""
    told = told_of(link, assessment_id)
    if told is None or not is_spoken(told.kind, told.api_url) or told.token is None or not told.head:
        return
    now = service.now()
    message = _message(assessment_id)
    outbox.write(link, outbox.Note("status", told.mark, message, assessment_id), at=now)
    if told.trigger.merge_request is not None and told.state in (AssessmentState.PASS, AssessmentState.FAIL, AssessmentState.UNPROVEN):
        outbox.write(link, outbox.Note("comment", f"subject:{told.subject}", message, assessment_id), at=now)
    service.queue.put(link, Job("deliver", {}, key="deliver", lock="deliver", priority=Priority.FEEDBACK, seconds=120))


def announce_progress(service: Service, link: sa.Connection, assessment_id: AssessmentId) -> None:
    """Within the caller's transaction: let it be told that this assessment waits, or that it ended without a verdict.

    It is told after a moment, by the worker's slot for scheduled work, so that nobody's verdict waits for it: a verdict that comes sooner
    is told in its place. What judges a state once more tells nothing: a commit that passed does not become doubtful every night.
    """
    told = told_of(link, assessment_id)
    if told is None or told.trigger.kind in _AGAIN or not is_spoken(told.kind, told.api_url) or told.token is None or not told.head:
        return
    due = Instant(service.now() + _MOMENT)
    outbox.write(link, outbox.Note("status", told.mark, _message(assessment_id), assessment_id), at=service.now(), due_at=due)
    job = Job("deliver", {}, key=f"deliver:{due // SECOND}", lock="deliver", priority=Priority.SCHEDULE, seconds=120, due_at=due)
    service.queue.put(link, job)


def _message(number: AssessmentId) -> str:
    return msgspec.json.encode({"assessment": number}).decode()


def deliver(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Handler: send everything that is due; what is not taken is tried again later."""
    with outgoing_client(service.settings) as client:
        while not attempt.should_stop():
            with service.database.read() as link:
                waiting = outbox.due(link, service.now(), most=_AT_ONCE)
            if not waiting:
                break
            for message in waiting:
                _send(service, client, message)
    _come_back(service)


def _come_back(service: Service) -> None:
    """What waits for another attempt gets a job of its own at that time."""
    with service.database.write() as link:
        next_at = outbox.next_due(link)
        if next_at is not None:
            later = Job(
                "deliver", {}, key=f"deliver:{next_at // SECOND}", priority=Priority.FEEDBACK, lock="deliver", seconds=120, due_at=next_at
            )
            service.queue.put(link, later)


def _send(service: Service, client: Client, message: outbox.Message) -> None:
    with service.database.write() as link:
        told = told_of(link, message.assessment) if message.assessment is not None else None
        if not outbox.begin(link, message, service.now()):
            return
    is_issue = message.kind == issues.KIND
    if not is_issue and (told is None or told.token is None):
        _settle(service, message, "nobody is left to tell")
        return
    try:
        if is_issue:
            issues.tell(service, client, message)
        elif told is not None and message.kind == "status":
            _status(service, client, told)
        elif told is not None:
            _comment(service, client, told, message)
    except Refused as refused:
        _settle(service, message, refused.diagnosis(), may_pass=refused.may_pass)
    except (httpx2.HTTPError, OSError) as error:
        _settle(service, message, f"the forge did not answer: {type(error).__name__}", may_pass=True)
    except AssayError as error:
        _settle(service, message, error.diagnosis(), may_pass=not isinstance(error, UsageError))
    else:
        _settle(service, message)


def _settle(service: Service, message: outbox.Message, error: str = "", *, may_pass: bool = False) -> None:
    with service.database.write() as link:
        if error:
            _log.warning("feedback.failed", message=message.id, kind=message.kind, error=error, attempt=message.attempts + 1)
            outbox.failed(link, message, service.now(), error, may_pass=may_pass)
        else:
            outbox.sent(link, message.id, service.now())


def _status(service: Service, client: Client, told: Told) -> None:
    with service.database.read() as link:
        told = _worst(link, told) if told.subject_kind is SubjectKind.MERGE_REQUEST else _instead(link, told)
    place = place_of(service, told)
    if told.app is not None:
        tell_run(service, client, told, place)
    else:
        set_status(client, place, status(told.state, told.summary, page_of(service, told), told.context))


def _worst(link: sa.Connection, told: Told) -> Told:
    """Of all requests to merge this very commit, which share one mark: the one that speaks most against it."""
    a = assessment.c
    latest = (
        sa.select(sa.func.max(a.id))
        .join(subject, subject.c.id == a.subject)
        .where(
            a.head == told.head,
            subject.c.repository == told.home,
            subject.c.kind == SubjectKind.MERGE_REQUEST,
            subject.c.ended_at.is_(None),
        )
        .where(a.state.not_in(_ENDED))
        .group_by(a.subject)
    )
    others = [found for number in link.execute(latest).scalars() if (found := told_of(link, number)) is not None]
    return max([told, *others], key=lambda each: (_AGAINST.index(each.state) if each.state in _AGAINST else -1, each is told))


def _instead(link: sa.Connection, told: Told) -> Told:
    """What was or is judged at this commit under the same mark, when this ended without a verdict: another branch may be there as well."""
    if told.state not in _ENDED:
        return told
    a = assessment.c
    same = (a.head == told.head, subject.c.repository == told.home, subject.c.kind == told.subject_kind, a.state.not_in(_ENDED))
    newest = sa.select(sa.func.max(a.id)).join(subject, subject.c.id == a.subject).where(*same)
    found = told_of(link, link.execute(newest).scalar())
    return told if found is None or found.context != told.context else found


def _comment(service: Service, client: Client, told: Told, message: outbox.Message) -> None:
    verdict = verdict_of(service, told)
    nonce = hashlib.sha256(service.vault.derive(message.stream)).hexdigest()[:16]
    text = comment(verdict, told.summary, page_of(service, told), nonce=nonce)
    with service.database.read() as link:
        remote, digest = outbox.remembered(link, message.stream)
    if digest == text.digest or (not remote and told.state is AssessmentState.PASS):
        return  # nothing new to say; the mark at the commit says that all is well
    remote = say(client, place_of(service, told), text, remote, search=message.attempts > 0)
    with service.database.write() as link:
        outbox.remember(link, message.stream, remote, text.digest, service.now())


def tell_run(service: Service, client: Client, told: Told, place: Place) -> None:
    """The check run of a commit: one that waits becomes the verdict, one that was concluded stays, and another verdict is another run.

    Which batch was taken is written down after each, so that a kill repeats fifty annotations at most.
    """
    about = About(told.assessment, told.state, told.summary, page_of(service, told), told.context)
    run = run_of(about, verdict_of(service, told))
    digest, stream = hashlib.sha256(msgspec.json.encode(run)).hexdigest()[:32], f"{told.mark}:run"
    with service.database.read() as link:
        number, kept = outbox.remembered(link, stream)
    phase, _, said = kept.partition(":")
    if kept == f"told:{digest}":
        return
    batch = int(phase) if phase.isdecimal() and said == digest else 0
    if phase == "told" or (phase.isdecimal() and said != digest):
        number = ""
    for each in range(batch, run.batches):
        number = send_run(client, place, ask_run(place.target, run, number, each))
        is_last = each + 1 == run.batches
        word = ("open" if run.is_open else "told") if is_last else str(each + 1)
        with service.database.write() as link:
            outbox.remember(link, stream, number, f"{word}:{digest}", service.now())


def verdict_of(service: Service, told: Told) -> Verdict | None:
    """The whole verdict; None where there is none."""
    return msgspec.json.decode(service.blobs.get(Digest(told.verdict)), type=Verdict) if told.verdict else None


def page_of(service: Service, told: Told) -> str:
    """Where people read it."""
    return f"{service.settings.url}/changes/{told.assessment}"


def place_of(service: Service, told: Told) -> Place:
    """Whom to tell, as whom."""
    secret = usable_token(service, told.connection)
    token = secret.value.decode() if secret is not None else ""
    if "PRIVATE KEY" in token.partition("\n")[0]:
        raise UsageError("the connection's token is a key for ssh", why="it is shown to nobody", advice="enter a token for the forge's API")
    number = told.trigger.merge_request.number if told.trigger.merge_request is not None else None
    return Place(told.kind, told.api_url.rstrip("/"), token, Target(told.repository, told.forge_id, told.head, number))


def told_of(link: sa.Connection, assessment_id: AssessmentId | None) -> Told | None:
    """What has to be known; None for what no forge is told of."""
    query = (
        sa.select(
            assessment.c.id, assessment.c.subject, assessment.c.state, assessment.c.summary, assessment.c.verdict, assessment.c.head,
            assessment.c.trigger_details, connection.c.kind, connection.c.id.label("connection"), connection.c.api_url, connection.c.token,
            connection.c.options,
            repository.c.name, repository.c.id.label("home"), repository.c.forge_id, subject.c.kind.label("subject_kind"),
        )
        .join(subject, subject.c.id == assessment.c.subject)
        .join(repository, repository.c.id == subject.c.repository)
        .join(connection, connection.c.id == repository.c.connection)
        .where(assessment.c.id == assessment_id)
    )  # fmt: skip
    row = link.execute(query).first()
    if row is None or row.subject_kind not in (SubjectKind.BRANCH, SubjectKind.MERGE_REQUEST, SubjectKind.TAG):
        return None
    return Told(
        assessment=row.id,
        subject=row.subject,
        state=AssessmentState(row.state),
        summary=row.summary,
        verdict=row.verdict,
        trigger=msgspec.json.decode(row.trigger_details, type=Trigger),
        head=row.head,
        kind=row.kind,
        connection=row.connection,
        api_url=row.api_url,
        token=row.token,
        app=app_of(msgspec.json.decode(row.options)) if row.kind == "github" else None,
        repository=row.name,
        home=row.home,
        forge_id=row.forge_id,
        subject_kind=SubjectKind(row.subject_kind),
    )
