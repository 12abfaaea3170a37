"""The manifests check: a project that asks for packages and has no lock file is a gap, because nobody can say what it installs.

Guarantees: one gap per manifest, known by the project's name and not by its path, so that moving it gives nothing new; what a lock file in
the same folder or further up settles is fine, of npm's only when that project counts the folder among its workspaces.
Not done: pinning inside requirements files, ``pom.xml`` and ``go.mod``: the check of dependencies reads them and says so itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from assaymark.checks.application.dependencies.manifests.kinds import kind_of
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Dialect, Input, Outcome, UnitKind
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, Layer

_ID = CheckId("manifests")


class Manifests:
    """See the module."""

    id = _ID
    layer = Layer.APPLICATION
    unit = UnitKind.TREE
    version = "1"

    def knowledge(self) -> str:
        """The rules are code and belong to `version`."""
        return digest_of([_ID])

    def select(self, path: str) -> Dialect | None:
        """One dialect per ecosystem, so that a change of one is not a change of all."""
        found = kind_of(path)
        return Dialect(found) if found else None

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each tree on its own."""
        from assaymark.checks.application.dependencies.manifests.gaps import gaps  # noqa: PLC0415  not needed to select

        for each in inputs:
            yield each.digest, Checked(sightings=gaps(_ID, each.dialect, each.parts))


def make(settings: CheckSettings) -> Manifests:  # noqa: ARG001  the door is the same for every check
    """The check."""
    return Manifests()
