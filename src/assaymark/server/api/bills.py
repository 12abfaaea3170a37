"""Bills of materials of what is looked after, now or as of a day, from what inventories noted: no content is read.

Guarantees: the same state gives the same document, byte for byte; what could not be read stands in it as a gap.
"""

from __future__ import annotations

import datetime as dt
from enum import StrEnum
from typing import Annotated

from msgspec import Meta
from starlette.responses import Response

import assaymark
from assaymark.checks.application.dependencies.bom.bill import Bill, joined
from assaymark.checks.application.dependencies.bom.cyclonedx import cyclonedx
from assaymark.checks.application.dependencies.bom.spdx import spdx
from assaymark.checks.application.dependencies.check import Dependencies
from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.model.access import Permission
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.finding import Kind
from assaymark.server.api.moment import moment
from assaymark.server.api.route import Call, Router
from assaymark.server.problem import conflict, not_found
from assaymark.store import components, held, whereabouts

router = Router("subjects")
_ENDINGS = {"cyclonedx": "cdx", "spdx": "spdx"}


class BillFormat(StrEnum):
    CYCLONEDX = "cyclonedx"
    SPDX = "spdx"


Form = Annotated[BillFormat, Meta(description="CycloneDX 1.6 or SPDX 2.3, as JSON.")]


@router.add("GET", "/subjects/{subject}/sbom", Permission.SUBJECTS_READ, produces="application/json")
def get_bill(
    call: Call,
    subject: int,
    format: Form = BillFormat.CYCLONEDX,  # noqa: A002 - what people call it
    as_of: str = "",
) -> Response:
    """The packages of a subject as a bill of materials, as its last inventory before that instant noted them."""
    at = moment(call, as_of)
    noted, sets, since = _noted(call, SubjectId(subject), at)
    packages, places = joined(sets)
    when = dt.datetime.fromtimestamp(since / 1_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if since else ""
    bill = Bill(noted.name, packages, places, noted.head if at is None else "", when, assaymark.__version__)
    document = cyclonedx(bill) if format is BillFormat.CYCLONEDX else spdx(bill)
    name = f"subject-{subject}.{_ENDINGS[format]}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-cache"}
    return Response(document, 200, headers, media_type="application/json")


def _noted(call: Call, number: SubjectId, at: Instant | None) -> tuple[held.Noted, list[tuple[str, PackageSet]], int]:
    """The subject, what it holds by path, and since when it holds exactly that."""
    with call.service.database.read() as connection:
        noted = held.noted(connection, number)
        if noted is None or not call.who.may(Permission.SUBJECTS_READ, noted.team):
            raise not_found(f"subject {number}")
        if why := whereabouts.forgotten(connection, at):
            raise conflict(why, "ask as of a later day")
        holdings = held.holdings(connection, number, at)
        open_ = held.remembered(connection, number, Dependencies.id, at)
    sets = [(each.path, components.kept(call.service.blobs, each.digest)) for each in holdings]
    read = {each.path for each in holdings}
    gaps = [each for each in open_ if each.core.kind is Kind.UNCHECKED and each.path not in read]
    sets += [(each.path, PackageSet((), knows_direct=True, problems=((each.line, each.message),))) for each in gaps]
    return noted, sorted(sets, key=lambda each: each[0]), max((each.since for each in holdings), default=0)
