"""The one SQLite file."""

import sqlite3

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, shop TEXT NOT NULL, customer TEXT NOT NULL, status TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS lines (
    number INTEGER NOT NULL REFERENCES orders, article TEXT NOT NULL, count INTEGER NOT NULL, price INTEGER NOT NULL, weight INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS orders_by_shop ON orders (shop, status);
"""


def connect(path=":memory:"):
    connection = sqlite3.connect(path, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.executescript(SCHEMA)
    return connection
