"""The advisories of the installation, on this machine: every worker reads the same snapshot, wherever it runs.

Guarantees: the file that is named stays as it is while a run reads it; it appears whole, its digest was computed again. Older ones are
taken away a day after they were replaced, when no run can read them any more. Without a snapshot there is no file, and the check says so.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from assaymark.server.service import Service
from assaymark.store import snapshots
from assaymark.store.blobs import name_of

_OLD_SECONDS = 86_400.0


def folder_of(service: Service) -> Path:
    """Where files of advisories lie on this machine; all of it can be had again."""
    return service.settings.data / "advisories"


def advisories_file(service: Service) -> str:
    """Path of the newest index, brought here when it is not.

    Raises:
        SubjectUnreadable: when the storage does not have it.
    """
    folder = folder_of(service)
    with service.database.read() as connection:
        newest = snapshots.newest(connection)
    if newest is None:
        return str(folder / "none.db")
    path = folder / f"{name_of(newest.digest)}.db"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        service.blobs.get_file(newest.digest, path)
        _tidy(folder, path)
    return str(path)


def _tidy(folder: Path, newest: Path) -> None:
    """Since when a file is an old one is told by when the newest came."""
    for path in folder.glob("*.db"):
        if path != newest:
            with suppress(OSError):  # another worker was faster
                marked = path.with_suffix(".replaced")
                if not marked.exists():
                    marked.touch()
                elif time.time() - marked.stat().st_mtime > _OLD_SECONDS:
                    path.unlink(missing_ok=True)
                    marked.unlink(missing_ok=True)
