"""Write the first migration anew from the tables, as long as no release holds it; later each change is a migration of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from assaymark.store.tables import metadata

FILE = Path(__file__).resolve().parents[1] / "src/assaymark/store/migrations/versions/0001_first.py"
HEAD = '''"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from assaymark.store import fulltext
from assaymark.store.guards import statements

revision = "0001"
down_revision = None


def upgrade() -> None:  # noqa: PLR0915 - one statement per table
    """Make every table, then the guards."""
'''
TAIL = """    escape = "%" if op.get_bind().dialect.name == "sqlite" else "%%"  # psycopg reads a lone one as a parameter
    for statement in (*statements(op.get_bind().dialect.name), *fulltext.statements(op.get_bind().dialect.name)):
        op.get_bind().exec_driver_sql(statement.replace("%", escape))
"""


def main() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        context = MigrationContext.configure(connection)
        made = produce_migrations(context, metadata)
    if made.upgrade_ops is None:
        raise SystemExit("the tables give no operations")
    body = render_python_code(made.upgrade_ops, migration_context=context)
    lines = [line if line.startswith("    ") or not line else f"    {line}" for line in body.splitlines() if "# ###" not in line]
    FILE.write_text(HEAD + "\n".join(lines) + "\n" + TAIL, "utf-8")
    subprocess.run([str(Path(sys.executable).with_name("ruff")), "format", "--quiet", str(FILE)], check=True)


if __name__ == "__main__":
    main()
