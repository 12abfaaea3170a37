"""What the sample organisation deployed: its checkout in production, as a deployer would have told it, with one drift and what ended it.

Guarantees: what is deployed is the archive of the very commit that was judged (``git archive``, the same bytes each time), endorsed only
where the checks let the commit pass; steps, promotions and drifts go through the same doors as anybody's. Nothing ran anywhere.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.drift.drifted import Action, Cause, Drift, Weight
from assaymark.deployment.drivers.driver import Pair, instance_id
from assaymark.deployment.phoenix.generation import State, Step, Why
from assaymark.endorsement.statement import Named
from assaymark.model.access import TeamId
from assaymark.model.assessment import SECOND, AssessmentId, AssessmentState, Instant
from assaymark.server import sample
from assaymark.server.people.accounts import By
from assaymark.server.sample_code import Step as Told
from assaymark.server.service import Service
from assaymark.server.work import deploying, drifting, promoting, standing
from assaymark.server.work.drifting import Seen
from assaymark.server.work.endorsing import endorse_with
from assaymark.server.work.endorsing_jobs import By as AskedBy
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.promoting import Wish
from assaymark.store import environments, generations, people
from assaymark.store.environments import PairRow
from assaymark.store.tables import assessment, subject

PAIR = Pair("production", "sample-checkout")
_REPOSITORY = "sample/checkout"
_DEPLOYER = "sample"
_WAY = (State.WANTED, State.VERIFIED, State.LAUNCHED, State.HEALTHY, State.SHIFTED, State.SOAKED)
_PACE = 20 * SECOND
_SEEN = 60 * SECOND


class Place(Struct, frozen=True):
    """A commit of the sample."""

    folder: Path
    team: TeamId
    head: str


class _Rise(Struct, frozen=True):
    """One upgrade."""

    digest: str
    actor: str
    why: Why
    reason: str


def deploy(past: Service, step: Told, place: Place, attempt: Attempt) -> None:
    """What was deployed with a step of the history; told once, however often the sample is made."""
    if step.repository != _REPOSITORY or not step.deployed:
        return
    digest = "sha256:" + hashlib.sha256(sample.git(place.folder, "archive", "--format=tar", place.head)).hexdigest()
    with past.database.read() as link:
        row = environments.find(link, PAIR, place.team)
        is_there = row is not None and any(each.digest == digest for each in generations.page(link, row.id, before=None, limit=100))
        passed = _passed(link, place)
    if is_there:
        return
    if passed is not None:
        endorse_with(past, passed, (Named("checkout.tar", {"sha256": digest.removeprefix("sha256:")}),), AskedBy(step.actor), attempt)
    with past.database.write() as link:
        pair = environments.settle(link, PAIR, place.team, past.now())
        if standing.of_digest(past, link, digest, PAIR.environment).ok:
            person = people.by_login(link, step.actor)
            by = By(step.actor, person.id if person is not None else None)
            promoting.promote(past, link, pair, Wish(digest, f"/srv/{_REPOSITORY}.tar", step.title), by)
        _rise(past, link, pair, _Rise(digest, step.actor, Why.DEPLOY, step.title))


def _passed(link: sa.Connection, place: Place) -> AssessmentId | None:
    """The last judgement of the commit on its branch, where it was a pass."""
    a = assessment.c
    query = sa.select(a.id, a.state).join(subject, subject.c.id == a.subject).where(a.head == place.head, subject.c.kind == "branch")
    row = link.execute(query.order_by(a.id.desc()).limit(1)).first()
    return AssessmentId(row.id) if row is not None and row.state == AssessmentState.PASS else None


def drift(past: Service, team: TeamId) -> None:
    """Somebody changed a file of what ran; a minute later a new generation of the same digest took its place."""
    with past.database.write() as link:
        pair = environments.find(link, PAIR, team)
        live = None if pair is None else next((row for row in generations.going_on(link, [pair.id]).get(pair.id, ()) if row.is_live), None)
        if pair is None or live is None or live.why != Why.DEPLOY.value or live.number == 1:
            return
        cause = Cause(past.now(), pid=4711, uid=0, program="sed -i s/10/1/ /srv/app/cart.py")
        name = instance_id(PAIR, live.number, 1)
        was, found_as = ("sha256:" + hashlib.sha256(text).hexdigest() for text in (b"as it was endorsed", b"as it was found"))
        found = Drift(name, "/srv/app/cart.py", "content", was, found_as, Weight.CRITICAL, Action.REPLACE, cause=cause)
        drifting.tell(past, link, pair, Seen(0, (found,), None), By(_DEPLOYER))
        reason = "content of /srv/app/cart.py differed from what was endorsed"
        then = msgspec.structs.replace(past, now=lambda: Instant(past.now() + _SEEN))
        _rise(then, link, pair, _Rise(live.digest, "phoenix", Why.DRIFT, reason))


def _rise(past: Service, link: sa.Connection, pair: PairRow, rise: _Rise) -> None:
    """A whole upgrade, told by the sample's deployer."""
    there = environments.pair_of(link, pair.id)
    assert there is not None  # noqa: S101 - it was settled before
    live = next((row for row in generations.going_on(link, [pair.id]).get(pair.id, ()) if row.is_live), None)
    number = max((row.number for row in generations.page(link, pair.id, before=None, limit=1)), default=0) + 1
    stands = standing.of_digest(past, link, rise.digest, PAIR.environment)
    said: dict[State, dict[str, Any]] = {
        State.WANTED: {"digest": rise.digest, "image": f"/srv/{_REPOSITORY}.tar@{rise.digest}", "why": rise.why, "reason": rise.reason},
        State.VERIFIED: {"endorsement": stands.endorsement},
        State.LAUNCHED: {"born": (instance_id(PAIR, number, 1),)},
    }
    went = [(state, number, said.get(state, {})) for state in _WAY]
    if live is not None:
        went.append((State.RETIRED, live.number, {"burnt": (instance_id(PAIR, live.number, 1),)}))
    went.append((State.LIVE, number, {}))
    start, steps = past.now(), []
    for place, (state, of, more) in enumerate(went):
        at = Instant(start + place * _PACE)
        steps.append(Step(there.steps + place + 1, at, of, state, rise.actor, **more))
    deploying.tell(past, link, there, steps, By(_DEPLOYER))
