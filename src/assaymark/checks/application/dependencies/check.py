"""The dependencies check: one lock file in, the packages with published advisories out.

Guarantees: the same bytes under the same snapshot of advisories give the same answer; nothing is asked over a network; an entry without
an exact version, and a version without an order, is a gap and never a pass. Without an index the check cannot run, and says how to get one.
Not done: resolving a manifest that has no lock file; reading the project's code (which vulnerable parts are used); deciding by policy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from assaymark.checks.application.dependencies.readers import dialect_of
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, Unchecked, UnitKind
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId, Layer

if TYPE_CHECKING:
    from assaymark.checks.application.dependencies.matching.index import Index

_CLEAN = Checked()


class Dependencies:
    """Implements `model.check.Check`."""

    id = CheckId("dependencies")
    layer = Layer.APPLICATION
    unit = UnitKind.BLOB
    version = "1"

    def __init__(self, settings: CheckSettings) -> None:
        self._path = settings.advisories
        self._known = ""
        self._index: Index | None = None

    def knowledge(self) -> str:
        """The advisories' snapshot.

        Raises:
            EngineMissing: when there are no advisories on this machine, or they cannot be read.
        """
        from assaymark.checks.application.dependencies.matching.snapshot import snapshot_of  # noqa: PLC0415 - not needed to select

        self._known = snapshot_of(self._path)
        return self._known

    def select(self, path: str) -> Dialect | None:
        """Lock files, and requirements files that may be one."""
        return dialect_of(path)

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each input on its own."""
        index = self._opened()
        for each in inputs:
            if self._known and index.snapshot != self._known:
                yield each.digest, Unchecked("changed", "The advisories were updated while the run went on; run again.")
            else:
                yield each.digest, judge(each, index)

    def _opened(self) -> Index:
        if self._index is None:
            from assaymark.checks.application.dependencies.matching.index import Index  # noqa: PLC0415 - opened in workers only

            self._index = Index(self._path)
        return self._index


def judge(each: Input, index: Index) -> Outcome:
    """What is to be said of one lock file."""
    from assaymark.checks.application.dependencies.matching.matcher import match  # noqa: PLC0415 - not needed to select
    from assaymark.checks.application.dependencies.readers import Unreadable, read  # noqa: PLC0415

    try:
        packages = read(each.dialect, each.content)
    except Unreadable as why:
        return Unchecked(why.reason_class, why.reason, why.line)
    matches = match(packages, index)
    if not (matches.hits or matches.gaps or packages.problems):
        return _CLEAN
    from assaymark.checks.application.dependencies.matching.wording import sightings  # noqa: PLC0415 - only when there is something

    return Checked(sightings=sightings(packages, each.dialect, matches, index))


def make(settings: CheckSettings) -> Dependencies:
    """The registry's door."""
    return Dependencies(settings)
