"""Ids that name one vulnerability, and which of them speaks for all.

Guarantees that the order of records decides nothing. Withdrawn records join nothing. A record with many aliases is a collection (of a
distribution, of a year) and joins nothing either, or it would make one vulnerability of all that it collects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST_ALIASES = 10
_NUMBERS = re.compile(r"[0-9]+")
_ORDER = ("MAL-", "CVE-", "GHSA-", "PYSEC-", "GO-", "RUSTSEC-")


class Groups:
    """Union by alias."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def join(self, record: str, aliases: Iterable[str]) -> None:
        """The record and its aliases are one."""
        names = [name for name in dict.fromkeys(aliases) if name]
        root = self._root(record)
        if len(names) > MOST_ALIASES:
            return
        for name in names:
            other = self._root(name)
            if other != root:
                self._parent[other] = root

    def _root(self, name: str) -> str:
        parent = self._parent.setdefault(name, name)
        while parent != name:
            self._parent[name] = self._parent.setdefault(parent, parent)
            name, parent = parent, self._parent[parent]
        return name

    def named(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Every id -> the canonical id of its group, and the group's other ids."""
        members: dict[str, list[str]] = {}
        for name in self._parent:
            members.setdefault(self._root(name), []).append(name)
        found: dict[str, tuple[str, tuple[str, ...]]] = {}
        for group in members.values():
            first, *others = sorted(group, key=_rank)
            found |= dict.fromkeys(group, (first, tuple(others)))
        return found


def speaking(ids: Iterable[str]) -> str:
    """Of the ids of one vulnerability the one that speaks for all."""
    return min(ids, key=_rank)


def _rank(name: str) -> tuple[int, tuple[int, ...], str]:
    """Malice before CVE before the databases; of one kind the oldest."""
    kind = next((rank for rank, prefix in enumerate(_ORDER) if name.startswith(prefix)), len(_ORDER))
    numbers = tuple(int(part[:18]) for part in _NUMBERS.findall(name)) if kind < 2 else ()
    return kind, numbers, name
