"""What people decided about findings, what became of it, and who asked for it. All of it only grows (`store.decisions`)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, Index, Integer, Table, UniqueConstraint

from assaymark.store.tables.columns import id_, instant, metadata, number, ref, text

decision = Table(
    "decision",
    metadata,
    id_(),
    text("kind"),
    text("reason"),
    text("justification", default=""),
    text("owner"),
    text("anchor"),  # by which of a finding's names it is found: `verdict.given.anchor`
    # The scope: empty, null or -1 is anything.
    text("finding", default=""), text("rule", default=""), text("package", default=""), text("version", default=""),
    text("advisory", default=""), text("path", default=""), text("layer", default=""),
    Column("severity", Integer, nullable=False, server_default="-1"),  # at most this rank
    ref("subject", "subject", nullable=True), ref("repository", "repository", nullable=True), ref("within", "team", nullable=True),
    ref("team", "team", nullable=True),  # whose it is: of the subject, the repository or the team of the scope; null is everybody's
    instant("made_at"), instant("ends_at"),  # it holds before `ends_at`: midnight after its last day
    text("made_by"), ref("person", "person", nullable=True),
    text("source", default="person"),  # person, vex, request, import
    text("origin", default=""),  # what it was made of, so that the same is not made twice
    ref("renews", "decision", nullable=True),
    Index(None, "anchor", "ends_at"), Index(None, "ends_at", "id"), Index(None, "team", "ends_at", "id"), Index(None, "made_at", "id"),
    Index(None, "subject"), Index(None, "repository"), Index(None, "finding"),
    Index("uq_decision_origin", "origin", unique=True, sqlite_where=sa.text("origin <> ''"), postgresql_where=sa.text("origin <> ''")),
)  # fmt: skip

decision_step = Table(
    "decision_step",  # what happened to it afterwards: approved, withdrawn, ended, reminded; each once
    metadata, id_(), ref("decision", "decision"), text("what"), instant("at"), text("by"), ref("person", "person", nullable=True),
    text("reason", default=""), UniqueConstraint("decision", "what"), Index(None, "at"),
)  # fmt: skip

decision_request = Table(
    "decision_request",  # somebody asks for a decision
    metadata,
    id_(),
    text("kind"), text("reason"), text("justification", default=""),
    text("scope"),  # as JSON
    ref("finding", "finding", nullable=True), ref("team", "team", nullable=True),
    instant("ends_at"), instant("asked_at"), text("asked_by"), ref("person", "person", nullable=True),
    Index(None, "team", "id"), Index(None, "person", "id"), Index(None, "finding", "id"),
)  # fmt: skip

decision_answer = Table(
    "decision_answer",  # and is answered once
    metadata, id_(), ref("request", "decision_request"), number("granted"), ref("decision", "decision", nullable=True), text("reason"),
    instant("at"), text("by"), ref("person", "person", nullable=True), UniqueConstraint("request"), Index(None, "at"),
)  # fmt: skip
