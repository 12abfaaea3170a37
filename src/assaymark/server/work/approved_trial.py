"""Dry run: what would be refused if only approved components were allowed, before anybody enforces it.

Guarantees: nothing is changed; what is judged is what is recorded (what subjects hold now, and the last changes of it), by the derivation
that decides for real, as of now. Bounded: of more components than `MOST` in a team the answer says that it stopped there. Says nothing of
changes of which no inventory was made: a merge request's lock files are seen by simulating a policy.
"""

from __future__ import annotations

from collections import Counter

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.components import ComponentState
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.server.service import Service
from assaymark.server.work.approved import Derivation, Entry
from assaymark.store import approved_use, teams
from assaymark.store.approved_use import Change, HeldName
from assaymark.store.narrowing import Teams

MOST = 5_000
"""Components of a team."""
MOST_TEAMS = 50
MOST_CHANGES = 500
_NAMED = 20


class Refusal(Struct, frozen=True):
    """A component that would be refused."""

    url: str
    version: str
    state: ComponentState
    instead: str


class OfTeam(Struct, frozen=True):
    """What a team holds."""

    team: TeamId | None
    """Null for what belongs to no team."""
    name: str
    components: int
    refused: int
    by_state: dict[str, int]
    first: tuple[Refusal, ...]
    """Some of them."""
    is_whole: bool
    """False when it holds more than are looked at."""


class Stopped(Struct, frozen=True):
    """A change that would have been stopped."""

    subject: SubjectId
    team: TeamId | None
    path: str
    at: Instant
    components: tuple[Refusal, ...]


class Trial(Struct, frozen=True):
    """The answer."""

    teams: tuple[OfTeam, ...]
    changes: int
    """Changes of what subjects hold that were looked at, the last ones."""
    stopped: int
    """Of these, those that added a component that may not be used."""
    first: tuple[Stopped, ...]


def trial(service: Service, link: sa.Connection, allowed: Teams, most_changes: int = 200) -> Trial:
    """For the teams of who asks."""
    known = teams.page(link, after="", limit=MOST_TEAMS, teams=allowed)
    derivation = Derivation(service, link, service.now())
    asked: list[tuple[TeamId | None, str]] = [(each.id, each.name) for each in known] + ([(None, "")] if allowed is None else [])
    of_teams = [_of_team(link, derivation, team, name) for team, name in asked]
    changes = approved_use.changes(link, allowed, max(1, min(most_changes, MOST_CHANGES)))
    stopped = _stopped(link, derivation, changes)
    return Trial(tuple(each for each in of_teams if each.components), len(changes), len(stopped), tuple(stopped[:_NAMED]))


def _of_team(link: sa.Connection, derivation: Derivation, team: TeamId | None, name: str) -> OfTeam:
    held = approved_use.held_by(link, team, MOST + 1)
    entries = derivation.of_held(held[:MOST])
    bad = [each for each in zip(entries, held, strict=False) if not each[0].standing.may_be_used]
    first = derivation.with_instead([each for each, _ in bad[:_NAMED]], [each.name for _, each in bad[:_NAMED]])
    by_state = Counter(entry.standing.state.value for entry, _ in bad)
    return OfTeam(
        team, name, len(entries), len(bad), dict(sorted(by_state.items())), tuple(_refusal(each) for each in first), len(held) <= MOST
    )


def _stopped(link: sa.Connection, derivation: Derivation, changes: list[Change]) -> list[Stopped]:
    held = approved_use.held_in(link, [number for each in changes for number in (each.before, each.after)])
    added = {each.holding: sorted(held[each.after] - held[each.before], key=_order) for each in changes}
    every = list(dict.fromkeys(one for some in added.values() for one in some))
    entries = dict(zip(every, derivation.of_held(every), strict=True))
    found = []
    for each in changes:
        bad = [entries[one] for one in added[each.holding] if not entries[one].standing.may_be_used]
        if bad:
            found.append(Stopped(each.subject, each.team, each.path, each.at, tuple(_refusal(one) for one in bad[:_NAMED])))
    return found


def _order(one: HeldName) -> tuple[str, str]:
    return one.name, one.version


def _refusal(entry: Entry) -> Refusal:
    return Refusal(entry.url, entry.version, entry.standing.state, entry.instead)
