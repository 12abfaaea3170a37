"""The secrets check: one text in, the credentials that stand in it out.

Guaranteed: no value leaves this folder (only its HMAC under the installation's key); the same bytes under the same knowledge give the same
sightings; nothing is asked over a network; making the check and asking what it knows loads no engine.
Not done: deciding by path, obeying inline comments (they are recorded for policy), looking into archives,
asking whether a credential works.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assaymark.checks.application.secrets.content import TooManyPlaces, readable
from assaymark.checks.application.secrets.dialects import dialect_of
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Layer

if TYPE_CHECKING:
    from assaymark.checks.application.secrets.scanning import Scanner


class SecretsCheck:
    """Implements `model.check.Check`."""

    id = CheckId("secrets")
    layer = Layer.APPLICATION
    unit = UnitKind.BLOB
    version = "5"

    def __init__(self, settings: CheckSettings) -> None:
        from assaymark.checks.application.secrets.keys import Key  # noqa: PLC0415 - loads hashing

        self._settings = settings
        self._key = Key(settings.installation_key)
        self._scanner: Scanner | None = None

    def __repr__(self) -> str:
        return "SecretsCheck()"

    def knowledge(self) -> str:
        """Rule packs, model, engine releases, the user's rule files, and the key's id.

        Raises:
            EngineMissing: when hyperscan is not installed.
            PolicyInvalid: when a rule file of the user cannot be used.
        """
        from assaymark.checks.application.secrets import knowledge  # noqa: PLC0415 - not needed to select

        if self._settings.secret_rules:
            from assaymark.checks.application.secrets import foreign_rules  # noqa: PLC0415 - few have any

            foreign_rules.read(self._settings.secret_rules)
        return knowledge.of(self._settings, self._key.id)

    def select(self, path: str) -> Dialect | None:
        """A dialect for every name: what is binary is seen in the bytes."""
        return dialect_of(path)

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """One outcome per input."""
        for item in inputs:
            yield item.digest, self._outcome(item)

    def is_ready(self) -> bool:
        """Whether the shipped rules' database was made; `engine.prepare` asks."""
        from assaymark.checks.application.secrets import knowledge  # noqa: PLC0415 - only when there is something to scan

        path = knowledge.database_at(self._settings.cache_dir, knowledge.rules_identity())
        return os.path.exists(path)  # noqa: PTH110 - pathlib would be imported for this question alone

    def lock_file(self) -> str:
        """One maker at a time."""
        return f"{self._settings.cache_dir}/secrets.lock"

    def warm(self) -> None:
        """Load (and when needed build) the databases: some seconds the first time, milliseconds afterwards."""
        self._loaded()

    def _loaded(self) -> Scanner:
        if self._scanner is None:
            from assaymark.checks.application.secrets.scanning import scanner_for  # noqa: PLC0415 - engines load in workers only

            self._scanner = scanner_for(self._settings)
        return self._scanner

    def _outcome(self, item: Input) -> Outcome:
        data = readable(item.content)
        if data is None:
            return Checked(skipped="binary")
        try:
            hits = self._loaded().hits(data, item.dialect)
        except TooManyPlaces as problem:
            return Unchecked("complexity", str(problem))
        if not hits:
            return _CLEAN
        from assaymark.checks.application.secrets.reporting import sightings  # noqa: PLC0415 - only where there is something to say

        return Checked(tuple(sightings(data, hits, self._key)))


_CLEAN = Checked()


def make(settings: CheckSettings) -> SecretsCheck:
    """The registry's door."""
    return SecretsCheck(settings)


def warm(settings: CheckSettings) -> None:
    """Build what is built once per installation, and load all layers: for `assay doctor`, `assay hook install` and the daemon's parent."""
    from assaymark.checks.application.secrets.scanning import scanner_for  # noqa: PLC0415 - engines load in workers only

    scanner_for(settings).layers()
