"""What a Terraform expression is once it was read: a function of a scope, and how such functions make one another's values.

Guarantees: what can't be known is unknown, and evaluating is bounded in steps and size (`Scope.tick`, `bounded_text`). Knows no syntax.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from assaymark.checks.infrastructure.iac.values import HOLE, MOST_ITEMS, UNKNOWN, Encoded, Unknown, Value, as_text, bounded_text, truth


class Scope(Protocol):
    """Where an expression is evaluated."""

    def tick(self) -> None:
        """One step more.

        Raises:
            Unreadable: when there were too many.
        """
        ...

    def look_up(self, root: str, steps: Sequence[Step]) -> tuple[Value, int]:
        """What a name with the steps behind it stands for, and how many of the steps that took."""
        ...

    def with_names(self, names: dict[str, Value]) -> Scope:
        """The same with further names."""
        ...


Expression = Callable[[Any], Value]
Step = str | Expression
"""``.name`` as a text, ``[…]`` as an expression; `every` for a splat."""


def constant(value: Value) -> Expression:
    """What a literal is."""
    return lambda _scope: value


def reference(root: str, steps: Sequence[Step]) -> Expression:
    """What a name is, with the steps behind it."""

    def evaluate(scope: Scope) -> Value:
        scope.tick()
        value, taken = scope.look_up(root, steps)
        return follow(value, steps[taken:], scope)

    return evaluate


def every(_scope: Scope) -> Value:
    """The step of a splat, known by being this very function."""
    return UNKNOWN


def follow(value: Value, steps: Sequence[Step], scope: Scope) -> Value:
    """The value behind further steps."""
    for number, step in enumerate(steps):
        if type(value) is Unknown:
            return UNKNOWN
        if step is every:
            items = value if type(value) is list else [] if value is None else [value]
            rest = steps[number + 1 :]
            return [follow(item, rest, scope) for item in items]
        key = step(scope) if callable(step) else step
        value = _item(value, key)
    return value


def _item(value: Value, key: Value) -> Value:
    if type(value) is dict and type(key) in (str, int, float, bool):
        return value.get(as_text(key), UNKNOWN)
    if type(value) is list and type(key) in (int, float, str):
        try:
            return value[int(key)] if 0 <= int(key) < len(value) else UNKNOWN
        except ValueError:
            return UNKNOWN
    return UNKNOWN


def joined(parts: Sequence[str | Expression], *, dedent: bool = False, single: bool = True) -> Expression:
    """A text of several parts."""
    if all(type(part) is str for part in parts):
        text = "".join(map(str, parts))
        return constant(bounded_text(_dedented(text) if dedent else text))
    if single and len(parts) == 1:
        return parts[0]  # type: ignore[return-value]  # a template that is one interpolation is its value, not a text

    def evaluate(scope: Scope) -> Value:
        scope.tick()
        made: list[str] = []
        size = 0
        for part in parts:
            value = part if type(part) is str else part(scope)  # type: ignore[operator]
            text = as_text(value)
            size += len(text)
            if size > 1 << 17:
                return UNKNOWN
            made.append(text if type(value) is not Encoded or text != HOLE else HOLE)
        text = "".join(made)
        return bounded_text(_dedented(text) if dedent else text)

    return evaluate


def _dedented(text: str) -> str:
    lines = text.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[margin:] for line in lines)


class Loop:
    """``[for … in … : …]`` and ``{for … in … : … => …}``."""

    def __init__(self, names: Sequence[str], over: Expression, test: Expression | None, key: Expression | None, value: Expression) -> None:
        self._names, self._over, self._test, self._key, self._value = names, over, test, key, value

    def __call__(self, scope: Scope) -> Value:
        items = self._over(scope)
        if type(items) not in (list, dict) or len(items) > MOST_ITEMS:
            return UNKNOWN
        made: list[Value] = []
        pairs: dict[str, Value] = {}
        for key, value in items.items() if type(items) is dict else enumerate(items):
            scope.tick()
            inner = scope.with_names(dict(zip(self._names[-2:], (key, value) if len(self._names) > 1 else (value,), strict=False)))
            kept = True if self._test is None else truth(self._test(inner))
            if kept is None:
                return UNKNOWN
            if not kept:
                continue
            if self._key is None:
                made.append(self._value(inner))
                continue
            name = self._key(inner)
            if type(name) is Unknown:
                return UNKNOWN
            pairs[as_text(name)] = self._value(inner)
        return made if self._key is None else pairs
