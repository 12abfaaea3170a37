"""Settings that people change while the server runs."""

from __future__ import annotations

from sqlalchemy import Column, Table, Text

from assaymark.store.tables.columns import instant, metadata, text

setting = Table("setting", metadata, Column("name", Text, primary_key=True), text("value"), instant("changed_at"))
