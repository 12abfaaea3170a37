"""Groups of a regular expression in a server's configuration, and what a request can put into them.

Reads brackets and classes only and compiles nothing, so a hostile expression costs no more than its length.
"""

from __future__ import annotations

import re

from msgspec import Struct


class Group(Struct, frozen=True):
    """One group of a regular expression, and what a request can put there."""

    hosts: bool
    """Whether a whole host name fits."""
    lines: bool
    """Whether a line break fits: servers decode the path before they match."""
    rooted: bool = False
    """Whether it stands at the beginning and so holds the path's first slash."""


def groups(regex: str) -> dict[str, Group]:
    """The groups of a regular expression by number and name. Reads brackets only; a text that is none gives none."""
    made: dict[str, Group] = {}
    opened: list[tuple[int, list[str]]] = []
    at_, number, in_class = 0, 0, False
    while at_ < min(len(regex), 4_000):
        char = regex[at_]
        if char == "\\":
            at_ += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            at_ += regex[at_ + 1 : at_ + 3] == "^]" or regex[at_ + 1 : at_ + 2] == "]"
        elif char == "(":
            named = re.compile(r"\(\?P?<(\w+)>|\(\?'(\w+)'").match(regex, at_)
            names: list[str] = []
            if named or regex[at_ + 1 : at_ + 2] != "?":
                number += 1
                names = [str(number), *([named[1] or named[2]] if named else [])]
            opened.append((named.end() if named else at_ + 1, names))
        elif char == ")" and opened:
            start, names = opened.pop()
            inside = regex[start:at_]
            made.update(dict.fromkeys(names, Group(_any_host(inside), _any_line(inside), _rooted(regex, start, inside))))
        at_ += 1
    return made


def _any_host(inside: str) -> bool:
    return bool(re.search(r"\.|\[\^|\\[SWD]", re.sub(r"\\\\", "", inside)))


_CLASS = re.compile(r"\[(\^?)((?:\\.|[^\]\\])*)\]")


def _any_line(inside: str) -> bool:
    if re.search(r"\\[WDsR]|\(\?s", _CLASS.sub("", inside)):
        return True
    for negated, members in _CLASS.findall(inside):
        names_break = re.search(r"\\[nrs]|\s|\\x0[aAdD]", members) is not None
        if names_break != bool(negated) or (not negated and re.search(r"\\[WD]", members)):
            return True
    return False


def _rooted(regex: str, start: int, inside: str) -> bool:
    return inside.startswith("/") or (regex[:start] in {"^(", "("} and inside in {".*", ".+"})
