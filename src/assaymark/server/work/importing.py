"""A report that somebody sent, taken in: read, given our identities, recorded like a verdict, in an assessment of trigger ``import``.

Guarantees: an import closes only what an import of the same tool and category brought before; it is no verdict of the subject, whose state
stays; what is sent is kept by its digest until it is recorded and no longer, because it may hold secrets in clear. Small ones are recorded
before the answer and never kept, large ones by a job, so that a worker that dies loses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

import assaymark
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.secrets.keys import Key
from assaymark.errors import AssayError, EngineMissing, UsageError
from assaymark.jobs.job import Job, Priority
from assaymark.model.access import PersonId
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.model.finding import Finding, Layer
from assaymark.model.identity import identify
from assaymark.model.rules import catalogue
from assaymark.model.trigger import SubjectKind, Trigger, TriggerKind
from assaymark.model.verdict import CheckRun, Judged, State, Verdict, WaiverRef
from assaymark.server.imports.found import Ask, Contents, Spoken, World
from assaymark.server.imports.kinds import BILLS, DocumentKind, kind_of
from assaymark.server.imports.readers import read
from assaymark.server.imports.unpacking import Document, unpack
from assaymark.server.service import Service
from assaymark.server.work import owners
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.hearsay import hearsay
from assaymark.server.work.items import follow
from assaymark.server.work.remotes import mirror_of
from assaymark.server.work.surroundings import configuration
from assaymark.store import components, repositories, trail
from assaymark.store.recording import Recording, record
from assaymark.store.tables import assessment, subject
from assaymark.subjects.commits import CommitSubject, head_commit
from assaymark.subjects.mirror import Want
from assaymark.views.encoding import packed

AT_ONCE = 4 << 20
"""Unpacked bytes up to which an import is recorded before it is answered."""
_LARGEST_FILE = 4 << 20
_ALIVE = (AssessmentState.QUEUED.value, AssessmentState.RUNNING.value)


class Order(Struct, frozen=True, omit_defaults=True):
    """What is kept of a request until it is done."""

    blob: str
    category: str = ""
    layer: str = ""
    """Empty: each finding stands on the layer of its kind."""
    complete: str = "yes"
    commit: str = ""
    format: str = ""
    """What kind of document it is, where it does not say so itself; empty lets it speak."""


class By(Struct, frozen=True):
    """Who sends a report."""

    login: str
    person: PersonId | None = None
    origin: str = ""


class Outline(Struct, frozen=True):
    """What came of it."""

    assessment: AssessmentId
    state: str
    """``running`` while a worker is at it; ask for the assessment then."""
    findings: int = 0
    opened: int = 0
    closed: int = 0
    components: int = 0
    statements: int = 0
    """Of VEX: they are no findings; see the notes for what became of them."""
    notes: tuple[str, ...] = ()


def take(service: Service, number: SubjectId, data: bytes, order: Order, by: By) -> Outline:
    """Take a report in for a subject that is known to be there; that it was is noted in the trail.

    Raises:
        UsageError: when it cannot be read.
    """
    documents = unpack(data)
    for document in documents:
        _kind(document, order)  # so that what cannot be read is said at once
    is_small = sum(len(document.data) for document in documents) <= AT_ONCE
    if not is_small:
        order = msgspec.structs.replace(order, blob=str(service.blobs.put(data)))
    made = _begin(service, number, order, by, is_small=is_small)
    if not is_small:
        return Outline(made, AssessmentState.RUNNING.value)
    return _finish(service, made, documents, order)


def _begin(service: Service, number: SubjectId, order: Order, by: By, *, is_small: bool) -> AssessmentId:
    now = service.now()
    details: dict[str, str] = msgspec.to_builtins(order)
    with service.database.write() as link:
        row = link.execute(sa.select(subject.c.team, subject.c.kind).where(subject.c.id == number)).one()
        trigger = Trigger(TriggerKind.IMPORT, subject_kind=SubjectKind(row.kind), actor=by.login, details=details)
        values = {
            "subject": number,
            "team": row.team,
            # At once, because what is queued is superseded by the next push.
            "state": AssessmentState.RUNNING.value,
            "trigger": TriggerKind.IMPORT.value,
            "trigger_details": msgspec.json.encode(trigger, order="sorted").decode(),
            "actor": by.login,
            "queued_at": now,
            "started_at": now,
        }
        made = AssessmentId(link.execute(assessment.insert().returning(assessment.c.id), values).scalar_one())
        trail.record(
            link,
            trail.Action(
                at=now,
                actor=by.login,
                person=by.person,
                action="findings.imported",
                outcome="success",
                object_kind="assessment",
                object=str(made),
                team=row.team,
                origin=by.origin,
            ),
        )
        if not is_small:
            key = f"import:{made}"
            service.queue.put(
                link, Job("import", {"assessment": made}, key=key, lock=f"import:{number}", priority=Priority.SCHEDULE, seconds=900)
            )
    return made


def import_report(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Handler of large ones (arguments: ``assessment``)."""
    del attempt
    number = AssessmentId(int(arguments["assessment"]))
    with service.database.read() as link:
        row = link.execute(sa.select(assessment.c.state, assessment.c.trigger_details).where(assessment.c.id == number)).first()
    if row is None or row.state not in _ALIVE:
        return
    order = msgspec.convert(msgspec.json.decode(row.trigger_details, type=Trigger).details, Order)
    _finish(service, number, unpack(service.blobs.get(Digest(order.blob))), order, raises=False)
    _forget(service, order)


def _forget(service: Service, order: Order) -> None:
    """What was sent may hold secrets in clear: it goes as soon as no import needs it."""
    a = assessment.c
    waiting = sa.select(a.trigger_details).where(a.trigger == TriggerKind.IMPORT.value, a.state.in_(_ALIVE))
    with service.database.read() as link:
        still = any(order.blob in text for text in link.execute(waiting).scalars())
    if not still:
        service.blobs.remove(Digest(order.blob))


def _finish(service: Service, number: AssessmentId, documents: Sequence[Document], order: Order, *, raises: bool = True) -> Outline:
    with service.database.read() as link:
        about = link.execute(
            sa.select(subject).join(assessment, assessment.c.subject == subject.c.id).where(assessment.c.id == number)
        ).one()
    try:
        spoken = _spoken(service, documents, order, _contents(service, about.repository, order.commit or about.head))
    except AssayError as error:
        _refuse(service, number, SubjectId(about.id), error)
        if raises:
            raise
        return Outline(number, AssessmentState.UNPROVEN.value)
    return _recorded(service, number, spoken, Recorded(complete=order.complete == "yes"))


class Recorded(Struct, frozen=True):
    """How what was read is recorded."""

    complete: bool
    """It says everything that its tools see, so that what it says no longer is gone."""
    ages: Mapping[str, Instant] = {}
    """By fingerprint: of what begins with it, since when it is known elsewhere."""


def take_over(service: Service, number: SubjectId, spoken: Spoken, by: By, given: tuple[str, Mapping[str, Instant]]) -> Outline:
    """What was read elsewhere than in a report, e.g. from another platform; `given` is a mark by which the same comes over once, and ages.

    It closes nothing.
    """
    mark, ages = given
    a = assessment.c
    before = sa.select(a.id).where(a.subject == number, a.trigger == TriggerKind.IMPORT.value, a.state.not_in(_ALIVE))
    with service.database.read() as link:
        there = link.execute(before.where(a.trigger_details.contains(mark, autoescape=True))).first()
    if there is not None:
        return Outline(AssessmentId(there.id), AssessmentState.PASS.value)
    made = _begin(service, number, Order("", mark, complete="no"), by, is_small=True)
    return _recorded(service, made, spoken, Recorded(complete=False, ages=ages))


def _recorded(service: Service, number: AssessmentId, spoken: Spoken, how: Recorded) -> Outline:
    with service.database.read() as link:
        own = sa.select(subject).join(assessment, assessment.c.subject == subject.c.id).where(assessment.c.id == number)
        about = link.execute(own).one()
    verdict = _verdict(spoken, complete=how.complete)
    blob = service.blobs.put(packed(verdict))
    for _, packages in spoken.sets.values():
        components.keep(service.blobs, packages)
    now = service.now()
    by = ", ".join(sorted(str(check) for check, _ in spoken.checks)) or "a report"
    summary = f"{len(verdict.findings)} findings imported from {by}"
    with service.database.write() as link:
        recording = Recording(number, SubjectId(about.id), verdict, blob, whole=True, at=now, summary=summary, ages=how.ages)
        if record(link, recording) and about.ended_at is None:
            for path, (digest, packages) in spoken.sets.items():
                components.hold_imported(link, SubjectId(about.id), about.team, (path, digest, packages), now)
        follow(service, link)
        if about.repository is not None:
            owners.ask(service, link, about.id)
        counts = link.execute(sa.select(assessment).where(assessment.c.id == number)).one()
    held = sum(len(packages.packages) for _, packages in spoken.sets.values())
    notes, said = spoken.notes, len(spoken.statements)
    if said:
        notes += (f"{said} statements (VEX) decide nothing by being imported: send the document to /vex as well",)
    return Outline(number, counts.state, len(verdict.findings), counts.new_findings, counts.fixed_findings, held, said, notes)


def abandon(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """The will of an import that was given up (arguments: ``assessment``, ``error``): it ends, unproven."""
    number = AssessmentId(int(arguments["assessment"]))
    with service.database.read() as link:
        of = link.execute(sa.select(assessment.c.subject).where(assessment.c.id == number)).scalar()
    if of is not None:
        why = str(arguments.get("error") or "its worker was stopped each time")
        _refuse(service, number, SubjectId(of), UsageError("it could not be recorded", why=why[:500]))


def _refuse(service: Service, number: AssessmentId, of: SubjectId, error: AssayError) -> None:
    with service.database.write() as link:
        record(link, Recording(number, of, None, "", whole=False, at=service.now(), summary=f"{error.what}: {error.why}".rstrip(": ")))


def _spoken(service: Service, documents: Sequence[Document], order: Order, contents: Contents) -> Spoken:
    ask = Ask(order.category, Layer(order.layer) if order.layer else None, order.complete == "yes")
    parts: list[Spoken] = []
    for document in documents:
        try:
            kind = _kind(document, order)
            parts.append(_one(service, (document.data, kind), _apart(ask, document, kind, len(documents)), contents))
        except UsageError as error:
            if len(documents) > 1:
                raise UsageError(f"{document.name[:100]}: {error.what}", why=error.why, advice=error.advice) from error
            raise
    return Spoken(
        seen=tuple(row for part in parts for row in part.seen),
        judged=tuple(row for part in parts for row in part.judged),
        checks=tuple(dict.fromkeys(check for part in parts for check in part.checks)),
        sets={path: held for part in parts for path, held in part.sets.items()},
        statements=tuple(said for part in parts for said in part.statements),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _kind(document: Document, order: Order) -> DocumentKind:
    return DocumentKind(order.format) if order.format else kind_of(document.data)


def _apart(ask: Ask, document: Document, kind: DocumentKind, of: int) -> Ask:
    """Several bills of materials in one archive are told apart by their names."""
    return msgspec.structs.replace(ask, category=f"{ask.category} {document.name}".strip()) if of > 1 and kind in BILLS else ask


def _one(service: Service, document: tuple[bytes, DocumentKind], ask: Ask, contents: Contents) -> Spoken:
    data, kind = document
    with knowing(service, contents) as (world, index):
        return read(data, kind, (ask, world), index)


@contextmanager
def knowing(service: Service, contents: Contents | None = None) -> Iterator[tuple[World, Index | None]]:
    """What the server knows beside a document; open for as long as it is read."""
    key = Key(configuration(service).key)
    try:
        index = Index(configuration(service).advisories)
    except EngineMissing:
        yield World(contents, key=key) if contents else World(key=key), None
        return
    try:
        yield World(contents, index.named, key) if contents else World(naming=index.named, key=key), index
    finally:
        index.close()


def _contents(service: Service, repository: int | None, commit: str) -> Contents:
    """Files of a commit, when the copy of its repository on this machine holds it."""
    nothing: Callable[[Sequence[str]], Mapping[str, bytes]] = lambda _paths: {}  # noqa: E731 - reads like what it is
    if repository is None or not commit or ":" in commit:
        return nothing
    with service.database.read() as link:
        row = repositories.get(link, repository)
    if row is None:
        return nothing
    mirror = mirror_of(service, row.id)
    try:
        if not mirror.known([Want(commit)])[0]:
            return nothing
        tree = CommitSubject(mirror.repository, head_commit(mirror.repository, commit))
        digests = {entry.path: entry.digest for entry in tree.entries()}
    except AssayError:
        return nothing

    def contents(paths: Sequence[str]) -> Mapping[str, bytes]:
        wanted = {path: digests[path] for path in paths if path in digests}
        reader = tree.reader().open()
        try:
            rows = reader.read(sorted(set(wanted.values())), limit=_LARGEST_FILE)
            found = {row.digest: row.data for row in rows if row.data is not None}
        finally:
            reader.close()
        return {path: found[digest] for path, digest in wanted.items() if digest in found}

    return contents


def _verdict(spoken: Spoken, *, complete: bool) -> Verdict:
    judged = [Judged(finding, State.KNOWN, _asked_away(finding)) for finding in identify(spoken.seen, catalogue())]
    finished = spoken.checks if complete else ()
    runs = tuple(CheckRun(check, layer, assaymark.__version__, "", 1, 0, 0.0) for check, layer in finished)
    return hearsay("what was sent", (*judged, *spoken.judged), runs)


def _asked_away(finding: Finding) -> WaiverRef | None:
    """The tool says that somebody suppressed it: shown as that, and not counted."""
    return WaiverRef("inline", finding.suppression.marker) if finding.suppression else None
