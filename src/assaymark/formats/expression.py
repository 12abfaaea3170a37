"""Expressions in the Common Expression Language: checked for what they could cost, compiled once, asked over values.

Guarantees: an expression reads the values that it is given and nothing else, and changes nothing; what passes `costs_too_much` ends after a
number of steps that the size of the values bounds; whatever goes wrong inside of one is a `Broken` with words for its author. The library
that evaluates loads with the first expression that is compiled: whoever has none does not pay for it.
Does not know what an expression is about.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

LONGEST = 4000
"""Characters."""
MOST_LOOPS = 4
DEEPEST_LOOPS = 2
"""Macros within macros: more would multiply with the size of a document."""
_LOOP = re.compile(r"\.(?:all|exists|exists_one|map|filter)\s*\(|[()]|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")
_BOUND = re.compile(r"\.(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")


class Broken(Exception):  # noqa: N818  it is an answer, not a defect
    """Why an expression gives no answer."""


def loops(expression: str) -> tuple[int, int]:
    """How many macros that run over a list there are, and how deep they stand in one another; texts are left out."""
    count = deepest = 0
    stack: list[bool] = []
    for found in _LOOP.finditer(expression):
        sign = found.group()
        if sign[0] in "\"'":
            continue
        if sign == ")":
            if stack:
                stack.pop()
            continue
        stack.append(sign != "(")
        if sign != "(":
            count += 1
            deepest = max(deepest, sum(stack))
    return count, deepest


def costs_too_much(expression: str) -> str:
    """Why an expression is refused before it is compiled; empty for one that is not."""
    if not expression.strip() or len(expression) > LONGEST:
        return f"it is empty or longer than {LONGEST} characters"
    many, deepest = loops(expression)
    if many > MOST_LOOPS or deepest > DEEPEST_LOOPS:
        return f"it has {many} loops, {deepest} deep; at most {MOST_LOOPS}, {DEEPEST_LOOPS} deep, keep evaluation short"
    return ""


@lru_cache(maxsize=2048)
def compiled(expression: str) -> Any:
    """The program of an expression.

    Raises:
        Broken: when it is none.
    """
    import cel  # noqa: PLC0415  an engine that only users of policies need

    try:
        return cel.compile(expression)
    except Exception as error:  # the library raises whatever fits
        raise Broken((str(error).splitlines() or [type(error).__name__])[0][:160]) from error


def unknown_names(expression: str, known: Collection[str]) -> tuple[str, ...]:
    """Variables that an expression uses and nobody gives; those that its own loops bind are known."""
    bound = set(_BOUND.findall(expression))
    return tuple(sorted(set(compiled(expression).variables()) - bound - set(known)))


class World:
    """The values that expressions are asked over; some of them change from question to question."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        from cel import Context  # noqa: PLC0415

        self._context = Context(dict(values))

    def put(self, name: str, value: Any) -> None:
        """Another value under a name."""
        self._context.add_variable(name, value)

    def holds(self, expression: str) -> bool:
        """Whether the expression is true of these values.

        Raises:
            Broken: when it fails, or says something else than true or false.
        """
        program = compiled(expression)
        try:
            value = program.execute(self._context)
        except KeyError as error:
            raise Broken(f"there is no {str(error)[:80]}; ask with has(…) first") from error
        except Exception as error:  # the library raises whatever fits
            raise Broken((str(error).partition(". ")[0] or type(error).__name__)[:160]) from error
        if type(value) is not bool:
            raise Broken(f"it gives {type(value).__name__}, and must give true or false")
        return value
