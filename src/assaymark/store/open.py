"""From settings to the storage that they name."""

from __future__ import annotations

from pathlib import Path

from assaymark.errors import UsageError
from assaymark.store.blobs import Blobs, FolderBlobs
from assaymark.store.s3 import SCHEME, S3Blobs


def open_blobs(storage: str, data: Path, endpoint: str = "") -> Blobs:
    """``s3://bucket/prefix`` (at `endpoint`, if it is not Amazon's), or the folder `blobs` of the data folder.

    Raises:
        UsageError: for any other text.
    """
    if not storage:
        return FolderBlobs(data / "blobs")
    if storage.startswith(SCHEME):
        return S3Blobs(storage, endpoint)
    raise UsageError(f"{storage[:200]!r} is no storage", advice="write it as s3://bucket/prefix")
