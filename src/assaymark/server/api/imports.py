"""Reports of other tools, sent in."""

from __future__ import annotations

import re

from assaymark.model.access import Permission
from assaymark.model.assessment import SubjectId
from assaymark.model.finding import Layer
from assaymark.server.api.route import Call, Router, Upload
from assaymark.server.imports.kinds import DocumentKind
from assaymark.server.people.session import origin
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.work import importing
from assaymark.server.work.importing import By, Order, Outline
from assaymark.store import subjects

router = Router("imports")
MOST_BYTES = 64 << 20
_COMMIT = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})?")


@router.add("POST", "/subjects/{subject}/imports", Permission.FINDINGS_IMPORT, status=201, most_bytes=MOST_BYTES)
def import_findings(  # noqa: PLR0913, PLR0917 - one per parameter
    call: Call,
    body: Upload,
    subject: int,
    category: str = "",
    layer: Layer | None = None,
    commit: str = "",
    complete: bool = True,
    format: DocumentKind | None = None,  # noqa: A002 - what it is called in the address
) -> Outline:
    """Take in a report of another tool, a bill of materials, VEX statements, OCSF events or a verdict of ours; plain, as gzip or as zip.

    What it is, it says itself; `format` is for what does not, such as an empty list. A report replaces what the same tool reported before
    under the same `category`; with `complete=false` it closes nothing. `commit` says which files its places are about. Without `layer` each
    finding stands on the layer of its kind. Large reports are recorded by a worker: `state` is `running` then.
    """
    if len(category) > 100:
        raise invalid("`category` is longer than 100 characters")
    if not _COMMIT.fullmatch(commit):
        raise invalid("`commit` is no whole commit id", "give its 40 or 64 hex digits")
    with call.service.database.read() as connection:
        row = subjects.one(connection, subject)
    if row is None or not call.who.may(Permission.SUBJECTS_READ, row.team):
        raise not_found(f"subject {subject}")
    call.need(Permission.FINDINGS_IMPORT, row.team)
    if row.ended_at is not None:
        raise conflict("this subject is no more", "import into one that is looked after")
    order = Order("", category, layer.value if layer else "", "yes" if complete else "no", commit, format.value if format else "")
    return importing.take(call.service, SubjectId(subject), body.data, order, By(call.who.login, call.who.person, origin(call.request)))
