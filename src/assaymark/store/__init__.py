"""What the server keeps: tables, migrations, content by digest, and one module of queries per subject matter (SQLite and PostgreSQL)."""
