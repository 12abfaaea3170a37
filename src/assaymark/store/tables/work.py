"""What is to do and was done: deliveries, assessments, jobs, messages."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, number, ref, text

delivery = Table(
    "delivery", metadata, id_(), ref("connection", "connection"), text("delivery"), text("event"), text("digest"),
    instant("received_at"), text("outcome"), UniqueConstraint("connection", "delivery"), Index(None, "received_at"),
)  # fmt: skip

assessment = Table(
    "assessment",
    metadata,
    id_(),
    ref("subject", "subject"),
    ref("team", "team", nullable=True),
    text("state"),
    text("trigger"),
    text("trigger_details", default="{}"),  # the whole `Trigger`
    text("actor", default=""),
    text("base", default=""),
    text("head", default=""),
    ref("delivery", "delivery", nullable=True),
    text("cause", default=""),  # what asked again: an advisory update, a replay
    instant("queued_at"),
    instant("started_at", nullable=True),
    instant("finished_at", nullable=True),
    Column("superseded_by", ID, nullable=True),
    text("verdict", default=""),  # digest of the Verdict's JSON in `blobs`
    text("grounds", default=""),  # digest of what it was judged by, likewise
    text("summary", default=""),  # one sentence; why it is unproven when there is no verdict
    number("new_findings"), number("fixed_findings"), number("attempts"),
    text("level", default=""),  # risk level of the policy by which it was judged
    Index(None, "subject", "id"), Index(None, "team", "id"), Index(None, "state", "id"), Index(None, "head"), Index(None, "finished_at"),
    Index(None, "subject", "finished_at", "id"), Index(None, "verdict"), Index(None, "actor", "id"),
    Index(None, "trigger", "subject", "queued_at"), Index(None, "state", "finished_at"), Index(None, "team", "state", "finished_at"),
)  # fmt: skip

progress = Table(
    "progress",  # how far a running assessment is; a row only while it takes longer than a moment
    metadata,
    Column("assessment", ID, ForeignKey("assessment.id"), primary_key=True), text("phase"), number("done"), number("total"),
    instant("at"),
)  # fmt: skip

job = Table(
    "job",  # the journal of SQLite; PostgreSQL has Procrastinate's own tables
    metadata,
    id_(),
    text("kind"), text("arguments"), text("key", default=""), text("lock", default=""),
    number("priority"), number("attempts"), number("most_attempts", 5), number("seconds", 600),
    text("state"),  # waiting, running, done, dead, cancelled
    instant("due_at"), instant("created_at"), instant("started_at", nullable=True), instant("alive_at", nullable=True),
    instant("finished_at", nullable=True), text("worker", default=""), text("error", default=""),
    number("cancel"),  # 1 when it was asked to stop
    Index("ix_job_lock", "lock", "state"),
    Index("uq_job_waiting", "key", unique=True, sqlite_where=sa.text("state = 'waiting' AND key <> ''"),
          postgresql_where=sa.text("state = 'waiting' AND key <> ''")),
)  # fmt: skip

Index("ix_job_next", job.c.state, job.c.priority.desc(), job.c.id)
Index("ix_job_state", job.c.state, job.c.id)

schedule = Table(
    "schedule", metadata, id_(), text("name"), text("kind"), text("arguments", default="{}"), number("every_seconds", 86400),
    instant("due_at"), instant("ran_at", nullable=True), text("source", default="person"),
    UniqueConstraint("name"), Index(None, "due_at"),
)  # fmt: skip

outbox = Table(
    "outbox", metadata, id_(), text("kind"), text("stream", default=""), text("message"), text("state"), number("attempts"),
    instant("created_at"), instant("due_at"), instant("sent_at", nullable=True), text("error", default=""),
    ref("assessment", "assessment", nullable=True), Index(None, "state", "due_at", "id"), Index(None, "stream", "id"),
)  # fmt: skip

said = Table(
    "said",  # the one comment of a stream: its number at the forge, and what it says
    metadata, id_(), text("stream"), text("remote"), text("digest"), instant("changed_at"), UniqueConstraint("stream"),
)  # fmt: skip

remembered_answer = Table(
    "remembered_answer", metadata, id_(), text("key"), text("scope"), text("request"), Column("status", Integer, nullable=False),
    text("headers"), Column("body", LargeBinary, nullable=False), instant("created_at"), UniqueConstraint("scope", "key"),
    Index(None, "created_at"),
)  # fmt: skip
