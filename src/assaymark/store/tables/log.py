"""The transparency log: lines and whole tiles of the tree, checkpoints, keys that sign them, and where checkpoints were pinned.

Rows are only ever added (`guards`); of a key only its end is written. The first line has the number 0.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import ID, count, id_, instant, metadata, ref, text

log_entry = Table(
    "log_entry", metadata, Column("seq", ID, primary_key=True, autoincrement=False), instant("at"), text("type"),
    text("endorsement"), ref("team", "team", nullable=True),  # of what it is about; who may read it, and no part of the line
    text("line"),  # JSON: the leaf
    Column("leaf", LargeBinary, nullable=False),  # its hash
    Index(None, "type", "seq"), Index(None, "endorsement"), Index(None, "team", "seq"),
)  # fmt: skip

log_subject = Table(
    "log_subject", metadata, Column("digest", Text, primary_key=True), Column("seq", ID, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)  # fmt: skip

log_tile = Table(
    "log_tile",  # whole tiles alone (256 hashes): partial ones are made of lines and roots
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False), Column("number", ID, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False), Column("root", LargeBinary, nullable=False),
)  # fmt: skip

log_checkpoint = Table(
    "log_checkpoint", metadata, id_(), count("size"), Column("root", LargeBinary, nullable=False), instant("at"),
    text("note"),  # signed (C2SP tlog-checkpoint)
    Index(None, "size"),
)  # fmt: skip

log_key = Table(
    "log_key", metadata, id_(), text("name"),  # origin of the log that it signs for
    text("verifier"),  # C2SP: name, id and public key in one line
    Column("sealed", LargeBinary, nullable=False),  # the private one, by the vault
    instant("created_at"), instant("ended_at", nullable=True), UniqueConstraint("verifier"),
)  # fmt: skip

log_pin = Table(
    "log_pin",  # an attempt to put a checkpoint where this installation cannot change it
    metadata,
    id_(), instant("at"), text("place"), count("size"), text("outcome"),  # pinned, failed, differs
    text("detail", default=""), Index(None, "place", "id"),
)  # fmt: skip
