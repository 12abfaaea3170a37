"""What to use instead of something that was withdrawn: the newest endorsement of the same resource that verifies now, or none."""

from __future__ import annotations

import sqlalchemy as sa

from assaymark.endorsement.verify import Expected
from assaymark.server.service import Service
from assaymark.server.work.approval import Asking
from assaymark.store import endorsements
from assaymark.store.endorsements import EndorsementRow, Filter, Part
from assaymark.store.narrowing import Teams

_TRIED = 10
"""Endorsements of one resource whose signatures are verified until one holds."""


def instead(service: Service, link: sa.Connection, resources: frozenset[str], teams: Teams) -> dict[str, EndorsementRow]:
    """Resource -> the next approved one; what has none is not in it."""
    asking, found = Asking(service, link), {}
    for resource in sorted(resources):
        rows, _ = endorsements.page(link, teams, Filter(resource=resource, valid=True), service.now(), Part(limit=_TRIED))
        digests = endorsements.digests_of(link, [row.id for row in rows])
        for row in rows:
            about = next(iter(digests.get(row.id, ())), "")
            if about and asking.verify(row, about, Expected()).ok:
                found[resource] = row
                break
    return found
