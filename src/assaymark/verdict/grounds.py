"""What a verdict was judged by, kept so that the same judgement can be made again under other policies of the organisation. Pure.

Guarantees: `again` with the `Given` that is kept gives the decision that was given then, for the same release of this code; nothing is
scanned, read or fetched for it. Says (`unsaid`) where it cannot know: a floor that asks for a check that did not run.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.verdict import decide as judge
from assaymark.verdict.given import NOTHING, Given
from assaymark.verdict.policy import Policy
from assaymark.verdict.rules import Over, not_run

FORMAT = 1


class Grounds(Struct, frozen=True, omit_defaults=True):
    """Everything that `decide` is given."""

    head: judge.Side
    today: dt.date
    base: judge.Side | None = None
    touched: Mapping[str, Sequence[tuple[int, int]]] = {}
    newly_known: frozenset[str] = frozenset()
    given: Given = NOTHING
    format: int = FORMAT


def decide(grounds: Grounds) -> judge.Decision:
    """The judgement."""
    return judge.decide(
        grounds.base,
        grounds.head,
        today=grounds.today,
        touched=grounds.touched,
        newly_known=grounds.newly_known,
        given=grounds.given,
    )


def under(grounds: Grounds, given: Given) -> Grounds:
    """The same with other rules and floors; what people decided, approved and are stays as it was."""
    return msgspec.structs.replace(grounds, given=msgspec.structs.replace(grounds.given, rules=given.rules, floors=given.floors))


def unsaid(grounds: Grounds, given: Given) -> tuple[str, ...]:
    """Checks that would have run under these floors and did not, so that nobody knows what they would have found."""
    return not_run(ran_by(grounds), given.floors)


def unlooked(grounds: Grounds, given: Given) -> tuple[str, ...]:
    """Rules that ask of the components that a change adds, where nobody looked."""
    if grounds.given.components is not None:
        return ()
    return tuple(rule.name for rule in given.rules if rule.over is Over.COMPONENT)


def ran_by(grounds: Grounds) -> Policy:
    """The policy that chose which checks ran."""
    base = grounds.base.policy if grounds.base is not None else grounds.head.policy
    return judge.effective(base, grounds.head.policy, grounds.today, grounds.given.floors)


@cache
def _decoder() -> msgspec.json.Decoder[Grounds]:
    return msgspec.json.Decoder(Grounds)  # made where something is judged again: a hook would wait 2 ms for it


def packed(grounds: Grounds) -> bytes:
    """As bytes to be kept."""
    from assaymark.views.encoding import packed as pack  # noqa: PLC0415 - a hook keeps nothing

    return pack(grounds)


def unpacked(data: bytes) -> Grounds:
    """What `packed` made.

    Raises:
        SubjectUnreadable: when another release kept it in a form that this one does not read.
    """
    try:
        found = _decoder().decode(data)
    except UNDECODABLE as error:
        raise SubjectUnreadable("what a verdict was judged by cannot be read", why=str(error)[:200]) from error
    if found.format != FORMAT:
        raise SubjectUnreadable(f"what a verdict was judged by has format {found.format}", why=f"this release reads {FORMAT}")
    return found
