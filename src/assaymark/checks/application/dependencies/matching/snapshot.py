"""Opens the file of compiled advisories and tells which snapshot it holds; all that planning needs, so it imports next to nothing."""

from __future__ import annotations

import os
import sqlite3

from assaymark.checks.application.dependencies.versions.coding import SCHEME
from assaymark.errors import EngineMissing

FORMAT = f"assaymark-advisories/2 {SCHEME}"
"""An index of another format is not read."""
ADVICE = "run `assay advisories update`"


def open_index(path: str) -> tuple[sqlite3.Connection, dict[str, str]]:
    """The database, read only, and what it says of itself.

    Raises:
        EngineMissing: when there is none, or it cannot be read.
    """
    if not path or not os.path.exists(path):  # noqa: PTH110 - pathlib would be imported for this question alone
        raise EngineMissing(f"there are no advisories on this machine: {ADVICE}", advice=ADVICE)
    try:
        database = sqlite3.connect(f"file:{_escaped(path)}?mode=ro&immutable=1", uri=True, check_same_thread=False)
        meta: dict[str, str] = dict(database.execute("SELECT name, value FROM meta"))
    except sqlite3.Error as error:
        raise EngineMissing(f"the advisories on this machine are damaged: {ADVICE}", why=str(error), advice=ADVICE) from error
    if meta.get("format") != FORMAT:
        database.close()
        raise EngineMissing(f"the advisories on this machine were compiled by another version: {ADVICE}", advice=ADVICE)
    return database, meta


def snapshot_of(path: str) -> str:
    """Digest over all that the index holds.

    Raises:
        EngineMissing: when there is none, or it cannot be read.
    """
    database, meta = open_index(path)
    database.close()
    return meta["snapshot"]


def _escaped(path: str) -> str:
    """What a URI of SQLite would read otherwise; `urllib` would do the same and cost a hook several milliseconds to import."""
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
