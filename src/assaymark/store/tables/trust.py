"""Whom this server believes, which keys speak for it, and what it distributes about that. Versions and keys are added, or end."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import id_, instant, metadata, number, ref, text

endorsing_key = Table(
    "endorsing_key",  # keys that endorse for this server: one signs, the others stay for what they signed
    metadata,
    id_(), text("keyid"),  # the public key's fingerprint as SSH writes it
    text("public"),  # PEM
    text("address"),  # where the private one is: `own:` is `sealed`, anything else lies outside
    Column("sealed", LargeBinary, nullable=True),  # by the vault
    instant("created_at"), instant("ended_at", nullable=True), UniqueConstraint("keyid"),
)  # fmt: skip

trust_version = Table(
    "trust_version",  # what an administrator said of others' keys and of the log, as it was at each change
    metadata,
    id_(), instant("at"), ref("person", "person", nullable=True), text("actor"), text("comment", default=""),
    text("stated"),  # `store.trust.Stated`
)  # fmt: skip

trust_role_key = Table(
    "trust_role_key",  # keys of TUF's roles that this server holds; one whose private part was taken off the server has none
    metadata,
    id_(), text("role"), text("keyid"), text("public"), Column("sealed", LargeBinary, nullable=True), instant("created_at"),
    instant("adopted_at", nullable=True),  # when a root that names it was adopted; before, it waits for one
    instant("ended_at", nullable=True), UniqueConstraint("keyid"), Index(None, "role", "id"),
)  # fmt: skip

trust_file = Table(
    "trust_file",  # what is served below /trust/, by its path there
    metadata,
    Column("name", Text, primary_key=True), Column("data", LargeBinary, nullable=False), instant("at"),
    number("kept"),  # 1: of the present state, or a root, which stays for ever; 0: goes after a while, for whoever reads an older one now
    sqlite_with_rowid=False,
)  # fmt: skip
