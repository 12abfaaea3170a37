"""Folding of constants: whole numbers and short texts, enough to see that a condition never changes."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

_WHOLE = re.compile(r"-?\d{1,15}[lL]?")
_LARGEST = 1 << 62

_NUMBERS: Mapping[str, Callable[[int, int], int | bool]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: int(a / b) if b else 0,
    "%": lambda a, b: abs(a) % abs(b) * (1 if a >= 0 else -1) if b else 0,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}
_SAME = frozenset({"==", "===", "eq"})
_OTHER = frozenset({"!=", "!==", "<>"})


def fold(operator: str, texts: Sequence[str | None]) -> str | None:  # noqa: PLR0911 - one return per kind of operator
    """The result of an operator over constants, or None."""
    known = [text for text in texts if text is not None]
    if len(known) != len(texts) or not known:
        return None
    if len(known) == 1:
        return _one(operator, known[0])
    left, right = known
    if operator in _SAME:
        return _said(left == right)
    if operator in _OTHER:
        return _said(left != right)
    if operator in ("&&", "||"):
        return _both(operator, truth(left), truth(right))
    if operator in _NUMBERS and _WHOLE.fullmatch(left) and _WHOLE.fullmatch(right):
        result = _NUMBERS[operator](int(left.rstrip("lL")), int(right.rstrip("lL")))
        if isinstance(result, bool):
            return _said(result)
        return str(result) if abs(result) < _LARGEST else None
    return None


def truth(text: str | None) -> bool | None:
    """Whether a constant counts as true; None when it is no truth value."""
    return {"true": True, "false": False}.get(text) if text is not None else None


def _one(operator: str, text: str) -> str | None:
    if operator == "!":
        value = truth(text)
        return None if value is None else _said(not value)
    if operator == "-" and _WHOLE.fullmatch(text):
        return str(-int(text.rstrip("lL")))
    return text if operator == "+" else None


def _both(operator: str, left: bool | None, right: bool | None) -> str | None:
    if left is None or right is None:
        return None
    return _said(left and right if operator == "&&" else left or right)


def _said(value: bool) -> str:
    return "true" if value else "false"
