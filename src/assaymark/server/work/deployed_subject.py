"""What became live, recorded as `POST /deployments` records it: figures, traces and revocations read what runs from there.

Guarantees: each pair is a subject of its own, so that two components of one environment do not stand for each other; what was stopped is
looked after no more. Where what runs can be fetched, so that it is judged again, is taken from what was endorsed: the image's name, or the
commit that an archive or a tree was made of; else the name by which the deployer knows the image. A tree on a disk is nothing to fetch.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.phoenix.generation import Generation, State, Step
from assaymark.model.assessment import Instant
from assaymark.model.trigger import RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work.intake import Source, accept
from assaymark.store import endorsements, repositories
from assaymark.store.environments import PairRow
from assaymark.store.tables import subject

_MOST = 5
_COMMIT, _IMAGE = "gitCommit:", "oci://"


class _Origin(Struct, frozen=True):
    """Where it can be fetched."""

    image: str = ""
    commit: str = ""
    remote: RemoteRepository | None = None


def record(service: Service, link: sa.Connection, pair: PairRow, taken: tuple[Step, Generation], by: By) -> None:
    """Within the caller's transaction; nothing for a step that changes nothing of what serves."""
    step, became = taken
    is_first = step.state is State.LIVE and became.live_since == step.at
    if not is_first and step.state is not State.STOPPED:
        return
    details, origin = {"component": pair.component}, _Origin()
    if is_first:
        origin = _origin(link, pair, became, service.now())
        details |= {"digest": became.digest, "version": f"generation {became.number}"} | ({"image": origin.image} if origin.image else {})
    trigger = Trigger(
        TriggerKind.DEPLOYMENT if is_first else TriggerKind.ENDED, origin.remote, SubjectKind.ENVIRONMENT, ref=pair.environment_name,
        after=origin.commit, actor=became.actor or by.actor, details=details,
    )  # fmt: skip
    accept(service, link, trigger, source=Source(team=pair.team, cause="phoenix"))


def _origin(link: sa.Connection, pair: PairRow, became: Generation, now: Instant) -> _Origin:
    teams = None if pair.team is None else frozenset({pair.team})
    rows = endorsements.by_digest(link, became.digest, now, teams=teams, limit=_MOST)
    image = next((row.resource.removeprefix(_IMAGE) for row in rows if row.resource.startswith(_IMAGE)), "")
    if image:
        return _Origin(image=image)
    digests = endorsements.digests_of(link, [row.id for row in rows])
    for row in rows:
        commit = next((each.removeprefix(_COMMIT) for each in digests.get(row.id, ()) if each.startswith(_COMMIT)), "")
        number = link.execute(sa.select(subject.c.repository).where(subject.c.id == row.subject)).scalar()
        home = repositories.get(link, number) if commit and number is not None else None
        if home is not None and home.team == pair.team and home.ended_at is None:
            remote = RemoteRepository(home.name, home.clone_url, home.web_url, home.forge_id, home.default_branch)
            return _Origin(commit=commit, remote=remote)
    name = became.image.partition("@")[0]
    return _Origin() if name.startswith(("/", ".", "-")) else _Origin(image=name)
