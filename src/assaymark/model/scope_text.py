"""Scope and statement by layout alone, for every language without a parser and for text that does not parse.

* Statement: the line, joined with its neighbours while a round or square bracket stays open (at most `LONGEST_JOIN` lines).
  A line that ends inside an open ``{`` is the header of a block; the body's lines are statements of their own.
* Scope: the chain of less-indented lines above. Class- and function-like headers give their name, control flow (``if``, ``for``, …)
  gives nothing, so that wrapping code in a condition does not move it; any other header gives its text without layout.
* Lone braces, comments and preprocessor lines carry no scope, so both brace styles give the same chain.

It does not know strings that span lines: text at the left margin inside one cuts the chain short.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from msgspec import Struct

LONGEST_JOIN = 40
"""Lines. Past this an open bracket is taken for a stray one (a smiley, a regular expression)."""
LONGEST_READ_LINE = 5_000
"""Characters. Longer lines are generated; their brackets are not worth the time."""
LONGEST_HEADER = 200
_BLANKS = " \t\x0b\x0c\xa0\u3000"

_LINE_END = re.compile(r"\r\n|\r|\n")
_STRINGS = r""""(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+'|`(?:[^`\\]|\\.)*+`|\\."""
_PYTHON_TOKENS = re.compile(_STRINGS + r"|#.*|([()\[\]{}])")
_OTHER_TOKENS = re.compile(_STRINGS + r"|(?<!:)//.*|(?:(?<=\s)|^)\#(?!\w).*|/\*.*?(?:\*/|$)|([()\[\]{}])")
_PAIRS = {")": "(", "]": "[", "}": "{"}

_COMMENT = re.compile(r"#|//|/\*|\*(?!\w)|--(?!\w)|<!--|%")
_LAYOUT_ONLY = re.compile(r"[{}()\[\];,]*")
_LABEL = re.compile(r"(?:public|private|protected|signals|public slots|private slots)\s*:")
_CONTROL = re.compile(
    r"(?:if|else|elif|elsif|unless|for|foreach|while|until|do|loop|switch|case|default|match|when|select|try|catch|except|finally|rescue"
    r"|ensure|with|using|lock|synchronized|unsafe|begin|then|async with|async for|await|return)\b"
)
_NAMED = (
    re.compile(
        r"(?:[\w()@:.-]+\s+){0,6}?(?:class|interface|struct|enum|trait|impl(?:<[^>]*>)?|module|namespace|protocol|record|extension|mixin)"
        r"\s+([A-Za-z_$][\w$.:]*)"
    ),
    re.compile(
        r"(?:[\w()@.-]+\s+){0,6}?(?:def|function\s*\*?|func|fn|fun|sub|proc|defp?)\s+(?:\([^)]{0,80}\)\s*)?([A-Za-z_$][\w$.:]*[?!]?)"
    ),
    re.compile(r"(?:export\s+)?(?:const|let|var)\s+([A-Za-z_$][\w$]*)\s*=\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>|[\w$]+\s*=>)"),
    re.compile(r"(?:[\w$]+\.)*([A-Za-z_$][\w$]*)\s*[:=]\s*(?:async\s*)?(?:function\b|\([^)]*\)\s*=>)"),
    re.compile(r"(?:[\w<>\[\],.:&*?@~]+\s+){0,8}([A-Za-z_$~][\w$:~]*)\s*\((?![^)]*(?:=>|\bfunction\b))[^\"'=;]*$"),
)
_PYTHON_NAMED = re.compile(r"(?:async\s+)?(?:def|class)\s+(\w+)")


class Found(Struct, frozen=True):
    """Where a statement is, and what it says."""

    first_line: int
    last_line: int
    scope: tuple[str, ...]
    statement: str


NOWHERE = Found(0, 0, (), "")
"""For lines that the text does not have."""


def split_lines(text: str) -> list[str]:
    """Lines without their ends."""
    return _LINE_END.split(text)


class TextOutline:
    """The statements of one text, in order."""

    def __init__(self, text: str, *, is_python: bool) -> None:
        self._is_python = is_python
        self._lines = split_lines(text)
        tokens = _PYTHON_TOKENS if is_python else _OTHER_TOKENS
        self._brackets = [_brackets(line, tokens) for line in self._lines]
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._parents: list[int] = []
        self._known: dict[int, Found] = {}
        self._read()

    def find(self, line: int, end_line: int, column: int) -> Found:
        """The statement at a line (from 1); the column decides nothing here."""
        del column
        if not 1 <= line <= len(self._lines):
            return NOWHERE
        at = bisect_right(self._firsts, line - 1) - 1
        if at < 0 or self._lasts[at] < line - 1:
            if at + 1 < len(self._firsts) and self._firsts[at + 1] < end_line:
                at += 1
            else:
                return NOWHERE
        if at in self._known:
            return self._known[at]
        first, last = self._firsts[at], self._lasts[at]
        statement = "\n".join(self._lines[first : last + 1]).strip(_BLANKS)
        self._known[at] = Found(first + 1, last + 1, self._scope(self._parents[at]), statement)
        return self._known[at]

    def _read(self) -> None:
        open_units: list[tuple[int, int]] = []
        row = 0
        while row < len(self._lines):
            stripped = self._lines[row].strip(_BLANKS)
            if not stripped:
                row += 1
                continue
            last = self._extent(row)
            indent = _indent(self._lines[row])
            depth = len(open_units)
            while depth and open_units[depth - 1][0] >= indent:
                depth -= 1
            unit = len(self._firsts)
            self._firsts.append(row)
            self._lasts.append(last)
            self._parents.append(open_units[depth - 1][1] if depth else -1)
            if not _carries_no_scope(stripped):
                del open_units[depth:]
                open_units.append((indent, unit))
            row = last + 1

    def _extent(self, row: int) -> int:
        """Last row of the statement that begins at `row`."""
        still_open: list[str] = []
        for at in range(row, min(row + LONGEST_JOIN, len(self._lines))):
            for bracket in self._brackets[at]:
                if bracket in "([{":
                    still_open.append(bracket)
                elif still_open and still_open[-1] == _PAIRS[bracket]:
                    still_open.pop()
            if still_open and still_open[-1] == "{" and not self._is_python:
                return at
            if not still_open and not self._lines[at].endswith("\\"):
                return at
        return row

    def _scope(self, unit: int) -> tuple[str, ...]:
        names: list[str] = []
        while unit >= 0:
            header = " ".join(" ".join(self._lines[self._firsts[unit] : self._lasts[unit] + 1]).split())
            name = _python_name(header) if self._is_python else _name(header)
            if name:
                names.append(name)
            unit = self._parents[unit]
        return tuple(reversed(names))


def _brackets(line: str, tokens: re.Pattern[str]) -> str:
    if len(line) > LONGEST_READ_LINE:
        return ""
    return "".join(match[1] for match in tokens.finditer(line) if match[1])


def _indent(line: str) -> int:
    blank = line[: len(line) - len(line.lstrip(_BLANKS))]
    return len(blank.rpartition("\x0c")[2].expandtabs(8))


def _carries_no_scope(stripped: str) -> bool:
    return bool(_COMMENT.match(stripped) or _LAYOUT_ONLY.fullmatch(stripped) or _LABEL.match(stripped))


def _python_name(header: str) -> str:
    match = _PYTHON_NAMED.match(header)
    return match[1] if match else ""


def _name(header: str) -> str:
    header = header[:LONGEST_HEADER].lstrip("})]; ").rstrip("{: ")
    if not header or _CONTROL.match(header):
        return ""
    for pattern in _NAMED:
        match = pattern.match(header)
        if match:
            return match[1].rstrip(":")
    return header
