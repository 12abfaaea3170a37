"""What every part of the server is given: the composition of a server's or worker's process, made in one place."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from assaymark.jobs.job import Queue, Terms, clock
from assaymark.jobs.open import open_queue
from assaymark.model.assessment import Instant
from assaymark.server.settings import Settings, make_data
from assaymark.server.vault import Vault, open_vault
from assaymark.server.work.wills import WILLS
from assaymark.store.blobs import Blobs
from assaymark.store.database import Database
from assaymark.store.open import open_blobs


class Service(Struct, frozen=True):
    """Ports and settings."""

    settings: Settings
    database: Database
    queue: Queue
    blobs: Blobs
    vault: Vault
    now: Callable[[], Instant]


def open_service(settings: Settings) -> Service:
    """Open everything that the settings name; the schema is brought up by `store.migrations.apply`, not here."""
    make_data(settings)
    database = Database(settings.database)
    return Service(
        settings=settings,
        database=database,
        queue=open_queue(database, Terms(wills=WILLS)),
        blobs=open_blobs(settings.storage, settings.data, settings.s3_endpoint),
        vault=open_vault(settings.data / "vault.key"),
        now=clock,
    )
