"""What people say: comments, and reports from whoever found something."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Table, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, number, ref, text

comment = Table(
    "comment",  # one version of a comment: an edit is another row, and so is taking it back
    metadata,
    id_(),
    text("about"),  # finding, subject, assessment, item
    Column("number", BigInteger, nullable=False),  # of that thing
    ref("team", "team", nullable=True),  # who may read it
    ref("person", "person"),
    Column("first", ID, nullable=True),  # of later versions: the row in which the comment began
    text("text"),  # empty: taken back
    instant("at"),
    Index("ix_comment_thread", "about", "number", "id", sqlite_where=sa.text("first IS NULL"), postgresql_where=sa.text("first IS NULL")),
    Index(None, "first", "id"),
)

mention = Table(
    "mention",  # somebody is named in a comment
    metadata, id_(), ref("comment", "comment"), ref("person", "person"), instant("at"),
    UniqueConstraint("comment", "person"), Index(None, "person", "id"),
)  # fmt: skip

report_link = Table(
    "report_link",  # an address by which anybody may report something to a team
    metadata, id_(), text("hash"), text("hint"), text("name"), ref("team", "team", nullable=True), ref("person", "person"),
    instant("created_at"), instant("revoked_at", nullable=True), UniqueConstraint("hash"), Index(None, "team", "id"),
)  # fmt: skip

report = Table(
    "report",  # what somebody reported; its words never change, its state does
    metadata,
    id_(),
    ref("link", "report_link"), ref("team", "team", nullable=True),
    text("hash"),  # of the secret by which whoever sent it follows it
    text("what"), text("place", default=""), text("steps", default=""), text("contact", default=""),
    text("state"),  # open, accepted, merged, refused, repaired
    instant("at"), instant("changed_at"),
    ref("finding", "finding", nullable=True), ref("subject", "subject", nullable=True),
    number("messages"),
    UniqueConstraint("hash"), Index(None, "state", "id"), Index(None, "team", "state", "id"),
)  # fmt: skip

report_entry = Table(
    "report_entry",  # what was said and decided about a report, in order
    metadata, id_(), ref("report", "report"), instant("at"),
    ref("person", "person", nullable=True),  # none: whoever reported it
    text("state", default=""),  # what it became; empty for words alone
    text("text", default=""), Index(None, "report", "id"),
)  # fmt: skip
