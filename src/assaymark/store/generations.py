"""Generations of a pair and the steps that made them what they are; judged by `deployment.phoenix.generation`, kept here.

Guarantees: a step is kept as it was told and never changed; what a generation is follows from its steps alone (`Ledger`), its row is an
index of that. An instance that was burnt stays burnt. Within the caller's transaction, in which the pair's row is locked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.deployment.phoenix.generation import ENDED, Generation, Ledger, State, Step
from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.store import bulk
from assaymark.store.environments import PairRow
from assaymark.store.narrowing import MOST_ROWS, Teams, of_teams
from assaymark.store.tables import deployed_pair, environment, generation, generation_step, instance
from assaymark.store.texts import cut

LONGEST = 1000
g, s, i, p, e = generation.c, generation_step.c, instance.c, deployed_pair.c, environment.c
_encode = msgspec.json.Encoder(order="deterministic").encode


class GenerationRow(Struct, frozen=True):
    """One generation, as lists and pages show it."""

    id: int
    pair: int
    number: int
    state: State
    digest: str
    image: str
    why: str
    actor: str
    """Who asked for it, as the deployer says."""
    endorsement: str
    """By which it was approved, as the deployer says; empty where a break-glass order let it through."""
    breakglass: str
    reason: str
    pinned: bool
    began_at: Instant
    live_at: Instant | None
    ended_at: Instant | None
    forced_at: Instant | None
    until: Instant | None
    doubt: str
    """Why it is not approved any more, as of the last look."""
    doubted_at: Instant | None

    @property
    def is_live(self) -> bool:
        return self.state is State.LIVE


class StepRow(Struct, frozen=True):
    """One step, with when and by whom it was told."""

    id: int
    number: int
    generation: int
    state: State
    step: Step
    told_at: Instant
    told_by: str
    log_number: int | None


class InstanceRow(Struct, frozen=True):
    """Something that runs, or ran."""

    id: int
    name: str
    generation: int
    born_at: Instant
    seen_at: Instant | None
    burnt_at: Instant | None


class Burnt(Struct, frozen=True):
    """Who took away what ran, and when that was told."""

    by: str
    at: Instant


class Teller(Struct, frozen=True):
    """Who tells, and when."""

    login: str
    person: PersonId | None
    at: Instant


_GENERATION = tuple(g[name] for name in GenerationRow.__struct_fields__)
_STEP = tuple(s[name] for name in StepRow.__struct_fields__)
_INSTANCE = tuple(i[name] for name in InstanceRow.__struct_fields__)


def ledger(link: sa.Connection, pair: PairRow, steps: Iterable[Step]) -> Ledger:
    """What is known of the pair, as far as judging these steps needs it: what goes on, the highest number, what they name."""
    given = list(steps)
    named = sorted({step.generation for step in given})
    highest = sa.select(sa.func.max(g.number)).where(g.pair == pair.id).scalar_subquery()
    wanted = sa.or_(g.ended_at.is_(None), g.number == highest, bulk.among(link, g.number, named))
    rows = link.execute(sa.select(g.facts).where(g.pair == pair.id, wanted)).scalars()
    known = [msgspec.json.decode(text, type=Generation) for text in rows]
    born = sorted({name for step in given for name in step.born})
    burnt = sa.select(i.name).where(i.pair == pair.id, i.burnt_at.is_not(None), bulk.among(link, i.name, born))
    return Ledger(pair.pair, {each.number: each for each in known}, pair.steps, frozenset(link.execute(burnt).scalars()))


def told_before(link: sa.Connection, pair: int, numbers: Sequence[int]) -> dict[int, Step]:
    """Steps that were told already, by number."""
    query = sa.select(s.number, s.step).where(s.pair == pair, bulk.among(link, s.number, numbers))
    return {row.number: msgspec.json.decode(row.step, type=Step) for row in link.execute(query)}


def keep(link: sa.Connection, pair: int, step: Step, became: Generation, by: Teller) -> None:
    """Write a step that follows, and what its generation is after it."""
    row: dict[str, Any] = {
        "pair": pair,
        "number": step.number,
        "generation": step.generation,
        "state": step.state.value,
        "told_by": by.login,
    }
    row |= {"step": _encode(step).decode(), "at": step.at, "told_at": by.at, "person": by.person}
    link.execute(generation_step.insert(), row)
    values = _values(became) | {"facts": _encode(became).decode()}
    if step.state is State.WANTED:
        link.execute(generation.insert(), values | {"pair": pair, "number": became.number, "began_at": by.at})
    else:
        changed = values | _moments(step, by.at)
        link.execute(generation.update().where(g.pair == pair, g.number == became.number).values(changed))
    _instances(link, pair, step, by.at)


def _values(became: Generation) -> dict[str, Any]:
    names = ("digest", "image", "actor", "endorsement", "breakglass")
    found: dict[str, Any] = {name: getattr(became, name) for name in names}
    found |= {"state": became.state.value, "why": became.why.value, "pinned": int(became.pinned), "reason": cut(became.reason, LONGEST)}
    return found | {"until": became.until or None}


def _moments(step: Step, at: Instant) -> dict[str, Any]:
    """When the server was told what: its own clock, so that a past day keeps its figures."""
    found: dict[str, Any] = {"live_at": sa.func.coalesce(g.live_at, at)} if step.state is State.LIVE else {}
    if step.breakglass:
        found["forced_at"] = sa.func.coalesce(g.forced_at, at)
    if step.state in ENDED:
        found |= {"ended_at": at, "doubt": "", "doubted_at": None}
    return found


def _instances(link: sa.Connection, pair: int, step: Step, at: Instant) -> None:
    bulk.add_unless_there(
        link, instance, ("pair", "name", "generation", "born_at"), ((pair, name, step.generation, step.at) for name in sorted(step.born)),
    )  # fmt: skip
    gone = i.burnt_at.is_(None)
    if step.state in ENDED:
        ended = sa.or_(bulk.among(link, i.name, sorted(step.burnt)), i.generation == step.generation)
    else:
        ended = bulk.among(link, i.name, sorted(step.burnt))
    link.execute(instance.update().where(i.pair == pair, gone, ended).values(burnt_at=at))


def logged(link: sa.Connection, pair: int, numbers: dict[int, int]) -> None:
    """Write where each step stands in the transparency log."""
    for number, line in numbers.items():
        link.execute(generation_step.update().where(s.pair == pair, s.number == number).values(log_number=line))


# --- questions -------------------------------------------------------------------------------------------------------


def page(link: sa.Connection, pair: int, *, before: int | None, limit: int) -> list[GenerationRow]:
    """Of a pair, the newest first, before this number."""
    query = sa.select(*_GENERATION).where(g.pair == pair).order_by(g.number.desc()).limit(max(1, min(limit, MOST_ROWS + 1)))
    return _rows(link, query if before is None else query.where(g.number < before))


def going_on(link: sa.Connection, pairs: Sequence[int]) -> dict[int, list[GenerationRow]]:
    """Those that have not ended, by pair, the oldest first."""
    found: dict[int, list[GenerationRow]] = {}
    for row in _rows(link, sa.select(*_GENERATION).where(bulk.among(link, g.pair, pairs), g.ended_at.is_(None)).order_by(g.number)):
        found.setdefault(row.pair, []).append(row)
    return found


def burnt(link: sa.Connection, pairs: Sequence[int]) -> dict[int, Burnt]:
    """Of pairs whose newest generation was, or is being, taken away without a successor: by whom."""
    later = generation.alias()
    newest = sa.select(sa.func.max(later.c.number)).where(later.c.pair == s.pair).scalar_subquery()
    going = (State.STOPPING.value, State.STOPPED.value)
    query = sa.select(s.pair, s.step, s.told_at).where(bulk.among(link, s.pair, pairs), s.generation == newest, s.state.in_(going))
    rows = link.execute(query.order_by(s.number))
    return {row.pair: Burnt(msgspec.json.decode(row.step, type=Step).actor, row.told_at) for row in rows}


def live(link: sa.Connection, *, after: int, limit: int, digests: Sequence[str] | None = None) -> list[GenerationRow]:
    """Live ones of all pairs, in the order of their rows; only of these digests where some are named."""
    query = sa.select(*_GENERATION).where(g.id > after, g.ended_at.is_(None), g.live_at.is_not(None)).order_by(g.id).limit(limit)
    return _rows(link, query if digests is None else query.where(bulk.among(link, g.digest, digests)))


def _rows(link: sa.Connection, query: sa.Select[Any]) -> list[GenerationRow]:
    return [GenerationRow(**row._asdict() | {"state": State(row.state), "pinned": bool(row.pinned)}) for row in link.execute(query)]


def steps(link: sa.Connection, pair: int, *, before: int | None, limit: int, of: int | None = None) -> list[StepRow]:
    """Of a pair, or of one generation of it, the newest first."""
    query = sa.select(*_STEP).where(s.pair == pair).order_by(s.number.desc()).limit(max(1, min(limit, MOST_ROWS + 1)))
    query = query if before is None else query.where(s.number < before)
    query = query if of is None else query.where(s.generation == of)
    return [
        StepRow(**row._asdict() | {"state": State(row.state), "step": msgspec.json.decode(row.step, type=Step)})
        for row in link.execute(query)
    ]


def instances(link: sa.Connection, pairs: Sequence[int], limit: int = MOST_ROWS) -> dict[int, list[InstanceRow]]:
    """That run, by pair."""
    query = sa.select(i.pair, *_INSTANCE).where(bulk.among(link, i.pair, pairs), i.burnt_at.is_(None)).order_by(i.id).limit(limit)
    found: dict[int, list[InstanceRow]] = {}
    for row in link.execute(query):
        found.setdefault(row.pair, []).append(InstanceRow(*row[1:]))
    return found


def seen(link: sa.Connection, pair: int, names: Sequence[str], at: Instant) -> None:
    """Somebody looked at these."""
    link.execute(instance.update().where(i.pair == pair, bulk.among(link, i.name, names), i.burnt_at.is_(None)).values(seen_at=at))


def doubt(link: sa.Connection, number: int, why: str, at: Instant | None) -> None:
    """What the last look at its approval said."""
    link.execute(generation.update().where(g.id == number).values(doubt=cut(why, LONGEST), doubted_at=at))


class Trouble(Struct, frozen=True):
    """Something that runs and should not, for the first page."""

    generation: GenerationRow
    environment: int
    environment_name: str
    component: str
    team: TeamId | None


def troubles(link: sa.Connection, teams: Teams, *, limit: int) -> list[Trouble]:
    """What runs by a break-glass order or is not approved any more, the latest first."""
    query = sa.select(*_GENERATION, p.environment, e.name.label("environment_name"), p.component, p.team)
    query = query.join(deployed_pair, p.id == g.pair).join(environment, e.id == p.environment)
    bad = sa.or_(g.forced_at.is_not(None), sa.and_(g.doubt != "", g.live_at.is_not(None)))
    query = query.where(g.ended_at.is_(None), bad, *of_teams(p.team, teams)).order_by(g.id.desc()).limit(limit)
    width = len(_GENERATION)
    found = []
    for row in link.execute(query):
        values = dict(zip(GenerationRow.__struct_fields__, row[:width], strict=True))
        one = GenerationRow(**values | {"state": State(values["state"]), "pinned": bool(values["pinned"])})
        found.append(Trouble(one, *row[width:]))
    return found
