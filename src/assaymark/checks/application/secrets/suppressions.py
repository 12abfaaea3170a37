"""Inline comments of this and other tools that ask to overlook a line. They are recorded, never obeyed here: policy decides."""

from __future__ import annotations

import re

from assaymark.checks.application.secrets.content import Lines
from assaymark.model.finding import Suppression

_REACH = 4000
"""A comment further away than this belongs to a minified file."""
_SAME_LINE = re.compile(
    rb"(?i)(?:gitleaks|betterleaks|kingfisher|assay|secret-?scan)[:-] ?(?:allow|ignore)|trufflehog:ignore|pragma: ?(?:allowlist|whitelist) secret(?! ?nextline)"  # noqa: E501
    rb"|#\s{0,3}nosec\b[ \w,:]{0,60}|#\s{0,3}noqa(?:: ?[A-Z0-9, ]{0,60}S10[567][A-Z0-9, ]{0,60})?(?![\w:])|nosemgrep(?:: ?[\w.,\- ]{0,100})?|NOSONAR|ggignore"  # noqa: E501
)
_NEXT_LINE = re.compile(
    rb"(?i)pragma: ?(?:allowlist|whitelist) nextline secret|^\s*(?:#|//|/\*|--|;|<!--)\s*nosemgrep(?:: ?[\w.,\- ]{0,100})?"
)


def suppression(data: bytes, lines: Lines, first: int, last: int) -> Suppression | None:
    """The comment that speaks for a sighting from offset `first` to offset `last`."""
    for offset in (first, last):
        start, end = lines.bounds(offset)
        found = _SAME_LINE.search(data, max(start, offset - _REACH), min(end, offset + _REACH))
        if found:
            return Suppression(found.group().decode("utf-8", "replace")[:200], lines.number(offset))
    own, _ = lines.bounds(first)
    if own == 0:
        return None
    start, end = lines.bounds(own - 1)
    found = _NEXT_LINE.search(data[max(start, end - _REACH) : end])
    return Suppression(found.group().decode("utf-8", "replace").strip()[:200], lines.number(start)) if found else None
