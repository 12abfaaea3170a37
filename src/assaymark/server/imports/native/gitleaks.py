"""Gitleaks' JSON (version 8 and 7): a list of secrets, with their values unless it was told to redact."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from assaymark.server.imports import hidden
from assaymark.server.imports.documents import bounded, decoded
from assaymark.server.imports.found import Ask, Spoken, World, check_of
from assaymark.server.imports.hidden import Leak
from assaymark.server.imports.places import Roots

_TOOL = "gitleaks"


class _Row(Struct, rename="pascal"):
    rule_id: str = field(name="RuleID", default="")
    description: str = ""
    start_line: int = 0
    end_line: int = 0
    start_column: int = 0
    end_column: int = 0
    match: str = ""
    secret: str = ""
    file: str = ""
    commit: str = ""
    fingerprint: str = ""
    old_line: str = field(name="line", default="")
    old_number: int = field(name="lineNumber", default=0)
    old_value: str = field(name="offender", default="")
    old_rule: str = field(name="rule", default="")
    old_file: str = field(name="file", default="")
    old_commit: str = field(name="commit", default="")


def read(data: bytes, ask: Ask, world: World) -> Spoken:
    """What the report says.

    Raises:
        UsageError: when it is none of Gitleaks'.
    """
    rows = decoded(data, list[_Row], "Gitleaks")
    bounded(len(rows), "Gitleaks")
    check = check_of(_TOOL, ask)
    roots = Roots((row.file or row.old_file for row in rows), world.contents)
    seen, notes = hidden.seen_of(_TOOL, check, _leaks(rows, roots), (ask, world))
    return Spoken(tuple(seen), checks=((check, ask.layer),), notes=(*roots.notes, *notes))


def _leaks(rows: list[_Row], roots: Roots) -> Iterator[Leak]:
    for row in rows:
        line = row.start_line or row.old_number
        # Its first line counts columns from 1, every other from 0 behind the line's end, and its end is the last column of the match.
        column = row.start_column - (1 if line > 1 else 0)
        yield Leak(
            rule=row.rule_id or "-".join(row.old_rule.lower().split()) or "unnamed",
            path=roots.path(row.file or row.old_file),
            message=row.description or row.old_rule,
            value=row.secret or row.old_value,
            context=row.match or row.old_line,
            line=line,
            column=column,
            end_line=row.end_line or line,
            end_column=column + (row.end_column - row.start_column) + 1 if row.end_column else 0,
            notes=(("commit", row.commit or row.old_commit),),
        )
