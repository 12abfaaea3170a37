"""Whether something may run in an environment, now: its endorsement by `endorsement.verify` with what is believed at this moment, or a
break-glass order that a person signed.

Guarantees: nothing is remembered between two questions; what could not be shown (no endorsement, trust too old, a place that cannot be
read) is never a permit. What is refused says which of all reasons, and whether it was taken back (`Standing`), since what runs is replaced
for a revocation, and never because a network was down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.phoenix import breakglass
from assaymark.deployment.phoenix.terms import Terms
from assaymark.endorsement.asking.answer import Answer, Outcome, Question, decided
from assaymark.endorsement.asking.asked import Asked, Kind
from assaymark.endorsement.asking.believed import Believed
from assaymark.endorsement.asking.bundles import Found
from assaymark.endorsement.log.proof import logged
from assaymark.endorsement.trust import OpenTrust, Trust
from assaymark.endorsement.verify import Expected, Logged, Refusal, Refused, Verification
from assaymark.errors import AssayError
from assaymark.model.assessment import Instant

_ABSENT = "none was found; say under [believe] in which bundles they lie, or name a server"


class Standing(StrEnum):
    """How it stands with a digest."""

    APPROVED = "approved"
    BREAKGLASS = "breakglass"
    """Not approved, and let through by an order that holds now."""
    REVOKED = "revoked"
    """It was approved, and that was taken back."""
    EXPIRED = "expired"
    """It was approved, and that ended by itself."""
    REFUSED = "refused"
    UNPROVEN = "unproven"
    """Nothing was shown either way: no endorsement, trust that is too old, a place that does not answer."""


class Permitted(Struct, frozen=True, omit_defaults=True):
    """The answer."""

    ok: bool
    endorsement: str = ""
    """Its id; empty where there is none."""
    expires: Instant = Instant(0)
    """When the approval, or the order, ends."""
    reasons: tuple[str, ...] = ()
    """Why not; and with a break-glass order, what it overrides."""
    standing: Standing = Standing.UNPROVEN
    breakglass: str = ""
    """Id of the order that lets it through."""
    notes: tuple[str, ...] = ()
    """What whoever relies on it should know, as that newer trust could not be fetched."""


class Permit(Protocol):
    """Whether this digest may run as this pair; never raises for what a stranger wrote."""

    def __call__(self, digest: str, pair: Pair, now: Instant, /) -> Permitted: ...


class Sources(Struct, frozen=True):
    """Where the answer comes from; each is asked anew for each question."""

    believed: Callable[[Instant], Believed]
    """Whom to believe now, fetched anew where it can be (`fresh`)."""
    gather: Callable[[Asked], Sequence[Found]]
    """Endorsements: files, and a server where one is named."""
    orders: Path | None = None
    """Folder of break-glass orders of this pair."""
    taken_back: Callable[[str, Pair], str] = lambda _digest, _pair: ""
    """A server that is asked whether it took the approval back: its reason, or nothing. It can only take away, never give."""


class Endorsed:
    """The permit of one pair's terms."""

    def __init__(self, terms: Terms, sources: Sources) -> None:
        self._terms, self._sources = terms, sources

    def __call__(self, digest: str, pair: Pair, now: Instant, /) -> Permitted:
        try:
            believed = self._sources.believed(now)
        except AssayError as error:  # nothing is approved then, and an order by a key of the terms still counts
            believed = Believed(_NOBODY, {}, Refused(Refusal.STALE_TRUST, _said(error)))
        try:
            found = self._of(digest, pair, believed, now)
        except AssayError as error:
            found = Permitted(ok=False, reasons=(_said(error),), notes=believed.notes)
        if found.ok or self._sources.orders is None:
            return found
        return self._through(found, digest, pair, believed, now)

    def _of(self, digest: str, pair: Pair, believed: Believed, now: Instant) -> Permitted:
        terms = self._terms
        asked = Asked(digest, Kind.DIGEST, (digest,))
        expected = Expected(terms.resource, pair.environment, terms.levels, terms.max_approval_days, terms.platform)
        bundles, question = self._sources.gather(asked), Question(expected, believed, now, _prover(believed))
        answer = decided(asked, bundles, question)
        if answer.outcome is Outcome.REFUSED:  # of several, one that was taken back says more than one that merely ended
            others = (decided(asked, [each], question) for each in bundles)
            answer = next((each for each in others if _standing(each) is Standing.REVOKED), answer)
        held = answer.verification
        expires = (held.expires_at if held else None) or Instant(0)
        if answer.outcome is Outcome.APPROVED and held is not None:
            back = self._sources.taken_back(digest, pair)
            if back:
                return Permitted(False, held.id, expires, (f"{Refusal.REVOKED}: {back}",), Standing.REVOKED, notes=believed.notes)
            notes = (*believed.notes, *_of_platforms(held, terms.platform))
            return Permitted(ok=True, endorsement=held.id, expires=expires, standing=Standing.APPROVED, notes=notes)
        reasons = tuple(f"{each.reason}: {_ABSENT if each.reason is Refusal.ABSENT else each.text}" for each in answer.refused)
        return Permitted(False, held.id if held else "", expires, reasons, _standing(answer), notes=believed.notes)

    def _through(self, found: Permitted, digest: str, pair: Pair, believed: Believed, now: Instant) -> Permitted:
        assert self._sources.orders is not None  # noqa: S101 - looked at by who calls
        try:
            held = breakglass.find(self._sources.orders, breakglass.Wanted(digest, pair), self._terms.breakglass, believed, now)
        except AssayError as error:
            return Permitted(False, found.endorsement, found.expires, (*found.reasons, _said(error)), found.standing, notes=found.notes)
        if held.order is None:
            return Permitted(
                False, found.endorsement, found.expires, (*found.reasons, *held.refused), found.standing, notes=found.notes
            )  # fmt: skip
        note = f"break-glass by {held.order.actor}: {held.order.reason}"
        return Permitted(
            True, "", held.order.until, found.reasons, Standing.BREAKGLASS, breakglass=held.order.id, notes=(*found.notes, note)
        )  # fmt: skip


_NOBODY = OpenTrust(Trust(()), (), ())


def _of_platforms(held: Verification, platform: str) -> tuple[str, ...]:
    if platform or not held.unjudged:
        return ()
    others = ", ".join(held.unjudged)[:200]
    return (f"nothing is known of its platforms {others}; say in the terms which platform runs there, or deploy by its own digest",)


def _standing(answer: Answer) -> Standing:
    if answer.outcome is not Outcome.REFUSED:
        return Standing.UNPROVEN
    said = {each.reason for each in answer.refused}
    if Refusal.REVOKED in said:
        return Standing.REVOKED
    return Standing.EXPIRED if said <= {Refusal.EXPIRED, Refusal.TOO_OLD} else Standing.REFUSED


def _prover(believed: Believed) -> Callable[[Found], Logged | None]:
    """The log's proof that lies beside an endorsement, where the trust document names a log."""
    log = believed.trust.trust.log
    if log is None:
        return lambda _: None
    return lambda found: None if found.proof is None else logged(found.proof, log)


def _said(error: AssayError) -> str:
    return f"{error.what}{': ' if error.why else ''}{error.why}"
