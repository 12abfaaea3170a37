"""One file of Apache's as a tree of directives.

Follows the server's own reader: a backslash at the end of a line joins the next one, also in comments; comments stand on lines of their
own; words end at white space or are quoted, with backslashes before quotes; sections are closed by their name. Names are folded to lower
case.
Guarantees that sections that don't close, or close what isn't open, are `Unreadable` with a line; depth and number are bounded. Resolves no
include, variable or condition (`apache_model`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.platform.webserver.directives import DEEPEST, MOST_DIRECTIVES, Directive
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.finding import Span

_TEMPLATE = re.compile(r"\{%-?\s|\{\{[^}\n]*\}\}|<%[=-]?\s|<\?php|@@\w+@@")
_MARK = re.compile(r"<(?P<closes>/)?(?P<name>[A-Za-z_][\w-]*)(?P<rest>.*)\Z", re.DOTALL)


class _Line(Struct, frozen=True):
    text: str
    number: int
    column: int
    width: int


def read(text: str, member: str) -> tuple[Directive, ...]:
    """The directives of one file.

    Raises:
        Unreadable: see the module.
    """
    top: list[Directive] = []
    opened: list[tuple[str, tuple[str, ...], Span, list[Directive]]] = []
    for count, line in enumerate(_lines(text)):
        inside = opened[-1][3] if opened else top
        span = Span(line.number, line.column, line.number, line.column + line.width)
        mark = _MARK.match(line.text)
        if count > MOST_DIRECTIVES:
            raise Unreadable("size", f"the file has more than {MOST_DIRECTIVES} directives; split it", line.number)
        if mark is None:
            name, _, rest = line.text.partition(" ")
            inside.append(Directive(name.casefold(), words(rest), member, span))
        elif mark["closes"]:
            _close(opened, top, mark["name"].casefold(), line.number, member)
        elif not mark["rest"].rstrip().endswith(">"):
            raise Unreadable("syntax", f"line {line.number}: the section <{mark['name']} has no closing bracket", line.number)
        elif len(opened) >= DEEPEST:
            raise Unreadable("size", f"line {line.number} is nested deeper than {DEEPEST} levels", line.number)
        else:
            opened.append((mark["name"].casefold(), words(mark["rest"].rstrip()[:-1]), span, []))
    if opened:
        name, _, span, _ = opened[-1]
        raise Unreadable("syntax", f"the section <{name}> that line {span.start_line} opens is not closed", span.start_line)
    return tuple(top)


def _close(
    opened: list[tuple[str, tuple[str, ...], Span, list[Directive]]], top: list[Directive], name: str, line: int, member: str
) -> None:
    if not opened or opened[-1][0] != name:
        expected = f", the open one is <{opened[-1][0]}>" if opened else ""
        raise Unreadable("syntax", f"line {line} closes </{name}>, which is not open{expected}", line)
    kind, args, span, inside = opened.pop()
    (opened[-1][3] if opened else top).append(Directive(kind, args, member, span, tuple(inside)))


def _lines(text: str) -> Iterator[_Line]:
    """Logical lines without comments, white space folded at both ends and behind the name."""
    rows = text.split("\n")
    at = 0
    while at < len(rows):
        start, joined = at, [rows[at].rstrip("\r")]
        while joined[-1].endswith("\\") and at + 1 < len(rows):
            joined[-1] = joined[-1][:-1]
            at += 1
            joined.append(rows[at].rstrip("\r"))
        at += 1
        whole = "".join(joined).strip()
        if not whole or whole.startswith("#"):
            continue
        template = _TEMPLATE.search(whole)
        if template:
            raise Unreadable("unsupported", f"line {start + 1} is a template's, not Apache's; check the rendered file", start + 1)
        name, _, rest = whole.partition("\t") if re.match(r"[^ \t]*\t", whole) else whole.partition(" ")
        row = joined[0]
        column = len(row) - len(row.lstrip()) + 1
        yield _Line(f"{name} {rest.strip()}" if rest and not name.startswith("<") else whole, start + 1, column, max(1, len(row.strip())))


def words(text: str) -> tuple[str, ...]:
    """The words of a line as the server splits them."""
    made: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        word, at = _quoted(text, at) if text[at] in "\"'" else _plain(text, at)
        made.append(word)
    return tuple(made)


def _plain(text: str, at: int) -> tuple[str, int]:
    found = re.compile(r"\S+").match(text, at)
    return (found[0], found.end()) if found else ("", at + 1)


def _quoted(text: str, at: int) -> tuple[str, int]:
    """A quoted word; one that does not end takes the rest, as it does for the server."""
    quote = text[at]
    found = re.compile(rf"{quote}((?:\\.|[^{quote}\\])*)(?:{quote}|\Z)", re.DOTALL).match(text, at)
    if found is None:
        return text[at + 1 :], len(text)
    return re.sub(rf"\\([{quote}\\])", r"\1", found[1]), found.end()
