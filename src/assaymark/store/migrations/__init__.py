"""The schema's way from release to release, by Alembic, the same on both databases."""
