r"""From the bytes of a source file to its text, the way Python itself reads it (PEP 263).

Guarantees that text is only given when the declared encoding really reads these bytes; otherwise the reason, never a guess.
"""

from __future__ import annotations

import codecs
import re

from assaymark.model.check import Unchecked

_COOKIE = re.compile(rb"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_BLANK = re.compile(rb"[ \t\f]*(?:#[^\r\n]*)?$")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_PLAIN = re.compile(
    r"(?:utf-8(?:-sig)?|ascii|cp\d+|iso8859-\d+|koi8-\w+|mac-\w+|euc\w+|shift_jis\w*|gb\w+|big5\w*|iso2022_\w+"
    r"|johab|hz|tis-620|ptcp154|kz1048)"
)
"""Codecs that map bytes to characters and nothing more. Others (``unicode_escape``, ``punycode``) can hide code or take forever."""

LONGEST_MESSAGE = 500


def python_text(content: bytes) -> str | Unchecked:
    """The text of a Python file, without byte order mark; line ends as they are."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Unchecked("encoding", "The file is UTF-16, which Python does not read; save it as UTF-8.", 1)
    name = "utf-8" if content.startswith(codecs.BOM_UTF8) else _declared(content)
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        return Unchecked("encoding", "The declared encoding is unknown; save the file as UTF-8.", 1)
    if not _PLAIN.fullmatch(codec):
        return Unchecked("encoding", "The declared encoding can hide code; save the file as UTF-8.", 1)
    try:
        return content.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as broken:
        line = len(_LINE_END.findall(content[: broken.start])) + 1
        return Unchecked("encoding", f"Line {line} is not {codec}; save the file as UTF-8 or declare its encoding.", line)


def text_of(content: bytes) -> str:
    """The text of a file in another language: UTF-8, with replacement characters where it is not."""
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def plain(message: str) -> str:
    """A tool's words, fit to be kept and shown: one line, no control characters, no credential, bounded."""
    one_line = "".join(c if c.isprintable() else " " for c in message[: 2 * LONGEST_MESSAGE])
    from assaymark.model.scope_mask import mask  # noqa: PLC0415 - most files have nothing to tell

    return mask(" ".join(one_line.split()))[:LONGEST_MESSAGE]


def _declared(content: bytes) -> str:
    for line in _LINE_END.split(content[:4_096], maxsplit=2)[:2]:
        cookie = _COOKIE.match(line)
        if cookie:
            return cookie[1].decode("ascii", "replace")
        if not _BLANK.match(line):
            break
    return "utf-8"
