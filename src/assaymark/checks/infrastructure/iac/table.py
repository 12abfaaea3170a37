"""Rules that are data: a resource type, a path, what is expected there, and what it means when nothing is written.

The tables are ``rules/*.toml``; name, severity and aliases of each rule stand in ``model/rule_data/terraform.toml``, under the same key.
Guarantees: a value that is not known breaks no rule; each place that breaks one is named on its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from assaymark.checks.infrastructure.iac.operators import as_number
from assaymark.checks.infrastructure.iac.resources import Found, Resource, View, find
from assaymark.checks.infrastructure.iac.tables import written
from assaymark.checks.infrastructure.iac.values import MISSING, UNKNOWN, Encoded, Missing, Unknown, Value, truth

Verdict = bool | None
"""None: not known."""


class Expectation(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """What is expected at a path; every part that is given must hold."""

    path: str | tuple[str, ...]
    """Dotted; several are names of one setting over the versions of a provider: the first that is written counts."""
    is_: Any = msgspec.field(name="is", default=UNSET)
    is_not: Any = UNSET
    in_: tuple[Any, ...] | UnsetType = msgspec.field(name="in", default=UNSET)
    not_in: tuple[Any, ...] | UnsetType = UNSET
    min: float | UnsetType = UNSET
    max: float | UnsetType = UNSET
    has: tuple[Any, ...] | UnsetType = UNSET
    """Values of which a list must hold all."""
    lacks: tuple[Any, ...] | UnsetType = UNSET
    """Values of which a list must hold none."""
    matches: str | UnsetType = UNSET
    not_matches: str | UnsetType = UNSET
    present: bool | UnsetType = UNSET
    missing: Literal["pass", "fail"] = "fail"

    def judge(self, value: Value) -> Verdict:
        """Whether a value is as expected."""
        if isinstance(value, Missing) or value is None:
            return not self.present if self.present is not UNSET else self.missing == "pass"
        if self.present is not UNSET:
            return self.present
        if type(value) is list and len(value) == 1 and self.has is UNSET and self.lacks is UNSET:
            value = value[0]  # some write a single value as a list, and providers take it
        if type(value) is Unknown or isinstance(value, Encoded):
            return None
        found = [test(expected, value) for test, expected in self._tests()]
        return False if False in found else None if None in found else True

    def _tests(self) -> Iterator[tuple[Callable[[Any, Value], Verdict], Any]]:
        for name, test in _TESTS:
            expected = getattr(self, name)
            if expected is not UNSET:
                yield test, expected

    def places(self, view: View) -> list[Found]:
        """Where it has to hold."""
        paths = (self.path,) if isinstance(self.path, str) else self.path
        first: list[Found] | None = None
        for path in paths:
            found = find(view, path.split("."))
            if any(not place.is_missing for place in found):
                return found
            first = first or found
        return first or []

    @property
    def name(self) -> str:
        """The setting as it is called now."""
        return self.path if isinstance(self.path, str) else self.path[0]


class TableRule(Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """One row."""

    resource: str | tuple[str, ...]
    expect: Expectation
    advice: str
    when: tuple[Expectation, ...] = ()
    """The rule is about resources of which all of this is known to hold."""
    each: str = ""
    """Path of blocks of which each is looked at on its own; `expect` and `where` are relative to it."""
    where: tuple[Expectation, ...] = ()
    """Which of these blocks; without one that fits, the setting is missing."""
    optional: bool = False
    """Without one that fits, nothing is missing."""
    fix: str = ""
    """What to write instead of the attribute."""

    @property
    def resources(self) -> tuple[str, ...]:
        return (self.resource,) if isinstance(self.resource, str) else self.resource

    def broken(self, resource: Resource) -> Iterator[tuple[Found, Verdict]]:
        """Places that break the rule (False), and such of which that is not known (None)."""
        applies = _all(self.when, resource.view)
        if applies is False:
            return
        for place in self._places(resource.view):
            verdict = self.expect.judge(place.value)
            if verdict is False and applies is None:
                verdict = None
            if verdict is not True:
                yield place, verdict

    def _places(self, view: View) -> Iterator[Found]:
        if not self.each:
            yield from self.expect.places(view)
            return
        fits = False
        for holder in find(view, self.each.split(".")):
            inner = _inside(holder, self.where)
            if inner is None:
                fits = True
            elif inner:
                fits = True
                yield from _relative(holder, self.expect)
        if not fits and not self.optional:
            yield Found(MISSING, view)


def _inside(holder: Found, where: Sequence[Expectation]) -> Verdict:
    found = [_one(place.judge(each.value) for each in _relative(holder, place)) for place in where]
    return False if False in found or holder.is_missing else None if None in found else True


def _relative(holder: Found, expect: Expectation) -> Iterator[Found]:
    """Places of an expectation below a block or a value."""
    if isinstance(holder.value, View):
        yield from expect.places(holder.value)
        return
    values = holder.value if type(holder.value) is list else [holder.value]
    for value in values:
        otherwise = UNKNOWN if type(value) is Unknown else MISSING
        inner = value.get(expect.name, MISSING) if type(value) is dict else otherwise
        yield Found(inner, holder.view, holder.attribute, value)


def _all(expectations: Sequence[Expectation], view: View) -> Verdict:
    found = [_one(each.judge(place.value) for place in each.places(view)) for each in expectations]
    return False if False in found else None if None in found else True


def _one(found: Iterator[Verdict]) -> Verdict:
    """Whether it holds somewhere: enough for a condition."""
    verdicts = list(found)
    return True if True in verdicts else None if None in verdicts else False


# --- tests of single values -------------------------------------------------------------------------------------------


def _same(expected: Any, value: Value) -> bool:
    if type(expected) is bool:
        return truth(value) is expected
    if type(expected) in (int, float):
        return bool(as_number(value) == expected)
    return bool(expected == value)


def _is(expected: Any, value: Value) -> Verdict:
    return _same(expected, value)


def _is_not(expected: Any, value: Value) -> Verdict:
    return not _same(expected, value)


def _in(expected: Sequence[Any], value: Value) -> Verdict:
    return any(_same(each, value) for each in expected)


def _not_in(expected: Sequence[Any], value: Value) -> Verdict:
    return not _in(expected, value)


def _min(expected: float, value: Value) -> Verdict:
    number = as_number(value)
    return None if number is None else number >= expected


def _max(expected: float, value: Value) -> Verdict:
    number = as_number(value)
    return None if number is None else number <= expected


def _has(expected: Sequence[Any], value: Value) -> Verdict:
    items = value if type(value) is list else [value]
    if all(any(_same(each, item) for item in items) for each in expected):
        return True
    return None if any(type(item) is Unknown for item in items) else False


def _lacks(expected: Sequence[Any], value: Value) -> Verdict:
    items = value if type(value) is list else [value]
    if any(_same(each, item) for item in items for each in expected):
        return False
    return None if any(type(item) is Unknown for item in items) else True


def _matches(expected: str, value: Value) -> Verdict:
    return _pattern(expected).search(value) is not None if type(value) is str else None


def _not_matches(expected: str, value: Value) -> Verdict:
    found = _matches(expected, value)
    return None if found is None else not found


_TESTS: tuple[tuple[str, Callable[[Any, Value], Verdict]], ...] = (
    ("is_", _is),
    ("is_not", _is_not),
    ("in_", _in),
    ("not_in", _not_in),
    ("min", _min),
    ("max", _max),
    ("has", _has),
    ("lacks", _lacks),
    ("matches", _matches),
    ("not_matches", _not_matches),
)


@cache
def _pattern(expected: str) -> re.Pattern[str]:
    return re.compile(expected)


# --- the tables -------------------------------------------------------------------------------------------------------


@cache
def table() -> dict[str, TableRule]:
    """Every rule by name."""
    import rtoml  # noqa: PLC0415  ten times quicker than the standard library's, and not needed to plan

    return msgspec.convert(rtoml.loads(written().decode()), dict[str, TableRule], strict=False)


@cache
def by_resource() -> dict[str, list[tuple[str, TableRule]]]:
    """Resource type -> its rules."""
    found: dict[str, list[tuple[str, TableRule]]] = {}
    for name, rule in table().items():
        for kind in rule.resources:
            found.setdefault(kind, []).append((name, rule))
    return found
