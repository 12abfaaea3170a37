"""Lock files, bills of materials and what is installed, as package sets.

`dialect_of` says how a file of a name is read, `read` reads it.
"""

from __future__ import annotations

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.application.dependencies.readers import registry
from assaymark.checks.application.dependencies.readers.registry import Unreadable
from assaymark.checks.reading import inventory
from assaymark.model.check import Dialect

__all__ = ["Unreadable", "dialect_of", "read"]


def dialect_of(path: str) -> Dialect | None:
    """How a file of this name is read, or None when it names no packages. Cheap: judged by name only."""
    return registry.dialect_of(path) or inventory.dialect_of(path)


def read(dialect: Dialect, content: bytes) -> PackageSet:
    """The packages that the content names.

    Raises:
        Unreadable: with a reason class, a sentence and a line (0 when the format does not tell).
        KeyError: when there is no such dialect.
    """
    return inventory.read(dialect, content) if dialect in inventory.DIALECTS else registry.read(dialect, content)
