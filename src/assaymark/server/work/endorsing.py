"""Handler: from a pass to a signed endorsement, or to a request that people approve.

Guarantees: only a pass that nothing newer contradicts is endorsed, and one assessment once, however often it is asked. Evidence,
components, signature, index, line of the log, trail and news are one transaction: all of it is there or nothing. What was signed is
verified by the server's own trust before it is kept, so that nothing is issued that nobody would believe. The key stays in the server; a
job that asks gets none. A refusal is written to the trail with its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog
from msgspec import Struct

from assaymark.endorsement import approval, bundle, dsse, wording
from assaymark.endorsement.approval import Approval, Source
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named
from assaymark.endorsement.verify import Expected
from assaymark.endorsement.wording import Ground, digests, main_digest
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, AssessmentId, AssessmentState, Instant
from assaymark.model.digest import Digest
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.trigger import SubjectKind
from assaymark.model.verdict import Verdict
from assaymark.server.service import Service
from assaymark.server.work import approved_index, attaching, cases, distributing, endorsing_evidence, endorsing_ground, revoking
from assaymark.server.work.approval import Asking
from assaymark.server.work.cases import Case
from assaymark.server.work.endorsing_ground import Looked
from assaymark.server.work.endorsing_jobs import ENDORSABLE, SECONDS, By
from assaymark.server.work.endorsing_terms import EndorsingTerms, terms_of
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.publish import publish
from assaymark.server.work.signers import signer_of
from assaymark.server.work.trusting import verifier_of
from assaymark.server.work.watch import Watch
from assaymark.store import approvals, components, endorsements, evidence, log, trail
from assaymark.store.approvals import ApprovalRequest, State
from assaymark.store.narrowing import Teams
from assaymark.store.tables import assessment, subject
from assaymark.store.trail import Action

SERVER = "server"
_MOST_LINEAGE = 8
_DAY = 86_400 * SECOND
_log = structlog.get_logger("assaymark.endorsing")
a = assessment.c


class Passed(Struct, frozen=True):
    """An assessment that passed."""

    case: Case
    finished_at: Instant
    blob: str
    """Of the verdict."""


def endorse(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Endorse one assessment, or ask people (arguments: ``assessment``, and ``login`` and ``person`` of who asked).

    Raises:
        SubjectUnreadable: when what it is about cannot be read now; the queue tries again.
    """
    asked = By(str(arguments.get("login") or ""), arguments.get("person"))
    endorse_with(service, AssessmentId(int(arguments["assessment"])), (), asked, attempt)


def endorse_with(service: Service, number: AssessmentId, made: tuple[Named, ...], asked: By, attempt: Attempt) -> None:
    """The same, also for what this server itself made of the very content that was judged: the sample's archives.

    Raises:
        SubjectUnreadable: when what it is about cannot be read now.
    """
    with service.database.read() as link:
        why = problem(link, number, service.now())
        is_done = endorsements.of_assessment(link, number, service.now()) is not None
        found = None if why or is_done else passed(link, number)
    if found is None:
        _refused(service, number, asked, why)
        return
    data = service.blobs.get(Digest(found.blob))
    verdict = msgspec.json.decode(data, type=Verdict)
    why = wording.refusal(verdict, service.now())
    try:
        looked = None if why else endorsing_ground.look(service, found.case, Watch(service, attempt, SECONDS * 0.9))
    except UsageError as error:
        looked, why = None, error.what
    if looked is None:
        _refused(service, number, asked, why)
        return
    looked = msgspec.structs.replace(looked, subjects=(*looked.subjects, *made))
    try:
        with service.database.write() as link:
            why = _settle(_Doing(service, link, found, verdict, looked, asked), data)
    except _DisbelievedError as error:
        why = str(error)
    _refused(service, number, asked, why)


def passed(link: sa.Connection, number: AssessmentId) -> Passed:
    """It, when `problem` says nothing."""
    case = cases.case_of(link, number)
    row = link.execute(sa.select(a.finished_at, a.verdict).where(a.id == number)).one()
    assert case is not None  # noqa: S101 - asked before
    return Passed(case, Instant(row.finished_at), row.verdict)


def problem(link: sa.Connection, number: AssessmentId, now: Instant) -> str:
    """Why an assessment is not endorsed, as far as rows say; empty when they say nothing against it."""
    asked = sa.select(a.state, a.subject, a.head, a.verdict, a.team, a.finished_at, subject.c.kind)
    row = link.execute(asked.join(subject, subject.c.id == a.subject).where(a.id == number)).first()
    if row is None:
        return "there is no such assessment"
    if row.kind not in ENDORSABLE:
        return f"a {row.kind} is not endorsed: it has no digest that runs"
    if row.state != AssessmentState.PASS or not row.verdict or not row.head:
        return f"it is {row.state}, and only a pass is endorsed"
    return _contradicted(link, number, row) or _too_old(link, row, now) or _tests_fail(link, row)


def _contradicted(link: sa.Connection, number: AssessmentId, row: Any) -> str:
    later = sa.select(a.state).where(a.subject == row.subject, a.head == row.head, a.id > number)
    against = link.execute(later.where(a.state.in_((AssessmentState.FAIL, AssessmentState.UNPROVEN))).limit(1)).scalar()
    return "" if against is None else f"it was judged again since, and is {against}"


def _too_old(link: sa.Connection, row: Any, now: Instant) -> str:
    days = terms_of(link, row.team).days
    return f"it was judged more than {days} days ago; have it judged again" if row.finished_at + days * _DAY <= now else ""


def _tests_fail(link: sa.Connection, row: Any) -> str:
    rows = evidence.about(link, endorsing_ground.head_digest(SubjectKind(row.kind), row.head), row.team)
    failing = next((each for each in rows if each.failures), None)
    return "" if failing is None else f"{failing.failures} of its tests failed ({failing.name or 'tests'})"


class _Doing(Struct, frozen=True):
    """What one transaction works on."""

    service: Service
    link: sa.Connection
    found: Passed
    verdict: Verdict
    looked: Looked
    asked: By

    @property
    def number(self) -> AssessmentId:
        return self.found.case.assessment

    @property
    def teams(self) -> Teams:
        """Whose endorsements it may rest on: those of its own team, or anybody's where it is nobody's."""
        team = self.found.case.team
        return None if team is None else frozenset({team})


def _settle(doing: _Doing, data: bytes) -> str:
    """Within one transaction: why not, or nothing."""
    service, link, case = doing.service, doing.link, doing.found.case
    link.execute(sa.select(a.id).where(a.id == doing.number).with_for_update())
    why = problem(link, doing.number, service.now())
    if why or endorsements.of_assessment(link, doing.number, service.now()) is not None:
        return why
    terms, request = terms_of(link, case.team), approvals.last_of(link, doing.number)
    if request is not None and request.state is State.APPROVED:
        _issue(doing, data, terms, request)
    elif terms.people:
        _ask_people(doing, terms, request)
    else:
        _issue(doing, data, terms, None)
    return ""


def _ask_people(doing: _Doing, terms: EndorsingTerms, before: ApprovalRequest | None) -> None:
    """One request waits; after a refusal only somebody who asks again makes another."""
    if before is not None and (before.state is State.WAITING or not doing.asked.login):
        return
    service, case, asked = doing.service, doing.found.case, doing.asked
    authors = dict.fromkeys([*doing.looked.authors, *([case.trigger.actor] if case.trigger.actor else [])])
    number = approvals.ask(
        doing.link,
        approvals.Asked(
            assessment=doing.number, team=case.team, resource=doing.looked.name, head=case.head, asked_by=asked.login or SERVER,
            person=asked.person, authors=tuple(authors), people=terms.people, at=service.now(),
        ),
    )  # fmt: skip
    title, path = f"{doing.looked.name} waits for {terms.people} to approve it", f"/endorsement-requests/{number}"
    publish(
        service, doing.link,
        Happening(
            HappeningKind.APPROVAL_ASKED, service.now(), case.team, title, path, subject=case.subject, actor=asked.login,
            data={"assessment": str(doing.number), "request": str(number), "head": case.head, "people": str(terms.people)},
        ),
    )  # fmt: skip


def _issue(doing: _Doing, data: bytes, terms: EndorsingTerms, request: ApprovalRequest | None) -> None:
    """Sign it and write it down.

    Raises:
        _DisbelievedError: when even the server would not believe it.
    """
    service, link, subjects = doing.service, doing.link, doing.looked.subjects
    packages, brought = _packages(doing), _evidence(doing, data)
    ground = _ground(doing, terms, request, packages, brought)
    said = wording.write(doing.verdict, ground)
    signer = signer_of(service, link)
    payload = approval.write(subjects, said)
    signed = bundle.written(dsse.sign(PAYLOAD_TYPE, payload, signer))
    believed = Asking(service, link).of_bytes(signed, main_digest(subjects), Expected(), is_logged=True)
    if not believed.ok:
        raise _DisbelievedError("; ".join(f"{each.reason.value}: {each.text}" for each in believed.refused))
    name = Digest("sha256:" + hashlib.sha256(payload).hexdigest())
    new = _row(doing, said, request, (name, service.blobs.put(signed)))
    index = endorsements.Index(
        digests=digests(subjects), keys=(signer.public.id,), packages=packages, lineage=ground.lineage,
        layers=doing.looked.layers[-1] if doing.looked.layers else "", evidence=tuple(row.id for row in brought),
    )  # fmt: skip
    made = endorsements.add(link, new, index)
    if made is not None:
        service.queue.put(link, approved_index.job())
        distributing.wake(service, link)
        _tell(doing, new, index)
        revoking.settle(service, link, made)


class _DisbelievedError(Exception):
    """Rolls back what was begun."""


def _ground(
    doing: _Doing, terms: EndorsingTerms, request: ApprovalRequest | None, packages: tuple[str, ...], brought: list[evidence.EvidenceRow]
) -> Ground:
    service, looked, server = doing.service, doing.looked, doing.service.settings.url
    named = dict.fromkeys(row.digest for row in brought)
    return Ground(
        subjects=looked.subjects, resource=looked.resource, is_source=looked.is_source, verifier=verifier_of(service),
        policy=f"{server}/policies", verified_at=doing.found.finished_at, days=terms.days, environments=terms.environments,
        base=looked.base, lineage=_lineage(doing), packages=packages,
        evidence=tuple(Source(f"{server}/api/v1/evidence/{each}", wording.digest_of(each)) for each in named),
        approved_by=request.approved_by if request is not None else (), platforms=looked.platforms,
        platforms_unjudged=looked.platforms_unjudged,
    )  # fmt: skip


def _row(doing: _Doing, said: Approval, request: ApprovalRequest | None, names: tuple[Digest, Digest]) -> endorsements.New:
    case, asked = doing.found.case, doing.asked
    return endorsements.New(
        digest=names[0], bundle=names[1], assessment=doing.number, subject=case.subject, team=case.team, kind=case.kind.value,
        head=case.head, resource=said.resource_uri, verifier=said.verifier.id, engine=f"assaymark@{said.verifier.version['assaymark']}",
        rules=said.verifier.version["rules"], policy=doing.verdict.policy_digest, advisories=said.extension.advisories,
        verdict=doing.found.blob, levels=said.verified_levels, environments=said.extension.environments,
        approved_by=said.extension.approved_by, verified_at=said.verified_at, expires_at=said.expires_at, made_at=doing.service.now(),
        asked_by=asked.login or (request.asked_by if request is not None else ""),
        person=asked.person or (request.person if request is not None else None),
    )  # fmt: skip


def _packages(doing: _Doing) -> tuple[str, ...]:
    """What it holds, kept so that a component leads to it."""
    sets = [packages for _, packages in doing.looked.stock]
    components.add(doing.link, sets, doing.service.now())
    return tuple(dict.fromkeys(components.keep(doing.service.blobs, each) for each in sets))


def _evidence(doing: _Doing, data: bytes) -> list[evidence.EvidenceRow]:
    """What the server saw itself, kept; and the newest of what was brought."""
    service, case, about = doing.service, doing.found.case, main_digest(doing.looked.subjects)
    kept = {
        evidence.add(
            doing.link,
            evidence.New(
                digest=service.blobs.put(each.data), predicate=each.predicate, name="", subject_digest=about, team=case.team,
                size=len(each.data), failures=0, brought_by=SERVER, person=None, at=doing.found.finished_at,
            ),
        )
        for each in endorsing_evidence.own(doing.looked, data, doing.found.finished_at)
    }  # fmt: skip
    rows = evidence.about(doing.link, about, case.team)
    return [row for row in rows if row.id in kept or row.brought_by != SERVER]


def _lineage(doing: _Doing) -> tuple[str, ...]:
    """The nearest of what it was built from that are approved now."""
    link, now, looked = doing.link, doing.service.now(), doing.looked
    if looked.is_source:
        found = endorsements.approved_among(link, looked.ancestors, doing.teams, now)
    else:
        found = endorsements.approved_below(link, looked.layers[:-1], doing.teams, now)
    return tuple(each for each in found if each not in digests(looked.subjects))[:_MOST_LINEAGE]


def _tell(doing: _Doing, new: endorsements.New, index: endorsements.Index) -> None:
    """News, trail, and last the log, which holds a lock until the transaction ends."""
    service, link, actor = doing.service, doing.link, new.asked_by or SERVER
    facts = {"endorsement": new.digest, "assessment": str(new.assessment), "head": new.head, "until": approval.stamp(new.expires_at)}
    title = f"{doing.looked.name} is endorsed until {approval.stamp(new.expires_at)[:10]}"
    path = f"/endorsements/{new.digest}"
    happening = Happening(
        HappeningKind.ENDORSEMENT_MADE, new.made_at, new.team, title, path, subject=new.subject, actor=new.asked_by, data=facts
    )
    publish(service, link, happening)
    trail.record(
        link, Action(new.made_at, actor, "endorsement.made", "success", new.person, "endorsement", new.digest, new.team, "", facts)
    )
    details = {"resource": new.resource, "bundle": new.bundle, "expires": approval.stamp(new.expires_at), "keyid": index.keys[0]}
    log.append(link, [Entry(EntryType.ENDORSE, new.made_at, actor, index.digests, new.digest, details)], team=new.team)
    attaching.attach_later(service, link, new.team, new.resource, new.digest)


def _refused(service: Service, number: AssessmentId, asked: By, why: str) -> None:
    """Say why in the trail and to the request that waits, if there is one; nothing when nothing was refused."""
    if not why:
        return
    _log.info("not endorsed", assessment=number, outcome="refused", why=why)
    with service.database.write() as link:
        now, request = service.now(), approvals.last_of(link, number)
        if request is not None and request.state is State.WAITING:
            approvals.end(link, request.id, State.LAPSED, why, now)
        team = link.execute(sa.select(a.team).where(a.id == number)).scalar()
        actor = asked.login or SERVER
        told = Action(now, actor, "endorsement.made", "refused", asked.person, "assessment", str(number), team, "", {"why": why[:500]})
        trail.record(link, told)
