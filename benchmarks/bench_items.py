"""How long lists and pages of items take, over what `generate_fleet.py` and `generate_items.py` made.

    python benchmarks/bench_items.py <database URL> [--times 30] [--dry]

Wall and CPU time of each question, against 300 ms at p95. The machine may be shared; of PostgreSQL the CPU is the client's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sqlalchemy as sa
from benchmarks.measure import machine, write

from assaymark.model.access import PersonId, TeamId
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.model.cause import CauseKind
from assaymark.model.finding import Kind
from assaymark.model.severity import Severity
from assaymark.store import findings, items
from assaymark.store.database import Database
from assaymark.store.items import Filter, ItemState, Part
from assaymark.store.tables import item, item_span, occurrence

MOST_MS = 300.0


def questions(link: sa.Connection) -> dict[str, Callable[[], Any]]:
    """What pages ask."""
    first, last = link.execute(sa.select(sa.func.min(item_span.c.opened_at), sa.func.max(item_span.c.opened_at))).one()
    long_ago, lately = Instant(first + (last - first) // 5), Instant(last - (last - first) // 100)
    large = link.execute(sa.select(item_span.c.item).where(item_span.c.closed_at.is_(None)).order_by(item_span.c.findings.desc()).limit(1))
    number = int(large.scalar_one())
    home = RepositoryId(link.execute(sa.select(item.c.repository).where(item.c.id == number)).scalar() or 1)
    some = frozenset({TeamId(2), TeamId(3), TeamId(5)})
    asked: dict[str, tuple[frozenset[TeamId] | None, Filter]] = {
        "all": (None, Filter()),
        "mine": (None, Filter(person=PersonId(7))),
        "mine, of my teams": (some, Filter(person=PersonId(7))),
        "nobody's": (None, Filter(unowned=True)),
        "of a team": (frozenset({TeamId(2)}), Filter()),
        "of three teams": (some, Filter()),
        "critical": (None, Filter(least=Severity.CRITICAL)),
        "of a kind": (None, Filter(kinds=(Kind.SECRET,))),
        "of a cause": (None, Filter(causes=(CauseKind.RULE,))),
        "of a repository": (None, Filter(repository=home)),
        "as of long ago": (None, Filter(at=long_ago)),
        "as of lately": (None, Filter(at=lately)),
        "closed": (None, Filter(state=ItemState.CLOSED)),
        "closed as of long ago": (None, Filter(state=ItemState.CLOSED, at=long_ago)),
        "closed of a team": (frozenset({TeamId(2)}), Filter(state=ItemState.CLOSED)),
    }
    found: dict[str, Callable[[], Any]] = {}
    for name, (teams, wanted) in asked.items():
        found[name] = lambda teams=teams, wanted=wanted: items.page(link, teams, wanted)  # type: ignore[misc]
    found["counted"] = lambda: items.count(link, None, Filter())
    found["the fifth page"] = lambda: _fifth(link)
    found["one item, with its findings"] = lambda: _one(link, number)
    return found


def _fifth(link: sa.Connection) -> Any:
    after = None
    for _ in range(5):
        rows, after = items.page(link, None, Filter(), Part(after))
    return rows


def _one(link: sa.Connection, number: int) -> Any:
    ids, _ = items.occurrences_of(link, None, number, Part())
    return items.one(link, number), findings.rows_of(link, ids, None), items.subjects_of(link, None, number), items.history(link, number)


def main() -> None:
    """Ask, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database")
    parser.add_argument("--times", type=int, default=30)
    parser.add_argument("--dry", action="store_true", help="write no result")
    given = parser.parse_args()
    database = Database(given.database)
    found: dict[str, dict[str, float]] = {}
    with database.read() as link:
        sizes = {each.name: link.execute(sa.select(sa.func.count()).select_from(each)).scalar() for each in (occurrence, item, item_span)}
        for name, ask in questions(link).items():
            walls, cpus = [], []
            for _ in range(given.times):
                wall, cpu = time.perf_counter(), time.process_time()
                ask()
                walls.append((time.perf_counter() - wall) * 1000)
                cpus.append((time.process_time() - cpu) * 1000)
            p95 = sorted(walls)[int(len(walls) * 0.95)]
            median = statistics.median(walls)
            found[name] = {"median_ms": round(median, 1), "p95_ms": round(p95, 1), "cpu_ms": round(statistics.median(cpus), 1)}
            print(f"{name:32} median {median:7.1f} ms   p95 {p95:7.1f} ms   cpu {statistics.median(cpus):7.1f} ms")
    database.close()
    over = [name for name, each in found.items() if each["p95_ms"] > MOST_MS]
    print(f"over {MOST_MS:.0f} ms at p95: {', '.join(over) or 'none'}")
    if not given.dry:
        write(f"items_{database.engine.dialect.name}", machine(), {"rows": sizes, "questions": found})


if __name__ == "__main__":
    main()
