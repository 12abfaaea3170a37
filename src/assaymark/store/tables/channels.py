"""What is told to whom: what happened, who wants to know, what was sent, and who gets a digest."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, number, ref, text

happening = Table(
    "happening",  # one row per change of state, whether or not anybody wants to know; pruned by age
    metadata,
    id_(), text("kind"), instant("at"), ref("team", "team", nullable=True), text("title"), text("path"),
    ref("subject", "subject", nullable=True), ref("repository", "repository", nullable=True),
    text("subject_name", default=""), text("repository_name", default=""),
    Column("severity", Integer, nullable=True),  # rank
    text("actor", default=""), text("data", default="{}"),
    Index(None, "team", "id"), Index(None, "at"), Index(None, "repository", "kind", "id"),
)  # fmt: skip

subscription = Table(
    "subscription",  # a place that wants to be told
    metadata,
    id_(),
    text("kind"),  # webhook, slack, teams, mattermost
    text("name"),
    ref("team", "team", nullable=True),  # only of this team; null: everything
    text("host"),  # of its address, which is a secret as a whole
    Column("address", LargeBinary, nullable=True),  # sealed by the vault, like the next four
    Column("secret", LargeBinary, nullable=True),
    Column("previous_secret", LargeBinary, nullable=True),  # signs too, until
    instant("previous_until", nullable=True),
    Column("signing_key", LargeBinary, nullable=True),  # Ed25519
    text("public_key", default=""),
    text("wants", default="{}"),  # which kinds, how severe, which subjects
    text("state"),  # active, paused, disabled
    text("problem", default=""),  # why it is disabled, or what the last answer was
    number("failures"),  # since the last time that it took something
    instant("failing_since", nullable=True),
    Column("resting_until", BigInteger, nullable=False, server_default="0"),
    instant("created_at"), ref("created_by", "person", nullable=True), instant("ended_at", nullable=True),
    UniqueConstraint("name"),
    Index("ix_subscription_alive", "team", "id", sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL")),
)  # fmt: skip

channel_message = Table(
    "channel_message",  # the outbox of subscriptions, and the log of what became of each message
    metadata,
    id_(),
    text("uid"),  # stays the same however often it is sent
    ref("subscription", "subscription"), ref("happening", "happening"),
    text("state"),  # waiting, sent, given-up
    number("attempts"), instant("created_at"), instant("due_at"), instant("tried_at", nullable=True), instant("sent_at", nullable=True),
    number("status"),  # of the last answer; 0 when there was none
    number("milliseconds"), text("error", default=""),
    UniqueConstraint("uid"), Index(None, "subscription", "id"), Index(None, "subscription", "state", "due_at", "id"),
    Index(None, "happening"), Index(None, "state", "created_at"),
)  # fmt: skip

digest = Table(
    "digest",  # a person's mail of what waits for him and what changed
    metadata,
    Column("person", ID, ForeignKey("person.id"), primary_key=True),
    text("every"),  # day, week
    number("weekday"), number("hour", 7),  # in UTC
    text("wants", default="{}"),
    text("secret"),  # part of the link by which it is ended
    instant("created_at"),
    Column("told_until", ID, nullable=False, server_default="0"),  # number of the last happening that was told
    instant("next_at"), instant("sent_at", nullable=True), number("failures"), text("problem", default=""),
    Index(None, "next_at"),
)  # fmt: skip
