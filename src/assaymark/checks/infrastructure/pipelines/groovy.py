"""A tolerant reader of Groovy as it is written in Jenkinsfiles: tokens, strings with their interpolations, blocks and calls.

Guarantees: linear time, bounded nesting, positions of everything; a string or bracket that never ends is refused with its line.
It is no compiler: types, operators and control flow are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from msgspec import Struct

from assaymark.checks.reading.yaml_tree import Unreadable

DEEPEST: Final = 150
_LONGEST_SLASHY: Final = 10_000
_SIMPLE = re.compile(
    r"(?P<blank>[ \t\r\f\v]+|\\\r?\n)|(?P<newline>\n)|(?P<comment>//[^\n]*|\A#![^\n]*)|(?P<word>[^\W\d]\w*)|(?P<number>\d[\w.]*)"
)
_OPENING = re.compile(r"'''|\"\"\"|\$/|['\"]")
_SLASHY = re.compile(r"/(?:\\/|[^/\n])+/")
_PLACE = re.compile(r"\$(?:\{|(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*))")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


class Kind(StrEnum):
    """What a token is."""

    WORD = "word"
    NUMBER = "number"
    TEXT = "text"
    SIGN = "sign"
    NEWLINE = "newline"


class Place(Struct, frozen=True):
    """An interpolation inside a string."""

    expression: str
    start: int
    """Offset in the file."""
    end: int


class Token(Struct, frozen=True):
    """One token. For a string, `text` is its content without quotes, escapes as written."""

    kind: Kind
    text: str
    start: int
    end: int
    places: tuple[Place, ...] = ()
    inner: int = 0
    """Offset in the file where a string's content begins."""


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[Token] = []

    def read(self) -> list[Token]:
        while self.at < len(self.text):
            self._step()
        return self.tokens

    def _step(self) -> None:
        found = _SIMPLE.match(self.text, self.at)
        if found:
            kind = found.lastgroup
            if kind in {"word", "number", "newline"}:
                self.tokens.append(Token(Kind(kind), found.group(), self.at, found.end()))
            self.at = found.end()
            return
        if self.text.startswith("/*", self.at):
            end = self.text.find("*/", self.at + 2)
            if end < 0:
                raise self._refusal("the comment that begins here never ends", self.at)
            self.at = end + 2
            return
        opening = _OPENING.match(self.text, self.at)
        if opening:
            self._string(opening.group())
        elif not self._slashy():
            self.tokens.append(Token(Kind.SIGN, self.text[self.at], self.at, self.at + 1))
            self.at += 1

    def _refusal(self, what: str, at: int) -> Unreadable:
        line = self.text.count("\n", 0, at) + 1
        return Unreadable("syntax", f"line {line}: {what}", line)

    def _string(self, opening: str) -> None:
        begin = self.at + len(opening)
        closing = "/$" if opening == "$/" else opening
        end = self._end_of(begin, closing, interpolates=opening[0] == '"' or opening == "$/")
        content = self.text[begin:end]
        places = tuple(self._places(begin, end)) if opening[0] == '"' or opening == "$/" else ()
        self.tokens.append(Token(Kind.TEXT, content, self.at, end + len(closing), places, begin))
        self.at = end + len(closing)

    def _end_of(self, begin: int, closing: str, *, interpolates: bool) -> int:
        stop = re.compile(r"\\.|\$\{|\n|" + re.escape(closing), re.DOTALL) if closing != "/$" else re.compile(r"\$\$|\$/|\$\{|/\$")
        at = begin
        while found := stop.search(self.text, at):
            piece = found.group()
            if piece == closing:
                return found.start()
            if piece == "\n" and len(closing) == 1:
                break
            at = self._after_expression(found.end()) if piece == "${" and interpolates else found.end()
        raise self._refusal("the string that begins here never ends", begin)

    def _after_expression(self, at: int) -> int:
        """Behind the brace that ends ``${``; strings inside are passed over."""
        depth = 1
        quote = ""
        for position in range(at, min(len(self.text), at + _LONGEST_SLASHY)):
            char = self.text[position]
            if quote:
                quote = "" if char == quote and self.text[position - 1] != "\\" else quote
            elif char in "'\"":
                quote = char
            elif char in "{}":
                depth += 1 if char == "{" else -1
                if depth == 0:
                    return position + 1
        raise self._refusal("the interpolation that begins here never ends", at)

    def _places(self, begin: int, end: int) -> Iterator[Place]:
        at = begin
        while found := _PLACE.search(self.text, at, end):
            at = found.end()
            if self._escaped(found.start(), begin):
                continue
            if found["name"]:
                yield Place(found["name"], found.start(), at)
            else:
                at = min(end, self._after_expression(at))
                yield Place(self.text[found.end() : max(found.end(), at - 1)].strip(), found.start(), at)

    def _escaped(self, at: int, begin: int) -> bool:
        count = 0
        while at - count - 1 >= begin and self.text[at - count - 1] == "\\" and count < 64:
            count += 1
        return count % 2 == 1

    def _slashy(self) -> bool:
        """A pattern between slashes, where a division cannot stand."""
        if self.text[self.at] != "/":
            return False
        before = self.tokens[-1] if self.tokens else None
        if before is not None and (before.kind in {Kind.NUMBER, Kind.TEXT} or before.text in {")", "]", "}"}):
            return False
        if before is not None and before.kind is Kind.WORD and before.text not in {"return", "case", "in", "sh", "bat", "echo"}:
            return False
        found = _SLASHY.match(self.text, self.at)
        if found is None:
            return False
        places = tuple(self._places(self.at + 1, found.end() - 1))
        self.tokens.append(Token(Kind.TEXT, found.group()[1:-1], self.at, found.end(), places, self.at + 1))
        self.at = found.end()
        return True


class Block(Struct, frozen=True):
    """What stands before an opening brace that is still open: a call with its first string, e.g. ``stage`` and ``Build``."""

    name: str
    label: str
    call: int
    """Position of its first token."""


class Call(Struct, frozen=True):
    """A word used as a step, method or block, with what it is given."""

    name: str
    target: str
    """With what stands before its dots, e.g. ``docker.image``."""
    at: int
    """Position of the name among the tokens."""
    first: int
    last: int
    """Range of the argument tokens, brackets left out."""
    path: tuple[Block, ...]
    opens_statement: bool


class Script(Struct, frozen=True):
    """A whole file."""

    text: str
    tokens: tuple[Token, ...]
    calls: tuple[Call, ...]
    paths: tuple[tuple[Block, ...], ...]
    """Blocks around each token."""
    partners: dict[int, int]
    """Position of the closing bracket for each opening one."""

    def arguments(self, call: Call) -> Iterator[tuple[str, Token]]:
        """Name (empty when it has none) and first token of each argument, lists and closures as their opening bracket."""
        at = call.first
        while at < call.last:
            name, token, at = self._argument(at, call.last)
            if token is not None:
                yield name, token

    def _argument(self, at: int, last: int) -> tuple[str, Token | None, int]:
        while at < last and self.tokens[at].kind is Kind.NEWLINE:
            at += 1
        name = ""
        if at + 1 < last and self.tokens[at].kind in {Kind.WORD, Kind.TEXT} and self.tokens[at + 1].text == ":":
            name = self.tokens[at].text
            at += 2
            while at < last and self.tokens[at].kind is Kind.NEWLINE:
                at += 1
        token = self.tokens[at] if at < last else None
        while at < last and self.tokens[at].text != ",":
            at = self.partners.get(at, at) + 1
        return name, token, at + 1

    def argument(self, call: Call, *names: str) -> Token | None:
        """The argument of one of these names; the empty name is the first one without a name."""
        return next((token for name, token in self.arguments(call) if name in names), None)


def read(text: str) -> Script:
    """The file.

    Raises:
        Unreadable: when a string, comment or bracket never ends or is closed twice, or nesting passes the limit.
    """
    tokens = _Lexer(text).read()
    partners, paths, calls = _Structure(text, tokens).read()
    return Script(text, tuple(tokens), tuple(calls), tuple(paths), partners)


_STATEMENT_WORDS = frozenset({"return", "else", "in", "new", "throw", "case", "assert"})


class _Structure:
    """Brackets, blocks and calls over the tokens, in one pass."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.partners: dict[int, int] = {}
        self.openers: dict[int, int] = {}
        self.line_ends: dict[int, int] = {}
        self.calls: dict[int, Call] = {}

    def read(self) -> tuple[dict[int, int], list[tuple[Block, ...]], list[Call]]:
        self._match()
        paths: list[tuple[Block, ...]] = []
        path: tuple[Block, ...] = ()
        opened: list[tuple[Block, ...]] = []
        statement: list[Call | None] = [None]
        for at, token in enumerate(self.tokens):
            if token.kind is Kind.SIGN and token.text == "{":
                opened.append(path)
                path = (*path, self._block(at, statement[-1]))
                statement.append(None)
            elif token.kind is Kind.SIGN and token.text == "}":
                path = opened.pop()
                statement.pop()
            paths.append(path)
            call = self._call(at, path) if token.kind is Kind.WORD else None
            if call is not None:
                self.calls[at] = call
                statement[-1] = call if call.opens_statement else statement[-1]
        return self.partners, paths, list(self.calls.values())

    def _match(self) -> None:
        stack: list[tuple[str, int]] = []
        for at, token in enumerate(self.tokens):
            if token.kind is not Kind.SIGN:
                continue
            if token.text in _BRACKETS:
                stack.append((_BRACKETS[token.text], at))
                if len(stack) > DEEPEST:
                    line = self._line(at)
                    raise Unreadable("size", f"line {line} is nested deeper than {DEEPEST} levels", line)
            elif token.text in ")]}":
                if not stack or stack[-1][0] != token.text:
                    line = self._line(at)
                    raise Unreadable("syntax", f"line {line}: `{token.text}` closes nothing that is open", line)
                opener = stack.pop()[1]
                self.partners[opener] = at
                self.openers[at] = opener
        if stack:
            line = self._line(stack[-1][1])
            raise Unreadable("syntax", f"line {line}: the bracket that opens here is never closed", line)

    def _line(self, at: int) -> int:
        return self.text.count("\n", 0, self.tokens[at].start) + 1

    def _call(self, at: int, path: tuple[Block, ...]) -> Call | None:
        following = self.tokens[at + 1] if at + 1 < len(self.tokens) else None
        if following is None:
            return None
        start = self._start(at)
        before = self.tokens[start - 1] if start > 0 else None
        after_word = before is not None and before.kind is Kind.WORD and before.text not in _STATEMENT_WORDS
        spaced = following.start > self.tokens[at].end
        if following.text == "(" and following.kind is Kind.SIGN:
            first, last = at + 2, self.partners[at + 1]
        elif following.kind is Kind.SIGN and following.text in {"{", "=", ":"}:
            first = last = at + 1
        elif not after_word and (following.kind in {Kind.TEXT, Kind.WORD} or (following.text == "[" and spaced)):
            first, last = at + 1, self._end_of_line(at + 1)
        else:
            return None
        opens = before is None or before.kind is Kind.NEWLINE or before.text in {";", "{", "}"}
        name = self.tokens[at].text
        target = "".join(token.text for token in self.tokens[start : at + 1]) if start < at else name
        return Call(name, target, at, first, last, path, opens)

    def _start(self, at: int) -> int:
        start = at
        while start >= 2 and at - start < 20 and self.tokens[start - 1].text == "." and self.tokens[start - 2].kind is Kind.WORD:
            start -= 2
        return start

    def _end_of_line(self, at: int) -> int:
        """Arguments without brackets go on to the end of the line, and on the next line after a comma; each token is walked over once."""
        walked: list[int] = []
        end = len(self.tokens)
        while at < len(self.tokens):
            if at in self.line_ends:
                end = self.line_ends[at]
                break
            token = self.tokens[at]
            ends = token.kind is Kind.NEWLINE and self.tokens[at - 1].text != ","
            if ends or (token.kind is Kind.SIGN and token.text in {";", "{", "}", ")", "]"}):
                end = at
                break
            walked.append(at)
            at = self.partners.get(at, at) + 1
        self.line_ends.update(dict.fromkeys(walked, end))
        return end

    def _block(self, at: int, statement: Call | None) -> Block:
        """The call whose closure opens here."""
        behind = at - 1
        while behind >= 0 and self.tokens[behind].kind is Kind.NEWLINE:
            behind -= 1
        token = self.tokens[behind] if behind >= 0 else None
        if token is None:
            return Block("", "", at)
        if token.text == ")" and behind in self.openers:
            call = self.calls.get(self.openers[behind] - 1)
        elif token.text == ":" and behind > 0:
            return Block(self.tokens[behind - 1].text, "", behind - 1)
        else:
            call = self.calls.get(behind) or statement
        if call is None:
            return Block("", "", at)
        label = next((each.text for each in self.tokens[call.first : min(call.last, call.first + 3)] if each.kind is Kind.TEXT), "")
        return Block(call.name, label, call.at)
