# ruff: noqa: S608 - what stands in the texts of questions are names of ours, values are parameters
"""Writes which components an endorsement vouches for, so that they are found by name.

Guarantees: part of the caller's transaction; the same endorsement twice changes nothing; says nothing of whether it is valid, which is
asked when a component is (`store.approved`). What is not written yet is not approved yet.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement.components import ComponentKind
from assaymark.model.assessment import Instant, SubjectId
from assaymark.store import bulk, setting_rows
from assaymark.store.component_rows import storable
from assaymark.store.tables import known_component, known_use

_SEEN = "approved.indexed"
_LATER = """ON CONFLICT (kind, name, version) DO UPDATE SET ends_at =
 CASE WHEN excluded.ends_at > known_component.ends_at THEN excluded.ends_at ELSE known_component.ends_at END"""
_COLUMNS = "kind, package, name, called, version, version_key, remark, first_at, ends_at"
_PACKAGES = f"""INSERT INTO known_component ({_COLUMNS})
SELECT 'package', f.package, p.name, p.called, f.version, f.version_key, '', f.first_at, CAST(:ends AS BIGINT) FROM (
 SELECT c.package, c.version_key, c.version, min(s.created_at) AS first_at FROM component c JOIN package_set s ON s.id = c.package_set
 WHERE c.package_set IN ({{sets}}) GROUP BY c.package, c.version_key, c.version
 UNION ALL
 SELECT u.package, :none, u.version, min(s.created_at) FROM unordered_component u JOIN package_set s ON s.id = u.package_set
 WHERE u.package_set IN ({{sets}}) GROUP BY u.package, u.version
) f JOIN package p ON p.id = f.package WHERE 1 = 1 ORDER BY p.name, f.version {_LATER}"""
_USES = """INSERT INTO known_use (component, verified_at, endorsement, expires_at, subject)
SELECT DISTINCT k.id, CAST(:verified AS BIGINT), CAST(:endorsement AS BIGINT), CAST(:ends AS BIGINT), CAST(:subject AS BIGINT) FROM (
 SELECT package, version_key, version FROM component WHERE package_set IN ({sets})
 UNION SELECT package, :none, version FROM unordered_component WHERE package_set IN ({sets})
) f JOIN known_component k ON k.package = f.package AND k.version_key = f.version_key AND k.version = f.version
WHERE 1 = 1 ON CONFLICT DO NOTHING"""
_NAMED = f"""INSERT INTO known_component ({_COLUMNS})
VALUES (:kind, NULL, :name, :called, :version, :none, :remark, :at, :ends) {_LATER}"""
_USE_COLUMNS = ("component", "verified_at", "endorsement", "expires_at", "subject")


class Vouched(Struct, frozen=True):
    """An endorsement that is to be found by what it vouches for."""

    endorsement: int
    verified_at: Instant
    expires_at: Instant
    subject: SubjectId | None = None
    """Which of ours was endorsed."""


class NamedPart(Struct, frozen=True):
    """Something in it that is no package."""

    kind: ComponentKind
    name: str
    """Where it is from: ``<repository>//<path>``, or an image's name."""
    digest: str
    """``<algorithm>:<hex>``."""
    remark: str = ""


def add_packages(connection: sa.Connection, vouched: Vouched, sets: Iterable[int]) -> None:
    """Every package of these package sets."""
    times = {"verified": vouched.verified_at, "ends": vouched.expires_at}
    values = {**times, "endorsement": vouched.endorsement, "subject": vouched.subject, "none": b""}
    for some in bulk.portions(sorted(set(sets)), 500):
        numbers = ",".join(str(int(each)) for each in some)
        for words in (_PACKAGES, _USES):
            text = words.replace("{sets}", numbers)
            connection.execute(sa.text(text), {name: value for name, value in values.items() if f":{name}" in text})


def add_named(connection: sa.Connection, vouched: Vouched, found: Iterable[NamedPart], at: Instant) -> None:
    """Everything else."""
    rows = {(each.kind.value, storable(each.name), each.digest): each for each in found}
    for (kind, name, digest), each in sorted(rows.items()):
        values = {"kind": kind, "name": name, "called": called_of(name), "version": digest, "none": b"", "remark": storable(each.remark)}
        connection.execute(sa.text(_NAMED), {**values, "at": at, "ends": vouched.expires_at})
    k = known_component.c
    numbers: list[int] = []
    for some in bulk.portions(rows, 500):
        numbers += connection.execute(sa.select(k.id).where(sa.tuple_(k.kind, k.name, k.version).in_(some))).scalars()
    uses = ((number, vouched.verified_at, vouched.endorsement, vouched.expires_at, vouched.subject) for number in sorted(numbers))
    bulk.add_unless_there(connection, known_use, _USE_COLUMNS, uses)


def called_of(name: str) -> str:
    """By what people look for it: the last part of its path."""
    return name.rstrip("/").rpartition("/")[2].partition("@")[0].partition(":")[0].lower() or name.lower()


def indexed_up_to(connection: sa.Connection) -> int:
    """Number of the endorsement up to which everything is written."""
    return setting_rows.get(connection, _SEEN, int, 0)


def note_indexed(connection: sa.Connection, number: int, at: Instant) -> None:
    setting_rows.put(connection, _SEEN, number, at)
