"""What was taken back, and which endorsements that withdrew. Both only grow (`store.revocations`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, ref, text

revocation = Table(
    "revocation",
    metadata,
    id_(),
    ref("parent", "revocation", nullable=True),  # the one that somebody asked for by name, and that the server turned into this
    text("target"),  # `endorsement.revocation.Target`, or of those that only lead to others: `store.revocations.Asked`
    text("name"), text("reason"),
    instant("at"), text("since", default=""), text("until", default=""),  # the window in RFC 3339, as it is distributed
    instant("since_at", nullable=True), instant("until_at", nullable=True),  # the same, to be compared
    text("actor"), ref("person", "person", nullable=True), ref("team", "team", nullable=True),  # whose it is; null is everybody's
    text("cause", default=""),  # what made the server do it by itself, e.g. the advisories
    ref("assessment", "assessment", nullable=True),  # that found it
    Column("log_number", BigInteger, nullable=True),  # of its entry in the transparency log; null of what leads to others
    UniqueConstraint("target", "name", "since", "until"), Index(None, "parent"), Index(None, "team", "id"), Index(None, "assessment"),
)  # fmt: skip

endorsement_withdrawal = Table(
    "endorsement_withdrawal",  # an endorsement that a revocation covers; an index of what `verify` says by itself
    metadata, Column("endorsement", ID, primary_key=True), Column("revocation", ID, primary_key=True), instant("at"),
    Index(None, "revocation", "endorsement"),
)  # fmt: skip
