"""The door through which everything is told that people or programs may want to know.

Guarantees: within the caller's transaction one row says what happened, one message per subscription that wants it waits to be sent, and
one job per such subscription is put, so that a receiver that is slow or down holds up nobody else. Rolled back, nothing of it was. Sends
nothing itself. Not guaranteed: that two happenings arrive in their order.
"""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import Happening
from assaymark.server.service import Service
from assaymark.store import happenings, messages, subscriptions
from assaymark.store.subscriptions import SubscriptionRow

SECONDS = 120


def publish(service: Service, link: sa.Connection, happening: Happening) -> int:
    """Let it be told to whoever wants to know; gives to how many. The caller has asked whether it is a change."""
    row = happenings.write(link, happening)
    told = subscriptions.wanting(link, row)
    for each in told:
        tell(service, link, each, row.id)
    return len(told)


def tell(service: Service, link: sa.Connection, to: SubscriptionRow, happening: int) -> int:
    """A message for one subscription, and the job that sends it; gives the message's number."""
    now = service.now()
    number = messages.write(link, to.id, happening, at=now)
    wake(service, link, to.id, at=to.resting_until if messages.needs_rest(to, now) else None)
    return number


def wake(service: Service, link: sa.Connection, subscription: int, *, at: Instant | None = None) -> None:
    """Let what waits for a subscription be sent: now, or (beside a job that is there) at that time."""
    name = f"channel:{subscription}"
    key = name if at is None else f"{name}:{at // SECOND}"  # a job for tomorrow must not stand for one in five seconds
    job = Job("deliver-channel", {"subscription": subscription}, key=key, lock=name, priority=Priority.FEEDBACK, seconds=SECONDS, due_at=at)
    service.queue.put(link, job)
