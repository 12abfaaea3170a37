"""Which export is read by which reader: the door of the API and of `assay migrate`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from assaymark.server.imports.unpacking import unpack
from assaymark.server.migrations import defectdojo, dependency_track
from assaymark.server.migrations.carrying import Migrated, carry_out
from assaymark.server.people.accounts import By
from assaymark.server.service import Service
from assaymark.server.work.importing import knowing


class Origin(StrEnum):
    """Platforms that one comes from."""

    DEFECTDOJO = "defectdojo"
    DEPENDENCY_TRACK = "dependency-track"


def migrate(service: Service, origin: Origin, files: Sequence[bytes], by: By, *, dry: bool) -> Migrated:
    """Read what was exported, and carry it out unless `dry`; files may be packed (gzip, zip).

    Raises:
        UsageError: when a file cannot be read; nothing was written then.
    """
    documents = [document.data for data in files for document in unpack(data)]
    with knowing(service) as (world, index):
        plan = defectdojo.plan(documents, world) if origin is Origin.DEFECTDOJO else dependency_track.plan(documents, world, index)
    return carry_out(service, plan, by, dry=dry)
