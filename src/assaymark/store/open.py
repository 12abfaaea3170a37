"""From settings to the storage that they name."""

from __future__ import annotations

from pathlib import Path

from assaymark.errors import UsageError
from assaymark.store.blobs import Blobs, FolderBlobs


def open_blobs(storage: str, data: Path) -> Blobs:
    """``s3://bucket/prefix``, or the folder `blobs` of the data folder.

    Raises:
        UsageError: for any other text.
    """
    if not storage:
        return FolderBlobs(data / "blobs")
    raise UsageError(f"{storage!r} is no storage", advice="write it as s3://bucket/prefix")
