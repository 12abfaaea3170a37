"""Search by words in where and what an occurrence is: its path, rule and message, none of which ever changes.

SQLite keeps an FTS5 table that a trigger fills, PostgreSQL a GIN index. Guarantees: what is typed is cut into words of letters and digits
first, at most `MOST_WORDS` of bounded length, and handed over as values: nobody can write a pattern, a wildcard or an operator.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.dialects.postgresql import TSVECTOR

from assaymark.store import bulk
from assaymark.store.narrowing import unled
from assaymark.store.tables import occurrence

MOST_WORDS = 8
LONGEST_WORD = 64
LONGEST_TEXT = 2_000
FEW = 20_000
"""Up to here a list starts from the matches and sorts them; above it walks in its order and reads until a page is full."""
_WORD = re.compile(r"[^\W_]+")
_TABLE = "occurrence_text"
_VECTOR = "to_tsvector('simple'::regconfig, regexp_replace(path || ' ' || rule || ' ' || message, '[^[:alnum:]]+', ' ', 'g'))"


def statements(dialect: str) -> list[str]:
    """What makes the index, for the migrations."""
    if dialect != "sqlite":
        return [f"CREATE INDEX ix_{_TABLE} ON occurrence USING gin ({_VECTOR})"]
    options = "content='', columnsize=0, detail=none, prefix='1 2 3', tokenize='unicode61 remove_diacritics 0'"
    adding = f"INSERT INTO {_TABLE} (rowid, text) VALUES (NEW.id, NEW.path || ' ' || NEW.rule || ' ' || NEW.message)"  # noqa: S608 - names of ours
    return [
        f"CREATE VIRTUAL TABLE {_TABLE} USING fts5(text, {options})",
        f"CREATE TRIGGER occurrence_worded AFTER INSERT ON occurrence BEGIN {adding}; END",
    ]


def words(text: str) -> list[str]:
    """What is looked for."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(text[:LONGEST_TEXT].lower())][:MOST_WORDS]


class Wording(Struct, frozen=True):
    """Words that are looked for."""

    words: tuple[str, ...]
    condition: sa.ColumnElement[bool]
    """Whether an occurrence holds them all, the last of which may go on."""
    is_few: bool
    """It is known that few occurrences do."""

    def held(self, connection: sa.Connection, ids: Sequence[int]) -> set[int]:
        """Those of these occurrences that do."""
        c = occurrence.c
        query = sa.select(c.id, c.path, c.rule, c.message).where(bulk.among(connection, c.id, ids))
        return {row[0] for row in connection.execute(query) if holds(" ".join(row[1:]), self.words)} if ids else set()


def holds(text: str, wanted: Sequence[str]) -> bool:
    """Whether the text holds all the words; the last one may go on."""
    lower = text.lower()
    if not all(word in lower for word in wanted):
        return False
    there = set(_WORD.findall(lower))
    return all(word in there for word in wanted[:-1]) and any(word.startswith(wanted[-1]) for word in there)


def look(connection: sa.Connection, text: str) -> Wording:
    """What the text asks for; nothing holds a text without a letter or digit."""
    found = tuple(words(text))
    if not found:
        return Wording(found, sa.false(), is_few=True)
    if not bulk.is_sqlite(connection):
        asked = " & ".join(f"'{word}'" for word in found) + ":*"
        query = sa.func.to_tsquery(sa.literal_column("'simple'::regconfig"), asked)
        matches = sa.literal_column(_VECTOR, TSVECTOR).op("@@", is_comparison=True)(query)
        return Wording(found, matches, is_few=_expected(connection, sa.select(sa.literal(1)).select_from(occurrence).where(matches)) <= FEW)
    table = sa.table(_TABLE, sa.column("rowid"), sa.column(_TABLE))
    asked = " ".join(f'"{word}"' for word in found) + "*"
    hits = sa.select(table.c.rowid).where(table.c[_TABLE].op("MATCH")(asked))
    ids = [row[0] for row in connection.execute(hits.limit(FEW + 1))]
    if len(ids) <= FEW:
        return Wording(found, bulk.among(connection, occurrence.c.id, ids), is_few=True)
    return Wording(found, unled(occurrence.c.id).in_(hits), is_few=False)


def _expected(connection: sa.Connection, asked: sa.Select[Any]) -> int:
    """How many rows PostgreSQL thinks there are: finding out would cost more than the page."""
    compiled = asked.compile(connection, compile_kwargs={"render_postcompile": True})
    plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {compiled}", compiled.params).scalar_one()
    return int(plan[0]["Plan"]["Plan Rows"])
