"""Policies of the user, compiled once and evaluated over documents.

Guarantees: an expression that fails is an `Unreadable` that names its policy, never a pass; a document in which something is not known
breaks a policy only if the policy does not ask for that; evaluation is bounded by the size of document and expression.
Does not know what a document is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from assaymark.checks.policies.files import UserPolicy
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.formats.expression import Broken, compiled, loops

LARGEST_DOCUMENT = 20_000
"""Values of one document."""
LONGEST_LIST = 500
"""Entries of one list: two loops in one another visit a quarter of a million."""


class Unsettled:
    """Stands in a document for a value that is not known."""


UNSETTLED = Unsettled()
_GUESSES: tuple[Any, ...] = ("\ufffc", False, True, 0, UNSETTLED)
"""What an unknown value is tried as, besides the expression's own literals; the last is not being there."""
_MOST_LITERALS = 12
_LITERAL = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'|(?<![\w.])(\d{1,15})(?![\w.])")
_FUZZY = re.compile(r"\.(?:matches|contains|startsWith|endsWith|size)\s*\(")


class Answer(Struct, frozen=True):
    """What one policy says of one document."""

    policy: UserPolicy
    holds: bool | None
    """None: that depends on a value that is not known."""


def judge(policies: Sequence[UserPolicy], document: Mapping[str, Any]) -> Iterator[Answer]:
    """Each policy's word on a document, whose keys are the variables of the expressions.

    Raises:
        Unreadable: when a policy fails or the document is too large.
    """
    from cel import Context  # noqa: PLC0415  an engine that only users of policies need

    unknown = _unknown_keys(document)
    context = None if unknown else Context(dict(document))
    for policy in policies:
        program = _compiled(policy.require, policy.id)
        holds = _guessed(policy, program, document, unknown) if context is None else _known(policy, program, context)
        yield Answer(policy, holds)


def _known(policy: UserPolicy, program: Any, context: Any) -> bool:
    try:
        value = program.execute(context)
    except Exception as error:  # the library raises whatever fits
        raise _failed(policy, error) from error
    if type(value) is not bool:
        raise Unreadable("unsupported", f"policy {policy.id}: `require` gives {type(value).__name__}, and must give true or false")
    return value


def _guessed(policy: UserPolicy, program: Any, document: Mapping[str, Any], unknown: frozenset[str]) -> bool | None:
    """The answer if it is the same whatever the unknown values are.

    An expression that names an unknown value, or that looks for parts of values in a loop, is not guessed at: no list of guesses proves
    that it is never met.
    """
    from cel import Context  # noqa: PLC0415

    text = policy.require
    if any(re.search(rf"\b{re.escape(key)}\b", text) for key in unknown) or (_FUZZY.search(text) and loops(text)[0]):
        return None
    literals = [int(number) if number else one or other for one, other, number in _LITERAL.findall(text)[:_MOST_LITERALS]]
    found = {_tried(program, Context(_with(document, guess))) for guess in (*_GUESSES, *literals)}
    return found.pop() if len(found) == 1 else None


def _tried(program: Any, world: Any) -> bool | None:
    try:
        value = program.execute(world)
    except Exception:  # noqa: BLE001  a guess of the wrong type proves nothing
        return None
    return value if type(value) is bool else None


def _failed(policy: UserPolicy, error: Exception) -> Unreadable:
    missing = f"there is no {error}; ask with has(…) first" if isinstance(error, KeyError) else type(error).__name__
    return Unreadable("unsupported", f"policy {policy.id} could not be evaluated: {missing[:120]}")


def _compiled(expression: str, name: str) -> Any:
    try:
        return compiled(expression)
    except Broken as error:
        raise Unreadable("unsupported", f"policy {name}: `require` is no CEL expression ({error})") from error


def _unknown_keys(document: Mapping[str, Any]) -> frozenset[str]:
    """The keys under which something is not known.

    Raises:
        Unreadable: when the document is too large.
    """
    left = LARGEST_DOCUMENT
    found: set[str] = set()
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        key, each = waiting.pop()
        left -= 1
        if left < 0 or (type(each) is list and len(each) > LONGEST_LIST):
            raise Unreadable("complexity", "a resource is too large for policies; leave its folder out or split it")
        if isinstance(each, Mapping):
            waiting.extend(each.items())
        elif type(each) is list:
            waiting.extend((key, inner) for inner in each)
        elif each is UNSETTLED:
            found.add(key)
    return frozenset(found)


def _with(value: Any, guess: Any) -> Any:
    """The document with a guess for what is not known; without it where the guess is that it is not there."""
    if isinstance(value, Mapping):
        return {key: _with(each, guess) for key, each in value.items() if each is not UNSETTLED or guess is not UNSETTLED}
    if type(value) is list:
        return [_with(each, guess) for each in value if each is not UNSETTLED or guess is not UNSETTLED]
    return guess if value is UNSETTLED else value
