"""Whether the base that an image was made from still is one to stand on. Pure: what was revoked and what is newest are arguments.

Guarantees: a base counts as withdrawn when any revocation names it or anything that it was made from, whatever window the revocation has,
because when the base was endorsed is not known here; what nobody could tell is said, and is never an answer of "it stands".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from assaymark.deployment.bake.report import Report
from assaymark.endorsement.revocation import OpenRevocations, Target

_TARGETS = (Target.SUBJECT, Target.COMPONENT)


class State(StrEnum):
    """How an image's base stands, the worst first."""

    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"
    STANDS = "stands"


class Told(Struct, frozen=True):
    """What could be found out."""

    revoked: OpenRevocations | None = None
    """None: nobody gave a list of revocations."""
    refused: tuple[str, ...] | None = None
    """Why no endorsement of the base holds now; empty: one does; None: nobody asked."""
    newest: str = ""
    """Digest of the newest base, where it could be read."""
    unseen: tuple[str, ...] = ()
    """What was to be asked and could not, with the reason."""


class Standing(Struct, frozen=True):
    """The answer."""

    state: State
    base: str
    reasons: tuple[str, ...]
    newest: str = ""

    @property
    def wants_bake(self) -> bool:
        """Whether the image is to be baked again, from another base."""
        return self.state in {State.WITHDRAWN, State.SUPERSEDED}


def standing(report: Report, told: Told) -> Standing:
    """How the base of this bake stands."""
    base = report.base.digest
    if not base:
        return Standing(State.STANDS, "", ("it stands on nothing that could be withdrawn",))
    withdrawn = [*_revoked(report.lineage, told), *(told.refused or ())]
    if withdrawn:
        return Standing(State.WITHDRAWN, base, tuple(withdrawn), told.newest)
    if told.newest and told.newest != base:
        return Standing(State.SUPERSEDED, base, (f"{told.newest} is newer",), told.newest)
    asked = told.revoked is not None or told.refused is not None or bool(told.newest)
    if told.unseen or not asked:
        return Standing(State.UNKNOWN, base, told.unseen or ("nobody was asked: give --trust, or say where the newest base is told",))
    return Standing(State.STANDS, base, tuple(_good(told)), told.newest)


def _revoked(lineage: Sequence[str], told: Told) -> Iterator[str]:
    for digest in lineage:
        for target in _TARGETS:
            for window in (told.revoked or {}).get((target, digest), ()):
                yield f"{digest} was revoked at {window.revocation.at}: {window.revocation.reason[:500]}"


def _good(told: Told) -> Iterator[str]:
    if told.revoked is not None:
        yield "nothing that it was made from was revoked"
    if told.refused is not None:
        yield "its endorsement holds"
    if told.newest:
        yield "it is the newest"
