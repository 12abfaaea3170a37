from __future__ import annotations

import sqlalchemy as sa

from assaymark.checks.application.dependencies.matching.records import Affects, Span
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.store import affected, components
from assaymark.store.database import Database
from assaymark.store.tables import component, holding, subject

INPUT = Digest("git-sha1:" + "0" * 40)


def pinned(*pairs: str, ecosystem: Ecosystem = Ecosystem.PYPI) -> PackageSet:
    named = (pair.partition("==") for pair in pairs)
    return PackageSet(tuple(Package(name, version, ecosystem) for name, _, version in named))


def until(advisory: str, version: str, ecosystem: Ecosystem = Ecosystem.PYPI, *, closed: bool = False, low: str = "") -> Affects:
    start = key_of(ecosystem, low) if low else b""
    return Affects(advisory, f"record of {advisory}", (Span(start or b"", key_of(ecosystem, version), closed=closed),))


def held(database: Database, at: int, **sets: PackageSet) -> None:
    """Subject 1 holds these."""
    with database.write() as connection:
        if connection.execute(sa.select(subject.c.id)).first() is None:
            connection.execute(subject.insert(), {"id": 1, "kind": "branch", "key": "1", "name": "main", "created_at": 0})
        components.hold(connection, SubjectId(1), None, {path: (INPUT, each) for path, each in sets.items()}, Instant(at))


def intervals(database: Database) -> list[tuple[str, int, int | None]]:
    with database.read() as connection:
        query = sa.select(holding.c.path, holding.c.opened_at, holding.c.closed_at).order_by(holding.c.id)
        return [tuple(row) for row in connection.execute(query)]


def test_keeping_a_set_twice_changes_nothing(database: Database) -> None:
    with database.write() as connection:
        one = components.add(connection, [pinned("lantern==1.0")], Instant(1))
    with database.write() as connection:
        again = components.add(connection, [pinned("lantern==1.0"), pinned("lantern==1.0")], Instant(2))
        assert connection.execute(sa.select(sa.func.count()).select_from(component)).scalar_one() == 1
    assert one == again


def test_a_subject_holds_what_it_is_said_to_hold_from_then_on(database: Database) -> None:
    held(database, 10, a=pinned("lantern==1.0"), b=pinned("bell==1"))
    held(database, 20, a=pinned("lantern==1.0"), b=pinned("bell==2"))
    held(database, 30)
    assert intervals(database) == [("a", 10, 30), ("b", 10, 20), ("b", 20, 30)]


def test_the_answer_is_by_range_by_list_and_by_word(database: Database) -> None:
    sets = {
        "a": pinned("lantern==1.0", "bell==1.0.0"),
        "b": pinned("lantern==3", "bell==odd-one"),
        "c": pinned("lantern==3.1", "bell==2.0"),
        "d": pinned("lantern==legacy-x"),
    }
    with database.write() as connection:
        numbers = components.add(connection, sets.values(), Instant(1))
        names = {numbers[components.set_digest(each)]: name for name, each in sets.items()}
        asked = {
            "PyPI/lantern": [until("CVE-2", "3", closed=True, low="1.5"), Affects("CVE-2", "listed", versions=("legacy-x",))],
            "PyPI/bell": [Affects("CVE-3", "GHSA-3", versions=("1.0", "odd-one"))],
            "PyPI/nobody-has-it": [until("CVE-4", "9")],
        }
        hit = affected.hit_by(connection, asked)
    assert {advisory: {names[number] for number in found} for advisory, found in hit.items()} == {"CVE-2": {"b", "d"}, "CVE-3": {"a", "b"}}
