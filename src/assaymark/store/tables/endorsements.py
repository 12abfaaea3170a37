"""What was endorsed, by which digests it is found, what it rests on, and who has to approve. Rows are an index: whether something is
approved is asked anew each time, and the signed statement in `blobs` says what it says whatever stands here.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import ID, count, id_, instant, metadata, number, ref, text

endorsement = Table(
    "endorsement",
    metadata,
    id_(), text("digest"),  # of the statement: its name wherever it is spoken of
    text("bundle"),  # digest in `blobs` of the bundle with all signatures
    ref("assessment", "assessment"), ref("subject", "subject"), ref("team", "team", nullable=True),
    text("kind"),  # of the subject: branch, tag, release, image
    text("head"),  # as assessments spell it
    text("resource"), text("verifier"),
    text("engine"),  # ``assaymark@<version>``
    text("rules"),  # digest of all rules, checks and mappings
    text("policy"),  # digest of the policy
    text("advisories", default=""),  # snapshot
    text("verdict"),  # digest in `blobs`
    text("levels"), text("environments"), text("approved_by"),  # JSON
    instant("verified_at"), instant("expires_at"), instant("made_at"),
    text("asked_by", default=""), ref("person", "person", nullable=True),
    UniqueConstraint("digest"), UniqueConstraint("assessment"), Index(None, "team", "id"), Index(None, "resource", "id"),
    Index(None, "subject", "id"), Index(None, "expires_at", "id"), Index(None, "rules"), Index(None, "engine"), Index(None, "policy"),
)  # fmt: skip

endorsed_digest = Table(
    "endorsed_digest",  # what it is about, as ``<algorithm>:<hex>`` in in-toto's names: sha256, gitCommit, gitTree
    metadata, Column("digest", Text, primary_key=True), Column("endorsement", ID, ForeignKey("endorsement.id"), primary_key=True),
    Index(None, "endorsement"), sqlite_with_rowid=False,
)  # fmt: skip

endorsement_key = Table(
    "endorsement_key",  # who signed it
    metadata, Column("keyid", Text, primary_key=True), Column("endorsement", ID, ForeignKey("endorsement.id"), primary_key=True),
    Index(None, "endorsement"), sqlite_with_rowid=False,
)  # fmt: skip

endorsement_part = Table(
    "endorsement_part",  # what is in it: ``packages`` (digest of a `package_set`), ``lineage`` (what it was built from)
    metadata, Column("kind", Text, primary_key=True), Column("digest", Text, primary_key=True),
    Column("endorsement", ID, ForeignKey("endorsement.id"), primary_key=True), Index(None, "endorsement"), sqlite_with_rowid=False,
)  # fmt: skip

evidence = Table(
    "evidence",  # a statement in `blobs` about a digest: findings, bill of materials, test results
    metadata,
    id_(), text("digest"), text("predicate"), text("name", default=""),  # several of one kind have names of their own
    text("subject_digest"), ref("team", "team", nullable=True), count("size"), number("failures"),  # of tests, where it tells of some
    text("brought_by"), ref("person", "person", nullable=True), instant("at"),
    Index(None, "subject_digest", "id"), Index(None, "digest"), Index(None, "team", "id"),
)  # fmt: skip

endorsement_evidence = Table(
    "endorsement_evidence", metadata, Column("endorsement", ID, ForeignKey("endorsement.id"), primary_key=True),
    Column("evidence", ID, ForeignKey("evidence.id"), primary_key=True), Index(None, "evidence"), sqlite_with_rowid=False,
)  # fmt: skip

endorsement_request = Table(
    "endorsement_request",  # people are asked whether something may be endorsed
    metadata,
    id_(), ref("assessment", "assessment"), ref("team", "team", nullable=True), text("resource"), text("head"),
    text("asked_by"), ref("person", "person", nullable=True), instant("asked_at"),
    text("authors"),  # JSON: names of whoever made it, who do not count
    Column("people", Integer, nullable=False),  # how many have to approve
    instant("ended_at", nullable=True), text("outcome", default=""),  # approved, declined, lapsed
    text("reason", default=""),
    Index(None, "team", "id"), Index(None, "ended_at", "id"),
    Index("uq_endorsement_request_waiting", "assessment", unique=True, sqlite_where=sa.text("ended_at IS NULL"),
          postgresql_where=sa.text("ended_at IS NULL")),
)  # fmt: skip

endorsement_vote = Table(
    "endorsement_vote",  # each of them says yes or no once
    metadata, id_(), ref("request", "endorsement_request"), ref("person", "person"), text("login"), number("approves"),
    text("reason", default=""), instant("at"), UniqueConstraint("request", "person"),
)  # fmt: skip
