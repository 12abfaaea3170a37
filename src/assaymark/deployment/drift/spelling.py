r"""Paths as text that tells every byte and steers no terminal.

Guarantees: two paths never have one text; a text is printable. A backslash is ``\\``, a byte that belongs to no UTF-8 ``\xNN``, what cannot
be printed (a line's end, a mark that turns the direction of writing) ``\uNNNN`` or ``\UNNNNNNNN``.
"""

from __future__ import annotations


def spelled(path: bytes) -> str:
    """The text of a path."""
    text = path.decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_letter, text))


def _letter(letter: str) -> str:
    if letter == "\\":
        return "\\\\"
    if letter.isprintable():
        return letter
    number = ord(letter)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
