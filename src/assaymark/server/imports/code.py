"""Results about source files: given the same identity as when a check of ours runs the tool itself.

Where the files of the subject are at hand, a result is known by its statement and scope, so that it joins with what other tools see there;
where they are not, by its rule and file alone, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from assaymark.checks.application.code.external_report import LONGEST_RULE, attribute, words
from assaymark.checks.application.code.sarif_in import Region, Report, Result
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import CheckId, Span
from assaymark.model.identity import Seen
from assaymark.server.imports.found import Ask, Contents, gap
from assaymark.server.imports.places import path_of
from assaymark.server.imports.speech import count

_AT_ONCE = 200
"""Files whose contents are held at once."""


class Source(Struct, frozen=True):
    """Who reports, and how it was asked."""

    tool: str
    check: CheckId
    ask: Ask
    contents: Contents


def located(source: Source, results: Sequence[Result]) -> tuple[list[Seen], tuple[str, ...]]:
    """The results as sightings, and what the answer has to say."""
    by_path: dict[str, list[Result]] = {}
    for row in results:
        by_path.setdefault(path_of(row.path), []).append(row)
    seen: list[Seen] = []
    without = 0
    paths = sorted(by_path)
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        known = source.contents([path for path in some if path])
        for path in some:
            content = known.get(path)
            without += len(by_path[path]) if content is None and path else 0
            seen += _of_file(source, (path, content or b""), by_path[path])
    return seen, (f"{without} results are known by rule and file alone: their files are not at hand",) if without else ()


def _of_file(source: Source, file: tuple[str, bytes], rows: list[Result]) -> list[Seen]:
    path, content = file
    name = path or "none"
    one = Input(sha256(content), Dialect(name.rpartition(".")[2].lower()[:16]), (Part("", content),))
    report = Report(tuple(replace(row, path=f"assay-000000/{name}") for row in rows), (), says_finished=True)
    outcomes = attribute(source.tool, [one], [{name: ""}], report)
    if not isinstance(outcomes, list) or not isinstance(outcomes[0], Checked):
        return [gap(source.check, source.ask.layer, path, "its results could not be read")]
    found = [Seen(sighting, source.check, source.ask.layer, one.digest, path) for sighting in outcomes[0].sightings]
    return found if content or not path else _placed(found, rows, source.tool)


def _placed(found: list[Seen], rows: list[Result], tool: str) -> list[Seen]:
    """Without the file, the lines that the tool names are shown; they are no part of what a finding is known by."""
    lines: dict[tuple[str, str], list[Span]] = {}
    for row in rows:
        if row.region is not None and row.region.start_line > 0:
            lines.setdefault((f"{tool}/{row.rule[:LONGEST_RULE]}", words(row.message)), []).append(_span(row.region))
    placed = []
    for seen in found:
        told = seen.sighting
        spans = lines.get((told.rule, told.message))
        if told.span is None and spans:
            notes = tuple(note for note in told.notes if note[0] != "place")
            told = replace(told, span=spans.pop(0), notes=notes)
        placed.append(replace(seen, sighting=told))
    return placed


def _span(region: Region) -> Span:
    start = count(region.start_line)
    return Span(start, max(1, count(region.start_column)), max(start, count(region.end_line)), max(1, count(region.end_column)))
