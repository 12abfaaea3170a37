"""Take back what was endorsed: one key, one engine, one component, one endorsement.

Guarantees: part of the caller's transaction: the entry of the list, its line in the transparency log, the trail, and the first portion of
withdrawals; further portions are jobs. Nothing is deleted, nothing becomes approved by it, the same twice is once. Who looks at the list
(verification, distribution) sees the revocation with the commit, however many endorsements are still to be marked as withdrawn.

What is asked by name, and what a judgement found, becomes revocations of endorsements: of these the verifier can be told offline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from msgspec.structs import replace

from assaymark.endorsement.approval import instant, stamp
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.errors import SubjectNotFound, UsageError
from assaymark.jobs.job import Job, Priority
from assaymark.model.access import TeamId
from assaymark.model.assessment import AssessmentId, Instant
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import distributing, standing, withdrawal_news
from assaymark.server.work.handlers import Attempt
from assaymark.store import log, revocations, trail, withdrawals
from assaymark.store.revocations import LONGEST_CAUSE, LONGEST_NAME, LONGEST_REASON, Asked, Child, Draft, RevocationRow
from assaymark.store.wanted import question_of, wanted

SERVER = By("server")
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*:[0-9a-f]{40,128}")
_ENGINE = re.compile(r"[A-Za-z][A-Za-z0-9._-]*@\S+")
_FORMS: Mapping[Target, tuple[re.Pattern[str], str]] = {
    Target.ENDORSEMENT: (re.compile(r"sha256:[0-9a-f]{64}"), "sha256:<64 hex digits>, the digest of its statement"),
    Target.SUBJECT: (_DIGEST, "<algorithm>:<hex>, as sha256:… or gitCommit:…"),
    Target.KEY: (re.compile(r"SHA256:[A-Za-z0-9+/]{43}"), "SHA256:<43 letters>, as `ssh-keygen -lf` writes it"),
    Target.ENGINE: (_ENGINE, "<part>@<version>, as assaymark@0.1.0 or rules@sha256:…"),
    Target.COMPONENT: (_DIGEST, "<algorithm>:<hex> of a base image, a parent or a package set; or pkg:… for a package"),
    Target.POLICY: (_DIGEST, "sha256:<hex> of the policy"),
}


class Why(Struct, frozen=True):
    """What a revocation rests on, where no person simply said so."""

    cause: str = ""
    assessment: AssessmentId | None = None


class Revoked(Struct, frozen=True):
    """What became of it."""

    row: RevocationRow
    fresh: bool
    """False: it was revoked before, and nothing changed."""
    withdrawn: int
    """Endorsements that were withdrawn within this transaction."""
    more: bool
    """Others are withdrawn by a job."""


def checked(asked: Revocation) -> Revocation:
    """The same, as it is kept; `at` is left to the server.

    Raises:
        UsageError: naming what is wrong.
    """
    name, reason = asked.name.strip(), asked.reason.strip()
    form, said = _FORMS[asked.target]
    if not form.fullmatch(name) or len(name) > LONGEST_NAME:
        raise UsageError(f"{name[:100]!r} names no {asked.target}", advice=f"write {said}")
    return replace(asked, name=name, reason=_reason(reason), **window(asked.since, asked.until))


def _reason(text: str) -> str:
    if not text or len(text) > LONGEST_REASON or not text.replace("\n", " ").isprintable():
        raise UsageError("the reason is missing, too long or not readable", advice=f"say why, in at most {LONGEST_REASON} letters")
    return text


def window(since: str, until: str) -> dict[str, str]:
    """To the second, in UTC, so that one window is written in one way.

    Raises:
        UsageError: when it is none.
    """
    found: dict[str, str] = {}
    for end, text in (("since", since.strip()), ("until", until.strip())):
        try:
            found[end] = stamp(instant(text)) if text else ""
        except (ValueError, OverflowError) as error:
            raise UsageError(f"{text[:40]!r} is no time", why=str(error), advice="write it as 2026-11-28T09:00:00Z") from error
    if found["since"] and found["until"] and found["since"] > found["until"]:
        raise UsageError("the window ends before it begins", advice="exchange its ends")
    return found


# --- one entry of the list -------------------------------------------------------------------------------------------


def revoke(service: Service, link: sa.Connection, asked: Revocation, *, by: By, why: Why = Why()) -> Revoked:  # noqa: B008 - frozen
    """Take back what this target covers, from now on.

    Raises:
        UsageError: when it names nothing that could be revoked.
    """
    asked = checked(asked)
    revocations.lock(link)
    there = revocations.find(link, asked.target, asked.name, asked.since, asked.until)
    if there is not None:
        return Revoked(there, fresh=False, withdrawn=0, more=False)
    at = service.now()
    draft = Draft(
        target=asked.target, name=asked.name, reason=asked.reason, at=at, actor=by.actor, since=asked.since, until=asked.until,
        person=by.person, team=_team_of(link, asked), cause=why.cause[:LONGEST_CAUSE], assessment=why.assessment,
    )  # fmt: skip
    row = revocations.add(link, draft, _logged(link, [draft])[0])
    return _begun(service, link, row, by)


def _team_of(link: sa.Connection, asked: Revocation) -> TeamId | None:
    """Whose it is: of the one team that it covers, where it names a single thing."""
    if asked.target not in {Target.ENDORSEMENT, Target.SUBJECT}:
        return None
    teams = list(withdrawals.by_team(link, withdrawals.covering(withdrawals.Mark(asked.target, asked.name))))
    return teams[0] if len(teams) == 1 else None


# --- what leads to others --------------------------------------------------------------------------------------------


class Package(Struct, frozen=True):
    """A component by its name."""

    name: str
    """``pkg:npm/lodash``, also with its version."""
    versions: str = ""
    """A version, or terms as ``>=4,<4.17.21``; empty for what the name says, or any."""
    since: str = ""
    until: str = ""

    @property
    def written(self) -> str:
        """As the row names it."""
        return f"{self.name.strip()} {self.versions.strip()}".strip()


def revoke_package(service: Service, link: sa.Connection, asked: Package, reason: str, *, by: By) -> Revoked:
    """Take back every endorsement of what holds this package; what is endorsed later with it in it is taken back as it comes.

    Raises:
        UsageError: when it is no package, or the versions are none.
    """
    package_question(link, asked)
    ends = window(asked.since, asked.until)
    revocations.lock(link)
    there = revocations.find(link, Asked.PACKAGE, asked.written, ends["since"], ends["until"])
    at = service.now()
    if there is not None:
        withdrawn, after = _portion(service, link, there, 0)
        return Revoked(there, fresh=False, withdrawn=withdrawn, more=_go_on(service, link, there, Reach(at, after)))
    draft = Draft(
        Asked.PACKAGE, asked.written, _reason(reason.strip()), at, by.actor, since=ends["since"], until=ends["until"], person=by.person
    )
    return _begun(service, link, revocations.add(link, draft, None), by)


def package_question(link: sa.Connection, asked: Package) -> sa.Select[Any]:
    """Ids of the endorsements of what holds it.

    Raises:
        UsageError: when it is no package, or the versions are none.
    """
    name = asked.name.strip()
    if not name.startswith("pkg:") or len(asked.written) > LONGEST_NAME:
        raise UsageError(f"{name[:100]!r} is no package URL", advice="write it as pkg:npm/lodash@4.17.20, or with a range beside it")
    return withdrawals.holding(question_of(link, wanted(name, asked.versions)))


def revoke_judged(service: Service, link: sa.Connection, numbers: Sequence[int], reason: str, why: Why) -> Revoked | None:
    """Take back these endorsements, for what an assessment found; None when all of them were taken back before."""
    revocations.lock(link)
    there = withdrawals.withdrawn(link, numbers)
    left = [number for number in numbers if number not in there]
    if not left:
        return None
    name, began = f"assessment:{why.assessment}", service.now()
    row = revocations.find(link, Asked.JUDGEMENT, name)
    fresh = row is None
    if row is None:
        teams = {each.team for each in withdrawals.rows_of(link, left)}
        draft = Draft(
            target=Asked.JUDGEMENT, name=name, reason=reason[:LONGEST_REASON], at=began, actor=SERVER.actor,
            team=teams.pop() if len(teams) == 1 else None, cause=why.cause[:LONGEST_CAUSE], assessment=why.assessment,
        )  # fmt: skip
        row = revocations.add(link, draft, None)
    done = _children(service, link, row, left)
    _note(link, row, SERVER, done)
    _go_on(service, link, row, Reach(began, None))
    return Revoked(row, fresh=fresh, withdrawn=done, more=False)


def settle(service: Service, link: sa.Connection, number: int) -> bool:
    """Whether a new endorsement (its row) is covered by what was revoked before, and is withdrawn therefore; for whoever records one."""
    revocations.lock(link)
    covered = bool(withdrawals.settle(link, [number], service.now()))
    for row in revocations.packages(link):
        holding = withdrawals.within(_question(link, row), row.since, row.until).where(withdrawals.e.id == number)
        if link.execute(holding).first() is not None:
            covered = bool(_children(service, link, row, [number])) or covered
    return covered


def _question(link: sa.Connection, row: RevocationRow) -> sa.Select[Any]:
    """Ids of the endorsements of what holds the package of a row. Where its versions mean nothing, of what holds any: rather too many."""
    name, _, versions = row.name.partition(" ")
    try:
        return package_question(link, Package(name, versions))
    except UsageError:
        return package_question(link, Package(name.partition("@")[0] if "@" in name[5:] else name))


# --- portion by portion ----------------------------------------------------------------------------------------------


def _begun(service: Service, link: sa.Connection, row: RevocationRow, by: By) -> Revoked:
    withdrawn, after = _portion(service, link, row, 0)
    _note(link, row, by, withdrawn)
    more = _go_on(service, link, row, Reach(row.at, after))
    return Revoked(row, fresh=True, withdrawn=withdrawn, more=more)


class Reach(Struct, frozen=True):
    """How far a revocation went."""

    began: Instant
    after: int | None
    """Where it goes on; None at the end."""


def _go_on(service: Service, link: sa.Connection, row: RevocationRow, reach: Reach) -> bool:
    """Put the next portion, or let it be told what came of it; whether there is more.

    Told is by a job of its own: here the lock of the trail is held, for which whoever else publishes may wait.
    """
    arguments: dict[str, int | str | bool | None] = {"revocation": row.id, "began": reach.began, "after": reach.after}
    kind = "tell-revocation" if reach.after is None else "spread-revocation"
    key = f"{kind}:{row.id}:{reach.began}:{reach.after}"
    service.queue.put(link, Job(kind, arguments, key=key, lock=f"revocation:{row.id}", priority=Priority.FEEDBACK, seconds=300))
    distributing.wake(service, link)
    standing.wake(service, link)
    return reach.after is not None


def tell_revocation(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Handler: tell each team what it withdrew (arguments: ``revocation``, ``began``)."""
    with service.database.write() as link:
        row = revocations.one(link, int(arguments["revocation"]))
        if row is not None:
            withdrawal_news.tell(service, link, row, Instant(int(arguments["began"])))


def spread_revocation(service: Service, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Handler: the next portion (arguments: ``revocation``, ``began``, ``after``).

    Raises:
        SubjectNotFound: when there is no such revocation.
    """
    number = int(arguments["revocation"])
    with service.database.write() as link:
        revocations.lock(link)
        row = revocations.one(link, number)
        if row is None:
            raise SubjectNotFound(f"there is no revocation {number}")
        _, after = _portion(service, link, row, int(arguments["after"]))
        _go_on(service, link, row, Reach(Instant(int(arguments["began"])), after))


def _portion(service: Service, link: sa.Connection, row: RevocationRow, after: int) -> tuple[int, int | None]:
    """(how many were withdrawn, where it goes on)."""
    if row.listed:
        return withdrawals.write(link, row, service.now(), after=after)
    query = withdrawals.within(_question(link, row), row.since, row.until)
    ids = withdrawals.portion(link, query, after=after)
    made = _children(service, link, row, ids)
    return made, ids[-1] if len(ids) == withdrawals.AT_ONCE else None


def _children(service: Service, link: sa.Connection, row: RevocationRow, numbers: Sequence[int]) -> int:
    """Revoke each of these endorsements for the sake of a row, and withdraw it; how many were not revoked before."""
    rows = withdrawals.rows_of(link, numbers)
    known = revocations.revoked_names(link, Target.ENDORSEMENT, [each.digest for each in rows])
    fresh = [each for each in rows if each.digest not in known]
    drafts = [
        Draft(Target.ENDORSEMENT, each.digest, row.reason, row.at, row.actor, team=each.team, cause=row.cause, assessment=row.assessment)
        for each in fresh
    ]
    logged = _logged(link, drafts)
    revocations.add_children(link, row, [Child(each.digest, each.team, entry) for each, entry in zip(fresh, logged, strict=True)])
    known |= revocations.revoked_names(link, Target.ENDORSEMENT, [each.digest for each in fresh])
    withdrawals.write_pairs(link, ((each.id, known[each.digest]) for each in rows), service.now())
    return len(fresh)


def _logged(link: sa.Connection, drafts: Sequence[Draft]) -> list[int]:
    """Numbers of the lines in the transparency log that say so, each of its team."""
    numbers = [0] * len(drafts)
    for team in dict.fromkeys(each.team for each in drafts):
        chosen = [position for position, each in enumerate(drafts) if each.team == team]
        appended = log.append(link, [_entry(drafts[position]) for position in chosen], team=team)
        for position, number in zip(chosen, appended, strict=True):
            numbers[position] = number
    return numbers


def _entry(draft: Draft) -> Entry:
    facts = {"target": draft.target.value, "name": draft.name, "reason": draft.reason, "cause": draft.cause}
    facts |= {"since": draft.since, "until": draft.until}
    is_digest = draft.target in {Target.SUBJECT, Target.COMPONENT, Target.POLICY}
    return Entry(
        EntryType.REVOKE, draft.at, draft.actor, subjects=(draft.name,) if is_digest else (),
        endorsement=draft.name if draft.target is Target.ENDORSEMENT else "", details={name: text for name, text in facts.items() if text},
    )  # fmt: skip


def _note(link: sa.Connection, row: RevocationRow, by: By, withdrawn: int) -> None:
    details = {"target": row.target, "name": row.name[:300], "reason": row.reason[:200], "withdrawn": str(withdrawn)}
    details |= {"cause": row.cause} if row.cause else {}
    trail.record(
        link,
        trail.Action(
            at=row.at, actor=by.actor, person=by.person, action="revocation.made", outcome="success", object_kind="revocation",
            object=str(row.id), team=row.team, origin=by.origin, details=details,
        ),
    )  # fmt: skip
