"""What is installed, as package sets: databases of package managers, and the files that installed libraries leave beside themselves.

`dialect_of` says how a file of a name is read, `read` reads it; both as for lock files.
"""

from assaymark.checks.reading.inventory.registry import DIALECTS, Unreadable, dialect_of, read

__all__ = ["DIALECTS", "Unreadable", "dialect_of", "read"]
