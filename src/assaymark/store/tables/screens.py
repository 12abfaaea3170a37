"""What people keep of the pages that they use."""

from __future__ import annotations

from sqlalchemy import Index, Table

from assaymark.store.tables.columns import id_, instant, metadata, ref, text

saved_view = Table(
    "saved_view",  # a list with its filter, under a name
    metadata, id_(), ref("person", "person"), text("audience"),  # own, team, all
    ref("team", "team", nullable=True), text("name"), text("query"), instant("created_at"),
    Index(None, "person", "name", "id"), Index(None, "audience", "team", "name", "id"),
)  # fmt: skip
