"""What is in a subject: packages, sets of them, advisories that hit."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, number, ref, text

package = Table(
    "package", metadata, id_(), text("name"),  # as the index of advisories names it
    text("called"),  # its name alone, in small letters: what people ask for
    UniqueConstraint("name"), Index(None, "called"),
)  # fmt: skip

package_set = Table(
    "package_set", metadata, id_(), text("digest"),  # of the set itself, which lies in `blobs`
    text("scheme"),  # of its version keys
    instant("created_at"), instant("forgotten_at", nullable=True), UniqueConstraint("digest"),
)  # fmt: skip

component = Table(
    "component",  # inverted: which sets hold a package in a version, by a key that sorts as versions do
    metadata,
    Column("package", ID, primary_key=True), Column("version_key", LargeBinary, primary_key=True),
    Column("package_set", ID, primary_key=True), Column("version", Text, primary_key=True), Index(None, "package_set"),
    sqlite_with_rowid=False,
)  # fmt: skip

unordered_component = Table(
    "unordered_component", metadata, Column("package", ID, primary_key=True), Column("version", Text, primary_key=True),
    Column("package_set", ID, primary_key=True), Index(None, "package_set"), sqlite_with_rowid=False,
)  # fmt: skip

holding = Table(
    "holding",  # a subject holds a package set at a path, from when to when
    metadata,
    id_(), ref("subject", "subject"), ref("team", "team", nullable=True), ref("package_set", "package_set"), text("path"),
    text("input", default=""),  # digest of the content that names the packages
    instant("opened_at"), instant("closed_at", nullable=True),
    Index(None, "package_set", "closed_at"), Index(None, "subject", "closed_at"),
)  # fmt: skip

advisory_snapshot = Table(
    "advisory_snapshot", metadata, id_(), text("digest"),  # of the compiled index, which lies in `blobs`
    text("snapshot"),  # what the index says of itself: equal for equal advisories
    text("meta"), instant("created_at"), number("news"), number("hits"), UniqueConstraint("digest"),
)  # fmt: skip

advisory_hit = Table(
    "advisory_hit",  # a subject that holds what changed with a snapshot, until it is judged again
    metadata,
    id_(), ref("snapshot", "advisory_snapshot"), ref("subject", "subject"),
    text("advisories"),  # ids, the first of them if there are many
    number("advisory_count"), text("state"),  # waiting, queued, judged
    instant("queued_at", nullable=True), instant("judged_at", nullable=True), ref("assessment", "assessment", nullable=True),
    UniqueConstraint("snapshot", "subject"), Index(None, "state", "id"), Index(None, "subject", "state"),
)  # fmt: skip
