"""Issuing a report: its forms are made, kept in the blobs, signed, and noted in one row, once and for all.

Guarantees: what is signed are the digests of the very bytes that are kept; a report that was issued by the schedule is issued once; a PDF
that cannot be made is said in the report's row and on its page, and does not stop the rest.
"""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from assaymark.endorsement import statement
from assaymark.errors import EngineMissing
from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant
from assaymark.server.reports import document, pdf, signing
from assaymark.server.reports.content import Asked, Content, content
from assaymark.server.service import Service
from assaymark.store import issued
from assaymark.store.issued import IssuedRow

PREDICATE = "urn:assaymark:predicate:report:1"
HTML, PDF, FIGURES = "report.html", "report.pdf", "figures.json"


class Order(NamedTuple):
    """What is to be issued, and for whom."""

    team: TeamId | None
    as_of: Instant
    cause: str = ""
    person: PersonId | None = None


class Forms(NamedTuple):
    """The bytes."""

    html: bytes
    pdf: bytes
    """Empty where the extra is not installed."""
    figures: bytes


def issue(service: Service, order: Order) -> int | None:
    """Make, keep, sign and note it; None when the schedule had issued it already."""
    at = service.now()
    with service.database.read() as link:
        if order.cause and issued.is_issued(link, order.team, order.cause):
            return None
        told = content(link, Asked(order.team, order.as_of, at, service.settings.url))
    forms = written(told)
    payload = said(told, forms)
    kept = [str(service.blobs.put(data)) if data else "" for data in forms]
    with service.database.write() as link:
        signed = signing.sign(service, link, statement.PAYLOAD_TYPE, payload)  # its lock lets one of two issue what the schedule asks for
        if order.cause and issued.is_issued(link, order.team, order.cause):
            return None
        return _note(service, link, order, (at, kept, signed))


def _note(service: Service, link: sa.Connection, order: Order, made: tuple[Instant, list[str], signing.Signed]) -> int:
    at, kept, signed = made
    envelope = service.blobs.put(signed.envelope)
    row = msgspec.convert(
        {"id": 0, "issued_at": at, "as_of": order.as_of, "team": order.team, "cause": order.cause, "person": order.person, "html": kept[0],
         "pdf": kept[1], "figures": kept[2], "envelope": envelope, "keyid": signed.keyid},
        IssuedRow,
    )  # fmt: skip
    return issued.add(link, row)


def written(told: Content) -> Forms:
    """In every form."""
    try:
        paper = pdf.written(told)
    except EngineMissing:
        paper = b""
    return Forms(document.written(told), paper, msgspec.json.encode(told, order="deterministic"))


def said(told: Content, forms: Forms) -> bytes:
    """The statement that is signed."""
    names = {HTML: forms.html, FIGURES: forms.figures} | ({PDF: forms.pdf} if forms.pdf else {})
    predicate = {
        "asOf": _iso(told.as_of), "issuedAt": _iso(told.issued_at), "server": told.server, "title": told.title, "team": told.team
    }  # fmt: skip
    return statement.statement(names, PREDICATE, predicate)


def _iso(at: Instant) -> str:
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).isoformat(timespec="seconds")
