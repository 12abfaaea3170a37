"""One text through all layers: the prefilter says which, the layers say where.

Lines are judged once: the same line in the next version of a file, or in a hundred copies, is looked up. The memory is bounded and
lives in the worker process; it makes the answer faster, never different, because what is said of a line depends on the line and on the
dialect's group only.
"""

from __future__ import annotations

from collections.abc import Iterator

from assaymark.checks.application.secrets import (
    anchors,
    blocks,
    foreign_rules,
    generic,
    knowledge,
    prefilter,
    provider_rules,
    structured,
    versions,
)
from assaymark.checks.application.secrets.confirmer import Kingfisher, TokenConfirmer
from assaymark.checks.application.secrets.content import line_around
from assaymark.checks.application.secrets.dialects import group_of
from assaymark.checks.application.secrets.expressions import Expression
from assaymark.checks.application.secrets.hits import Hit
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Dialect

_REACH = 600
"""Bytes of a line on each side of a lead: a minified file is one line."""
_REMEMBERED_LINE = 400
_REMEMBERED = 40_000
_MAX_WINDOWS = 4_000
"""Windows judged in one text beyond which it is data, not something people wrote; provider formats are still found everywhere."""
_STRUCTURED = frozenset(
    {"json", "tfstate", "docker-config", "yaml", "kubeconfig", "xml", "dotenv", "properties", "netrc", "pgpass", "htpasswd"}
)
_WITHOUT_KEY_WORD = frozenset({"htpasswd", "pgpass", "docker-config"})


class Scanner:
    """All layers, loaded once per worker process."""

    def __init__(self, settings: CheckSettings) -> None:
        self._confirmer: TokenConfirmer | None = Kingfisher(settings.cache_dir) if versions.kingfisher_version() else None
        self._user = foreign_rules.read(settings.secret_rules)
        identity = knowledge.rules_identity()
        self._prefilter = prefilter.load(settings.cache_dir, identity, self._expressions)
        self._user_prefilter: prefilter.Prefilter | None = None
        if self._user:
            user = knowledge.user_identity(settings)
            self._user_prefilter = prefilter.load(settings.cache_dir, user, lambda: foreign_rules.leads(self._user))
        self._layers = [tuple(lead.split(":", 1)) for lead in self._prefilter.leads]
        self._lines: dict[tuple[str, bytes], tuple[Hit, ...]] = {}

    def _expressions(self) -> list[Expression]:
        return prefilter.shipped(self._confirmer.leads() if self._confirmer else ())

    def hits(self, data: bytes, dialect: Dialect) -> list[Hit]:
        """Everything that the layers find, overlapping."""
        found = list(self._of_user(data)) if self._user_prefilter else []
        marks = self._prefilter.scan(data)
        if not marks and dialect not in _WITHOUT_KEY_WORD:
            return found
        group = group_of(dialect)
        places: dict[int, None] = {}
        leads = dict.fromkeys(lead for lead, _ in marks)
        for lead in leads:
            found.extend(self._of_text(lead, data))
        for lead, end in marks:
            layer = self._layers[lead][0]
            if layer == "bare" or (group != "none" and (layer == "quoted" or (layer == "unquoted" and group != "code"))):
                places[end] = None
        if places:
            found.extend(self._of_lines(data, sorted(places), group))
        if dialect in _STRUCTURED:
            found.extend(structured.find(str(dialect), data))
        return found

    def _of_user(self, data: bytes) -> Iterator[Hit]:
        for number in dict.fromkeys(number for number, _ in self._user_prefilter.scan(data)) if self._user_prefilter else ():
            yield from self._user[number].find(data)

    def _of_text(self, lead: int, data: bytes) -> Iterator[Hit]:
        layer, name = self._layers[lead]
        if layer == "own":
            yield from provider_rules.find(name, data)
        elif layer == "text":
            yield from blocks.find(name, data)
        elif layer == "kingfisher" and self._confirmer is not None:
            yield from self._confirmer.confirm(data)

    def _of_lines(self, data: bytes, places: list[int], group: str) -> Iterator[Hit]:
        judged_to = -1
        windows = 0
        for place in places:
            if place <= judged_to:
                continue
            start, end = line_around(data, place - 1, _REACH)
            start = max(start, judged_to)
            judged_to = end
            windows += 1
            if windows > _MAX_WINDOWS:
                return
            for hit in self._of_line(data[start:end], group):
                yield hit.shifted(start)

    def _of_line(self, line: bytes, group: str) -> tuple[Hit, ...]:
        if len(line) > _REMEMBERED_LINE:
            return _judged(line, group)
        key = (group, line)
        known = self._lines.get(key)
        if known is None:
            if len(self._lines) >= _REMEMBERED:
                self._lines.clear()
            known = self._lines[key] = _judged(line, group)
        return known


def _judged(line: bytes, group: str) -> tuple[Hit, ...]:
    text = line.decode("latin-1")
    hits = [*anchors.find(text), *blocks.hashes(line)]
    if group != "none":
        hits.extend(generic.find(text, group))
    return tuple(hits)


_LOADED: dict[tuple[str, str], Scanner] = {}
"""Scanners of this process: the daemon's parent loads one, and every child that it forks finds it loaded."""


def scanner_for(settings: CheckSettings) -> Scanner:
    """The scanner of these rules, loaded once per process."""
    key = (settings.cache_dir, knowledge.user_identity(settings))
    if key not in _LOADED:
        _LOADED.clear()
        _LOADED[key] = Scanner(settings)
    return _LOADED[key]
