"""What follows a change of items: happenings for whoever wants to know, and messages to trackers, in the transaction that changed them.

Guarantees: only a change is told (opened, closed, given to somebody else), whatever happened in between; numbers that change reach an issue
that is there and nobody else. Whoever records calls `follow` in the same transaction; what he forgot, or what is more than one transaction
should hold, `tell-items` does soon after.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec.structs import replace

from assaymark.feedback.issues.send import KINDS
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server.connecting import Issues
from assaymark.server.service import Service
from assaymark.server.work import issues
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.publish import publish
from assaymark.store import bulk, items, outbox
from assaymark.store import issues as kept
from assaymark.store.issues import Tracking
from assaymark.store.items import ItemRow, ItemState
from assaymark.store.tables import item

AT_ONCE = 200
"""Items that one transaction tells of."""
MOST_SINGLE = 10
"""So many of one kind in one repository are told one by one; more are one happening with their number."""
_TOGETHER = {
    HappeningKind.ITEM_OPENED: "stand open",
    HappeningKind.ITEM_CLOSED: "stand open no more",
    HappeningKind.ITEM_ASSIGNED: "have found an owner",
}


def follow(service: Service, link: sa.Connection, *, actor: str = "") -> None:
    """Within the caller's transaction: let everything be told that changed since it was told last."""
    c = item.c
    query = sa.select(c.id, c.told_state, c.told_owner).where(c.untold == sa.literal_column("1")).order_by(c.id).limit(AT_ONCE)
    rows = link.execute(query.with_for_update(skip_locked=True)).all()
    if not rows:
        return
    trackings = kept.trackings(link)
    told: list[tuple[int, str, str]] = []
    news: list[Happening] = []
    wrote = False
    for row in rows:
        now = items.one(link, row.id)
        if now is not None:
            news += [each] if (each := _news(now, (row.told_state, row.told_owner), service.now(), actor)) is not None else []
            wrote = _issues(service, link, now, trackings) or wrote
        told.append((row.id, now.state.value if now else "", _owner(now) if now else ""))
    numbers, states, owners = zip(*told, strict=True)
    bulk.change(link, item, list(numbers), {"untold": [0] * len(numbers), "told_state": list(states), "told_owner": list(owners)})
    for happening in _gathered(news):
        publish(service, link, happening)
    if wrote:
        _wake(service, link)
    if len(rows) == AT_ONCE:
        service.queue.put(link, Job("tell-items", {}, key="tell-items", lock="tell-items", priority=Priority.FEEDBACK, seconds=120))


def tell_items(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Handler: what was not told with its cause."""
    with service.database.write() as link:
        follow(service, link)
        lost = kept.given_up(link, issues.KIND)
        for stream, message in lost:  # the tracker was down for longer than messages are tried
            outbox.write(link, outbox.Note(issues.KIND, stream, message), at=service.now())
        if lost:
            _wake(service, link)


def _wake(service: Service, link: sa.Connection) -> None:
    service.queue.put(link, Job("deliver", {}, key="deliver", lock="deliver", priority=Priority.FEEDBACK, seconds=120))


def _owner(now: ItemRow) -> str:
    return f"{now.person or ''}:{now.owner}"


def _gathered(news: Sequence[Happening]) -> list[Happening]:
    """What comes all at once, e.g. with the first inventory of old code, is one thing to be told for each repository."""
    groups: dict[tuple[object, ...], list[Happening]] = defaultdict(list)
    for each in news:
        groups[each.kind, each.team, each.repository].append(each)
    found: list[Happening] = []
    for (kind, *_), group in groups.items():
        found += group if len(group) <= MOST_SINGLE else [_one_of_many(HappeningKind(str(kind)), group)]
    return found


def _one_of_many(kind: HappeningKind, group: Sequence[Happening]) -> Happening:
    weights = [each.severity for each in group if each.severity is not None]
    return replace(
        group[0],
        title=f"{len(group)} items {_TOGETHER[kind]}",
        path="/items",
        severity=max(weights, key=lambda severity: severity.rank, default=None),
        data={"items": str(len(group))},
    )


def _news(now: ItemRow, before: tuple[str, str], at: Instant, actor: str) -> Happening | None:
    was_state, was_owner = before
    is_open = now.state is ItemState.OPEN
    if now.state.value != was_state and (is_open or was_state):
        kind = HappeningKind.ITEM_OPENED if is_open else HappeningKind.ITEM_CLOSED
        again = " again" if is_open and was_state else ""
        title = f"{now.title} stands open{again}" if is_open else f"{now.title} stands open no more"
    elif is_open and _owner(now) != was_owner:
        kind = HappeningKind.ITEM_ASSIGNED
        title = f"{now.title} is now for {now.owner or now.team_name or 'nobody in particular'}"
    else:
        return None
    return _happening(now, kind, title, at=at, actor=actor)


def _happening(now: ItemRow, kind: HappeningKind, title: str, *, at: Instant, actor: str) -> Happening:
    facts = {
        "item": str(now.id),
        "cause": now.cause.value,
        "owner": now.owner,
        "owner_source": now.owner_source.value,
        "person": "" if now.person is None else str(now.person),
        "findings": str(now.findings),
        "subjects": str(now.subjects),
    }
    return Happening(
        kind=kind,
        at=at,
        team=now.team,
        title=title,
        path=f"/items/{now.id}",
        repository=now.repository,
        severity=now.severity if kind is not HappeningKind.ITEM_CLOSED else None,
        actor=actor,
        data={name: value for name, value in facts.items() if value},
    )


def _issues(service: Service, link: sa.Connection, now: ItemRow, trackings: Sequence[Tracking]) -> bool:
    if not trackings:
        return False
    there = kept.in_trackers(link, now.id)
    wanted = [each.connection for each in trackings if _is_wanted(link, now, each, is_there=each.connection in there)]
    for connection in wanted:
        message = msgspec.json.encode({"item": now.id, "connection": connection}).decode()
        outbox.write(link, outbox.Note(issues.KIND, f"issue:{connection}:{now.id}", message), at=service.now())
    return bool(wanted)


def _is_wanted(link: sa.Connection, now: ItemRow, to: Tracking, *, is_there: bool) -> bool:
    """Whether a tracker is to hear of an item: what it has is kept up, whatever the policy says by now."""
    if not to.has_token or to.kind not in KINDS:
        return False
    if is_there:
        return True
    policy = msgspec.convert(to.options["issues"], Issues)
    if now.state is not ItemState.OPEN or now.severity.rank < policy.severity.rank or (policy.teams and now.team not in policy.teams):
        return False
    if to.kind == "jira":
        return to.team is None or to.team == now.team
    home = kept.home(link, now.repository) if now.repository is not None else None
    return home is not None and not home.ended and home.connection == to.connection
