from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from assaymark.advisories.archives import Raw
from assaymark.advisories.compiling import Collection
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.errors import UsageError
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.store import components, whereabouts
from assaymark.store.database import Database
from assaymark.store.tables import subject, team
from assaymark.store.wanted import question_of, wanted
from assaymark.store.whereabouts import Scope

INPUT = Digest("git-sha1:" + "0" * 40)


def record(number: int, package: str, *events: dict[str, str], ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    kind = "SEMVER" if ecosystem == "npm" else "ECOSYSTEM"
    affected = {"package": {"ecosystem": ecosystem, "name": package}, "ranges": [{"type": kind, "events": list(events)}]}
    return {"id": f"GHSA-{number}", "aliases": [f"CVE-2026-{number}"], "affected": [affected | more]}


def until(version: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"introduced": "0"}, {"fixed": version}


def an_index(folder: Path, *records: Mapping[str, Any]) -> Index:
    collection = Collection()
    for number, each in enumerate(records):
        collection.add(Raw(f"{number}.json", json.dumps(each).encode()))
    collection.write(folder / "index.db", {}, {}, {"compiled": "", "from": "", "sources": "{}"})
    return Index(str(folder / "index.db"))


def pinned(*pairs: str, ecosystem: Ecosystem = Ecosystem.PYPI, release: str = "") -> PackageSet:
    named = (pair.partition("==") for pair in pairs)
    return PackageSet(tuple(Package(name, version, ecosystem) for name, _, version in named), release=release)


def subjects(database: Database, at: int, held: Mapping[int, Mapping[str, PackageSet]], teams: Mapping[int, int] | None = None) -> None:
    """Subject -> path -> what it holds from `at` on."""
    teams = teams or {}
    with database.write() as connection:
        for number in set(teams.values()):
            connection.execute(team.insert(), {"id": number, "slug": f"t{number}", "name": "", "created_at": 0})
        known = set(connection.execute(sa.select(subject.c.id)).scalars())
        for number, sets in held.items():
            if number not in known:
                row = {"id": number, "kind": "branch", "key": str(number), "name": f"s{number}", "team": teams.get(number), "created_at": 0}
                connection.execute(subject.insert(), row)
            which = {path: (INPUT, packages) for path, packages in sets.items()}
            mine = TeamId(teams[number]) if number in teams else None
            components.hold(connection, SubjectId(number), mine, which, Instant(at))


def places(
    database: Database, text: str, version: str = "", *, ecosystem: str = "", scope: Scope | None = None
) -> list[tuple[int, str, str]]:
    with database.read() as connection:
        question = question_of(connection, wanted(text, version, ecosystem))
        return [(row.subject, row.path, row.version) for row in whereabouts.where(connection, question, scope or Scope())]


def test_an_advisory_finds_whom_it_affects_by_any_of_its_ids(database: Database, tmp_path: Path) -> None:
    subjects(database, 1, {1: {"a": pinned("lantern==1.0")}, 2: {"b": pinned("lantern==2.0")}, 3: {"c": pinned("bell==1.0")}})
    index = an_index(tmp_path, record(1, "lantern", *until("1.5")), record(2, "lantern", *until("9")))
    for id_ in ("CVE-2026-1", "cve-2026-1", "GHSA-1"):
        with database.read() as connection:
            (found,) = whereabouts.affected_by(connection, [id_], index, Scope())
            assert whereabouts.count_affected(connection, [id_], index, Scope()) == 1
        assert (found.held.subject, found.held.path, found.held.version) == (1, "a", "1.0")
        assert (found.advisories, found.fixed) == (("CVE-2026-1",), "1.5")


def test_an_id_that_nobody_published_affects_nobody(database: Database, tmp_path: Path) -> None:
    subjects(database, 1, {1: {"a": pinned("lantern==1.0")}})
    with database.read() as connection:
        assert whereabouts.affected_by(connection, ["CVE-1999-1"], an_index(tmp_path, record(1, "lantern", *until("1.5"))), Scope()) == []


def test_every_answer_can_be_given_as_of_a_day(database: Database, tmp_path: Path) -> None:
    subjects(database, 10, {1: {"a": pinned("lantern==1.0")}})
    subjects(database, 20, {1: {"a": pinned("lantern==1.7")}})
    index = an_index(tmp_path, record(1, "lantern", *until("1.5")))
    seen = {}
    with database.read() as connection:
        for day in (9, 10, 19, 20, None):
            scope = Scope(as_of=None if day is None else Instant(day))
            seen[day] = [row.held.version for row in whereabouts.affected_by(connection, ["GHSA-1"], index, scope)]
    assert seen == {9: [], 10: ["1.0"], 19: ["1.0"], 20: [], None: []}
    assert places(database, "lantern", scope=Scope(as_of=Instant(15))) == [(1, "a", "1.0")]


def test_nobody_sees_what_other_teams_hold(database: Database) -> None:
    held = {number: {"a": pinned("lantern==1.0")} for number in (1, 2, 3)}
    subjects(database, 1, held, {1: 7, 2: 8})
    assert [row[0] for row in places(database, "lantern")] == [1, 2, 3]
    assert [row[0] for row in places(database, "lantern", scope=Scope(teams=frozenset({TeamId(7)})))] == [1]
    assert places(database, "lantern", scope=Scope(teams=frozenset())) == []


def test_a_list_goes_on_after_its_last_row_without_gap_or_repetition(database: Database) -> None:
    held = {number: {path: pinned("lantern==1.0", "lantern==2.0", "lantern==odd one") for path in "ab"} for number in range(1, 5)}
    subjects(database, 1, held)
    with database.read() as connection:
        question = question_of(connection, wanted("lantern"))
        whole = whereabouts.where(connection, question, Scope())
        parts, after = [], None
        while page := whereabouts.where(connection, question, Scope(after=after, limit=5)):
            parts += page
            after = page[-1].cursor
        assert whereabouts.count(connection, question, Scope()) == 4
    assert len(whole) == 24
    assert parts == whole


@pytest.mark.parametrize(
    ("text", "version", "expected"),
    [
        ("lantern", "", [1, 2, 3]),
        ("Lantern", "1.0.0", [1]),
        ("pkg:pypi/lantern@1.0", "", [1]),
        ("pkg:pypi/lantern", ">=1.0,<2.5", [1, 2]),
        ("lantern", ">1.0", [2]),
        ("lantern", "<= 2.0", [1, 2]),
        ("lantern", "odd-one", [3]),
        ("nothing-of-this-name", "", []),
    ],
)
def test_a_package_is_found_by_name_or_url_and_version_or_range(database: Database, text: str, version: str, expected: list[int]) -> None:
    versions = {1: "1.0", 2: "2.0", 3: "odd-one"}
    subjects(database, 1, {number: {"a": pinned(f"lantern=={each}")} for number, each in versions.items()})
    assert [row[0] for row in places(database, text, version)] == expected


def test_a_name_is_sought_in_every_ecosystem_unless_one_is_named(database: Database) -> None:
    subjects(database, 1, {1: {"a": pinned("bell==1.0")}, 2: {"a": pinned("bell==1.0.0", ecosystem=Ecosystem.NPM)}})
    assert [row[0] for row in places(database, "bell", "1.0.0")] == [1, 2]
    assert [row[0] for row in places(database, "bell", ecosystem="npm")] == [2]
    with pytest.raises(UsageError, match="no ecosystem"):
        places(database, "bell", ecosystem="abacus")


def test_a_distributions_package_is_found_by_its_own_name_and_by_its_source(database: Database, tmp_path: Path) -> None:
    library = Package("libbell3", "3.0-1", Ecosystem.DEBIAN, upstream="bell", upstream_version="1:3.0-1")
    subjects(database, 1, {1: {"status": PackageSet((library,), release="12")}})
    assert places(database, "libbell3") == [(1, "status", "3.0-1")]
    assert places(database, "pkg:deb/debian/libbell3?distro=debian-12") == [(1, "status", "3.0-1")]
    assert places(database, "pkg:deb/debian/libbell3?distro=debian-11") == []
    assert places(database, "bell") == [(1, "status", "1:3.0-1")]
    index = an_index(tmp_path, record(1, "bell", *until("1:3.0-2"), ecosystem="Debian:12"))
    with database.read() as connection:
        (found,) = whereabouts.affected_by(connection, ["GHSA-1"], index, Scope())
    assert (found.held.package, found.held.version, found.fixed) == ("Debian:12/bell", "1:3.0-1", "1:3.0-2")


@pytest.mark.parametrize(
    ("text", "version"),
    [("", ""), ("  ", ""), ("pkg:", ""), ("pkg:oci/x", ""), ("lantern", ">= what,ever"), ("lantern", "1,2 3"), ("x" * 3000, "")],
)
def test_what_cannot_be_understood_is_refused(database: Database, text: str, version: str) -> None:
    subjects(database, 1, {1: {"a": pinned("lantern==1.0")}})
    with pytest.raises(UsageError):
        places(database, text, version)
