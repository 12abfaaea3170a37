"""A Helm template read as far as it is literal.

What stands between double braces is replaced by as many characters that YAML takes for plain text, or by spaces where it stands alone on
its line or steers the template. So ``privileged: true`` is seen in a chart although nobody rendered it, at its true position.
Does not render: values, includes and loops stay unknown, and what is missing may come from them, so absence says nothing in a template.
"""

from __future__ import annotations

import re
from bisect import bisect_right

from msgspec import Struct

OPEN, CLOSE = "⟪", "⟫"
_ACTION = re.compile(r"\{\{-?\s{0,9}/\*(?:(?!\*/).){0,4000}\*/\s{0,9}-?\}\}|\{\{(?:(?!\{\{|\}\}).){0,4000}?\}\}", re.DOTALL)
_BLANK_LINE = re.compile(r"^[ \t]+$", re.MULTILINE)
_STEERS = re.compile(r"\{\{-?\s*(?:/\*|(?P<word>if|else|end|range|with|define|block|template|break|continue)\b|\$[\w.]*\s*:?=)")
_UNPLAIN = re.compile(r"[^\w.$ -]")
_AT_VALUE = re.compile(rb"(?m)^[^#\n\"'|]*?(?:(?::|-)[ \t]+|^[ \t]*)[\w./:-]*\{\{")


class Plain(Struct, frozen=True):
    """A template as YAML."""

    text: str
    """What is left of the template stands where it stood."""
    depths: tuple[tuple[int, int], ...]
    """From which line on how many conditions and loops are open."""

    def depth(self, line: int) -> int:
        """How many conditions and loops are around a line."""
        at = bisect_right(self.depths, (line, 1 << 30)) - 1
        return self.depths[at][1] if at >= 0 else 0


def is_template(content: bytes) -> bool:
    """True when double braces stand where YAML has keys and values, not inside of a quoted or folded text."""
    return b"{{" in content and _AT_VALUE.search(content) is not None


def plain(text: str) -> Plain:
    """The template with every action blanked or made plain text."""
    pieces: list[str] = []
    depths: list[tuple[int, int]] = []
    place = _Place()
    depth = 0
    for found in _ACTION.finditer(text):
        pieces.append(text[place.at : found.start()])
        place.pass_over(text, found.start())
        word = _steers(found.group())
        if word in _OPENS:
            depth += 1
        elif word == "end":
            depth = max(0, depth - 1)
        depths.append((place.line, depth))
        alone = place.clear and (bool(word) or place.only_actions(text))
        pieces.append(_blank(found.group()) if alone or "\n" in found.group() else _worded(found.group()))
        place.pass_action(text, found.end(), found.group().count("\n"))
    pieces.append(text[place.at :])
    # YAML takes no tabs before a key, and no blank line before a folded text that is wider than it.
    return Plain(_BLANK_LINE.sub("", "".join(pieces)), tuple(depths))


_OPENS = frozenset({"if", "range", "with", "define", "block"})


class _Place(Struct):
    """Where reading stands, and what its line holds; each line is looked at once, however many actions it has."""

    at: int = 0
    line: int = 1
    start: int = 0
    """Where the line begins."""
    clear: bool = True
    """Nothing but space and actions so far on the line."""
    judged: int = -1
    only: bool = False

    def pass_over(self, text: str, to: int) -> None:
        between = text[self.at : to]
        lines = between.count("\n")
        if lines:
            self.line += lines
            self.start = self.at + between.rfind("\n") + 1
            self.clear = True
            between = between[between.rfind("\n") + 1 :]
        self.clear = self.clear and not between.strip()
        self.at = to

    def only_actions(self, text: str) -> bool:
        """True when the whole line holds nothing else."""
        if self.judged != self.start:
            end = text.find("\n", self.at)
            self.judged = self.start
            self.only = not _ACTION.sub("", text[self.start : end if end >= 0 else len(text)]).strip()
        return self.only

    def pass_action(self, text: str, to: int, lines: int) -> None:
        if lines:
            self.start = text.rfind("\n", 0, to) + 1
            self.clear = False
        self.line += lines
        self.at = to


def _steers(action: str) -> str:
    found = _STEERS.match(action)
    return (found["word"] or "comment") if found else ""


def _blank(action: str) -> str:
    return re.sub(r"[^\n]", " ", action)


def _worded(action: str) -> str:
    return OPEN + _UNPLAIN.sub("_", action[1:-1]) + CLOSE


def unknown(text: str) -> bool:
    """True when a value is only known after the template, or the variables in it, were filled in."""
    return OPEN in text or "{{" in text or "$(" in text or "${" in text


def shown(text: str) -> str:
    """A value for people and addresses: an action is shown by its words."""
    return re.sub(rf"{OPEN}(.*?){CLOSE}", lambda m: "{{" + " ".join(m[1].replace("_", " ").split()) + "}}", text) if OPEN in text else text
