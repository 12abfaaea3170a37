"""Terraform's functions that matter to settings, as functions of values. All are total: a wrong or unknown argument gives unknown.

Left out, and so unknown: files, time, networks, hashes, random and regular expressions (a pattern of a stranger may take for ever).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from assaymark.checks.infrastructure.iac.operators import as_number
from assaymark.checks.infrastructure.iac.values import (
    MOST_ITEMS,
    UNKNOWN,
    Encoded,
    Unknown,
    Value,
    as_text,
    bounded_text,
    decoded,
    is_known,
    truth,
)

Function = Callable[[Sequence[Value]], Value]


def call(name: str, arguments: Sequence[Value]) -> Value:
    """The function's value."""
    function = _LENIENT.get(name)
    if function is None:
        function = _STRICT.get(name)
        if function is None or any(type(each) is Unknown for each in arguments):
            return UNKNOWN
    try:
        return _bounded(function(arguments))
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError):
        return UNKNOWN


def _bounded(value: Value) -> Value:
    if type(value) is str:
        return bounded_text(value)
    return UNKNOWN if type(value) in (list, dict) and len(value) > MOST_ITEMS else value


# --- those that make something of unknown arguments too ---------------------------------------------------------------


def _merge(arguments: Sequence[Value]) -> Value:
    made: dict[str, Value] = {}
    for each in arguments:
        if each is None:
            continue
        if type(each) is not dict:
            return UNKNOWN
        made |= each
    return made


def _concat(arguments: Sequence[Value]) -> Value:
    if any(type(each) is not list for each in arguments):
        return UNKNOWN
    return [item for each in arguments for item in each]


def _format(arguments: Sequence[Value]) -> Value:
    pattern, rest = arguments[0], list(arguments[1:])
    if type(pattern) is not str or len(pattern) > MOST_ITEMS:
        return UNKNOWN
    made: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern[at] != "%":
            made.append(pattern[at])
            at += 1
            continue
        verb = pattern[at + 1 : at + 2]
        if verb == "%":
            made.append("%")
        elif verb in {"s", "d", "v", "t"} and rest:
            made.append(as_text(rest.pop(0)))
        elif verb == "q" and rest:
            made.append(f'"{as_text(rest.pop(0))}"')
        else:
            return UNKNOWN
        at += 2
    return "".join(made)


def _join(arguments: Sequence[Value]) -> Value:
    sign, *lists = arguments
    if type(sign) is not str or any(type(each) is not list for each in lists):
        return UNKNOWN
    return sign.join(as_text(item) for each in lists for item in each)


def _first_known(arguments: Sequence[Value]) -> Value:
    """``coalesce``: what comes before an unknown value is certain, what comes after is not."""
    return next((each for each in arguments if each is not None and each != ""), None)


def _coalescelist(arguments: Sequence[Value]) -> Value:
    return next((each for each in arguments if each), [])


def _try(arguments: Sequence[Value]) -> Value:
    return arguments[0]


def _lookup(arguments: Sequence[Value]) -> Value:
    table, key = arguments[0], arguments[1]
    if type(table) is not dict or type(key) is Unknown:
        return UNKNOWN
    return table.get(as_text(key), arguments[2] if len(arguments) > 2 else UNKNOWN)


def _element(arguments: Sequence[Value]) -> Value:
    items, at = arguments[0], as_number(arguments[1])
    return items[int(at) % len(items)] if type(items) is list and at is not None and items else UNKNOWN


def _length(arguments: Sequence[Value]) -> Value:
    return len(arguments[0]) if type(arguments[0]) in (list, dict, str) else UNKNOWN


def _keys(arguments: Sequence[Value]) -> Value:
    return sorted(arguments[0]) if type(arguments[0]) is dict else UNKNOWN


def _values(arguments: Sequence[Value]) -> Value:
    return [arguments[0][key] for key in sorted(arguments[0])] if type(arguments[0]) is dict else UNKNOWN


def _flatten(arguments: Sequence[Value]) -> Value:
    made: list[Value] = []
    waiting = [arguments[0]]
    while waiting:
        each = waiting.pop()
        if type(each) is list:
            waiting.extend(reversed(each))
        else:
            made.append(each)
        if len(made) > MOST_ITEMS or len(waiting) > MOST_ITEMS:
            return UNKNOWN
    return made


def _compact(arguments: Sequence[Value]) -> Value:
    return [each for each in arguments[0] if each is not None and each != ""] if type(arguments[0]) is list else UNKNOWN


def _zipmap(arguments: Sequence[Value]) -> Value:
    names, values = arguments
    return dict(zip(map(as_text, names), values, strict=False)) if is_known(names) and type(values) is list else UNKNOWN


def _to_list(arguments: Sequence[Value]) -> Value:
    return arguments[0] if type(arguments[0]) is list else UNKNOWN


def _to_set(arguments: Sequence[Value]) -> Value:
    if type(arguments[0]) is not list or not is_known(arguments[0]):
        return arguments[0]
    made: list[Value] = []
    for each in arguments[0][:MOST_ITEMS]:
        if each not in made[-200:]:  # a set of many is of no interest to a rule; comparing each with each is quadratic
            made.append(each)
    return made


def _slice(arguments: Sequence[Value]) -> Value:
    items, start, end = arguments
    return items[int(start) : int(end)] if type(items) is list else UNKNOWN


_LENIENT: Final[dict[str, Function]] = {
    "coalesce": _first_known,
    "coalescelist": _coalescelist,
    "compact": _compact,
    "concat": _concat,
    "element": _element,
    "flatten": _flatten,
    "format": _format,
    "join": _join,
    "jsondecode": lambda given: decoded(given[0]),
    "jsonencode": lambda given: Encoded(given[0]),
    "keys": _keys,
    "length": _length,
    "lookup": _lookup,
    "merge": _merge,
    "nonsensitive": _try,
    "sensitive": _try,
    "slice": _slice,
    "tolist": _to_list,
    "tomap": lambda given: given[0] if type(given[0]) is dict else UNKNOWN,
    "toset": _to_set,
    "try": _try,
    "values": _values,
    "zipmap": _zipmap,
}


# --- those of which every argument must be known ----------------------------------------------------------------------


def _text(value: Value) -> str:
    if type(value) in (str, bool, int, float):
        return as_text(value)
    raise TypeError


def _numbers(arguments: Sequence[Value]) -> list[int | float]:
    given = arguments[0] if len(arguments) == 1 and type(arguments[0]) is list else arguments
    found = [as_number(each) for each in given]
    if None in found:
        raise TypeError
    return [each for each in found if each is not None]


def _range(arguments: Sequence[Value]) -> Value:
    numbers = [int(each) for each in _numbers(arguments)]
    made = range(*numbers)
    return list(made) if len(made) <= MOST_ITEMS else UNKNOWN


def _contains(arguments: Sequence[Value]) -> Value:
    items, wanted = arguments
    if wanted in items:
        return True
    return False if is_known(items) else UNKNOWN


def _replace(arguments: Sequence[Value]) -> Value:
    text, old, new = map(_text, arguments)
    if len(old) > 1 and old.startswith("/") and old.endswith("/"):
        return UNKNOWN
    return text.replace(old, new) if old and len(text) * (len(new) + 1) < 1 << 20 else UNKNOWN


def _substr(arguments: Sequence[Value]) -> Value:
    text, start, length = _text(arguments[0]), int(arguments[1]), int(arguments[2])
    return text[start:] if length < 0 else text[start : start + length]


def _split(arguments: Sequence[Value]) -> Value:
    sign, text = map(_text, arguments)
    return text.split(sign) if sign else list(text)


def _distinct(arguments: Sequence[Value]) -> Value:
    return _to_set(arguments)


def _all(arguments: Sequence[Value]) -> Value:
    found = [truth(each) for each in arguments[0]]
    return False if False in found else UNKNOWN if None in found else True


def _any(arguments: Sequence[Value]) -> Value:
    found = [truth(each) for each in arguments[0]]
    return True if True in found else UNKNOWN if None in found else False


def _to_bool(arguments: Sequence[Value]) -> Value:
    known = truth(arguments[0])
    return UNKNOWN if known is None else known


def _to_number(arguments: Sequence[Value]) -> Value:
    number = as_number(arguments[0])
    return UNKNOWN if number is None else number


_STRICT: Final[dict[str, Function]] = {
    "abs": lambda given: abs(_numbers(given)[0]),
    "alltrue": _all,
    "anytrue": _any,
    "ceil": lambda given: int(-(-_numbers(given)[0] // 1)),
    "chomp": lambda given: _text(given[0]).rstrip("\r\n"),
    "contains": _contains,
    "distinct": _distinct,
    "endswith": lambda given: _text(given[0]).endswith(_text(given[1])),
    "floor": lambda given: int(_numbers(given)[0] // 1),
    "lower": lambda given: _text(given[0]).lower(),
    "max": lambda given: max(_numbers(given)),
    "min": lambda given: min(_numbers(given)),
    "one": lambda given: given[0][0] if given[0] else None,
    "range": _range,
    "replace": _replace,
    "reverse": lambda given: list(reversed(given[0])),
    "setunion": lambda given: _to_set([_concat(given)]),
    "sort": lambda given: sorted(map(_text, given[0])),
    "split": _split,
    "startswith": lambda given: _text(given[0]).startswith(_text(given[1])),
    "strcontains": lambda given: _text(given[1]) in _text(given[0]),
    "substr": _substr,
    "sum": lambda given: sum(_numbers(given)),
    "title": lambda given: _text(given[0]).title(),
    "tobool": _to_bool,
    "tonumber": _to_number,
    "tostring": lambda given: None if given[0] is None else _text(given[0]),
    "trim": lambda given: _text(given[0]).strip(_text(given[1])),
    "trimprefix": lambda given: _text(given[0]).removeprefix(_text(given[1])),
    "trimspace": lambda given: _text(given[0]).strip(),
    "trimsuffix": lambda given: _text(given[0]).removesuffix(_text(given[1])),
    "upper": lambda given: _text(given[0]).upper(),
}
