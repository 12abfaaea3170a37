"""A version's way: proposed, reviewed, in force, retired. Each step within the caller's transaction, appended, and in the trail.

The ratchet: what would make something weaker than what is in force, or than what is left when every exception has ended, needs a recorded
exception (reason, owner, last day) and an approver who is not its proposer. An activation that rests on one ends with it.

Guarantees: of two activations in one moment the second is compared with the first; a version to which somebody objects takes no effect.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work import doubting, governing
from assaymark.store import people, policies, trail
from assaymark.store.policies import Draft, EventKind, EventRow, PolicyException, VersionRow
from assaymark.verdict.organisation import OrganisationPolicy, weaker
from assaymark.verdict.organisation_file import tried
from assaymark.verdict.policy import Weakening

MOST_DAYS = 365
"""Of an exception."""
_LONGEST = 1000


class Taken(UsageError):  # noqa: N818 - like the rest of the tree
    """There is such a version, or the name lives elsewhere."""


class Weaker(UsageError):  # noqa: N818
    """It asks for less than what is in force, and nobody recorded why that may be."""

    def __init__(self, what: str, weakens: Sequence[Weakening], why: str) -> None:
        super().__init__(what, why=why, advice="record an exception: reason, owner, last day; somebody else than the proposer approves")
        self.weakens = tuple(weakens)


class Step(Struct, frozen=True):
    """Who does something, in which transaction."""

    service: Service
    link: sa.Connection
    by: By

    @property
    def now(self) -> Instant:
        return self.service.now()


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """Why something weaker may take effect."""

    reason: str
    owner: str
    """Who answers for it."""
    until: dt.date
    """Last day, at most a year from now."""


def propose(step: Step, policy: OrganisationPolicy, draft: Draft, *, comment: str = "") -> VersionRow:
    """Keep a version, to be reviewed.

    Raises:
        Taken: when its document, or its name and version, are there already, or versions of this name come from elsewhere.
        UsageError: when one of its own examples says that a rule does not do what it should.
    """
    policies.lock(step.link)
    failed = [each for each in tried(policy) if not each.passed]
    if failed:
        first = failed[0]
        raise UsageError(f"rule {first.rule}, {first.example}: {first.said}", advice="correct the rule or its example")
    newest = policies.newest(step.link, draft.name)
    if newest is not None and newest.source != draft.source:
        place = f"lives in git ({newest.path} at {newest.commit[:10]})" if newest.source is not None else "lives on the server"
        raise Taken(f"policy {draft.name} {place}", why="versions of one name come from one place", advice="change it there")
    if policies.add(step.link, draft, step.now) is None:
        there = policies.by_digest(step.link, draft.digest)
        what = f"it is version {there.version} of {there.name}" if there else f"{draft.name} has a version {draft.version} already"
        raise Taken(what, why="a version never changes", advice="" if there else "raise metadata.version")
    made = policies.by_digest(step.link, draft.digest)
    assert made is not None  # noqa: S101 - it was added in this transaction
    _note(step, made, EventKind.PROPOSED, comment=comment)
    return made


def review(step: Step, version: VersionRow, *, approves: bool, comment: str) -> None:
    """Somebody's word about a version; his last one counts.

    Raises:
        UsageError: when its proposer approves of it, or an objection gives no reason.
    """
    policies.lock(step.link)
    if approves and is_proposer(step.link, version, step.by):
        raise UsageError("nobody approves of what he proposed", advice="ask somebody else")
    if not approves and not comment.strip():
        raise UsageError("an objection needs a reason", advice="say what is wrong")
    _note(step, version, EventKind.APPROVED if approves else EventKind.OBJECTED, comment=comment)


def activate(step: Step, version: VersionRow, *, exception: Wanted | None = None) -> None:
    """Let a version take effect.

    Raises:
        Weaker: when that needs an exception, or an approver.
        UsageError: when somebody objects, it is in force, or the exception is none.
    """
    policies.lock(step.link)
    now = policies.standing(step.link, version.name, step.now)
    firm = policies.standing(step.link, version.name, step.now, firm=True)
    if now is not None and now.id == version.id and (firm is not None and firm.id == version.id):
        raise UsageError(f"{version.name} {version.version} is in force")
    word = _words(step.link, version)
    objecting = sorted(actor for actor, event in word.items() if event.kind is EventKind.OBJECTED)
    if objecting:
        raise UsageError(f"{', '.join(objecting)} objects to it", advice="settle that, or propose another version")
    weakens = weakened(step.link, step.now, version.name, version)
    approvers = [actor for actor, event in word.items() if event.kind is EventKind.APPROVED]
    if not is_proposer(step.link, version, step.by):
        approvers.append(step.by.actor)
    kept, until = _excepted(step.service, version.name, weakens, exception, approvers)
    _note(step, version, EventKind.ACTIVATED, weakens=weakens, exception=kept, until=until)
    step.service.queue.put(step.link, doubting.job(0))


def propose_retirement(step: Step, name: str, comment: str) -> None:
    """Ask that a policy applies no more.

    Raises:
        UsageError: when none of this name is in force.
    """
    policies.lock(step.link)
    now = policies.standing(step.link, name, step.now)
    if now is None:
        raise UsageError(f"no version of {name} is in force")
    _note(step, now, EventKind.RETIREMENT_PROPOSED, comment=comment)


def retire(step: Step, name: str, exception: Wanted) -> None:
    """Let a policy apply no more, as somebody else asked; until the exception's last day, unless another version takes effect before.

    Raises:
        Weaker: when nobody else asked for it.
        UsageError: when none of this name is in force, or the exception is none.
    """
    policies.lock(step.link)
    now = policies.standing(step.link, name, step.now)
    if now is None:
        raise UsageError(f"no version of {name} is in force")
    asked = next(iter(each for each in policies.events_of(step.link, name) if each.kind is not EventKind.PROPOSED), None)
    if asked is None or asked.kind is not EventKind.RETIREMENT_PROPOSED:
        raise UsageError(f"nobody asked to retire {name}", advice="let somebody ask first; somebody else answers")
    weakens = weakened(step.link, step.now, name, None)
    approvers = [step.by.actor] if asked.actor != step.by.actor else []
    kept, until = _excepted(step.service, name, weakens, exception, approvers)
    _note(step, now, EventKind.RETIRED, weakens=weakens, exception=kept, until=until)


def weakened(link: sa.Connection, at: Instant, name: str, version: VersionRow | None) -> tuple[Weakening, ...]:
    """In what a version (None: no policy) asks for less than what is in force, or than what is left when exceptions end."""
    after = _parsed(version)
    found: set[Weakening] = set()
    for firm in (False, True):
        found |= set(weaker(_parsed(policies.standing(link, name, at, firm=firm)), after))
    return tuple(sorted(found))


def is_proposer(link: sa.Connection, version: VersionRow, by: By) -> bool:
    """Whether somebody is who proposed it; of a version from git the author of the commit is that."""
    if version.person is not None:
        return by.person == version.person
    if by.actor == version.author:
        return True
    row = people.get(link, by.person) if by.person is not None else None
    mine = {text.casefold() for text in (by.actor, *((row.name, row.email) if row else ())) if text}
    return version.author.casefold() in mine


def _parsed(version: VersionRow | None) -> OrganisationPolicy | None:
    return governing.parsed(version.document, f"policy {version.name} {version.version}") if version is not None else None


def _words(link: sa.Connection, version: VersionRow) -> dict[str, EventRow]:
    """The last word of each who reviewed it."""
    kinds = (EventKind.APPROVED, EventKind.OBJECTED)
    return {each.actor: each for each in policies.events_of_version(link, version.id) if each.kind in kinds}


def _excepted(
    service: Service, name: str, weakens: Sequence[Weakening], wanted: Wanted | None, approvers: Sequence[str]
) -> tuple[PolicyException | None, Instant | None]:
    if not weakens:
        return None, None
    what = f"{name} would be weaker than what is in force"
    if wanted is None:
        raise Weaker(what, weakens, "; ".join(each.text for each in weakens)[:_LONGEST])
    if not (wanted.reason.strip() and wanted.owner.strip()) or len(wanted.reason) > _LONGEST or len(wanted.owner) > 200:
        raise UsageError("an exception needs a reason and an owner", advice="say why, and who answers for it")
    today = dt.datetime.fromtimestamp(service.now() / SECOND, dt.UTC).date()
    days = (wanted.until - today).days
    if not 0 <= days <= MOST_DAYS:
        raise UsageError(
            f"an exception until {wanted.until} runs {days} days", advice=f"name a day from today to {MOST_DAYS} days from now"
        )
    if not approvers:
        raise Weaker(what, weakens, "nobody besides its proposer approved of it")
    end = dt.datetime.combine(wanted.until + dt.timedelta(days=1), dt.time(), dt.UTC)
    until = Instant(int(end.timestamp()) * SECOND - 1)
    return PolicyException(wanted.reason.strip(), wanted.owner.strip(), approvers[-1], wanted.until.isoformat()), until


def _note(  # noqa: PLR0913 - one per column
    step: Step, version: VersionRow, kind: EventKind, *, comment: str = "", weakens: Sequence[Weakening] = (),
    exception: PolicyException | None = None, until: Instant | None = None,
) -> None:  # fmt: skip
    at, by = step.now, step.by
    policies.note(
        step.link, version.name, kind, at, version=version.id, person=by.person, actor=by.actor, comment=comment.strip()[:_LONGEST],
        weakens=[each.text for each in weakens], exception=exception, until=until,
    )  # fmt: skip
    details = {"version": version.version, "digest": version.digest}
    details |= {"weakens": "; ".join(each.name for each in weakens)[:_LONGEST]} if weakens else {}
    details |= msgspec.structs.asdict(exception) if exception else {}
    done = trail.Action(
        at, by.actor, f"policy.{kind.value}", "success", by.person, "policy", version.name, origin=by.origin, details=details
    )
    trail.record(step.link, done)
