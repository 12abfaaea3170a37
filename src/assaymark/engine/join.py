"""From facts about content to findings at places: the late join.

Pure. Everything that is not a fact about bytes comes in here: the names under which content stands, and the rule-class mapping.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from assaymark.engine.plan import InputKey, Placed
from assaymark.model.check import Checked, Outcome, Unchecked, UnitKind
from assaymark.model.finding import CheckId, Finding, Layer, RuleId, Sighting, Span, UncheckedSite
from assaymark.model.identity import CURRENT, Seen, identify
from assaymark.model.rules import Vocabulary
from assaymark.model.severity import Severity


def join(
    placed: Iterable[Placed],
    outcomes: Mapping[InputKey, Outcome],
    checks: Mapping[CheckId, tuple[Layer, UnitKind]],
    catalogue: Vocabulary,
    scheme: str = CURRENT,
) -> list[Finding]:
    """Findings of one side. What has no outcome is a gap, like what could not be checked."""
    return identify(_seen(placed, outcomes, checks), catalogue, scheme)


def _seen(
    placed: Iterable[Placed], outcomes: Mapping[InputKey, Outcome], checks: Mapping[CheckId, tuple[Layer, UnitKind]]
) -> Iterator[Seen]:
    for key, path in ((p.key, p.path) for p in placed):
        layer, unit = checks[key.check]
        match outcomes.get(key):
            case Checked(sightings=sightings):
                for sighting in sightings:
                    yield Seen(sighting, key.check, layer, key.digest, path)
            case Unchecked() as gap:
                yield Seen(_gap(key.check, unit, gap), key.check, layer, key.digest, path)
            case None:
                yield Seen(
                    _gap(key.check, unit, Unchecked("cancelled", "the run ended before it was looked at")),
                    key.check,
                    layer,
                    key.digest,
                    path,
                )


def _gap(check: CheckId, unit: UnitKind, gap: Unchecked) -> Sighting:
    return Sighting(
        rule=RuleId(f"{check}/unchecked"),
        site=UncheckedSite(check, unit, gap.reason_class),
        severity=Severity.MEDIUM,
        message=gap.reason,
        span=Span(gap.line, 1, gap.line, 1) if gap.line else None,
    )
