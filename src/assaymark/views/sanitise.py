"""Content of others, made safe to look at.

Guarantees that what `visible` returns holds no control character, escape sequence, bidirectional override, invisible character or
surrogate: a terminal, log or browser shows what is there and obeys nothing of it. Does not escape for a format: HTML, XML and Markdown
views do that on top.
"""

from __future__ import annotations

from unicodedata import category, east_asian_width

from assaymark.model.finding import Place

_INVISIBLE_BUT_PRINTABLE = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f\u17b4\u17b5")
"""Fillers and joiners that Unicode calls letters, marks or symbols although nothing is seen."""
_FIRST_BYTE, _LAST_BYTE = 0xDC80, 0xDCFF
"""Where PEP 383 puts bytes that are no UTF-8."""


def _hostile(char: str) -> bool:
    if char in _INVISIBLE_BUT_PRINTABLE or "\U000e0100" <= char <= "\U000e01ef":
        return True
    return not char.isprintable() and category(char) != "Zs"


def _escaped(char: str) -> str:
    point = ord(char)
    if _FIRST_BYTE <= point <= _LAST_BYTE:
        return f"\\x{point - 0xDC00:02x}"
    if point < 0x100:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\x{point:02x}")
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def visible(text: str, *, keep: str = "") -> str:
    """The text with everything that is not plainly visible written as an escape; characters of `keep` are left alone."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if c not in keep and _hostile(c) else c for c in text)


def visible_lines(text: str) -> str:
    """Like `visible` for text of several lines: line feeds stay, tabs become four spaces, carriage returns before line feeds go."""
    return visible(text.replace("\r\n", "\n").replace("\t", "    "), keep="\n")


def excerpt(text: str, limit: int) -> str:
    """Text of several lines, what goes beyond `limit` characters cut and counted."""
    shown = visible_lines(text[:limit])
    return shown if len(text) <= limit else f"{shown}\n… {len(text) - limit} more characters"


def one_line(text: str) -> str:
    """The text on one line: runs of white space become one space, the rest is made visible."""
    return visible(" ".join(text.split()))


def columns(text: str) -> int:
    """Terminal columns that visible text takes."""
    if text.isascii():
        return len(text)
    return sum(_column_count(char) for char in text)


def _column_count(char: str) -> int:
    if category(char) in {"Mn", "Me"}:
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def shortened(text: str, width: int, *, ellipsis: str = "…") -> str:
    """Visible text cut to `width` columns, the cut shown."""
    if columns(text) <= width:
        return text
    room = max(width - columns(ellipsis), 0)
    kept: list[str] = []
    for char in text:
        room -= _column_count(char)
        if room < 0:
            break
        kept.append(char)
    return "".join(kept).rstrip() + ellipsis


def location(place: Place) -> str:
    """``path:line`` as people read it, the line left out when the whole path is meant."""
    path = visible(place.path)
    return f"{path}:{place.line}" if place.line else path


def raw_path(path: str) -> bytes:
    """The bytes of a subject's path."""
    try:
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")
