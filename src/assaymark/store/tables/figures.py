"""What figures are read from: sums of finished days, what was promised, reports as they were issued. Rows here are only ever added.

Guarantees of whoever writes them: a day's row is written once, after the day is over (`store.figure_days`); a promise is followed by a
later one and never edited; of a report only its links end.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, ref, text

figure_day = Table(
    "figure_day",  # what stood at the end of a day: a row per team (0: everything) and layer (empty: what verdicts say)
    metadata,
    Column("team", ID, primary_key=True, autoincrement=False), Column("layer", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),  # since 1970, in UTC
    text("counted"), sqlite_with_rowid=False,
)  # fmt: skip

subject_past = Table(
    "subject_past",  # to whom a subject belonged, and whether it had ended, until then: written when one of them changes
    metadata,
    id_(), ref("subject", "subject"), instant("until"), ref("team", "team", nullable=True), instant("ended_at", nullable=True),
    Index(None, "until"), Index(None, "subject", "until"),
)  # fmt: skip

promise = Table(
    "promise",  # within how many days what is found is to be gone, and the risk level that was chosen; by a team, or (null) by all
    metadata,
    id_(), instant("at"), ref("team", "team", nullable=True),
    text("terms"),  # `store.promises.Terms`; empty: what holds for all holds for this team again
    ref("person", "person", nullable=True), Index(None, "at", "id"),
)  # fmt: skip

issued_report = Table(
    "issued_report",  # as it was issued: digests of what lies in `blobs`
    metadata,
    id_(), instant("issued_at"), instant("as_of"), ref("team", "team", nullable=True), text("cause", default=""),
    ref("person", "person", nullable=True), text("html"), text("pdf", default=""), text("figures"), text("envelope"), text("keyid"),
    Index(None, "team", "as_of"), Index(None, "as_of"),
)  # fmt: skip

issued_report_link = Table(
    "issued_report_link",  # lets whoever has it read one report for a while
    metadata,
    id_(), text("hash"), ref("report", "issued_report"), ref("person", "person", nullable=True), instant("created_at"),
    instant("expires_at"), instant("revoked_at", nullable=True), UniqueConstraint("hash"), Index(None, "report", "id"),
)  # fmt: skip

signing_key = Table(
    "signing_key", metadata, id_(), text("keyid"),  # the public key's fingerprint as SSH writes it
    text("public"),  # PEM
    Column("sealed", LargeBinary, nullable=False),  # the private one, by the vault
    instant("created_at"), instant("ended_at", nullable=True), UniqueConstraint("keyid"),
)  # fmt: skip
