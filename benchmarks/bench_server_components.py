"""Two million components of ten thousand subjects: filling, a new advisory, a thousand of them, and "am I affected", on both databases.

Made up (seeded), in the shape of a large organisation: every subject holds one package set of 200 components out of 20,000 packages of npm
in six versions each, held four others before (closed intervals of five years), and every second one holds the package `popular`. Matching
is what a new advisory costs before anything is told or judged: the question to the tables and its answer in this process. "Am I affected"
is a page of 100 with the count beside it, through the index of advisories, for the package that half of all subjects hold, now and as of a
day two years ago. Wall milliseconds and the CPU milliseconds of this process; on PostgreSQL the server's own CPU is not in the latter.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure

from assaymark.advisories.archives import Raw
from assaymark.advisories.compiling import Collection
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.records import Affects, Span, package_key
from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.model.assessment import Instant
from assaymark.store import affected, bulk, components, whereabouts
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate
from assaymark.store.tables import holding, subject
from assaymark.store.wanted import question_of, wanted
from assaymark.store.whereabouts import Scope

DAY = 86_400 * 1_000_000
YEARS = 5 * 365
AT_ONCE = 250
"""Package sets of one transaction."""


def version(chance: random.Random) -> str:
    return f"{chance.randint(0, 9)}.{chance.randint(0, 30)}.{chance.randint(0, 20)}"


class Fleet:
    """What everybody holds."""

    def __init__(self, subjects: int, components_: int) -> None:
        self.subjects, self.size = subjects, components_
        self.chance = random.Random(20261128)
        self.names = [f"package-{number}" for number in range(20_000)]
        self.every = [Package(name, version(self.chance), Ecosystem.NPM) for name in self.names for _ in range(6)]
        self.popular = [Package("popular", version(self.chance), Ecosystem.NPM) for _ in range(40)]

    def sets(self) -> Iterator[PackageSet]:
        for number in range(self.subjects):
            chosen = self.chance.sample(self.every, self.size - number % 2)
            yield PackageSet((*chosen, self.chance.choice(self.popular)) if number % 2 else tuple(chosen))


def fill(database: Database, fleet: Fleet) -> dict[str, Any]:
    """Subjects with sets, in transactions of a few hundred, as an import would; then their past."""
    start, cpu = time.perf_counter(), time.process_time()
    numbers: list[int] = []
    for some in bulk.portions(fleet.sets(), AT_ONCE):
        with database.write() as connection:
            found = components.add(connection, some, Instant(0))
            numbers += [found[components.set_digest(each)] for each in some]
    filled, spent = time.perf_counter() - start, time.process_time() - cpu
    with database.write() as connection:
        columns = ("kind", "key", "name", "created_at")
        bulk.add(connection, subject, columns, (("branch", f"{n}", f"group/project-{n}", 0) for n in range(fleet.subjects)))
        ids = list(connection.execute(sa.select(subject.c.id).order_by(subject.c.id)).scalars())
        bulk.add(connection, holding, ("subject", "package_set", "path", "opened_at", "closed_at"), _past(fleet, ids, numbers))
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")  # autovacuum does this within minutes
    rows = fleet.subjects * fleet.size
    return {
        "components": rows, "subjects": fleet.subjects, "holdings": fleet.subjects * 5, "fill_s": round(filled, 1),
        "fill_cpu_s": round(spent, 1), "components_per_s": round(rows / filled), "mib": round(_size(database) / (1 << 20)),
        "most_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def _past(fleet: Fleet, ids: list[int], numbers: list[int]) -> Iterator[tuple[int, int, str, int, int | None]]:
    for at, number in zip(ids, numbers, strict=True):
        ends = sorted(fleet.chance.sample(range(1, YEARS), 4))
        starts = [0, *ends]
        for opened, closed in zip(starts, [*ends, None], strict=True):
            which = number if closed is None else fleet.chance.choice(numbers)
            yield at, which, "package-lock.json", opened * DAY, None if closed is None else closed * DAY


def _size(database: Database) -> int:
    if database.is_sqlite:
        return Path(str(database.url.database)).stat().st_size
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())


def rounds(work: Callable[[], object], count: int) -> dict[str, float]:
    """Milliseconds: the first, and what the rest took."""
    wall, cpu = [], []
    for _ in range(count):
        start, spent = time.perf_counter(), time.process_time()
        work()
        wall.append((time.perf_counter() - start) * 1000)
        cpu.append((time.process_time() - spent) * 1000)
    rest = sorted(wall[1:])
    return {
        "first_ms": round(wall[0], 1), "median_ms": round(statistics.median(rest), 1), "p95_ms": round(rest[int(len(rest) * 0.95)], 1),
        "least_ms": round(rest[0], 1), "cpu_ms": round(statistics.median(cpu[1:]), 1),
    }  # fmt: skip


def one(name: str, top: str) -> dict[str, tuple[Affects, ...]]:
    return {package_key(Ecosystem.NPM, name): (Affects("CVE-1", "GHSA-1", (Span(b"", key_of(Ecosystem.NPM, top), fixed=top),)),)}


def thousand(fleet: Fleet) -> dict[str, tuple[Affects, ...]]:
    asked: dict[str, tuple[Affects, ...]] = {}
    for number in range(1_000):
        top = version(fleet.chance) if number % 2 else f"0.{fleet.chance.randint(1, 30)}.0"
        key = package_key(Ecosystem.NPM, fleet.chance.choice(fleet.names))
        span = Span(b"", key_of(Ecosystem.NPM, top), fixed=top)
        asked[key] = (*asked.get(key, ()), Affects(f"CVE-{number}", f"GHSA-{number}", (span,)))
    return asked


def published(folder: Path, top: str) -> Index:
    """An index that holds an advisory about the package that half of all hold, among others."""
    collection = Collection()
    for number, name in enumerate(["popular", *(f"package-{n}" for n in range(5_000))]):
        events = [{"introduced": "0"}, {"fixed": top}]
        row = {"package": {"ecosystem": "npm", "name": name}, "ranges": [{"type": "SEMVER", "events": events}]}
        record = {"id": f"GHSA-{number}", "aliases": [f"CVE-2026-{number}"], "affected": [row]}
        collection.add(Raw(f"{number}.json", json.dumps(record).encode()))
    path = folder / "index.db"
    collection.write(path, {}, {}, {"compiled": "", "from": "", "sources": "{}"})
    return Index(str(path))


def figures(database: Database, folder: Path, *, subjects: int = 10_000, size: int = 200, count: int = 40) -> dict[str, Any]:
    """Everything, on one database."""
    migrate(database)
    fleet = Fleet(subjects, size)
    found = fill(database, fleet)
    index = published(folder, "8.0.0")
    many, popular, rare = thousand(fleet), one("popular", "8.0.0"), one("package-7", "8.0.0")
    measure.as_served()

    def hit(asked: dict[str, tuple[Affects, ...]]) -> int:
        with database.read() as connection:
            return sum(map(len, affected.hit_by(connection, asked).values()))

    def am_i(scope: Scope) -> int:
        with database.read() as connection:
            whereabouts.affected_by(connection, ["CVE-2026-0"], index, scope)
            return whereabouts.count_affected(connection, ["CVE-2026-0"], index, scope)

    def where() -> int:
        with database.read() as connection:
            question = question_of(connection, wanted("popular", ">=2,<9"))
            whereabouts.where(connection, question, Scope())
            return whereabouts.count(connection, question, Scope())

    past = Scope(as_of=Instant(3 * 365 * DAY))
    cases: dict[str, tuple[Callable[[], int], int]] = {
        "advisory_of_popular_package": (lambda: hit(popular), count),
        "advisory_of_rare_package": (lambda: hit(rare), count),
        "thousand_advisories": (lambda: hit(many), max(count // 4, 5)),
        "am_i_affected": (lambda: am_i(Scope()), count),
        "am_i_affected_two_years_ago": (lambda: am_i(past), count),
        "where_is_popular": (where, count),
    }
    for name, (work, times) in cases.items():
        found[name] = {"answers": work(), **rounds(work, times)}
        print(f"    {name:28} {found[name]}", flush=True)
    return found


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """A server of our own on a unix socket, with its settings as installed; None without one on this machine."""
    from tests.conftest import Cluster, _programs  # noqa: PLC0415 - needs pytest, which the rest of this program does not

    programs = _programs()
    if programs is None:
        yield None
        return
    cluster = Cluster(folder / "pg", programs)
    folder.chmod(0o755)
    cluster.start()
    try:
        cluster.ask("CREATE DATABASE fleet TEMPLATE template0")
        yield cluster.url("fleet")
    finally:
        cluster.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    parser.add_argument("--subjects", type=int, default=10_000, help="of 200 components each")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    facts = measure.announce("components: what a new advisory and 'am I affected' cost over two million")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        print("  SQLite", flush=True)
        database = Database(f"sqlite:///{folder / 'assaymark.db'}")
        found["sqlite"] = figures(database, folder, subjects=options.subjects, count=options.rounds)
        database.close()
        with postgres(folder) as url:
            if url is None:
                print("  PostgreSQL is not installed", flush=True)
            else:
                print("  PostgreSQL", flush=True)
                database = Database(url)
                found["postgresql"] = figures(database, folder, subjects=options.subjects, count=options.rounds)
                database.close()
    for each, values in found.items():
        print(f"  {each}: {values}")
    if not options.dry:
        measure.write("server_components", facts, found)


if __name__ == "__main__":
    main()
