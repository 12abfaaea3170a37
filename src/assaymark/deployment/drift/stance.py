"""From a difference to a drift: how much it weighs, and what the terms say to do.

Guarantees: what is ignored is so until an instant and is still told; whatever could not be looked at is told, and asks for people, not for
a replacement that could not be looked at either. Weights are a table here, not an option: nobody makes his own drift light.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from assaymark.deployment.drift.drifted import Action, Cause, Drift, Weight
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant

_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MOST_TEXT = 500
_ALWAYS = {
    "digest": Weight.CRITICAL, "capability": Weight.CRITICAL, "process": Weight.CRITICAL, "mount": Weight.HIGH,
    "configuration": Weight.HIGH, "device": Weight.HIGH, "age": Weight.MEDIUM, "unseen": Weight.HIGH, "hard-link": Weight.HIGH,
}  # fmt: skip
_PLACES = (
    (Weight.CRITICAL, re.compile(
        r"(.*/)?(s?bin|lib(exec|32|64|x32)?|modules|boot)(/.*)?"
        r"|(.*/)?etc/(passwd|shadow|group|gshadow|sudoers(\.d/.*)?|ssh(/.*)?|pam\.d(/.*)?|ld\.so\..*|crontab|cron\..*|systemd(/.*)?|init\.d/.*)"
        r"|(.*/)?\.ssh(/.*)?|(.*/)?var/spool/cron(/.*)?"
        r"|.*\.(so(\.[0-9.]+)?|service|timer|ko|py|pyc|pl|rb|sh|js|jar|war|php|wasm)", re.DOTALL)),
    (Weight.HIGH, re.compile(r"(.*/)?etc(/.*)?|(.*/)?(srv|opt|app)(/.*)?|.*\.(conf|ya?ml|toml|ini|env|html?)", re.DOTALL)),
    (Weight.LOW, re.compile(r"(.*/)?(tmp|var/(tmp|cache|log)|usr/share/(doc|man|locale|info))(/.*)?|.*\.(log|pid|tmp|bak|md)", re.DOTALL)),
)  # fmt: skip
"""Of paths, in the order that they are asked: what runs or says who may, what steers it, what only lies there."""


class Ignoring(Protocol):
    """A drift that is looked away from."""

    @property
    def what(self) -> str:
        """Path or field; exact, or its beginning followed by ``*``."""

    @property
    def until(self) -> str:
        """RFC 3339."""


class Says(Protocol):
    """What the terms of a pair say about drift."""

    @property
    def action(self) -> Action: ...

    @property
    def kinds(self) -> Mapping[str, Action]: ...

    @property
    def ignore(self) -> Sequence[Ignoring]: ...


class Ignored(Struct, frozen=True):
    """As the terms have it, for callers without terms."""

    what: str
    until: str


class Plain(Struct, frozen=True):
    """What is done where no terms say anything."""

    action: Action = Action.REPLACE
    kinds: Mapping[str, Action] = {}
    ignore: tuple[Ignored, ...] = ()


class Found(Struct, frozen=True):
    """A difference, before anybody says what it means."""

    what: str
    kind: str
    expected: str
    observed: str
    weight: Weight | None = None
    """Where the table does not know better."""


class Stance:
    """What is done about drift at an instant.

    Raises:
        UsageError: when an instant of the terms is none.
    """

    def __init__(self, says: Says, now: Instant) -> None:
        self._says, self._now = says, now
        self._ignored = [(each.what, _instant(each.until)) for each in says.ignore]

    def drift(self, where: str, found: Found, cause: Cause | None = None) -> Drift:
        """The drift that a difference is."""
        action = self._says.kinds.get(found.kind, Action.ALERT if found.kind == "unseen" else self._says.action)
        until = max((end for what, end in self._ignored if self._now < end and _meant(what, found.what)), default=Instant(0))
        if until:
            action = Action.IGNORE
        elif action is Action.IGNORE:
            action = Action.ALERT  # looking away without an end would be accepting
        expected, observed = found.expected[:MOST_TEXT], found.observed[:MOST_TEXT]
        return Drift(where, found.what, found.kind, expected, observed, weight_of(found), action, until, cause)


def weight_of(found: Found) -> Weight:
    """How much it matters."""
    if found.weight is not None:
        return found.weight
    if found.kind in _ALWAYS:
        return _ALWAYS[found.kind]
    for weight, places in _PLACES:
        if places.fullmatch(found.what):
            return weight
    return Weight.MEDIUM


def _meant(pattern: str, what: str) -> bool:
    return what.startswith(pattern[:-1]) if pattern.endswith("*") else what == pattern


def _instant(text: str) -> Instant:
    try:
        read = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no instant", why=str(error), advice="write it as 2030-01-31T12:00:00Z") from error
    if read.tzinfo is None:
        raise UsageError(f"{text[:40]!r} has no time zone", advice="write it as 2030-01-31T12:00:00Z")
    return Instant((read - _BEGINNING) // dt.timedelta(microseconds=1))
