"""Is what runs approved, now? Asked of the signed bytes for each live generation, and told when the answer turned.

Guarantees: a generation that was let through by a break-glass order is never called approved; while the order runs it is called forced, and
afterwards what it is. Told once per turn, to the team of the pair with the login of whoever deployed it. `wanted` does not wait for this:
it asks by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.verify import Expected, Refusal, Refused
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.model.severity import Severity
from assaymark.server.service import Service
from assaymark.server.work import approval
from assaymark.server.work.approval import Asking
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.publish import publish
from assaymark.store import environments, generations
from assaymark.store.environments import PairRow
from assaymark.store.generations import GenerationRow

JOB = "look-at-deployments"
_AT_ONCE = 200
_SHOWN = 3


class Standing(Struct, frozen=True):
    """How something stands that runs, or is to."""

    ok: bool
    """Approved for this environment."""
    refused: tuple[Refused, ...] = ()
    endorsement: str = ""
    expires_at: Instant | None = None

    @property
    def is_revoked(self) -> bool:
        return any(each.reason is Refusal.REVOKED for each in self.refused)

    @property
    def words(self) -> str:
        """Why not, in a sentence; empty when it is approved."""
        return "; ".join(each.text for each in self.refused[:_SHOWN])


def of_digest(service: Service, link: sa.Connection, digest: str, environment: str) -> Standing:
    """Whether what has this digest may run there now."""
    return _standing(approval.Asking(service, link), digest, environment)


def _standing(asking: Asking, digest: str, environment: str) -> Standing:
    found = asking.approved(digest, Expected(environment=environment))
    return Standing(found.ok, () if found.ok else found.refused, found.id if found.ok else "", found.expires_at if found.ok else None)


def is_let_through(row: GenerationRow, now: Instant) -> bool:
    """Whether a break-glass order lets it run now."""
    return bool(row.breakglass) and row.until is not None and now < row.until


def wake(service: Service, link: sa.Connection) -> None:
    """Let everything that is live be looked at; for whoever takes something back, or changes who is believed."""
    service.queue.put(link, Job(JOB, {}, key=JOB, lock=JOB, priority=Priority.FEEDBACK, seconds=600))


def look_at_deployments(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Handler: look at everything that is live, portion by portion."""
    after = 0
    while not attempt.should_stop():
        with service.database.write() as link:
            rows = generations.live(link, after=after, limit=_AT_ONCE)
            pairs = {row.pair: environments.pair_of(link, row.pair) for row in rows}
            for row in rows:
                pair = pairs[row.pair]
                if pair is not None:
                    look(service, link, pair, row)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].id


def look(service: Service, link: sa.Connection, pair: PairRow, row: GenerationRow) -> Standing:
    """How it stands, written down and told when that turned."""
    found, now = of_digest(service, link, row.digest, pair.environment_name), service.now()
    why = "" if found.ok or is_let_through(row, now) else _why(found, row)
    if why == row.doubt:
        return found
    generations.doubt(link, row.id, why, None if not why else row.doubted_at or now)
    if why and not row.doubt:
        _tell(service, link, pair, row, found)
    return found


def _why(found: Standing, row: GenerationRow) -> str:
    order = "the break-glass order that let it through has ended; " if row.breakglass else ""
    return f"{order}{found.words}" or "it is not approved"


def _tell(service: Service, link: sa.Connection, pair: PairRow, row: GenerationRow, found: Standing) -> None:
    kind = HappeningKind.DEPLOYMENT_FORCED if row.breakglass else HappeningKind.DEPLOYMENT_UNAPPROVED
    title = f"What runs at {pair.pair} (generation {row.number}, deployed by {row.actor}) is not approved any more: {_why(found, row)}"
    facts = facts_of(pair, row) | {"deployed_by": row.actor, "refused": ", ".join(each.reason.value for each in found.refused)}
    told = Happening(
        kind, service.now(), pair.team, title[:500], path_of(pair), severity=Severity.CRITICAL if found.is_revoked else Severity.HIGH,
        data={name: text for name, text in facts.items() if text},
    )  # fmt: skip
    publish(service, link, told)


def facts_of(pair: PairRow, row: GenerationRow) -> dict[str, str]:
    """What is told of a generation beside the sentence."""
    facts = {"environment": pair.environment_name, "component": pair.component, "generation": str(row.number), "digest": row.digest}
    facts |= {"why": row.why, "state": row.state.value, "breakglass": row.breakglass}
    return facts | ({"until": str(row.until)} if row.until else {})


def path_of(pair: PairRow) -> str:
    """Its page."""
    return f"/environments/{pair.environment}"


def standings(service: Service, link: sa.Connection, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Standing]:
    """The same of several (digest, environment), each asked once, with one trust document and one list of revocations."""
    asking = approval.Asking(service, link)
    return {(digest, environment): _standing(asking, digest, environment) for digest, environment in dict.fromkeys(asked)}
