from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
import sqlalchemy as sa

from assaymark.checks.application.dependencies.matching.matcher import match
from assaymark.checks.application.dependencies.matching.records import Advisory, Affects, Span, package_key
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.versions.keys import ORDERS, key_of
from assaymark.errors import SubjectUnreadable
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.store import affected, components
from assaymark.store.blobs import FolderBlobs
from assaymark.store.database import Database
from assaymark.store.tables import component, holding, package_set, subject

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


# --- laws: the tables answer as the matcher does -----------------------------------------------------------------------


class Shelf:
    """An index of advisories in memory, as the matcher asks it."""

    def __init__(self, affecting: dict[str, tuple[Affects, ...]]) -> None:
        self._affecting = affecting

    def affecting(self, packages: Iterable[str]) -> dict[str, tuple[Affects, ...]]:
        return {name: self._affecting[name] for name in packages if name in self._affecting}

    def about(self, ids: Iterable[str]) -> dict[str, Advisory]:
        return {each: Advisory(each) for each in ids}

    def covers(self, prefix: str) -> bool:
        return True


ECOSYSTEMS = {
    Ecosystem.PYPI: ("1.0", "1", "1.0.post1", "2.0rc1", "2", "odd one", "1!0.1", ""),
    Ecosystem.GITHUB_ACTIONS: ("v4", "4", "v4.1.0", "v4.2", "main", "v5", "v4-beta", "v4.999999999.999999999"),
    Ecosystem.DEBIAN: ("1:2.0-1", "2.0-1+deb12u1", "2.0~rc1-1", "0", "?", "2.0-1"),
    Ecosystem.NUGET: ("1.0.0", "1.0", "1.0.0-beta", "x", "2.1.0.0"),
    Ecosystem.MAVEN: ("1.0", "1.0-SNAPSHOT", "1.0.0", "1-alpha", "2"),
}


def made_up(chance: random.Random) -> tuple[list[PackageSet], dict[str, tuple[Affects, ...]]]:
    """Sets and records of few names and versions, so that they meet."""
    sets, records = [], {}
    for ecosystem, versions in ECOSYSTEMS.items():
        release = "12" if ecosystem is Ecosystem.DEBIAN else ""
        for name in ("lantern", "Bell"):
            said = []
            for number in range(4):
                low, high = (key_of(ecosystem, chance.choice(versions)) for _ in range(2))
                span = Span(low or b"", chance.choice([None, high]), closed=chance.random() < 0.5)
                listed = tuple(chance.sample(versions, chance.randint(0, 2)))
                said.append(Affects(f"CVE-{number}", f"R-{number}", (span,) if chance.random() < 0.7 else (), listed))
            records[package_key(ecosystem, name, release)] = tuple(said)
        for _ in range(6):
            chosen = [
                Package(
                    chance.choice(("lantern", "Bell", "bell")),
                    chance.choice(versions),
                    ecosystem,
                    source=chance.choice((Source.REGISTRY, Source.GIT, Source.URL)),
                    upstream=chance.choice(("", "", "lantern")),
                    upstream_version=chance.choice(("", "", *versions)),
                )
                for _ in range(chance.randint(1, 4))
            ]
            sets.append(PackageSet(tuple(chosen), release=release))
    return sets, records


@pytest.mark.parametrize("seed", range(12))
def test_the_tables_answer_as_the_matcher_does(database: Database, seed: int) -> None:
    sets, records = made_up(random.Random(seed))
    with database.write() as connection:
        numbers = components.add(connection, sets, Instant(1))
        hit = affected.hit_by(connection, records)
    expected: dict[str, set[int]] = {}
    for each in sets:
        for found in match(each, Shelf(records)).hits:
            expected.setdefault(found.advisory, set()).add(numbers[components.set_digest(each)])
    assert hit == {advisory: frozenset(found) for advisory, found in expected.items()}


@pytest.mark.parametrize("ecosystem", list(ORDERS))
def test_every_key_lies_below_the_end_and_fits_into_an_index(ecosystem: Ecosystem) -> None:
    chance = random.Random(1)
    letters = ["0", "9", "a", "z", "A", "Z", ".", "-", "+", "~", "^", ":", "_", "!", "p", "rc", "é", "\U0010ffff", "10"]
    texts = ["".join(chance.choices(letters, k=chance.randint(1, 12))) for _ in range(3000)]
    texts += [
        "1a" * 250,
        "a1" * 250,
        "1." * 249 + "1",
        "a." * 249 + "1",
        "1~" * 249,
        "9" * 250,
        "1.0-" + "a." * 248 + "z",
        "1-" + "0." * 240 + "a",
    ]
    keys = [key for text in texts if (key := key_of(ecosystem, text)) is not None]
    assert keys
    assert all(key < affected.NO_END for key in keys)
    assert max(map(len, keys)) < 2_600  # PostgreSQL's bound of an entry in an index is 2,704


# --- names that no index takes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["a\0b", "x" * 100_000, "\ud800", "é" * 3_000, "' OR 1=1 --", "%s %(a)s ?"])
def test_any_text_can_be_a_name_or_a_version(database: Database, text: str) -> None:
    odd = PackageSet((Package(text, "1.0", Ecosystem.NPM), Package("bell", text, Ecosystem.NPM)))
    with database.write() as connection:
        number = components.add(connection, [odd], Instant(1))[components.set_digest(odd)]
        asked = {"npm/bell": [Affects("CVE-1", "R", versions=(text,))], "npm/lantern": [until("CVE-2", "9")]}
        assert affected.hit_by(connection, asked) == {"CVE-1": {number}}


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_what_nobody_holds_for_long_is_forgotten_and_comes_back_when_it_is_held_again(database: Database, tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    old, kept = pinned("lantern==1"), pinned("bell==1")
    held(database, 10, a=old, b=kept)
    digest = components.keep(blobs, old)
    held(database, 20, b=kept)
    with database.write() as connection:
        assert components.forget(connection, Instant(20)) == ()
    with database.write() as connection:
        assert components.forget(connection, Instant(21)) == (digest,)
    with database.write() as connection:
        components.release(connection, blobs, [digest])
        assert affected.hit_by(connection, {"PyPI/lantern": [until("CVE-1", "2")]}) == {}
        assert components.known_since(connection) == 21
    with pytest.raises(SubjectUnreadable):
        components.kept(blobs, digest)
    held(database, 30, a=old, b=kept)
    with database.write() as connection:
        assert components.keep(blobs, old) == digest
        components.release(connection, blobs, [digest])
        assert list(affected.hit_by(connection, {"PyPI/lantern": [until("CVE-1", "2")]})) == ["CVE-1"]
    assert components.kept(blobs, digest) == old


def test_keys_of_another_scheme_are_written_anew(database: Database, tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path / "blobs")
    packages = pinned("lantern==1", "bell==1")
    with database.write() as connection:
        components.add(connection, [packages], Instant(1))
        components.keep(blobs, packages)
        connection.execute(package_set.update().values(scheme="keys/0"))
        connection.execute(component.update().values(version_key=b"old"))
    with database.write() as connection:
        assert components.refill(connection, blobs) == 1
        assert components.refill(connection, blobs) == 0
        assert list(affected.hit_by(connection, {"PyPI/lantern": [until("CVE-1", "2")]})) == ["CVE-1"]
