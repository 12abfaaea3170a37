"""Comments that ask to overlook a finding, of whichever tool wrote the convention.

A comment counts on the line where the sighting begins, or alone on the line directly above it. Nothing is dropped here: the
request is recorded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from assaymark.model.finding import Span, Suppression

_MARKER = re.compile(r"(?:#|//|/\*)[ \t]*(?P<name>assay:[ ]?allow\b|nosec\b|checkov:skip=|nosemgrep\b|NOSONAR\b)(?P<rest>[^\n]*)")
_COMMENT_ONLY = re.compile(r"\s*(?:#|//|/\*|\*)")
_NAMED = re.compile(r"\s*[\[(=:]\s*(?P<rules>[\w.,/ -]+)")
LONGEST_MARKER = 200


def requested(lines: Sequence[str], span: Span, rule: str) -> Suppression | None:
    """The comment that covers a sighting of this rule (short name, without the check's) at this span, if there is one."""
    numbers = [span.start_line]
    above = span.start_line - 1
    if 1 <= above <= len(lines) and _COMMENT_ONLY.match(lines[above - 1]):
        numbers.append(above)
    for number in numbers:
        found = _MARKER.search(lines[number - 1]) if 1 <= number <= len(lines) else None
        if found and _covers(found, rule):
            return Suppression(marker=found.group().strip()[:LONGEST_MARKER], line=number)
    return None


def _covers(found: re.Match[str], rule: str) -> bool:
    """Only our own marker names rules of ours; the others' ids are another vocabulary, so they cover the line."""
    named = _NAMED.match(found["rest"])
    if not found["name"].startswith("assay:") or named is None:
        return True
    return rule in {part.rpartition("/")[2] for part in re.split(r"[, ]+", named["rules"])}
