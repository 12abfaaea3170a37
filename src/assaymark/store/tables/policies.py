"""Policies of the organisation: versions that never change, what was done with them, where they are read from, and what they would do."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from assaymark.store.tables.columns import id_, instant, metadata, number, ref, text

policy_source = Table(
    "policy_source",  # a folder or file of a repository in which policies live
    metadata,
    id_(), ref("repository", "repository"), text("path"), text("branch", default=""),
    text("commit", default=""),  # that was read last
    text("problem", default=""),  # why it could not be taken in at the last look
    instant("created_at"), instant("read_at", nullable=True), instant("ended_at", nullable=True),
    Index(None, "repository"),
)  # fmt: skip

policy_version = Table(
    "policy_version",
    metadata,
    id_(), text("name"), text("version"), text("digest"),  # of the document's meaning
    text("document"),  # as it was written
    ref("person", "person", nullable=True), text("author"),
    ref("source", "policy_source", nullable=True), text("path", default=""), text("commit", default=""),
    instant("created_at"), UniqueConstraint("digest"), UniqueConstraint("name", "version"), Index(None, "name", "id"),
)  # fmt: skip

policy_event = Table(
    "policy_event",  # what was done with a policy: proposed, approved, objected, activated, retired; only grows
    metadata,
    id_(), text("name"), ref("version", "policy_version", nullable=True), text("kind"), instant("at"),
    ref("person", "person", nullable=True), text("actor"), text("comment", default=""),
    text("weakens", default="[]"),  # in what it is weaker than what was in force
    text("exception", default=""),  # why that may be: reason, owner, approver, as JSON
    instant("until", nullable=True),  # last moment of an activation that rests on an exception
    Index(None, "name", "id"), Index(None, "version", "id"),
    Index("ix_policy_event_force", "name", "id", sqlite_where=sa.text("kind IN ('activated', 'retired')"),
          postgresql_where=sa.text("kind IN ('activated', 'retired')")),
)  # fmt: skip

policy_approval = Table(
    "policy_approval",  # somebody approved of a head, as a rule requires
    metadata,
    id_(), ref("subject", "subject"), text("head"), text("rule"), ref("person", "person", nullable=True), text("actor"), text("reason"),
    instant("at"), UniqueConstraint("subject", "head", "rule"),
)  # fmt: skip

policy_simulation = Table(
    "policy_simulation",  # policies asked about verdicts that were given, before they take effect
    metadata,
    id_(), instant("at"), ref("person", "person", nullable=True), text("actor"),
    text("policies"),  # JSON: (name, version, digest) of all that were asked
    text("proposed"),  # JSON: documents of those that are not in force
    text("state"),  # waiting, running, done, cancelled, failed
    number("most"), Column("first", BigInteger, nullable=True), Column("last", BigInteger, nullable=True),  # assessments
    number("done"), number("total"),
    text("counts", default="{}"), instant("finished_at", nullable=True), text("problem", default=""),
)  # fmt: skip

policy_outcome = Table(
    "policy_outcome",  # a verdict that would be another one, or of which that cannot be told
    metadata,
    id_(), ref("simulation", "policy_simulation"), ref("assessment", "assessment"), ref("team", "team", nullable=True),
    text("was"), text("would"),  # outcome; would is empty where it cannot be told
    text("detail", default="{}"), UniqueConstraint("simulation", "assessment"), Index(None, "simulation", "id"),
)  # fmt: skip
