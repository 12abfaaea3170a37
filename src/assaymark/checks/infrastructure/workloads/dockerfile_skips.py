"""What only Dockerfiles have to ask for something to be overlooked.

Hadolint's comments, checkov's for the whole file, and the ``check`` directive of Docker itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, structs

from assaymark.checks.infrastructure.workloads.dockerfile_document import Dockerfile
from assaymark.checks.reading.inline import LONGEST_MARKER, same_rule
from assaymark.checks.rulebook import Flaw, Rule
from assaymark.model.finding import Suppression

_COMMENT = re.compile(
    r"\s*#\s*(?:hadolint\s+(?P<reach>(?:global\s+)?ignore)\s*=\s*(?P<ids>[\w,\s]+)|(?:checkov|bridgecrew):skip\s*=\s*(?P<id>[\w,]+)"
    r"|check\s*=.*?\bskip\s*=\s*(?P<checks>[\w,]+))",
    re.IGNORECASE,
)


class _Asked(Struct, frozen=True):
    names: tuple[str, ...]
    line: int
    whole_file: bool
    suppression: Suppression


def commented(file: Dockerfile, flaws: Iterable[Flaw], rules: Mapping[str, Rule]) -> Iterator[Flaw]:
    """The flaws, those with a comment that asks to overlook them marked so."""
    asked = list(_asked(file))
    for flaw in flaws:
        found = next((each.suppression for each in asked if _covers(file, each, flaw, rules[flaw.rule])), None)
        yield structs.replace(flaw, suppression=found) if found else flaw


def _asked(file: Dockerfile) -> Iterator[_Asked]:
    for number, line in enumerate(file.lines, 1):
        found = _COMMENT.match(line) if "#" in line else None
        if found is None:
            continue
        names = tuple(part for part in re.split(r"[,\s]+", found["ids"] or found["id"] or found["checks"]) if part)
        whole = found["reach"] is None or found["reach"].lower().startswith("global")
        yield _Asked(names, number, whole, Suppression(marker=line.strip()[:LONGEST_MARKER], line=number))


def _covers(file: Dockerfile, asked: _Asked, flaw: Flaw, rule: Rule) -> bool:
    known = (*(rule.aliases or ()), flaw.rule)
    if not any(name.lower() == "all" or same_rule(name, known) for name in asked.names):
        return False
    if asked.whole_file:
        return True
    first = flaw.block.start_line if flaw.block else flaw.span.start_line
    between = file.lines[asked.line : first - 1]
    return asked.line < first and all(not line.strip() or line.lstrip().startswith("#") for line in between)
