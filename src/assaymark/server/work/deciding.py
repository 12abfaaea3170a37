"""People decide: checked, written down with what it does to what stands open, and the verdicts concerned judged again.

Guarantees: a decision, what it changes, and the trail's entry are one transaction; nobody approves or answers for his own; a decision ends
on its last day by itself. What covers very many occurrences goes on in jobs, portion by portion; a verdict is judged again from what it
said (`verdict.again`), without reading content, and told to the forge when it differs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from assaymark.errors import SubjectNotFound, UsageError
from assaymark.jobs.job import Job, Priority
from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, AssessmentState, Instant, SubjectId
from assaymark.model.decision import DecisionId, Scope, check_days, check_scope, check_words
from assaymark.model.digest import Digest
from assaymark.model.finding import Finding
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.trigger import TriggerKind
from assaymark.model.verdict import Outcome, Verdict
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work.decision_news import of_decision, tell
from assaymark.server.work.deliver import announce
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.items import follow
from assaymark.server.work.telling import tell_change
from assaymark.server.work.withdrawing import revisit
from assaymark.store import arrivals, deciding, decisions, trail
from assaymark.store.arrivals import Arrival
from assaymark.store.decisions import Draft, Said, Step
from assaymark.store.recording import Recording, record
from assaymark.store.tables import assessment, repository, subject, team
from assaymark.verdict import grounds as judged_by
from assaymark.verdict.again import again
from assaymark.verdict.given import Given, anchors, facts_of
from assaymark.views.encoding import packed

_MOST_ENDED = 100
"""In one transaction of the schedule."""
_JUDGED = (AssessmentState.PASS, AssessmentState.FAIL, AssessmentState.UNPROVEN)


def team_of(link: sa.Connection, scope: Scope) -> TeamId | None:
    """Whose the decision is: who may decide there may make it.

    Raises:
        SubjectNotFound: when what the scope names is not there.
        UsageError: when it is not together.
    """
    teams: list[int | None] = []
    for table, number in ((subject, scope.subject), (repository, scope.repository), (team, scope.team)):
        if number is None:
            continue
        column = table.c.id if table is team else table.c.team
        row = link.execute(sa.select(column).where(table.c.id == number)).first()
        if row is None:
            raise SubjectNotFound("what the scope names is not here")  # said as of what is there and is not for this caller
        teams.append(row[0])
    if len(set(teams)) > 1:
        raise UsageError("the scope names things of different teams", advice="name only one of subject, repository and team")
    return TeamId(teams[0]) if teams and teams[0] is not None else None


def check(draft: Draft, now: Instant) -> None:
    """Whether it can be decided so.

    Raises:
        UsageError: naming what is wrong.
    """
    check_scope(draft.scope)
    check_words(draft.kind, draft.reason, draft.justification)
    check_days(draft.until, decisions.day_of(now))
    if not draft.owner.strip() or len(draft.owner) > 200 or not draft.owner.isprintable():
        raise UsageError("the owner is missing or no name", advice="say who answers for it")


class Deciding:
    """Decisions of one transaction: they are applied together, and the trail is written last."""

    def __init__(self, service: Service, link: sa.Connection) -> None:
        """Takes the lock: nothing else may have been locked by this transaction."""
        decisions.lock(link)
        self._service, self._link, self.at = service, link, service.now()
        self._changed: list[DecisionId] = []
        self._trail: list[trail.Action] = []
        self._happened: list[Happening] = []

    def make(self, draft: Draft, by: By, *, approved_by: By | None = None) -> DecisionId | None:
        """A new decision; None when one of the same origin was made before.

        Raises:
            UsageError: when it cannot be decided so.
        """
        check(draft, self.at)
        made = decisions.add(self._link, draft, self.at)
        if made is None:
            return None
        self._note(
            "decision.made", made, draft.team, by, {"kind": draft.kind.value, "about": draft.scope.named(), "until": str(draft.until)}
        )
        self._changed.append(made)
        self._tell(HappeningKind.DECISION_MADE, made, by.actor)
        if approved_by is not None:
            self.approve(made, approved_by)
        return made

    def approve(self, number: DecisionId, by: By) -> None:
        """A second person agrees.

        Raises:
            UsageError: when it is his own, or not in force.
        """
        row = self._in_force(number)
        made = decisions.made_by(self._link, number)
        if by.actor in (made.login, row.owner.strip()) or (made.person is not None and made.person == by.person):
            raise UsageError("nobody approves his own decision", advice="ask somebody else who may decide here")
        if decisions.step(self._link, number, Step.APPROVED, Said(_by(by), self.at)):
            self._note("decision.approved", number, row.team, by, {})
            self._changed.append(number)

    def withdraw(self, number: DecisionId, by: By, reason: str) -> None:
        """It holds no longer.

        Raises:
            UsageError: when it is not in force any more.
        """
        row = self._in_force(number)
        if not reason.strip():
            raise UsageError("the reason is missing", advice="say why it holds no longer")
        if decisions.step(self._link, number, Step.WITHDRAWN, Said(_by(by), self.at, reason[:2000])):
            self._note("decision.withdrawn", number, row.team, by, {"reason": reason[:200]})
            self._changed.append(number)
            self._tell(HappeningKind.DECISION_ENDED, number, by.actor)

    def end(self, number: DecisionId) -> None:
        """Its last day is over."""
        if decisions.step(self._link, number, Step.ENDED, Said(decisions.By("server"), self.at)):
            self._changed.append(number)
            self._tell(HappeningKind.DECISION_ENDED, number, "")

    def remind(self, number: DecisionId) -> None:
        """Its last day is near."""
        if decisions.step(self._link, number, Step.REMINDED, Said(decisions.By("server"), self.at)):
            self._tell(HappeningKind.DECISION_ENDING, number, "")

    def tell(self, happening: Happening) -> None:
        """To whoever wants to know, when everything is done."""
        self._happened.append(happening)

    def note(self, action: trail.Action) -> None:
        """For the trail, when everything is done."""
        self._trail.append(action)

    def finish(self) -> int:
        """Apply all of it; how many occurrences go on otherwise."""
        done = deciding.spread(self._link, list(dict.fromkeys(self._changed)), self.at) if self._changed else deciding.Spread()
        _judge_later(self._service, self._link, done.subjects)
        if done.after is not None:
            for number in dict.fromkeys(self._changed):
                put_spread(self._service, self._link, number, 0)
        tell(self._service, self._link, self._happened)
        for action in self._trail:
            trail.record(self._link, action)
        return done.changed

    def _tell(self, kind: HappeningKind, number: DecisionId, actor: str) -> None:
        row = decisions.one(self._link, number, self.at)
        if row is not None:
            self.tell(of_decision(kind, row, self.at, actor))

    def _in_force(self, number: DecisionId) -> decisions.DecisionRow:
        row = decisions.one(self._link, number, self.at)
        if row is None:
            raise SubjectNotFound(f"there is no decision {number}")
        if row.standing is not decisions.Standing.IN_FORCE:
            raise UsageError(f"decision {number} is {row.standing} already", advice="decide anew")
        return row

    def _note(self, action: str, number: DecisionId, of: TeamId | None, by: By, details: dict[str, str]) -> None:
        self.note(
            trail.Action(
                at=self.at, actor=by.actor, person=by.person, action=action, outcome="success", object_kind="decision",
                object=str(number), team=of, origin=by.origin, details={name: text[:300] for name, text in details.items()},
            )
        )  # fmt: skip


def _by(by: By) -> decisions.By:
    return decisions.By(by.actor, by.person)


# --- what follows ----------------------------------------------------------------------------------------------------


def put_spread(service: Service, link: sa.Connection, number: DecisionId, after: int) -> None:
    """Go on with a decision that covers more than one transaction changes."""
    arguments: dict[str, int | str | bool | None] = {"decision": number, "after": after}
    service.queue.put(
        link, Job("spread-decision", arguments, key=f"decision:{number}:{after}", lock="decisions", priority=Priority.ADVISORY, seconds=300)
    )


def spread_decision(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Handler: the next portion (arguments: ``decision``, ``after``)."""
    number = DecisionId(int(arguments["decision"]))
    with service.database.write() as link:
        decisions.lock(link)
        done = deciding.spread(link, [number], service.now(), after=int(arguments["after"]))
        _judge_later(service, link, done.subjects)
        if done.after is not None:
            put_spread(service, link, number, done.after)


def _judge_later(service: Service, link: sa.Connection, subjects: Iterable[SubjectId]) -> None:
    for number in sorted(subjects):
        put_judging(service, link, number)
    follow(service, link)  # items open and close with what a decision lets through or opens again


def put_judging(service: Service, link: sa.Connection, number: SubjectId) -> None:
    """Let the last verdict of the subject be read again with what was decided; within the caller's transaction."""
    key = f"judge-decided:{number}"
    job = Job("judge-decided", {"subject": number}, key=key, lock=f"subject:{number}", priority=Priority.FEEDBACK, seconds=120)
    service.queue.put(link, job)


def judge_decided(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Handler: the verdict of the head that was judged last, as it reads with what was decided (arguments: ``subject``)."""
    number = SubjectId(int(arguments["subject"]))
    with service.database.read() as link:
        last = _last(link, number)
    if last is None:
        return
    old = msgspec.json.decode(service.blobs.get(Digest(last.verdict)), type=Verdict)
    given = Given(decided_about(service, number, [each.finding for each in old.findings]))
    new, grounds = _read_again(service, last, old, given)
    if (new.findings, new.reasons) == (old.findings, old.reasons):
        with service.database.write() as link:  # what came after the decision stands in the verdict without it
            revisit(service, link, number, AssessmentId(last.id))
        return
    blob = service.blobs.put(packed(new))
    with service.database.write() as link:
        decisions.lock(link, shared=True)
        if _last(link, number) != last:
            put_judging(service, link, number)
            return
        at = service.now()
        arrival = Arrival(
            subject=number, team=last.team, trigger=TriggerKind.DECISION, trigger_details=last.trigger_details, actor="",
            base=last.base, head=last.head, delivery=None, cause=_cause(old, new), at=at,
        )  # fmt: skip
        made = arrivals.insert(link, arrival, state=AssessmentState.RUNNING, started_at=at, attempts=1, grounds=grounds)
        record(link, Recording(made, number, new, blob, whole=False, at=at, summary=_sentence(new)))
        follow(service, link)
        tell_change(service, link, made, new)
        if new.outcome is not old.outcome or new.reasons != old.reasons:
            announce(service, link, made)
        revisit(service, link, number, made)


def _last(link: sa.Connection, number: SubjectId) -> Any:
    a = assessment.c
    query = sa.select(a.id, a.team, a.verdict, a.trigger_details, a.base, a.head, a.grounds)
    query = query.join(subject, subject.c.last_assessment == a.id)
    return link.execute(query.where(subject.c.id == number, subject.c.ended_at.is_(None), a.state.in_(_JUDGED), a.verdict != "")).first()


def _read_again(service: Service, last: Any, old: Verdict, given: Given) -> tuple[Verdict, str]:
    """The verdict with these decisions, and the digest of what it rests on.

    Where rules of the organisation had a word they are asked again, over what is kept of the judgement; otherwise the verdict itself says
    enough.
    """
    today = decisions.day_of(service.now())
    if not last.grounds or not any(reason.rule for reason in old.reasons):
        return again(old, given, today), last.grounds
    grounds = judged_by.unpacked(service.blobs.get(Digest(last.grounds)))
    grounds = replace(grounds, today=today, given=replace(grounds.given, decisions=given.decisions))
    said = judged_by.decide(grounds)
    kept = (text for text in old.notices if not text.startswith("decision "))
    notices = tuple(dict.fromkeys([*kept, *said.notices]))
    new = replace(
        old, outcome=said.outcome, reasons=said.reasons, findings=said.judged, before=said.before, after=said.after, notices=notices
    )  # fmt: skip
    return new, str(service.blobs.put(judged_by.packed(grounds)))


def _cause(old: Verdict, new: Verdict) -> str:
    before, after = ({j.waiver.decision for j in each.findings if j.waiver and j.waiver.decision} for each in (old, new))
    words = [f"decision {number}" for number in sorted(after - before)] + [f"end of decision {number}" for number in sorted(before - after)]
    return ", ".join(words[:5])


def _sentence(verdict: Verdict) -> str:
    stopping = next((reason.text for reason in verdict.reasons if reason.stops), "")
    held = sum(one.held_back for one in verdict.findings)
    word = f"{held} let through by decisions" if held else "decisions changed"
    return f"{word}; {stopping}" if stopping else word if verdict.outcome is Outcome.PASS else f"{word}: {verdict.outcome}"


def decided_about(service: Service, number: SubjectId, findings: Sequence[Finding]) -> tuple[Any, ...]:
    """What is in force about these findings of a subject."""
    with service.database.read() as link:
        about = decisions.about_subject(link, number)
        if about is None or not decisions.is_any(link):
            return ()
        names = dict.fromkeys(name for each in findings for name in anchors(facts_of(each)))
        return tuple(decisions.concerning(link, names, service.now(), about))


# --- by the clock ----------------------------------------------------------------------------------------------------


def end_decisions(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Handler of the schedule: what is over ends, and who answers for what ends soon is reminded once."""
    while not attempt.should_stop():
        with service.database.write() as link:
            work = Deciding(service, link)
            over = decisions.over(link, work.at, _MOST_ENDED)
            for number in over:
                work.end(number)
            work.finish()
        if len(over) < _MOST_ENDED:
            break
    while not attempt.should_stop():
        with service.database.write() as link:
            work = Deciding(service, link)
            soon = decisions.ending(link, work.at, _MOST_ENDED)
            for number in soon:
                work.remind(number)
            work.finish()
        if len(soon) < _MOST_ENDED:
            break


def last_day(service: Service, days: int) -> dt.date:
    """So many days from today."""
    return decisions.day_of(service.now()) + dt.timedelta(days=days)
