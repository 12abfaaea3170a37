"""Paths of a report as the subject names them.

A tool that ran elsewhere names files from the root of that machine. Where the subject's files are at hand, the part that is the subject's
is found by asking which of the possible rests exist; where they are not, the folder that all files have in common is taken for the
subject's, and the answer says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from assaymark.server.imports.found import Contents

_ABSOLUTE = re.compile(r"(?:/|[A-Za-z]:[\\/]|file:)")
_ASKED = 40
_DEEPEST = 30


def path_of(text: str) -> str:
    """As the subject names it: relative, without steps upward."""
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    return "/".join(part for part in parts if part != "..")


class Roots:
    """What the absolute paths of one report have before the subject's own part."""

    def __init__(self, paths: Iterable[str], contents: Contents) -> None:
        absolute = sorted({path for path in paths if _ABSOLUTE.match(path)})
        self._prefix: tuple[str, ...] = ()
        self.guessed = False
        if absolute:
            split = [_steps(path) for path in absolute]
            self._prefix = _known(split[:_ASKED], contents) or ()
            if not self._prefix:
                self._prefix = _common(split)
                self.guessed = True

    @property
    def notes(self) -> tuple[str, ...]:
        """What the answer has to say."""
        if not self.guessed:
            return ()
        folder = "/".join(self._prefix)[:200] or "/"
        return (f"the report names files of another machine; the folder that they have in common ({folder}) was taken for the subject's",)

    def path(self, text: str) -> str:
        """The subject's own part."""
        steps = _steps(text)
        if self._prefix and _ABSOLUTE.match(text) and tuple(steps[: len(self._prefix)]) == self._prefix:
            steps = steps[len(self._prefix) :]
        return path_of("/".join(steps))


def _steps(path: str) -> list[str]:
    return [part for part in path.removeprefix("file:").replace("\\", "/").split("/") if part not in ("", ".")]


def _common(rows: list[list[str]]) -> tuple[str, ...]:
    first, last = min(rows), max(rows)
    kept: list[str] = []
    for one, other in zip(first[:-1], last[:-1], strict=False):
        if one != other:
            break
        kept.append(one)
    return tuple(kept)


def _known(rows: list[list[str]], contents: Contents) -> tuple[str, ...] | None:
    """The prefix behind which most files exist."""
    rests = {"/".join(steps[at:]): steps[:at] for steps in rows for at in range(min(len(steps), _DEEPEST))}
    votes = Counter(tuple(rests[rest]) for rest in contents(list(rests)))
    return max(votes, key=lambda prefix: (votes[prefix], -len(prefix))) if votes else None
