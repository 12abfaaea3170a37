"""Evidence: test results, bills of materials and statements that jobs bring about a digest, and what the server saw itself.

Guarantees: what is brought is kept as a statement by its own digest and named in what is endorsed afterwards; it endorses nothing, and
tests that failed keep it from being endorsed until newer ones of the same name passed. Teams narrow every answer; findings are shown to
those who may read findings.
"""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta
from starlette.responses import Response

from assaymark.endorsement.statement import PAYLOAD_TYPE
from assaymark.model.access import Permission, TeamId
from assaymark.model.digest import Digest
from assaymark.server.api import cursor, rights
from assaymark.server.api.endorsements import OfDigest
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router, Upload
from assaymark.server.problem import invalid, not_found
from assaymark.server.work import endorsing_evidence
from assaymark.store import evidence, trail
from assaymark.store.evidence import EvidenceRow
from assaymark.store.trail import Action

router = Router("endorsements")
_READ, _ASK = Permission.ENDORSEMENTS_READ, Permission.ENDORSEMENTS_ASK
_FORM = re.compile(r"(?:sha256:[0-9a-f]{64}|git(?:Commit|Tree):(?:[0-9a-f]{40}|[0-9a-f]{64}))")


@router.add("POST", "/evidence", _ASK, status=201, most_bytes=endorsing_evidence.MOST_BYTES)
def bring_evidence(
    call: Call,
    body: Upload,
    digest: OfDigest,
    team: Annotated[int | None, Meta(description="Whose it is: the team of what it is about.")] = None,
    name: Annotated[str, Meta(max_length=100, description="Tells several of one kind apart, as `unit` and `end-to-end`.")] = "",
) -> EvidenceRow:
    """Bring evidence about a digest: test results (JUnit XML), a bill of materials (CycloneDX, SPDX JSON), or an in-toto statement.

    What it is, it says itself. A newer one of the same kind and name takes the place of the one before; both are kept.
    """
    if not _FORM.fullmatch(digest):
        raise invalid("`digest` is none", "write it as sha256:…, gitCommit:… or gitTree:…, whole and in small letters")
    if not name.isprintable():
        raise invalid("`name` holds letters that are not shown")
    of = None if team is None else TeamId(team)
    call.need(_ASK, of)
    written = endorsing_evidence.brought(body.data, digest)
    blob, by, now = call.service.blobs.put(written.data), rights.by(call), call.service.now()
    new = evidence.New(
        digest=blob, predicate=written.predicate, name=name, subject_digest=digest, team=of, size=len(written.data),
        failures=written.failures, brought_by=by.actor, person=by.person, at=now,
    )  # fmt: skip
    with call.service.database.write() as link:
        number = evidence.add(link, new)
        told = {"subject": digest, "predicate": written.predicate, "failures": str(written.failures)}
        trail.record(link, Action(now, by.actor, "evidence.brought", "success", by.person, "evidence", blob, of, by.origin, told))
        row = evidence.of_number(link, number)
    assert row is not None  # noqa: S101 - it was added above
    return row


@router.add("GET", "/evidence", _READ)
def list_evidence(call: Call, digest: str = "", after: str | None = None, limit: int = 50) -> Page[EvidenceRow]:
    """What was brought, the newest first; with `digest` only about that."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = evidence.page(link, call.who.teams_with(_READ), digest, before, limit + 1)
    return page_of(rows, limit)


@router.add("GET", "/evidence/{digest}", _READ, produces=PAYLOAD_TYPE)
def get_evidence(call: Call, digest: str) -> Response:
    """The statement itself, whose digest an endorsement names."""
    with call.service.database.read() as link:
        row = evidence.one(link, digest, call.who.teams_with(_READ))
    if row is None or (row.predicate == endorsing_evidence.VERDICT and not call.who.may(Permission.FINDINGS_READ, row.team)):
        raise not_found(f"evidence {digest[:100]}")
    headers = {"Content-Disposition": f'attachment; filename="{row.digest[7:23]}.json"', "Cache-Control": "private, no-cache"}
    return Response(call.service.blobs.get(Digest(row.digest)), 200, headers, media_type=PAYLOAD_TYPE)
