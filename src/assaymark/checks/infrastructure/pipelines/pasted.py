"""Expressions that a pipeline replaces in a script before any shell reads it.

The text of such an expression becomes part of the program, so quotes around it do not help. For the reader of shell text each is shown as
a variable of the same length: ``$(params.x)`` is neither a command nor a here-document to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from assaymark.checks.infrastructure.pipelines.scripts import Script, place
from assaymark.checks.rulebook import Flaw
from assaymark.model.severity import Severity

_NO_WORD = re.compile(r"\W", re.ASCII)


class Pasted(Struct, frozen=True):
    """What is known about an expression whose text others choose."""

    rule: str
    who: str
    """Who chooses it, as the beginning of a sentence."""
    severity: Severity | None = None


def as_variables(text: str, expression: re.Pattern[str]) -> str:
    """The text with every expression shown as ``${name}`` of the same length; the name is the pattern's first group that matched."""

    def shown(found: re.Match[str]) -> str:
        room = len(found.group()) - 3
        name = _NO_WORD.sub("_", next((part for part in found.groups() if part), "").strip())[:room]
        return "${" + name.rjust(room, "_") + "}" if room > 0 else found.group()

    return expression.sub(shown, text)


def pasted_flaws(
    scripts: Iterable[Script], lines: tuple[str, ...], expression: re.Pattern[str], judge: Callable[[str], Pasted | None]
) -> Iterator[Flaw]:
    """A flaw for each expression in a script that others can choose; the same expression twice in one script is one flaw."""
    for script in scripts:
        text = script.text
        seen: set[str] = set()
        for found in expression.finditer(text):
            name = " ".join(found["name"].split())
            known = judge(name)
            if known is None or name in seen:
                continue
            seen.add(name)
            message = f"{known.who} writes {name}, and it is pasted into the script before the shell reads it"
            span = place(script, found.start(), found.end(), lines)
            yield Flaw(known.rule, script.owner, f"{script.key}: {name}", message, span, known.severity)
