"""What is known of the value of an expression, and how values combine."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

LONGEST_TEXT = 2_000
EVERYTHING = frozenset({"*"})


class Value(Struct, frozen=True, omit_defaults=True):
    """What is known of an expression's value."""

    text: str | None = None
    """All of it, when constant."""
    prefix: str = ""
    """How it is known to begin."""
    foreign: str = ""
    """The source, when others wrote part of it."""
    weak: bool = False
    """Foreign only if a call that was not looked into passes it on."""
    unknown: bool = False
    mild: bool = False
    """Unknown, but by its name or its constant arguments more likely a setting than text of others."""
    built: bool = False
    """Put together of constant text and something else."""
    safe: frozenset[str] = frozenset()
    """What it was made safe for."""

    def harms(self, kind: str) -> bool:
        """True when foreign text in it was not made safe for this kind of use."""
        return bool(self.foreign) and not self.is_safe(kind)

    def is_safe(self, kind: str) -> bool:
        return kind in self.safe or "*" in self.safe

    @property
    def constant(self) -> bool:
        return not self.unknown and not self.foreign


UNKNOWN = Value(unknown=True)
SETTING = Value(unknown=True, mild=True)
HARMLESS = Value()


def joined(parts: Iterable[Value]) -> Value:
    """Pieces put together."""
    rows = list(parts)
    if not rows:
        return UNKNOWN
    if all(row.text is not None for row in rows):
        text = "".join(row.text or "" for row in rows)[:LONGEST_TEXT]
        return Value(text=text, prefix=text)
    foreign = next((row for row in rows if row.foreign), None)
    moving = [row for row in rows if not row.constant]
    prefix = ""
    for row in rows:
        prefix += row.prefix
        if row.text is None:
            break
    return Value(
        prefix=prefix[:LONGEST_TEXT],
        foreign=foreign.foreign if foreign else "",
        weak=bool(foreign) and all(row.weak for row in rows if row.foreign),
        unknown=any(row.unknown for row in rows),
        mild=_mild(rows),
        built=bool(moving) and (len(rows) > 1 or any(row.built for row in rows)),
        safe=_shared([row for row in rows if row.foreign] or moving),
    )


def either(arms: Iterable[Value]) -> Value:
    """One of several values."""
    rows = list(arms)
    if len(rows) == 1:
        return rows[0]
    texts = {row.text for row in rows}
    foreign = [row for row in rows if row.foreign]
    moving = [row for row in rows if not row.constant]
    return Value(
        text=rows[0].text if len(texts) == 1 and rows else None,
        prefix=rows[0].prefix if rows and len({row.prefix for row in rows}) == 1 else "",
        foreign=foreign[0].foreign if foreign else "",
        weak=bool(foreign) and all(row.weak for row in foreign),
        unknown=any(row.unknown for row in rows),
        mild=_mild(rows),
        built=any(row.built for row in rows),
        safe=_shared([row for row in rows if row.foreign] or moving),
    )


def _mild(rows: list[Value]) -> bool:
    unknown = [row for row in rows if row.unknown]
    return bool(unknown) and all(row.mild for row in unknown)


def _shared(moving: list[Value]) -> frozenset[str]:
    """What all moving parts are safe for."""
    if not moving:
        return frozenset()
    first, *rest = [row.safe for row in moving]
    for each in rest:
        if first == EVERYTHING:
            first = each
        elif each != EVERYTHING:
            first &= each
    return first


def made_safe(value: Value, kinds: frozenset[str]) -> Value:
    """The value after a sanitiser."""
    return replace(value, safe=value.safe | kinds, text=None, prefix="")
