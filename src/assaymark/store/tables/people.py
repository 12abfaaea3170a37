"""People, what they may, and what they did."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import count, id_, instant, metadata, ref, text

team = Table("team", metadata, id_(), text("slug"), text("name"), instant("created_at"), UniqueConstraint("slug"))

person = Table(
    "person",
    metadata,
    id_(),
    text("login"),
    text("name", default=""),
    text("email", default=""),
    Column("password", Text, nullable=True),  # argon2id in PHC form; none for people who come by OIDC or passkey only
    Column("handle", LargeBinary, nullable=False),  # WebAuthn user handle: random, says nothing of the person
    instant("created_at"),
    instant("disabled_at", nullable=True),
    UniqueConstraint("login"),
)

federated_identity = Table(
    "federated_identity", metadata, id_(), ref("person", "person"), text("issuer"), text("subject"), instant("created_at"),
    UniqueConstraint("issuer", "subject"), Index(None, "person"),
)  # fmt: skip

passkey = Table(
    "passkey", metadata, id_(), ref("person", "person"), Column("credential", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False), count("sign_count"), text("name"), instant("created_at"),
    instant("used_at", nullable=True), UniqueConstraint("credential"), Index(None, "person"),
)  # fmt: skip

invitation = Table(
    "invitation", metadata, id_(), text("hash"), text("purpose"), ref("person", "person", nullable=True), text("details", default="{}"),
    instant("created_at"), instant("expires_at"), instant("used_at", nullable=True), UniqueConstraint("hash"), Index(None, "expires_at"),
    Index(None, "person"),
)  # fmt: skip

membership = Table(
    "membership", metadata, id_(), ref("person", "person"), ref("team", "team", nullable=True), text("role"), text("source"),
    instant("created_at"), Index(None, "person"), Index(None, "team"),
)  # fmt: skip

group_mapping = Table(
    "group_mapping", metadata, id_(), text("issuer"), text("group_name"), ref("team", "team", nullable=True), text("role"),
    instant("created_at"), Index(None, "issuer", "group_name"),
)  # fmt: skip

session = Table(
    "session", metadata, id_(), text("hash"), ref("person", "person"), text("method"), text("origin", default=""),
    text("agent", default=""), instant("created_at"), instant("seen_at"), instant("expires_at"), instant("revoked_at", nullable=True),
    UniqueConstraint("hash"), Index(None, "person"),
)  # fmt: skip

token = Table(
    "token", metadata, id_(), text("hash"), text("hint"), ref("person", "person"), text("name"), text("scopes"),
    ref("team", "team", nullable=True), instant("created_at"), instant("expires_at"), instant("revoked_at", nullable=True),
    instant("used_at", nullable=True), UniqueConstraint("hash"), Index(None, "person"),
)  # fmt: skip

attempt = Table(
    "attempt",  # tries that are counted against guessing, in every process: a bucket is an account, an address, a pair of them
    metadata, id_(), text("bucket"), instant("at"), Index(None, "bucket", "at"), Index(None, "at"),
)  # fmt: skip

audit_event = Table(
    "audit_event", metadata, id_(), instant("at"), ref("person", "person", nullable=True), text("actor"), text("action"),
    text("object_kind", default=""), text("object", default=""), ref("team", "team", nullable=True), text("outcome"),
    text("origin", default=""), text("details", default="{}"), text("previous"), text("digest"),
    Index(None, "at"), Index(None, "person", "at"), Index(None, "action", "at"),
    Index(None, "object_kind", "object", "at"), Index(None, "team", "at"),
)  # fmt: skip
