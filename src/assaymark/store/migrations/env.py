"""What Alembic runs: always on the connection that `apply.migrate` gives."""

from __future__ import annotations

from alembic import context

from assaymark.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
