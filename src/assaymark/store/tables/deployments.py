"""What runs where as deployers told it: environments, pairs of environment and component, their generations with every step, instances,
drifts; and which digest people promoted. Steps and votes only grow; a generation, an instance and a drift get their end once.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from assaymark.store.tables.columns import ID, count, id_, instant, metadata, number, ref, text

environment = Table(
    "environment",
    metadata,
    id_(), text("key"),  # unique: the team's number and the name
    text("name"), ref("team", "team", nullable=True),
    number("people"),  # how many approve a promotion, besides whoever asked
    number("ignore_days", 7),  # for how long a drift may be looked away from, counted from the first time
    text("unapproved", default="alert"),  # what to do about what runs and was revoked, where nothing can take its place: alert, stop
    instant("created_at"), UniqueConstraint("key"), Index(None, "team", "id"), Index(None, "name", "id"),
)  # fmt: skip

deployed_pair = Table(
    "deployed_pair",  # a component in an environment: what all rules of `deployment.phoenix.generation` are about
    metadata,
    id_(), ref("environment", "environment"), text("component"), ref("team", "team", nullable=True),
    number("steps"),  # how many were told
    Column("wanted", ID, nullable=True),  # the promotion in force
    instant("created_at"), instant("told_at", nullable=True), text("told_by", default=""),
    UniqueConstraint("environment", "component"), Index(None, "team", "id"),
)  # fmt: skip

generation = Table(
    "generation",
    metadata,
    id_(), ref("pair", "deployed_pair"), number("number"), text("state"), text("digest"), text("image"), text("why"), text("actor"),
    text("endorsement", default=""), text("breakglass", default=""), text("reason", default=""), number("pinned"),
    text("facts"),  # JSON: `deployment.phoenix.generation.Generation`
    instant("began_at"), instant("live_at", nullable=True), instant("ended_at", nullable=True),  # when the server was told
    instant("forced_at", nullable=True),  # when it was told that a break-glass order let it through
    instant("until", nullable=True),  # end of that order
    text("doubt", default=""),  # why it is not approved any more, as of the last look; empty: it is
    instant("doubted_at", nullable=True),
    UniqueConstraint("pair", "number"), Index(None, "digest"), Index(None, "ended_at", "id"), Index(None, "forced_at"),
)  # fmt: skip

generation_step = Table(
    "generation_step",
    metadata,
    id_(), ref("pair", "deployed_pair"), number("number"), number("generation"), text("state"),
    text("step"),  # JSON: `deployment.phoenix.generation.Step`, as it was told
    instant("at"), instant("told_at"), text("told_by"), ref("person", "person", nullable=True),
    Column("log_number", BigInteger, nullable=True),  # of its entry in the transparency log
    UniqueConstraint("pair", "number"), Index(None, "pair", "generation"),
)  # fmt: skip

instance = Table(
    "instance",
    metadata,
    id_(), ref("pair", "deployed_pair"), text("name"), number("generation"),
    instant("born_at"), instant("seen_at", nullable=True), instant("burnt_at", nullable=True),
    UniqueConstraint("pair", "name"), Index(None, "pair", "burnt_at", "id"),
)  # fmt: skip

drift = Table(
    "drift",  # one difference between what runs and what was endorsed
    metadata,
    id_(), ref("pair", "deployed_pair"), number("generation"),
    text("key"),  # digest of what makes it another one
    text("place"), text("what"), text("kind"), text("expected"), text("observed"),
    number("weight"),  # rank: 0 low, 3 critical
    text("action"), text("cause", default=""),  # JSON: `deployment.drift.drifted.Cause`
    instant("first_at"), instant("last_at"), count("times"), text("told_by"),
    instant("resolved_at", nullable=True), text("resolution", default=""),  # superseded, vanished
    number("resolved_by"),  # the generation that superseded it; 0 for none
    instant("ignored_from", nullable=True),  # the first time that somebody looked away
    instant("ignored_until", nullable=True), text("ignored_by", default=""), text("ignored_reason", default=""),
    Column("log_number", BigInteger, nullable=True),
    Index("uq_drift_open", "pair", "key", unique=True, sqlite_where=sa.text("resolved_at IS NULL"),
          postgresql_where=sa.text("resolved_at IS NULL")),
    Index(None, "pair", "resolved_at", "id"), Index(None, "resolved_at", "id"),
)  # fmt: skip

promotion = Table(
    "promotion",  # somebody wants this digest to run there
    metadata,
    id_(), ref("pair", "deployed_pair"), text("digest"), text("image"), text("reason", default=""),
    number("pins"),  # 1: an older digest, to stay until somebody lets go
    number("releases"),  # 1: lets go of what is pinned
    text("asked_by"), ref("person", "person", nullable=True), instant("asked_at"), number("people"),
    instant("ended_at", nullable=True), text("outcome", default=""), text("answer", default=""),  # promoted, declined, lapsed
    text("endorsement", default=""),  # by which it was approved when it was promoted
    Column("log_number", BigInteger, nullable=True),
    Index(None, "pair", "id"), Index(None, "ended_at", "id"),
)  # fmt: skip

promotion_vote = Table(
    "promotion_vote", metadata, id_(), ref("promotion", "promotion"), ref("person", "person"), text("login"), number("approves"),
    text("reason", default=""), instant("at"), UniqueConstraint("promotion", "person"),
)  # fmt: skip
