"""Which findings somebody has accepted, and for how long. Pure: today is an argument."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from assaymark.model.finding import Finding, Kind
from assaymark.model.verdict import WaiverRef
from assaymark.verdict.globs import matches
from assaymark.verdict.policy import Gate, InlineWaivers, Policy, Waiver

_WARN_DAYS = 14
_END = re.compile(r":exp:([\w-]+)")


class Standing(Struct, frozen=True):
    """What the waivers of one policy are worth today."""

    valid: tuple[Waiver, ...]
    notices: tuple[str, ...]
    """About every waiver that is not honoured, and every one that ends soon."""
    ended: tuple[Waiver, ...] = ()
    """Those whose last day is over: what they let through stops again where it is touched."""


def standing(policy: Policy, gate: Gate, today: dt.date) -> Standing:
    """Sort a policy's waivers into those that hold and those that do not, with the reason."""
    valid: list[Waiver] = []
    ended: list[Waiver] = []
    notices: list[str] = []
    for waiver in policy.waiver:
        name = f"waiver for {waiver.finding or waiver.rule or waiver.path} ({waiver.owner})"
        days = (waiver.until - today).days
        if days < 0:
            ended.append(waiver)
            notices.append(f"{name} ended on {waiver.until}: renew it with a reason or repair the finding")
        elif days > gate.max_waiver_days:
            notices.append(f"{name} runs {days} days, the policy allows {gate.max_waiver_days}: choose an earlier end")
        elif gate.approver_required and waiver.approver.strip() in ("", waiver.owner.strip()):
            notices.append(f"{name} has no approver besides its owner, which the policy asks for")
        else:
            valid.append(waiver)
            if days <= _WARN_DAYS and not waiver.rotated:
                notices.append(f"{name} ends on {waiver.until}")
    return Standing(tuple(valid), tuple(notices), tuple(ended))


def covers(waiver: Waiver, finding: Finding) -> bool:
    """True when the waiver is about this finding; its count is not looked at here."""
    if waiver.finding and not _names(waiver.finding, finding):
        return False
    if waiver.rule and waiver.rule not in (finding.core.rule_class, *(w.rule for w in finding.witnesses)):
        return False
    return not waiver.path or matches(finding.place.path, waiver.path)


def _names(text: str, finding: Finding) -> bool:
    scheme, _, digits = text.rpartition(":")
    own_scheme, _, own = finding.fingerprint.rpartition(":")
    return own.startswith(digits) and scheme in ("", own_scheme)


def apply(findings: Sequence[Finding], valid: Sequence[Waiver], gate: Gate, today: dt.date) -> list[WaiverRef | None]:
    """The waiver of each finding, or None.

    A waiver of one finding covers `count` occurrences, in order of place; a rotated secret is worthless wherever it stands.
    """
    left = Counter({index: waiver.count for index, waiver in enumerate(valid) if waiver.finding})
    return [_own(finding, valid, left) or _inline(finding, gate, today) for finding in findings]


def _own(finding: Finding, valid: Sequence[Waiver], left: Counter[int]) -> WaiverRef | None:
    for index, waiver in enumerate(valid):
        if covers(waiver, finding) and (waiver.rotated or not waiver.finding or left[index] > 0):
            left[index] -= 1
            return WaiverRef("policy", waiver.reason, waiver.owner, waiver.until.isoformat())
    return None


def _inline(finding: Finding, gate: Gate, today: dt.date) -> WaiverRef | None:
    if finding.suppression is None or gate.inline_waivers is InlineWaivers.IGNORE or finding.core.kind is Kind.UNCHECKED:
        return None
    marker = finding.suppression.marker
    return None if _has_ended(marker, today) else WaiverRef("inline", marker)


def _has_ended(marker: str, today: dt.date) -> bool:
    """Whether a comment names its last day (``trivy:ignore:…:exp:2026-01-31``, tfsec likewise) and that is over, or is no day."""
    ends = _END.findall(marker)
    try:
        return any(dt.date.fromisoformat(end) < today for end in ends)
    except ValueError:
        return True
