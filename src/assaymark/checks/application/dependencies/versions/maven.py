"""Maven's order (the POM reference, "Version Order Specification", as `ComparableVersion` carries it out).

Tokens between dots, hyphens and changes of digit to letter. One order that is total was needed, and Maven's own is not: by its
rules ``1-1`` > ``1`` > ``1.0.0.beta`` > ``1-1``. Here zeros before a qualifier count for nothing, whichever separator stands before it, as
with a hyphen; so ``1.0.0.beta`` equals ``1-beta``.
"""

from __future__ import annotations

import re

from msgspec import Struct

from assaymark.checks.application.dependencies.versions.coding import (
    ABOVE_END,
    ABOVE_ZEROS,
    BELOW_ZEROS,
    END,
    UnorderableError,
    number,
    word,
    zeros,
)

_PIECES = re.compile(r"[0-9]+|[^0-9.-]+|[.-]")
_FORM = re.compile(r"[0-9A-Za-z._+~-]+\Z", re.ASCII)
_SAME = {"cr": "rc", "ga": "", "final": "", "release": ""}
_SHORT = {"a": "alpha", "b": "beta", "m": "milestone"}
_BELOW = {"alpha": b"\x01", "beta": b"\x02", "milestone": b"\x03", "rc": b"\x04", "snapshot": b"\x05"}
_SP, _OTHER, _HYPHEN_NUMBER = b"\x01", b"\x02", b"\x03"


class _Token(Struct, frozen=True):
    is_hyphen: bool
    text: str

    @property
    def is_number(self) -> bool:
        return self.text.isdecimal()

    @property
    def is_null(self) -> bool:
        return not self.text.strip("0")

    @property
    def is_below(self) -> bool:
        return self.text in _BELOW


def maven(text: str) -> bytes:
    """Key of a version.

    Raises:
        UnorderableError: when it holds what no coordinate holds.
    """
    if not _FORM.match(text):
        raise UnorderableError("no Maven version")
    tokens = _trimmed(_tokens(text.lower()))
    pieces: list[bytes] = []
    run = 0
    for token in tokens:
        if token.is_null and not token.is_hyphen:
            run += 1
            continue
        if run:
            pieces.append(zeros(run, then_more=not token.is_below))
            run = 0
        pieces.append(_piece(token))
    return b"".join(pieces) + END


def _tokens(text: str) -> list[_Token]:
    """The first token counts as one after a dot, so that ``1`` and ``alpha`` can be compared."""
    found: list[_Token] = []
    is_hyphen, open_ = False, True
    pieces: list[str] = _PIECES.findall(text)
    for index, piece in enumerate(pieces):
        if piece in ".-":
            if open_:
                found.append(_Token(is_hyphen, "0"))
            is_hyphen, open_ = piece == "-", True
            continue
        follows = pieces[index + 1] if index + 1 < len(pieces) else ""
        named = _SHORT.get(piece, piece) if follows[:1].isdecimal() else piece
        found.append(_Token(is_hyphen if open_ else True, _SAME.get(named, named)))
        open_ = False
    if open_:
        found.append(_Token(is_hyphen, "0"))
    return found


def _trimmed(tokens: list[_Token]) -> list[_Token]:
    """Without what counts for nothing: at the end, before each hyphen, and before each qualifier."""
    kept: list[_Token] = []
    for token in tokens:
        if token.is_hyphen or not (token.is_number or token.is_null):
            _drop_nulls(kept)
        kept.append(token)
    _drop_nulls(kept)
    return kept


def _drop_nulls(tokens: list[_Token]) -> None:
    while tokens and tokens[-1].is_null:
        tokens.pop()


def _piece(token: _Token) -> bytes:
    if token.is_number:
        return ABOVE_END + _HYPHEN_NUMBER + number(token.text) if token.is_hyphen else ABOVE_ZEROS + number(token.text)
    if token.is_below:
        return BELOW_ZEROS + _BELOW[token.text]
    return ABOVE_END + (_SP if token.text == "sp" else _OTHER + word(token.text))
