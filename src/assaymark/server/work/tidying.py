"""Handler: takes away what lies on this machine and nobody needs: copies of repositories that ended, and halves that a kill left.

Guarantees: only folders that this program names are touched, only below the data folder; what is being fetched is left for the next time.
A machine tidies when it is given the job; what it keeps too long costs room and nothing else.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import structlog

from assaymark.errors import SubjectUnreadable
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.store.tables import repository
from assaymark.subjects.mirror import Mirror

_OLD_SECONDS = 86_400.0
_log = structlog.get_logger("assaymark.cleaning")


def clean_mirrors(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Remove what is needed no more."""
    with service.database.read() as link:
        kept = {f"{number}.git" for number in link.execute(sa.select(repository.c.id).where(repository.c.ended_at.is_(None))).scalars()}
    removed = 0
    for folder in _folders(service.settings.data / "mirrors"):
        if attempt.should_stop():
            return
        if ".broken-" in folder.name and _is_old(folder):
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.suffix == ".git" and folder.stem.isdecimal() and folder.name not in kept:
            with suppress(SubjectUnreadable):
                Mirror(folder).remove()
                removed += 1
    for folder in _folders(service.settings.data / "images"):
        if folder.suffix == ".draft" and _is_old(folder):
            shutil.rmtree(folder, ignore_errors=True)
    _log.info("mirrors removed", count=removed)


def _folders(above: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from [path for path in above.iterdir() if path.is_dir() and not path.is_symlink()]


def _is_old(folder: Path) -> bool:
    with suppress(OSError):
        return time.time() - folder.stat().st_mtime > _OLD_SECONDS
    return False
