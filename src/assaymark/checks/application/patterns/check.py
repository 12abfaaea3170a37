"""The check of one language: what planning needs. The work is in `judge` and is imported when the first file comes.

Guarantees: exactly one outcome per input, from its bytes and dialect alone; nothing is executed and nothing is read besides.
One check per language, so that a better rule of one language leaves the facts about the others untouched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module

from assaymark.checks.reading.installed import grammars
from assaymark.model import rules
from assaymark.model.check import Dialect, Input, Outcome, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.finding import CheckId, Layer

_ENGINE = "2"
"""Version of what all languages share: raise it when any language may answer otherwise."""


class PatternCheck:
    """See the module."""

    layer = Layer.APPLICATION
    unit = UnitKind.BLOB

    def __init__(self, name: str, version: str, suffixes: Mapping[str, str], grammar_names: tuple[str, ...]) -> None:
        self.id = CheckId(name)
        self.version = f"{version}.{_ENGINE}"
        self._suffixes = suffixes
        self._grammars = grammar_names

    def knowledge(self) -> str:
        """Releases of parser and grammars, and the data of our rules; the rules themselves are code and belong to `version`."""
        with open(f"{rules.__file__.rpartition('/')[0]}/rule_data/{self.id}.toml", "rb") as file:  # noqa: PTH123 - see `model.rules`
            data = sha256(file.read())
        return digest_of([self.id, list(grammars(*self._grammars)), data])

    def select(self, path: str) -> Dialect | None:
        """By the end of the name; the longest known end decides."""
        name = path.rpartition("/")[2].lower()
        stem, dot, suffix = name.rpartition(".")
        if not dot or not stem:
            return None
        long = f"{stem.rpartition('.')[2]}.{suffix}"
        found = self._suffixes.get(long, self._suffixes.get(suffix, ""))
        return Dialect(found) if found else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        judge = import_module("assaymark.checks.application.patterns.judge").judge
        pack = import_module(f"assaymark.checks.application.patterns.{self.id}.pack").PACK
        for each in inputs:
            yield each.digest, judge(pack, each)
