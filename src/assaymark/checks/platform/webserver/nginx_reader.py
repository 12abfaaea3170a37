"""One nginx file as a tree of directives, on crossplane's lexer.

Guarantees: a text that nginx would not lex or whose braces, quotes or semicolons do not close is `Unreadable` with a line; depth and number
of directives are bounded; blocks of Lua are one argument and not looked into. Resolves no include (`nginx_model`).

crossplane's `lex` opens a file by name, while a check is given bytes; so the tree is built on the generator below it. That generator ends
silently at an open quote or an unfinished word, so a last directive of our own is put behind the text: what swallows it was not closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.platform.webserver.directives import DEEPEST, MOST_DIRECTIVES, Directive
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.finding import Span

_END = "\0end"
_TEMPLATE = re.compile(r"\{%|\{\{|<%|<\?php")


class _Token(Struct, frozen=True):
    text: str
    line: int
    special: bool
    """An unquoted brace or semicolon."""


def read(text: str, member: str) -> tuple[Directive, ...]:
    """The directives of one file.

    Raises:
        Unreadable: see the module.
    """
    template = _TEMPLATE.search(_without_comments(text))
    if template:
        line = text.count("\n", 0, template.start()) + 1
        raise Unreadable("unsupported", f"line {line} is a template's, not nginx's; check the rendered file", line)
    return _Tree(text, member).build()


def _without_comments(text: str) -> str:
    return re.sub(r"(?m)^[ \t]*#.*$", lambda found: " " * len(found.group()), text)


def _tokens(text: str) -> Iterator[_Token]:
    from crossplane.errors import NgxParserBaseException  # noqa: PLC0415  start-up cost of a check that is often not needed
    from crossplane.lexer import _lex_file_object  # noqa: PLC0415

    try:
        for word, line, quoted in _lex_file_object([text, f"\n{_END} ;\n"]):
            if quoted or not word.startswith("#"):
                yield _Token(word, line, not quoted and word in {"{", "}", ";"})
    except NgxParserBaseException as error:
        line = error.lineno or 1
        raise Unreadable("syntax", f"line {line} is no valid Lua block: {error.strerror}", line) from error


def _is_directive(word: str) -> bool:
    """Whether a word is a directive's name that nobody would take for a value; crossplane knows them all."""
    from crossplane.analyzer import DIRECTIVES  # noqa: PLC0415  start-up cost of a check that is often not needed

    return word in DIRECTIVES and ("_" in word or word in {"listen", "location", "server", "include", "return", "rewrite"})


class _Tree:
    def __init__(self, text: str, member: str) -> None:
        self._lines = text.split("\n")
        self._member = member
        self._count = 0
        self._last = (0, 0)
        """Line and column behind the last directive found, so that equal names on one line are told apart."""
        self._open: list[tuple[list[str], int, Span, list[Directive]]] = []

    def build(self) -> tuple[Directive, ...]:
        top: list[Directive] = []
        siblings = top
        words: list[_Token] = []
        for token in _tokens("\n".join(self._lines)):
            if not token.special:
                words.append(token)
            elif token.text == "}":
                self._no_words(words, token.line)
                siblings = self._close(top, token.line)
            elif words and words[0].text == _END:
                return self._ended(top)
            elif words:
                siblings = self._take(words, siblings, opens=token.text == "{")
                words = []
            elif token.text == "{":
                raise Unreadable("syntax", f"line {token.line} opens a block without a name", token.line)
        line = words[0].line if words else len(self._lines)
        raise Unreadable("syntax", f"a quote or a word that begins at line {line} or later does not end; close it", line)

    def _no_words(self, words: list[_Token], line: int) -> None:
        if words:
            raise Unreadable("syntax", f"line {words[0].line}: {words[0].text[:40]!r} is not ended by a semicolon", line)

    def _ended(self, top: list[Directive]) -> tuple[Directive, ...]:
        if self._open:
            line = self._open[-1][2].start_line
            raise Unreadable("syntax", f"the block that line {line} opens is not closed", line)
        return tuple(top)

    def _take(self, words: list[_Token], siblings: list[Directive], *, opens: bool) -> list[Directive]:
        self._count += 1
        if any(word.text == _END for word in words):
            raise Unreadable("syntax", f"line {words[0].line}: {words[0].text[:40]!r} is not ended by a semicolon", words[0].line)
        if self._count > MOST_DIRECTIVES:
            raise Unreadable("size", f"the file has more than {MOST_DIRECTIVES} directives; split it", words[0].line)
        self._refuse_lost_semicolon(words)
        span = self._span(words[0])
        texts = [word.text for word in words]
        if not opens:
            siblings.append(Directive(texts[0], tuple(texts[1:]), self._member, span))
            return siblings
        if len(self._open) >= DEEPEST:
            raise Unreadable("size", f"line {span.start_line} is nested deeper than {DEEPEST} levels", span.start_line)
        inside: list[Directive] = []
        self._open.append((texts, len(siblings), span, inside))
        return inside

    def _refuse_lost_semicolon(self, words: list[_Token]) -> None:
        """A directive that begins a line inside of another one's arguments would be read as a value, and nothing would be said of it."""
        for word in words[1:]:
            if word.line == words[0].line or word.line > len(self._lines) or not _is_directive(word.text):
                continue
            if re.match(rf"\s*{re.escape(word.text)}(?=\s)", self._lines[word.line - 1]):
                line = word.line - 1
                raise Unreadable("syntax", f"line {line} or above: {words[0].text[:40]!r} is not ended by a semicolon", line)

    def _close(self, top: list[Directive], line: int) -> list[Directive]:
        if not self._open:
            raise Unreadable("syntax", f"line {line} closes a block that was not opened", line)
        texts, _, span, inside = self._open.pop()
        parent = self._open[-1][3] if self._open else top
        parent.append(Directive(texts[0], tuple(texts[1:]), self._member, span, tuple(inside)))
        return parent

    def _span(self, word: _Token) -> Span:
        """Lexers of servers know lines only; the column is looked up."""
        number = min(word.line, len(self._lines))
        after = self._last[1] if self._last[0] == number else 0
        row = self._lines[number - 1]
        column = row.find(word.text, after)
        if column < 0:
            column = len(row) - len(row.lstrip())
        self._last = (number, column + len(word.text))
        end = max(column + 1, len(row.rstrip()))
        return Span(number, column + 1, number, end + 1)
