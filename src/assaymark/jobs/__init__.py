"""Work that outlives a process: a port with two adapters (SQLite journal, Procrastinate on PostgreSQL), the worker, and the clock."""
