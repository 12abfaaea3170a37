"""Inline comments, of whichever tool, that ask to overlook a sighting.

Nothing is dropped here: the sighting is still made, and carries the comment, so that it is counted and can be judged.
Known forms, each with and without the rules it names:
``noqa``, ``ruff: noqa``, ``flake8: noqa``, ``ruff: ignore[…]``, ``ruff: file-ignore[…]``, ``ruff: disable[…]`` to ``ruff: enable[…]``,
``nosec``, ``nosemgrep``, and our own ``assay:allow <reason>``, which needs its reason.
A comment counts on the lines of its statement; those of ruff, semgrep and ours also on lines of their own right above it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from msgspec import Struct

from assaymark.model.finding import Suppression

_MARKER = re.compile(r"noqa|nosec|nosem|assay:allow|ruff:", re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_PYTHON_COMMENT = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:"""|\Z)'
    r"|'''(?:[^'\\]|\\.|'(?!''))*+(?:'''|\Z)"
    r'|"(?:[^"\\\r\n]|\\.)*+"?'
    r"|'(?:[^'\\\r\n]|\\.)*+'?"
    r"|(#[^\r\n]*)",
    re.DOTALL,
)
_OTHER_COMMENT = re.compile(
    r'"(?:[^"\\\r\n]|\\.)*+"|\'(?:[^\'\\\r\n]|\\.)*+\'|\\.|((?:#|(?<!:)//|/\*|<!--|--)[^\r\n]*)',
)
_CODES = r"[A-Za-z]+[0-9]+"
_NOQA = re.compile(rf"#\s*noqa\b(:?)\s*((?:{_CODES}|[A-Z]+)(?:[\s,]+{_CODES})*)?", re.IGNORECASE)
_NOQA_CODE = re.compile(r"S\d+")
"""Codes of flake8-bandit, the only ones of ours that ``noqa`` knows: its ``B`` is bugbear."""
_FILE_NOQA = re.compile(rf"#\s*(?:ruff|flake8)\s*:\s*noqa\b(:?)\s*({_CODES}(?:[\s,]+{_CODES})*)?", re.IGNORECASE)
_RUFF = re.compile(r"#\s*ruff\s*:\s*(ignore|file-ignore|disable|enable)\s*\[([^\]]{0,500})\]")
_NOSEC = re.compile(r"#\s*nosec\b:?\s*([^#]*)")
_NOSEC_NAME = re.compile(r"\b(?:B\d{3}|[a-z0-9]+(?:_[a-z0-9]+)+)\b", re.IGNORECASE)
_NOSEMGREP = re.compile(r"\bnosem(?:grep)?\b(?:\s*:\s*([\w.\-]+(?:\s*,\s*[\w.\-]+)*))?", re.IGNORECASE)
_ALLOW = re.compile(r"\bassay:allow\s+\w")

LONGEST_MARKER = 200
LONGEST_COMMENT = 2_000
"""Characters that are read; a comment that overlooks something is short."""
MOST_ABOVE = 40
"""Lines of one comment above a statement that are read."""
MOST_WIDE = 200
"""Comments for a file or a block that are honoured; more are a flood, and an unheeded comment only shows more."""


class _Comment(Struct, frozen=True):
    line: int
    text: str
    indent: int
    """Columns before it when it stands on a line of its own, otherwise -1."""


class Suppressions:
    """The comments of one text."""

    def __init__(self, text: str, *, is_python: bool) -> None:
        self._comments = _comments(text, is_python=is_python) if _MARKER.search(text) else {}
        self._lines = _LINE_END.split(text) if self._comments else []
        self._wide = [c for c in self._comments.values() if _FILE_NOQA.search(c.text) or _is_ruff(c, "file-ignore", "disable")]
        del self._wide[MOST_WIDE:]
        self._ends: dict[int, int] = {}

    def find(self, names: AbstractSet[str], first_line: int, last_line: int) -> Suppression | None:
        """The comment that covers a statement for a rule, known under these ids and names (its own tool's and its relatives')."""
        if not self._comments:
            return None
        for line in range(first_line, last_line + 1):
            comment = self._comments.get(line)
            if comment and _asks(comment.text, names, _ON_THE_LINE):
                return _suppression(comment)
        for line in range(first_line - 1, first_line - 1 - MOST_ABOVE, -1):
            above = self._comments.get(line)
            if not above or above.indent < 0:
                break
            if _asks(above.text, names, _ABOVE):
                return _suppression(above)
        return next((_suppression(c) for c in self._wide if self._covers(c, names, first_line)), None)

    def _covers(self, comment: _Comment, names: AbstractSet[str], line: int) -> bool:
        ruff = _RUFF.search(comment.text)
        if not ruff:
            return any(_noqa_names(match, names) for match in _FILE_NOQA.finditer(comment.text))
        if not _listed(ruff[2], names):
            return False
        return ruff[1] == "file-ignore" or comment.line < line <= self._end(comment, ruff[2])

    def _end(self, start: _Comment, codes: str) -> int:
        if start.line not in self._ends:
            self._ends[start.line] = self._end_of_range(start, codes)
        return self._ends[start.line]

    def _end_of_range(self, start: _Comment, codes: str) -> int:
        """Up to the matching ``enable``, or to the end of the block, as ruff does."""
        for at in range(start.line + 1, len(self._lines) + 1):
            text = self._lines[at - 1]
            comment = self._comments.get(at)
            ruff = _RUFF.search(comment.text) if comment and comment.indent == start.indent else None
            if ruff and ruff[1] == "enable" and ruff[2].replace(" ", "") == codes.replace(" ", ""):
                return at
            if text.strip() and len(text) - len(text.lstrip()) < start.indent:
                return at - 1
        return len(self._lines)


def _comments(text: str, *, is_python: bool) -> dict[int, _Comment]:
    starts = [0, *(match.end() for match in _LINE_END.finditer(text))]
    pattern = _PYTHON_COMMENT if is_python else _OTHER_COMMENT
    found: dict[int, _Comment] = {}
    for match in pattern.finditer(text):
        if match[1] is None:
            continue
        line = bisect_right(starts, match.start(1))
        before = text[starts[line - 1] : match.start(1)]
        found[line] = _Comment(line, match[1][:LONGEST_COMMENT], -1 if before.strip() else len(before))
    return found


def _suppression(comment: _Comment) -> Suppression:
    marker = _MARKER.search(comment.text)
    start = comment.text.rfind("#", 0, marker.start()) if marker else 0
    return Suppression(comment.text[max(start, 0) :].strip()[:LONGEST_MARKER], comment.line)


def _is_ruff(comment: _Comment, *actions: str) -> bool:
    match = _RUFF.search(comment.text)
    return bool(match and match[1] in actions)


def _listed(codes: str, names: AbstractSet[str]) -> bool:
    return any(code in names for code in re.split(r"[\s,]+", codes))


def _noqa_names(match: re.Match[str], names: AbstractSet[str]) -> bool:
    if not match[1]:
        return True
    if not match[2]:
        return False
    ours = [name for name in names if _NOQA_CODE.fullmatch(name)]
    return any(name.startswith(code.upper()) for code in re.split(r"[\s,]+", match[2]) for name in ours if code)


def _by_noqa(text: str, names: AbstractSet[str]) -> bool:
    return any(_noqa_names(match, names) for match in _NOQA.finditer(text))


def _by_ruff_ignore(text: str, names: AbstractSet[str]) -> bool:
    return any(match[1] == "ignore" and _listed(match[2], names) for match in _RUFF.finditer(text))


def _by_nosec(text: str, names: AbstractSet[str]) -> bool:
    for match in _NOSEC.finditer(text):
        asked = {name.lower() for name in _NOSEC_NAME.findall(match[1])}
        if not asked or asked & {name.lower() for name in names}:
            return True
    return False


def _by_nosemgrep(text: str, names: AbstractSet[str]) -> bool:
    match = _NOSEMGREP.search(text)
    if not match:
        return False
    asked = re.split(r"\s*,\s*", match[1]) if match[1] else []
    return not asked or any(name == id_ or name.endswith("." + id_) or id_.endswith("." + name) for id_ in asked for name in names)


def _by_allow(text: str, _names: AbstractSet[str]) -> bool:
    return bool(_ALLOW.search(text))


_Rule = Callable[[str, AbstractSet[str]], bool]
_ON_THE_LINE: tuple[_Rule, ...] = (_by_noqa, _by_ruff_ignore, _by_nosec, _by_nosemgrep, _by_allow)
_ABOVE: tuple[_Rule, ...] = (_by_ruff_ignore, _by_nosemgrep, _by_allow)


def _asks(text: str, names: AbstractSet[str], rules: tuple[_Rule, ...]) -> bool:
    return any(rule(text, names) for rule in rules)
