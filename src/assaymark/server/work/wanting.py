"""What each pair should run, and what is to be done: asked by deployers again and again, answered from the signed bytes each time.

Guarantees: a revocation shows with the next question, whatever jobs are still to run; nothing is asked to be deployed that does not verify
for its environment now; what is pinned is not replaced by a wish for as long as it is approved, unless somebody let go of it; what a person
burnt comes back by no wish of before; what has to go is never answered by something that is not approved. Of what runs by a break-glass
order nothing is asked while the order runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.phoenix.generation import KEEPER, State
from assaymark.endorsement.verify import Refused
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant
from assaymark.server.service import Service
from assaymark.server.work import standing
from assaymark.server.work.standing import Standing
from assaymark.store import drifts, environments, generations, promotions
from assaymark.store.environments import PairRow, Unapproved
from assaymark.store.generations import Burnt, GenerationRow
from assaymark.store.promotions import PromotionRow

_UNKNOWN = Standing(ok=False)


class Do(StrEnum):
    """What is to be done."""

    NOTHING = "nothing"
    """Nothing runs, and nothing that may is wanted."""
    KEEP = "keep"
    DEPLOY = "deploy"
    """What is wanted is not what runs."""
    REPLACE = "replace"
    """What runs is not approved any more; what is wanted is: now."""
    STOP = "stop"
    """What runs was revoked, nothing approved can take its place, and the environment says to stop then."""
    ALERT = "alert"
    """What runs is not approved any more, and nothing approved can take its place: people have to see to it."""


class RunningNow(Struct, frozen=True):
    """What runs, as deployers told it, and how it stands now."""

    generation: int
    state: str
    digest: str
    image: str
    since: Instant | None
    """When it became live."""
    deployed_by: str
    endorsement: str
    breakglass: str
    until: Instant | None
    """When the break-glass order ends."""
    pinned: bool
    approved: bool
    expires_at: Instant | None
    """When the approval by which it may run now ends."""
    refused: tuple[Refused, ...]


class LookedAway(Struct, frozen=True):
    """A drift that nobody is to act upon until then."""

    where: str
    what: str
    kind: str
    observed: str
    until: Instant
    reason: str
    by: str


class WantedPair(Struct, frozen=True):
    """One pair."""

    environment: str
    component: str
    team: TeamId | None
    do: Do
    why: str
    """In a sentence, for people."""
    digest: str
    """That is wanted; empty where nobody promoted any."""
    image: str
    promotion: int | None
    promoted_by: str
    pins: bool
    """It is to be pinned."""
    releases: bool
    """What is pinned may be let go of for it."""
    approved: bool
    """What is wanted may run there now."""
    endorsement: str
    expires_at: Instant | None
    refused: tuple[Refused, ...]
    """Why it may not."""
    running: RunningNow | None
    looked_away: tuple[LookedAway, ...]
    steps: int
    """How many steps are known here: tell those after."""


class Case(Struct, frozen=True):
    """What a decision rests on."""

    live: GenerationRow | None
    live_stands: Standing
    wish: PromotionRow | None
    wish_stands: Standing
    unapproved: Unapproved
    now: Instant
    burnt: Burnt | None = None
    """What ran last was taken away without a successor."""

    @property
    def may_run_on(self) -> bool:
        """Whether what runs may."""
        return self.live is not None and (self.live_stands.ok or standing.is_let_through(self.live, self.now))


def wanted(service: Service, link: sa.Connection, pairs: Sequence[PairRow]) -> list[WantedPair]:
    """Of these pairs."""
    now, numbers = service.now(), [pair.id for pair in pairs]
    going = generations.going_on(link, numbers)
    wishes = promotions.of_pairs(link, [pair.wanted for pair in pairs if pair.wanted is not None])
    away = drifts.ignored(link, numbers, now)
    live = {number: next((row for row in rows if row.is_live), None) for number, rows in going.items()}
    asked = [(row.digest, pair.environment_name) for pair in pairs for row in (live.get(pair.id), wishes.get(pair.id)) if row is not None]
    stands = standing.standings(service, link, asked)
    burnt = generations.burnt(link, [number for number in wishes if live.get(number) is None])
    terms = {pair.environment: environments.one(link, pair.environment) for pair in pairs}
    found = []
    for pair in pairs:
        runs, wish, own = live.get(pair.id), wishes.get(pair.id), terms[pair.environment]
        case = Case(
            runs, stands[runs.digest, pair.environment_name] if runs else _UNKNOWN, wish,
            stands[wish.digest, pair.environment_name] if wish else _UNKNOWN, own.unapproved if own else Unapproved.ALERT, now,
            burnt.get(pair.id),
        )  # fmt: skip
        rising = next((row for row in going.get(pair.id, ()) if not row.is_live), None)
        found.append(_answer(pair, case, rising, [_away(row) for row in away.get(pair.id, ())]))
    return found


def decide(case: Case) -> tuple[Do, str]:
    """What is to be done, and why. Pure."""
    if case.live is None:
        return _where_nothing_runs(case)
    return _beside(case, case.live) if case.may_run_on else _instead(case, case.live)


def _where_nothing_runs(case: Case) -> tuple[Do, str]:
    if case.wish is None:
        return Do.NOTHING, "nobody promoted a digest"
    if not case.wish_stands.ok:
        return Do.NOTHING, f"what is wanted may not run: {_words(case.wish_stands)}"
    gone = case.burnt
    if gone is not None and gone.by != KEEPER and gone.at >= (case.wish.ended_at or 0):
        return Do.NOTHING, f"{gone.by} burnt what ran after that was wanted; promote it again, or deploy it"
    return Do.DEPLOY, "nothing runs"


def _beside(case: Case, live: GenerationRow) -> tuple[Do, str]:
    """What runs may run on."""
    if case.wish is None:
        return Do.KEEP, "nobody promoted a digest; what runs may run"
    if case.wish.digest == live.digest:
        why = "what runs is what is wanted"
    elif not case.wish_stands.ok:
        why = f"what is wanted may not run: {_words(case.wish_stands)}"
    elif live.pinned and not releases(case):
        why = "what runs is pinned until somebody lets go of it"
    else:
        return Do.DEPLOY, "another digest is wanted"
    return Do.KEEP, why


def _instead(case: Case, live: GenerationRow) -> tuple[Do, str]:
    """What runs has to go."""
    why = _words(case.live_stands)
    if case.wish is not None and case.wish.digest != live.digest and case.wish_stands.ok:
        return Do.REPLACE, f"what runs is not approved any more: {why}"
    if case.live_stands.is_revoked and case.unapproved is Unapproved.STOP:
        return Do.STOP, f"what runs was revoked, and nothing approved can take its place: {why}"
    return Do.ALERT, f"what runs is not approved any more, and nothing approved can take its place: {why}"


def releases(case: Case) -> bool:
    """Whether the wish lets go of what is pinned: it was made for that, after it began to run."""
    wish, live = case.wish, case.live
    return wish is not None and live is not None and wish.releases and (wish.ended_at or 0) > live.began_at


def _words(found: Standing) -> str:
    return found.words or "nothing is endorsed that has its digest"


def _answer(pair: PairRow, case: Case, rising: GenerationRow | None, away: list[LookedAway]) -> WantedPair:
    do, why = decide(case)
    wish, stands = case.wish, case.wish_stands
    if rising is not None:
        why = f"{why}; generation {rising.number} is {State(rising.state).value}"
    return WantedPair(
        environment=pair.environment_name, component=pair.component, team=pair.team, do=do, why=why,
        digest=wish.digest if wish else "", image=wish.image if wish else "", promotion=wish.id if wish else None,
        promoted_by=wish.asked_by if wish else "", pins=wish.pins if wish else False, releases=releases(case), approved=stands.ok,
        endorsement=stands.endorsement, expires_at=stands.expires_at, refused=stands.refused,
        running=_running(case) if case.live else None, looked_away=tuple(away), steps=pair.steps,
    )  # fmt: skip


def _running(case: Case) -> RunningNow | None:
    row, stands = case.live, case.live_stands
    if row is None:
        return None
    return RunningNow(
        generation=row.number, state=row.state.value, digest=row.digest, image=row.image, since=row.live_at, deployed_by=row.actor,
        endorsement=row.endorsement, breakglass=row.breakglass, until=row.until, pinned=row.pinned, approved=stands.ok,
        expires_at=stands.expires_at, refused=stands.refused,
    )  # fmt: skip


def _away(row: drifts.DriftRow) -> LookedAway:
    until = row.ignored_until or Instant(0)
    return LookedAway(row.place, row.what, row.kind, row.observed, until, row.ignored_reason, row.ignored_by)
