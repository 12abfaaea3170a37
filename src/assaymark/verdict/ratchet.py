"""The ratchet: posture is a tuple ordered component by component, and a change may lower none of them unseen. Pure.

Components, each with its order:

1. open findings that the policy stops, with severity: fewer and milder is better; counted per rule class, so that pairing cannot hide one
2. coverage: the checks that are on and what they could not look at; more is better
3. waivers: fewer, narrower and earlier is better
4. policy: stricter is better (`verdict.policy.weaknesses`)

Further components (grades that users rely on, endorsed share of what runs) join as further functions that return `Weakening`s.
A weakening passes only by a *recorded exception*: for components 2 and 4 a valid ``[[exception]]`` row that names it, for 1 and 3 a valid
``[[waiver]]`` row with reason, owner and end. Every exception is itself debt that the verdict shows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from msgspec import Struct

from assaymark.model.finding import Finding
from assaymark.verdict.compare import Matched
from assaymark.verdict.policy import Gate, InlineWaivers, Policy, RecordedException, Waiver, Weakening
from assaymark.verdict.weight import weight


class Allowed(Struct, frozen=True):
    """The exceptions of head that hold today."""

    rows: tuple[RecordedException, ...]
    notices: tuple[str, ...]

    def for_(self, name: str) -> RecordedException | None:
        """The row that lets a weakening of this name through."""
        return next((row for row in self.rows if row.weakens == name), None)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(row.weakens for row in self.rows)


def exceptions(policy: Policy, gate: Gate, today: dt.date) -> Allowed:
    """Exceptions that hold: not ended, not longer than the policy allows, approved where it asks for that.

    `gate` is the *base's*: a change cannot loosen the rules for exceptions and use them at once.
    """
    rows: list[RecordedException] = []
    notices: list[str] = []
    for row in policy.exception:
        days = (row.until - today).days
        if days < 0:
            notices.append(f"exception for {row.weakens} ({row.owner}) ended on {row.until}")
        elif days > gate.max_waiver_days:
            notices.append(f"exception for {row.weakens} runs {days} days, the policy allows {gate.max_waiver_days}")
        elif gate.approver_required and row.approver.strip() in ("", row.owner.strip()):
            notices.append(f"exception for {row.weakens} has no approver besides its owner, which the policy asks for")
        else:
            rows.append(row)
    return Allowed(tuple(rows), tuple(notices))


def inline_weakenings(matched: Sequence[Matched], own_waived: Sequence[bool], gate: Gate) -> tuple[tuple[Weakening, Finding], ...]:
    """Inline comments that the change added, or that cover something worse now, under a policy that does not let them grow.

    `own_waived` says for each match whether a waiver with reason, owner and end covers it: then the comment changes nothing.
    """
    if gate.inline_waivers is not InlineWaivers.RATCHET:
        return ()
    found: list[tuple[Weakening, Finding]] = []
    for match, waived in zip(matched, own_waived, strict=True):
        after = match.after
        if after is None or after.suppression is None or waived:
            continue
        marker = after.suppression.marker
        if match.before is None or match.before.suppression is None:
            text = f"the comment `{marker}` was added and would hide {after.rule}"
        elif weight(after, gate) > weight(match.before, gate):
            text = f"the comment `{marker}` would hide more of {after.rule} than it did"
        else:
            continue
        found.append((Weakening(f"waivers.inline:{after.place.path}", text), after))
    return tuple(found)


def waiver_growth(base: Policy, head: Policy) -> tuple[tuple[Waiver, str], ...]:
    """Waivers of head that base did not have, or that now last longer or cover more: exceptions to be shown."""
    old = {_about(waiver): waiver for waiver in base.waiver}
    grown: list[tuple[Waiver, str]] = []
    for waiver in head.waiver:
        before = old.get(_about(waiver))
        if before is None:
            grown.append((waiver, "added"))
        elif waiver.until > before.until:
            grown.append((waiver, f"prolonged from {before.until}"))
        elif waiver.count > before.count:
            grown.append((waiver, f"widened from {before.count} occurrences"))
    return tuple(grown)


def _about(waiver: Waiver) -> tuple[str, str, str]:
    return (waiver.finding.rpartition(":")[2][:12], waiver.rule, waiver.path)
