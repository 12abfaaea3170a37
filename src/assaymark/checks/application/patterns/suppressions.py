"""Inline comments and annotations, of whichever tool, that ask to overlook a sighting.

Nothing is dropped: the sighting is made and carries the request, so that it is counted and the policy can judge.
Known: ``eslint-disable-line``, ``-next-line``, ``eslint-disable`` to ``eslint-enable``; ``nosemgrep``; ``NOSONAR``; ``nosec``;
``nolint``; ``gosec:disable``; ``phpcs:ignore`` and ``phpcs:disable`` to ``enable``; ``@psalm-suppress``;
``@SuppressWarnings`` and ``@SuppressFBWarnings``;
our own ``assay:allow <reason>``.
A request that names rules counts only for those, by the ids under which our data knows them (``aliases``).
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from msgspec import Struct

from assaymark.model.finding import Suppression

if TYPE_CHECKING:
    from tree_sitter import Node

    from assaymark.checks.application.patterns.shapes import Speech
    from assaymark.model.scope_text import Found

_ANY = re.compile(
    rb"eslint-disable|nosem|NOSONAR|nosec|nolint|gosec:|phpcs:|psalm-suppress|assay:allow|Suppress(?:FB)?Warnings", re.IGNORECASE
)
_ASKS = re.compile(
    r"(?P<name>eslint-disable-next-line|eslint-disable-line|eslint-disable|eslint-enable|nosem(?:grep)?|NOSONAR|nosec|nolint|gosec:disable"
    r"|phpcs:ignore(?:File)?|phpcs:disable|phpcs:enable|psalm-suppress|assay:allow)\b(?P<rest>[^\r\n]{0,400})"
)
_ID = re.compile(r"[A-Za-z@][\w./:@-]*")
_REASON = re.compile(r"\s+(?:--|—)\s.*|\s*\*/.*|\s*//.*")
_ANNOTATION = re.compile(r"@(?:\w+\.)*Suppress(?:FB)?Warnings\s*(?:\(([^)]{0,1000})\))?")
_QUOTED = re.compile(r'"([^"]{1,100})"')
LONGEST_MARKER = 200
_UNNAMED = frozenset({"NOSONAR", "assay:allow"})
_EITHER = frozenset({"nosem", "nosemgrep", "phpcs:ignore", "psalm-suppress", "assay:allow", "nolint", "nosec", "gosec:disable"})
_ABOVE = _EITHER | {"eslint-disable-next-line"}
_BESIDE = _EITHER | {"eslint-disable-line", "NOSONAR"}
_FROM = frozenset({"eslint-disable", "phpcs:disable", "phpcs:ignoreFile"})
_UNTIL = {"eslint-enable": "eslint-disable", "phpcs:enable": "phpcs:disable"}


class _Request(Struct, frozen=True):
    name: str
    ids: tuple[str, ...]
    marker: str
    first_line: int
    last_line: int
    alone: bool
    """Nothing but the comment stands on its lines."""


class Requests:
    """The requests of one text."""

    def __init__(self, speech: Speech) -> None:
        self._text = speech.text
        self._rows: list[_Request] = []
        if _ANY.search(speech.text.content):
            for node in speech.comments():
                self._rows += _requests(speech, node)
        self._rows.sort(key=lambda row: row.first_line)
        self._annotated = b"Warnings" in speech.text.content

    def find(self, names: AbstractSet[str], node: Node, found: Found) -> Suppression | None:
        """The request that covers a statement for a rule that is known under these names."""
        line = node.start_point[0] + 1
        lines = range(min(found.first_line, line), max(found.last_line, line) + 1)
        for row in self._rows:
            beside = row.name in _BESIDE and row.first_line in lines
            above = row.name in _ABOVE and row.alone and row.last_line + 1 in (found.first_line, line)
            whole = row.name in _FROM and row.first_line <= line <= self._end(row)
            if (beside or above or whole) and _covers(row, names):
                return Suppression(row.marker, row.first_line)
        return self._by_annotation(names, node) if self._annotated else None

    def _end(self, row: _Request) -> int:
        ends = (r.first_line for r in self._rows if _UNTIL.get(r.name) == row.name and r.first_line > row.first_line)
        return next((end for end in ends), 1 << 40)

    def _by_annotation(self, names: AbstractSet[str], node: Node) -> Suppression | None:
        current: Node | None = node
        for _ in range(200):
            if current is None:
                return None
            for child in current.children[:3]:
                if child.type == "modifiers":
                    match = _ANNOTATION.search(self._text.of(child))
                    ids = _QUOTED.findall(match[1] or "") if match else []
                    if match and any(_same(id_, names) for id_ in ids):
                        return Suppression(" ".join(match[0].split())[:LONGEST_MARKER], child.start_point[0] + 1)
            current = current.parent
        return None


def _requests(speech: Speech, node: Node) -> list[_Request]:
    text = speech.text.of(node)[:4_000]
    match = _ASKS.search(text)
    if match is None:
        return []
    rest = _REASON.sub("", match["rest"])
    ids: tuple[str, ...] = ()
    if match["name"] == "assay:allow" and not rest.strip(" */:"):
        return []
    if match["name"] not in _UNNAMED:
        ids = tuple(_ID.findall(rest.partition(" - ")[0]))
        if match["name"] == "nolint":
            ids = tuple(_ID.findall(rest.partition(" ")[0])) if rest.startswith(":") else ()
    content = speech.text.content
    before = content[content.rfind(b"\n", 0, node.start_byte) + 1 : node.start_byte]
    first, last = node.start_point[0] + 1, node.end_point[0] + 1
    if node.end_point[1] == 0 and last > first:
        last -= 1
    return [_Request(match["name"], ids, text.strip()[:LONGEST_MARKER], first, last, not before.strip())]


def _covers(row: _Request, names: AbstractSet[str]) -> bool:
    if not row.ids:
        return True
    if row.name == "nolint":
        return any(id_ in ("gosec", "all") for id_ in row.ids)
    return any(_same(id_, names) for id_ in row.ids)


def _same(asked: str, names: AbstractSet[str]) -> bool:
    return asked == "all" or any(asked == name or asked.endswith(("." + name, ":" + name, "/" + name)) for name in names)
