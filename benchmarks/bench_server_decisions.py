"""What decisions cost: recording with none and with 10,000 of them, a decision that covers 10,000 occurrences, and the pages about them.

    python benchmarks/bench_server_decisions.py [--findings N] [--decisions N] [--rounds N] [--postgres] [--dry]

Over a fleet of 1,000,000 findings and 10,000 subjects (`generate_fleet.py`). Recordings with and without decisions are interleaved, in
transactions that are taken back, so that load and caches are shared; CPU of this process is beside the clock, because a machine has other
work. Budgets: recording at most 10 % slower; a decision over 10,000 occurrences in bounded memory.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import gc
import random
import resource
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure
from benchmarks.bench_server_components import postgres
from benchmarks.generate_fleet import NOW, Plan, generate
from tests.store.recording_samples import seen, verdict

from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.decision import DecisionKind, Scope
from assaymark.model.severity import Severity
from assaymark.model.verdict import Verdict
from assaymark.store import deciding, decision_debt, decisions, recording
from assaymark.store.database import Database
from assaymark.store.decisions import By, Draft, Filter
from assaymark.store.migrations.apply import migrate
from assaymark.store.recording import Recording, record
from assaymark.store.tables import decision, finding, occurrence, repository, subject

AT = Instant(NOW + 1)
UNTIL = decisions.day_of(AT) + dt.timedelta(days=90)
SIZES = (20, 500, 5_000)


class Undo(Exception):  # noqa: N818 - it is no error
    """Takes a transaction back."""


@contextlib.contextmanager
def taken_back(database: Database) -> Iterator[sa.Connection]:
    """A transaction that leaves nothing."""
    with contextlib.suppress(Undo), database.write() as link:
        yield link
        raise Undo


def decide_much(database: Database, count: int, chance: random.Random) -> None:
    """Decisions of all kinds of scopes, as ten thousand people would have made them."""
    with database.write() as link:
        prints = list(link.execute(sa.select(finding.c.fingerprint).order_by(finding.c.id).limit(30_000)).scalars())
        rules = list(link.execute(sa.select(finding.c.rule).distinct()).scalars())
        homes = list(link.execute(sa.select(repository.c.id)).scalars())
        subjects = list(link.execute(sa.select(subject.c.id).limit(5000)).scalars())
        for number in range(count):
            home = RepositoryId(chance.choice(homes)) if homes else None
            scope = (
                Scope(finding=chance.choice(prints), repository=home),
                Scope(finding=chance.choice(prints), severity=Severity.HIGH),
                Scope(rule=chance.choice(rules), subject=SubjectId(chance.choice(subjects)), path="src/legacy/**"),
                Scope(package=f"pkg:npm/package-{number % 500}", advisory=f"CVE-2026-{number}"),
                Scope(path="tests/**", subject=SubjectId(chance.choice(subjects))),
            )[min(4, int(chance.random() ** 2 * 5))]
            decisions.add(link, Draft(DecisionKind.ACCEPT, scope, "measured", "ann", UNTIL, By("ann"), None), AT)


def told(size: int, of: int) -> Verdict:
    """A verdict of so many findings."""
    return verdict(
        *(seen(f"{of}-{n}", f"src/d{n % 97}/f{n}.py", line=n, rule=f"ruff/S{n % 200}", rule_class=f"c{n % 50}") for n in range(size))
    )


def recordings(database: Database, count: int, rounds: int, chance: random.Random) -> dict[str, Any]:
    """Seconds of recording a subject for the first time and again without a change, without and with decisions."""
    made: dict[str, Any] = {}
    cases: dict[str, tuple[SubjectId, Verdict, bool]] = {}
    with database.write() as link:
        for size in SIZES:
            for again in (False, True):
                values = {"kind": "branch", "key": f"bench-{size}-{again}", "name": "bench", "created_at": 0}
                number = SubjectId(link.execute(subject.insert().values(values).returning(subject.c.id)).scalar_one())
                cases[f"{size} {'again' if again else 'new'}"] = (number, told(size, int(number)), again)
    for number, said, again in cases.values():
        if again:
            with database.write() as link:
                record(link, Recording(None, number, said, "", whole=True, at=Instant(AT - 1)))
    taken: dict[str, dict[bool, list[float]]] = {name: {False: [], True: []} for name in cases}
    with_all = recording._decided  # noqa: SLF001 - taken out to be measured without it
    decide_much(database, count, chance)
    for turn in range(rounds):
        for name, (number, said, _again) in cases.items():
            for decided in (False, True) if turn % 2 else (True, False):
                recording._decided = with_all if decided else (lambda *_: lambda _seen: None)  # noqa: SLF001
                gc.collect()  # whose turn it is must not decide who pays for it
                with taken_back(database) as link:
                    started = time.process_time()
                    record(link, Recording(None, number, said, "", whole=True, at=AT))
                    taken[name][decided].append(time.process_time() - started)
    recording._decided = with_all  # noqa: SLF001
    for name, pair in taken.items():
        none, some = (statistics.median(pair[each]) for each in (False, True))
        least = min(pair[True]) / min(pair[False])
        made[name] = {
            "none_ms": round(1000 * none, 2), "with_ms": round(1000 * some, 2), "slower_percent": round(100 * (some / none - 1), 1),
            "slower_percent_of_fastest": round(100 * (least - 1), 1),
        }  # fmt: skip
    return made


def spreads(database: Database) -> dict[str, Any]:
    """A decision over about 10,000 open occurrences of one rule class, in one transaction: seconds and memory; and taking it back."""
    query = sa.select(occurrence.c.rule_class, sa.func.count()).where(occurrence.c.closed_at.is_(None)).group_by(occurrence.c.rule_class)
    with database.read() as link:
        counts = sorted(link.execute(query).all(), key=lambda row: abs(row[1] - 10_000))
    rule_class, open_ = counts[0]
    with database.write() as link:
        draft = Draft(DecisionKind.ACCEPT, Scope(rule=rule_class), "measured", "ann", UNTIL, By("ann"), None)
        made = decisions.add(link, draft, AT)
        assert made is not None
    portions: list[float] = []
    changed, after, subjects = 0, 0, set[int]()
    tracemalloc.start()
    while True:
        with database.write() as link:
            decisions.lock(link)
            started = time.perf_counter()
            done = deciding.spread(link, [made], AT, after=after)
            portions.append(time.perf_counter() - started)
        changed, subjects = changed + done.changed, subjects | done.subjects
        if done.after is None:
            break
        after = done.after
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "open": open_, "changed": changed, "subjects": len(subjects), "transactions": len(portions), "seconds": round(sum(portions), 2),
        "longest_transaction_s": round(max(portions), 2), "peak_mib": round(peak / 2**20, 1),
    }  # fmt: skip


def answers(database: Database, rounds: int) -> dict[str, Any]:
    """Milliseconds of what the pages ask, p95."""
    teams = frozenset({7, 9})
    now = Instant(AT + 1)
    asked: dict[str, Callable[[sa.Connection], Any]] = {
        "list": lambda link: decisions.page(link, None, Filter(), now),
        "list of two teams": lambda link: decisions.page(link, teams, Filter(), now),  # type: ignore[arg-type]
        "ends soon, counted": lambda link: decisions.count(link, None, Filter(ends_before=Instant(now + 400 * decisions.DAY)), now),
        "ended": lambda link: decisions.page(link, None, Filter(decisions.Standing.ENDED), now),
        "of one owner": lambda link: decisions.page(link, None, Filter(owner="nobody"), now),
        "debt": lambda link: decision_debt.debt(link, None, None),
        "debt as of": lambda link: decision_debt.debt(link, None, now),
        "debt of two teams": lambda link: decision_debt.debt(link, teams, None),  # type: ignore[arg-type]
    }
    made: dict[str, Any] = {}
    for name, ask in asked.items():
        taken = []
        for _ in range(rounds):
            with database.read() as link:
                started = time.perf_counter()
                ask(link)
                taken.append(1000 * (time.perf_counter() - started))
        taken.sort()
        made[name] = {"p50": round(taken[len(taken) // 2], 1), "p95": round(taken[max(0, -(-95 * len(taken) // 100) - 1)], 1)}
    return made


def figures(url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything over one database."""
    database = Database(url)
    try:
        migrate(database)
        generate(database, Plan(findings=arguments.findings, subjects=arguments.subjects))
        chance = random.Random(11)
        found: dict[str, Any] = {"recording": recordings(database, arguments.decisions, arguments.rounds, chance)}
        found["spread"] = spreads(database)
        found["answers"] = answers(database, arguments.rounds)
        with database.read() as link:
            found["decisions"] = link.execute(sa.select(sa.func.count()).select_from(decision)).scalar_one()
        return found | {"mib_peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    finally:
        database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findings", type=int, default=1_000_000)
    parser.add_argument("--subjects", type=int, default=10_000)
    parser.add_argument("--decisions", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--postgres", action="store_true", help="only PostgreSQL; without it only SQLite")
    parser.add_argument("--dry", action="store_true", help="write no result")
    arguments = parser.parse_args()
    facts = measure.announce("decisions")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        name = "postgresql" if arguments.postgres else "sqlite"
        url = stack.enter_context(postgres(Path(folder))) if arguments.postgres else f"sqlite:///{folder}/assaymark.db"
        if url is None:
            raise SystemExit("PostgreSQL is not installed")
        found = {name: figures(url, arguments)}
    for part in ("recording", "spread", "answers"):
        for case, values in found[name][part].items():
            print(f"{part:10} {case:24} {values}")
    if not arguments.dry:
        measure.write(f"server_decisions_{name}", facts, found)


if __name__ == "__main__":
    main()
