"""What a list of findings consists of, as links: each value leads to the list with it, or without it when it is chosen already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from assaymark.model.finding import Kind, Layer
from assaymark.model.severity import Severity
from assaymark.server.api.sieve import Sieve
from assaymark.store.ages import Age
from assaymark.store.facets import Facets
from assaymark.store.findings import NOBODY, Order

_AGES = {
    Age.WEEK: "up to 7 days", Age.MONTH: "8 to 30 days", Age.QUARTER: "31 to 90 days", Age.YEAR: "91 days to a year",
    Age.OLDER: "more than a year",
}  # fmt: skip
_LATE = {True: "late", False: "in time"}
_WAIVED = {False: "stands against it", True: "let through"}
_TITLES = {"rule_class": "class", "item": "cause", "text": "words", "as_of": "as of"}
_DEFAULTS = dict(zip(Sieve.__struct_fields__, Sieve.__struct_defaults__, strict=True))


class Choice(Struct, frozen=True):
    """One value that the list can be narrowed to."""

    label: str
    count: int | None
    """None when it is not known."""
    address: str
    chosen: bool


class Facet(Struct, frozen=True):
    """One property with its values."""

    title: str
    choices: tuple[Choice, ...]


class Chip(Struct, frozen=True):
    """One thing that is asked for, and the list without it."""

    text: str
    address: str


def address(given: Sieve, order: Order = Order.WORST) -> str:
    """Of the list, the same for the same meaning."""
    words = [given.query(), urlencode({"order": order.value}) if order is not Order.WORST else ""]
    return "?".join(["/findings", *filter(None, ["&".join(filter(None, words))])])


def facets(given: Sieve, counted: Facets, order: Order) -> tuple[Facet, ...]:
    """Those with anything to choose."""
    made = (
        ("Severity", "severity", [(each, each.value, counted.severity.get(each.value)) for each in reversed(Severity)]),
        ("Age", "age", [(each, _AGES[each], counted.age.get(each.value)) for each in Age]),
        ("Promised time", "late", [(each, _LATE[each], _late(counted, value=each)) for each in (True, False)]),
        ("Kind", "kind", [(each, each.value, counted.kind.get(each.value)) for each in Kind]),
        ("Layer", "layer", [(each, each.value, counted.layer.get(each.value)) for each in Layer]),
        ("Waived", "waived", [(each, _WAIVED[each], _waived(counted, value=each)) for each in (False, True)]),
        ("Owner", "owner", [(name, _owner(name), many) for name, many in counted.owner.items()]),
        ("Class", "rule_class", [(name, name, many) for name, many in counted.rule_class.items()]),
        ("Team", "team", [(each.id, each.name, each.count) for each in counted.team]),
        ("Repository", "repository", [(each.id, each.name, each.count) for each in counted.repository]),
    )
    shown = (Facet(title, tuple(_choices(given, name, values, order))) for title, name, values in made)
    return tuple(facet for facet in shown if facet.choices)


def _late(counted: Facets, *, value: bool) -> int:
    return counted.late if value else sum(counted.severity.values()) - counted.late


def _owner(name: str) -> str:
    return "nobody in particular" if name == NOBODY else name


def _waived(counted: Facets, *, value: bool) -> int:
    return counted.waived if value else sum(counted.severity.values()) - counted.waived


def _choices(given: Sieve, name: str, values: Iterable[tuple[object, str, int | None]], order: Order) -> Iterable[Choice]:
    """While nothing of a property is chosen, only what is there; then everything, so that it can be changed in one step."""
    present = getattr(given, name)
    is_several, is_narrowed = isinstance(present, tuple), present != _DEFAULTS[name]
    for value, label, count in values:
        chosen = value in present if is_several else is_narrowed and value == present
        if not is_narrowed and not count:
            continue
        others: object = _DEFAULTS[name] if chosen else value
        if is_several:
            others = tuple(each for each in present if each != value) if chosen else (*present, value)
        yield Choice(label, count or None, address(msgspec.structs.replace(given, **{name: others}), order), chosen)


def chips(given: Sieve, counted: Facets, order: Order) -> tuple[Chip, ...]:
    """Everything that is asked for, in words."""
    names: Mapping[str, Mapping[object, str]] = {
        "team": {each.id: each.name for each in counted.team},
        "repository": {each.id: each.name for each in counted.repository},
        "age": {age.value: label for age, label in _AGES.items()},
        "owner": {NOBODY: _owner(NOBODY)},
        "item": {each.id: each.name for each in counted.cause},
        "late": _LATE,  # type: ignore[dict-item]
        "waived": _WAIVED,  # type: ignore[dict-item]
    }
    made: list[Chip] = []
    for name, value in fields(given):
        present = getattr(given, name)
        rest = tuple(each for each in present if each != value) if isinstance(present, tuple) else _DEFAULTS[name]
        label = names.get(name, {}).get(value, str(value))
        made.append(Chip(f"{_TITLES.get(name, name)}: {label}", address(msgspec.structs.replace(given, **{name: rest}), order)))
    return tuple(made)


def fields(given: Sieve) -> list[tuple[str, object]]:
    """Names and values as they stand in an address."""
    values = msgspec.to_builtins(given)
    return [(name, each) for name, value in values.items() for each in (value if isinstance(value, list | tuple) else (value,))]
