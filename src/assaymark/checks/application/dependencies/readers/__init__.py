"""Lock files and bills of materials as package sets: `dialect_of` says how a file of a name is read, `read` reads it."""

from assaymark.checks.application.dependencies.readers.registry import Unreadable, dialect_of, read

__all__ = ["Unreadable", "dialect_of", "read"]
