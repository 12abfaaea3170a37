"""Handlers: send what waits for one subscription, and look after jobs that were lost.

Guarantees: an attempt is counted before it is made; a receiver that cannot be reached, answers 5xx or asks for patience is left alone for a
while, longer each time and ten minutes at most, and the other messages lose no attempt meanwhile; one that says 410 is disabled, and so is
one that has taken nothing for five days; nobody else is held up. Redirects are not followed; of an answer only its status is read.
Not guaranteed: order; and a receiver that was killed between taking and answering gets a message again, under the same number.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx2
import structlog
from msgspec import Struct

from assaymark.errors import AssayError
from assaymark.feedback.channels.parcel import Parcel, pack
from assaymark.feedback.channels.telling import Telling
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server import keyring_channels
from assaymark.server.outgoing import client as outgoing_client
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.publish import SECONDS, publish, wake
from assaymark.store import happenings, messages, subscriptions, trail
from assaymark.store.messages import Answered, MessageRow, MessageState
from assaymark.store.subscriptions import SubscriptionRow, SubscriptionState
from assaymark.store.trail import Action

_BUDGET = SECONDS / 2
"""Seconds after which a job ends and another goes on."""
_REQUEST_SECONDS = 20.0
_AT_ONCE = 20
_DISABLED_AFTER = 5 * 86400 * SECOND
_LONGEST_PATIENCE = 3600
_ABOUT_THE_RECEIVER = frozenset({0, 408, 425, 429})
"""With 5xx: what says something of the receiver and not of one message."""
_GONE = 410
_SWEPT = 1000
_log = structlog.get_logger("assaymark.channels")


class Answer(Struct, frozen=True):
    """What came back, before it is judged."""

    status: int
    """0 when nothing came."""
    milliseconds: int
    problem: str = ""
    patience: int = 0
    """Seconds that the receiver asks for."""

    @property
    def is_taken(self) -> bool:
        return 200 <= self.status < 300

    @property
    def settled(self) -> Answered:
        """For the log."""
        return Answered(self.status, self.milliseconds, "" if self.is_taken else self.problem or f"it answered {self.status}")


def deliver_channel(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Send what is due for one subscription (arguments: ``subscription``)."""
    number, ends = int(arguments["subscription"]), time.monotonic() + _BUDGET
    with outgoing_client(service.settings, seconds=_REQUEST_SECONDS) as client:
        while not attempt.should_stop() and time.monotonic() < ends:
            with service.database.read() as link:
                row = subscriptions.get(link, number)
                waiting = messages.due(link, number, service.now(), most=_AT_ONCE) if _is_open(row, service.now()) else []
            if row is None or not waiting or not all(_send(service, client, number, message) for message in waiting):
                break
    _come_back(service, number)


def look_after_channels(service: Service, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
    """Wake what is overdue because its job was given up."""
    with service.database.write() as link:
        for number in messages.waiting(link, service.now(), most=_SWEPT):
            row = subscriptions.get(link, number)
            if _is_open(row, service.now()):
                wake(service, link, number)


def _is_open(row: SubscriptionRow | None, now: Instant) -> bool:
    return row is not None and row.ended_at is None and row.state is SubscriptionState.ACTIVE and not messages.needs_rest(row, now)


def _come_back(service: Service, number: int) -> None:
    with service.database.write() as link:
        row, due = subscriptions.get(link, number), messages.next_due(link, number)
        if row is None or due is None or row.state is SubscriptionState.PAUSED:
            return
        if row.ended_at is not None or row.state is SubscriptionState.DISABLED:
            messages.give_up_all(link, number, row.problem or "the channel was removed")
            return
        at = Instant(max(due, row.resting_until))
        wake(service, link, number, at=at if at > service.now() else None)


def _send(service: Service, client: Any, number: int, message: MessageRow) -> bool:
    """Make one attempt; False when the others had better wait."""
    with service.database.write() as link:
        row, happening = subscriptions.get(link, number), happenings.get(link, message.happening)
        if row is None or happening is None or not _is_open(row, service.now()) or not messages.begin(link, message, service.now()):
            return row is not None and _is_open(row, service.now())
        opened = keyring_channels.opened(service, link, number)
    seconds = service.now() // SECOND
    parcel = pack(row.kind, Telling(happening, service.settings.url), uid=message.uid, seconds=seconds, keys=opened.keys)
    answer = post(client, opened.address, parcel)
    with service.database.write() as link:
        state = messages.settle(link, message, answer.settled, service.now())
        if answer.is_taken:
            subscriptions.took(link, number)
            if row.failures:
                messages.hasten(link, number, service.now())
            return True
    _log.warning("channel.failed", subscription=number, message=message.uid, status=answer.status, error=answer.settled.error, state=state)
    return _refused(service, number, answer)


def post(client: Any, address: str, parcel: Parcel) -> Answer:
    """One request; whatever goes wrong is an answer. Of the answer's body nothing is read."""
    began = time.monotonic()

    def answered(status: int, problem: str = "", patience: str = "") -> Answer:
        wanted = int(patience) if patience.isascii() and patience.isdecimal() and len(patience) < 6 else 0
        return Answer(status, round((time.monotonic() - began) * 1000), problem, min(wanted, _LONGEST_PATIENCE))

    try:
        with client.stream("POST", address, content=parcel.body, headers=parcel.headers) as response:
            return answered(response.status_code, patience=response.headers.get("retry-after", ""))
    except (httpx2.HTTPError, OSError) as error:
        return answered(0, f"it did not answer: {type(error).__name__}")
    except AssayError as error:
        return answered(0, error.diagnosis())


def _refused(service: Service, number: int, answer: Answer) -> bool:
    """Write down how the receiver fares; False when it is to be left alone."""
    now = service.now()
    with service.database.write() as link:
        row = subscriptions.get(link, number, lock=True)
        if row is None or row.state is not SubscriptionState.ACTIVE:
            return False
        since = row.failing_since if row.failing_since is not None else now
        if answer.status == _GONE:
            _disable(service, link, row, "its receiver said that it is gone (410)")
            return False
        if now - since > _DISABLED_AFTER:
            _disable(service, link, row, f"it has taken nothing for five days; the last time {answer.settled.error}")
            return False
        if answer.status in _ABOUT_THE_RECEIVER or answer.status >= 500:
            subscriptions.refused(link, row, now, answer.settled.error, rest=answer.patience * SECOND)
            return False
        subscriptions.complained(link, row, now, answer.settled.error)
        return True


def _disable(service: Service, link: Any, row: SubscriptionRow, why: str) -> None:
    now = service.now()
    subscriptions.change(link, row.id, {"state": SubscriptionState.DISABLED, "problem": why[:500]})
    messages.give_up_all(link, row.id, why)
    about = {"object_kind": "channel", "object": str(row.id), "team": row.team, "details": {"because": why[:200]}}
    trail.record(link, Action(now, "server", "channel.disabled", "success", **about))  # type: ignore[arg-type]
    told = Happening(
        HappeningKind.CONNECTION_PROBLEM, now, row.team, f"the channel {row.name} was disabled: {why}", f"/settings/channels/{row.id}",
        data={"channel": str(row.id), "state": "disabled"},
    )  # fmt: skip
    publish(service, link, told)


__all__ = ["Answer", "MessageState", "deliver_channel", "look_after_channels", "post"]
