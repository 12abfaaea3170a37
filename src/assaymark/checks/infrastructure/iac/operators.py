"""Terraform's operators over known and unknown values."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

from assaymark.checks.infrastructure.iac.values import UNKNOWN, Unknown, Value, is_known, truth

_ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_ORDER: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LARGEST: Final = 10**15


def unary(sign: str, value: Value) -> Value:
    """``-x`` and ``!x``."""
    if sign == "!":
        known = truth(value)
        return UNKNOWN if known is None else not known
    number = as_number(value)
    return UNKNOWN if number is None else -number


def binary(sign: str, left: Value, right: Value) -> Value:  # noqa: PLR0911 - one return per kind of operator
    """``left sign right``."""
    if sign == "&&":
        return _both(truth(left), truth(right))
    if sign == "||":
        return _either(truth(left), truth(right))
    if sign in {"==", "!="}:
        return _equal(left, right, negated=sign == "!=")
    first, second = as_number(left), as_number(right)
    if first is None or second is None:
        return UNKNOWN
    if sign in _ORDER:
        return _ORDER[sign](first, second)
    if sign in _ARITHMETIC:
        result = _ARITHMETIC[sign](first, second)
        return result if abs(result) < _LARGEST else UNKNOWN
    if second == 0:
        return UNKNOWN
    return first / second if sign == "/" else first % second


def as_number(value: Value) -> int | float | None:
    """The value as a number, None when it is none."""
    if type(value) is int or type(value) is float:
        return value
    if type(value) is str and len(value) < 30:
        try:
            return int(value) if value.lstrip("-").isdigit() else float(value)
        except ValueError:
            return None
    return None


def _both(left: bool | None, right: bool | None) -> Value:
    if left is False or right is False:
        return False
    return True if left and right else UNKNOWN


def _either(left: bool | None, right: bool | None) -> Value:
    if left or right:
        return True
    return False if left is False and right is False else UNKNOWN


def _equal(left: Value, right: Value, *, negated: bool) -> Value:
    if type(left) is Unknown or type(right) is Unknown or not (is_known(left) and is_known(right)):
        return UNKNOWN
    same = left == right and (type(left) is bool) == (type(right) is bool)
    return same != negated
