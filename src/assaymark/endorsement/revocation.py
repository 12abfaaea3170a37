"""What is not approved any more, although it was: a list that only grows. Revoking never deletes what was signed.

Targets are what an endorsement can be found by without asking anybody: itself, what it is about, the key, who judged by which rules, what
it is made of, the policy. What it holds by name (a package) is turned into revocations of endorsements by the server, which knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from assaymark.endorsement import strict_json
from assaymark.endorsement.approval import instant
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant


class Target(StrEnum):
    """What a revocation is about."""

    ENDORSEMENT = "endorsement"
    """Digest of its statement, which no other spelling of the same envelope changes."""
    SUBJECT = "subject"
    """``<algorithm>:<hex>`` of what was endorsed."""
    KEY = "key"
    """Its id."""
    ENGINE = "engine"
    """``<part>@<version>`` of the verifier, e.g. ``assaymark@0.1.0`` or ``rules@sha256:…``."""
    COMPONENT = "component"
    """Digest of a base image, a parent or a set of packages in it."""
    POLICY = "policy"
    """``sha256:<hex>`` of the policy's document."""


class Revocation(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    target: Target
    name: str
    reason: str
    at: str
    """When it was revoked, in RFC 3339."""
    since: str = ""
    """With `until`: only what was verified within this window; empty ends are open."""
    until: str = ""
    number: int = 0
    """Of its entry in the transparency log."""


class Revocations(Struct, frozen=True, omit_defaults=True):
    """The document that is distributed."""

    number: int = 0
    """Rises with each entry."""
    entries: tuple[Revocation, ...] = ()


class Window(Struct, frozen=True):
    """A revocation with its times parsed."""

    revocation: Revocation
    since: Instant | None
    until: Instant | None

    def covers(self, verified_at: Instant) -> bool:
        return (self.since is None or verified_at >= self.since) and (self.until is None or verified_at <= self.until)


OpenRevocations = Mapping[tuple[Target, str], tuple[Window, ...]]
"""By target and name, so that thousands of them cost a verification nothing."""


def opened(entries: Iterable[Revocation]) -> OpenRevocations:
    """Ready to be asked.

    Raises:
        UsageError: when a time in it is none: to leave out a revocation that cannot be read would approve what was revoked.
    """
    found: dict[tuple[Target, str], list[Window]] = {}
    for each in entries:
        try:
            since, until = (instant(text) if text else None for text in (each.since, each.until))
        except ValueError as error:
            raise UsageError(f"the revocation of {each.name[:100]!r} cannot be read", why=str(error)) from error
        found.setdefault((each.target, each.name), []).append(Window(each, since, until))
    return {key: tuple(windows) for key, windows in found.items()}


def read(data: bytes) -> OpenRevocations:
    """The document, opened.

    Raises:
        UsageError: when it is none.
    """
    try:
        return opened(strict_json.read(data, Revocations).entries)
    except strict_json.NotStrictError as error:
        raise UsageError("this is no list of revocations", why=str(error), advice="get it with `assay trust update`") from error


def first(revocations: OpenRevocations, names: Iterable[tuple[Target, str]], verified_at: Instant) -> Revocation | None:
    """The first revocation that covers one of these names at that time."""
    for name in names:
        for window in revocations.get(name, ()):
            if window.covers(verified_at):
                return window.revocation
    return None
