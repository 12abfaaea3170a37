"""From hits to sightings: one per value and place, the value replaced by its HMAC and masked wherever text is shown."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from assaymark.checks.application.secrets.candidates import candidates
from assaymark.checks.application.secrets.content import Lines, line_around
from assaymark.checks.application.secrets.hits import Hit
from assaymark.checks.application.secrets.keys import Key
from assaymark.checks.application.secrets.suppressions import suppression
from assaymark.model.finding import Fix, RuleId, SecretSite, Sighting

MASK = "******"
_NAMES_OF_VALUES = frozenset({"name", "value", "key"})
"""What stands behind a key in a list of ``{"name": …, "value": …}`` and is no value."""
_SHOWN = 200
_MOST_VALUES = 100
"""A text with more secrets than this is a dump of secrets: nothing of it is shown."""
_REACH = 2000
_LEAST_MASKED = 4
"""Shorter values are only masked where they stand: replacing every ``a1`` of a line would hide the line."""


def distinct(hits: Sequence[Hit]) -> list[Hit]:
    """Of hits that overlap, the most specific, then the surest, then the longest; in order of place."""
    kept: dict[int, Hit] = {}
    starts: list[int] = []
    for hit in sorted(hits, key=lambda h: (h.kind.rank, -h.confidence.rank, h.start - h.end, h.start, h.kind.rule)):
        place = bisect_left(starts, hit.start)
        before = kept[starts[place - 1]] if place else None
        after = kept[starts[place]] if place < len(starts) else None
        if (before is None or before.end <= hit.start) and (after is None or hit.end <= after.start):
            starts.insert(place, hit.start)
            kept[hit.start] = hit
    return [kept[start] for start in starts]


def sightings(data: bytes, hits: Sequence[Hit], key: Key) -> Iterator[Sighting]:
    """What may leave the check."""
    lines = Lines(data)
    masks = _Masks(hits)
    for hit in distinct(hits):
        yield Sighting(
            rule=RuleId(f"secrets/{hit.kind.rule}"),
            site=SecretSite(key.name_of(hit.value), key.id, masks.context(data, hit)),
            severity=hit.kind.severity,
            message=hit.kind.message,
            span=lines.span(hit.start, hit.end),
            confidence=hit.confidence,
            fix=Fix(hit.kind.advice),
            suppression=suppression(data, lines, hit.start, hit.end),
            notes=hit.notes,
        )


class _Masks:
    """Everything that must not be shown of one text."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        headings = {hit.start: hit.heading for hit in hits if hit.heading}
        self._places = sorted({(hit.start + headings.get(hit.start, 0), hit.end) for hit in hits})
        self._longest = max((hit.end - hit.start for hit in hits), default=0)
        values = {hit.value.value for hit in hits if len(hit.value.value) >= _LEAST_MASKED}
        self._values = sorted(values, key=len, reverse=True)

    def context(self, data: bytes, hit: Hit) -> str:
        """The line of the hit with every value of this text masked, cut around the hit."""
        if len(self._values) > _MOST_VALUES:
            return MASK
        first, _ = line_around(data, hit.start, _REACH)
        last = hit.end
        if not hit.heading:
            _, last = line_around(data, max(hit.start, min(hit.end, hit.start + _REACH)), _REACH)
        pieces: list[bytes] = []
        place = first
        for start, end in self._places[bisect_left(self._places, (first - self._longest, 0)) :]:
            if start >= last:
                break
            if start > place or (end > place and not pieces):
                pieces += [data[place : max(place, start)], MASK.encode()]
            place = max(place, end)
        pieces.append(data[place : max(place, last)])
        text = b"".join(pieces)
        for value in self._values:
            text = text.replace(value, MASK.encode())
        if hit.heading:
            text = text.replace(b"-----" + MASK.encode(), b"----- " + MASK.encode())
        return _trimmed(_without_candidates(text).decode("utf-8", "replace"))


def _without_candidates(text: bytes) -> bytes:
    """Values beside the hit that were judged to be no credential may be one all the same: they are not shown either."""
    line = text.decode("latin-1")
    for candidate in reversed(list(candidates(line[: 2 * _REACH], "config"))):
        if candidate.quote and MASK not in candidate.value and candidate.value not in _NAMES_OF_VALUES:
            line = line[: candidate.start] + MASK + line[candidate.end :]
    return line.encode("latin-1")


def _trimmed(text: str) -> str:
    shown = "".join(c if c.isprintable() else " " for c in text).strip()
    at = max(0, shown.find(MASK) - _SHOWN // 2)
    return shown[at : at + _SHOWN]
