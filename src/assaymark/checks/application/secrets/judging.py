"""The layers that look closer where the prefilter says so. Loaded only for a text in which it says so.

Lines are judged once: the same line in the next version of a file, or in a hundred copies, is looked up. The memory is bounded and lives
in the worker process; it makes the answer faster, never different, because what is said of a line depends on the line and on the
dialect's group only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assaymark.checks.application.secrets import anchors, blocks, generic, provider_rules, structured
from assaymark.checks.application.secrets.confirmer import TokenConfirmer
from assaymark.checks.application.secrets.content import TooManyPlaces, line_around
from assaymark.checks.application.secrets.hits import Hit

MOST_WINDOWS = 60_000
"""Windows judged in one text: about ten seconds of work. Counted, not timed, so that the same text always gets the same answer."""
_REACH = 600
"""Bytes of a line on each side of a lead: a minified file is one line."""
_REMEMBERED_LINE = 400
_REMEMBERED = 40_000


class Layers:
    """All layers over one text, with the memory of lines."""

    def __init__(self, confirmer: TokenConfirmer | None) -> None:
        self._confirmer = confirmer
        self._lines: dict[tuple[str, bytes], tuple[Hit, ...]] = {}

    def of_text(self, layer: str, name: str, data: bytes) -> Iterator[Hit]:
        """Hits of one layer that reads whole texts."""
        if layer == "own":
            yield from provider_rules.find(name, data)
        elif layer == "text":
            yield from blocks.find(name, data)
        elif layer == "kingfisher" and self._confirmer is not None:
            yield from self._confirmer.confirm(data)

    def of_format(self, dialect: str, data: bytes) -> Iterator[Hit]:
        """Hits of a text in a format that has a reader."""
        yield from structured.find(dialect, data)

    def of_lines(self, data: bytes, places: Sequence[int], group: str) -> Iterator[Hit]:
        """Hits around places (ascending), each line or window judged once.

        Raises:
            TooManyPlaces: beyond `MOST_WINDOWS`.
        """
        judged_to = -1
        windows = 0
        for place in places:
            if place <= judged_to:
                continue
            start, end = line_around(data, place - 1, _REACH)
            start = max(start, judged_to)
            judged_to = end
            windows += 1
            if windows > MOST_WINDOWS:
                raise TooManyPlaces(MOST_WINDOWS)
            for hit in self._of_line(data[start:end], group):
                yield hit.shifted(start)

    def _of_line(self, line: bytes, group: str) -> tuple[Hit, ...]:
        if len(line) > _REMEMBERED_LINE:
            return _judged(line, group)
        key = (group, line)
        known = self._lines.get(key)
        if known is None:
            if len(self._lines) >= _REMEMBERED:
                self._lines.clear()
            known = self._lines[key] = _judged(line, group)
        return known


def _judged(line: bytes, group: str) -> tuple[Hit, ...]:
    text = line.decode("latin-1")
    hits = [*anchors.find(text), *blocks.hashes(line)]
    if group != "none":
        hits.extend(generic.find(text, group))
    return tuple(hits)
