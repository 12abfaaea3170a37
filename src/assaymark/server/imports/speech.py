"""Words of other tools, made fit to be shown: one line, bounded, nothing that a terminal would obey."""

from __future__ import annotations

import re

from assaymark.checks.application.code.source import plain
from assaymark.model.scope_mask import mask

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_MARKUP = re.compile(r"<[^<>]{0,200}>")
_LONGEST = 300
_MOST = 1 << 30
"""Of lines and columns: more than any file has, and less than a database refuses."""


def count(number: object) -> int:
    """A line or a column, 0 for what is none."""
    return min(max(number, 0), _MOST) if isinstance(number, int) else 0


def line_of(text: str, longest: int = _LONGEST) -> str:
    """One line, cut."""
    text = text[: 4 * longest]
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    text = " ".join(text.split())
    folded = mask(text) if text.isprintable() else plain(text)
    return folded if len(folded) <= longest else folded[: longest - 1] + "…"


def unmarked(text: str, longest: int = _LONGEST) -> str:
    """The same without HTML, in which some tools write."""
    return line_of(_MARKUP.sub(" ", text[: 8 * longest]), longest)


def cwe_note(numbers: object) -> tuple[tuple[str, str], ...]:
    """A weakness' number as a note, when there is one."""
    found = re.search(r"\d{1,5}", str(numbers or ""))
    return (("cwe", f"CWE-{int(found[0])}"),) if found and int(found[0]) else ()
