"""Components that anything endorsed ever held, and what vouched for them: an index. Whether one is approved stands nowhere, it is derived.

A copy of an endorsement's times stands with each use, because they are signed and never change; what was withdrawn since is asked of
`endorsement_withdrawal` each time.
"""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, ref, text

_exact = Text().with_variant(Text(collation="C"), "postgresql")  # so that a beginning is a range, whatever the database's language is

known_component = Table(
    "known_component",
    metadata,
    id_(),
    text("kind"),  # `endorsement.components.ComponentKind`
    ref("package", "package", nullable=True),  # of a package
    Column("name", _exact, nullable=False),  # of a package as `package` names it; of others ``<repository>//<path>`` or the image's name
    Column("called", _exact, nullable=False),  # its last part in small letters: what people look for
    Column("version", _exact, nullable=False),  # of others than packages their digest
    Column("version_key", LargeBinary, nullable=False),  # sorts as versions do; empty where there is no order
    text("remark", default=""),  # e.g. the commit where it stands
    instant("first_at"),  # when it was first seen here
    instant("ends_at"),  # when the last endorsement that ever held it ends by itself: what ended then cannot be approved
    UniqueConstraint("kind", "name", "version"), Index(None, "package", "version_key"), Index(None, "called", "version"),
    Index(None, "called", "name", "version_key", "id"), Index(None, "kind", "called", "name", "version_key", "id"),
)  # fmt: skip

known_use = Table(
    "known_use",  # an endorsement vouches for a component
    metadata,
    Column("component", ID, primary_key=True), Column("verified_at", ID, primary_key=True), Column("endorsement", ID, primary_key=True),
    instant("expires_at"),
    ref("subject", "subject", nullable=True),  # that was endorsed, where it is one of ours
    Index(None, "endorsement"), sqlite_with_rowid=False,
)  # fmt: skip
