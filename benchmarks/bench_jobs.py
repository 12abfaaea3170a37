"""How much work the queue itself is: putting, claiming and ending jobs that do nothing, and how soon a worker begins.

*Row* is the measure of all: one committed insert into a table without an index, by the same driver with the same durability. *Put* is one
job per transaction, *put together* a hundred; *life* is put, claim and finish of one job, three transactions; *claim, backlog* is a claim
and a finish while 5,000 others wait. *Start* is from the commit of a job to the first line of its handler, in a worker process with a warm
runner; the job notes the moment by the same clock. PostgreSQL runs with `fsync` on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sqlalchemy as sa
from benchmarks import measure

from assaymark.jobs.job import Job
from assaymark.jobs.nursery import Nursery
from assaymark.jobs.open import open_queue, prepare
from assaymark.jobs.runner import Attempt, Perform
from assaymark.jobs.worker import Worker
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate
from assaymark.store.tables import setting

BACKLOG = 5000


class Trade:
    """A handler that tells when it began."""

    def __init__(self, answers: str) -> None:
        self._answers = answers

    def warm(self) -> None:
        """Nothing to prepare."""

    def open(self) -> Perform:
        """Write the moment to a file: no database takes part."""

        def perform(_kind: str, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
            with Path(self._answers).open("ab", buffering=0) as file:
                file.write(b"%d\n" % time.monotonic_ns())

        return perform


def rate(times: int, step: Callable[[], object]) -> tuple[float, float]:
    """(per second, CPU ms each of this process)."""
    cpu, begin = time.process_time(), time.perf_counter()
    for _ in range(times):
        step()
    wall = time.perf_counter() - begin
    return times / wall, (time.process_time() - cpu) * 1000 / times


def figures(database: Database, times: int) -> dict[str, Any]:
    """Rates and their ratios to a committed row."""
    queue = open_queue(database)
    worker = queue.enter()
    numbers = iter(range(10**9))

    def row() -> None:
        with database.write() as connection:
            values = {"name": f"row{next(numbers)}", "value": "", "changed_at": 0}
            connection.execute(setting.insert(), values)

    def put(count: int = 1) -> None:
        with database.write() as connection:
            for _ in range(count):
                number = next(numbers)
                queue.put(connection, Job("look", {"n": number}, key=f"k{number}", lock=f"l{number % 200}"))

    def end() -> None:
        claim = queue.claim(worker)
        assert claim is not None
        assert queue.finish(claim)

    def life() -> None:
        put()
        end()

    found: dict[str, Any] = {}
    cases: dict[str, tuple[int, Callable[[], object], int]] = {
        "row": (times, row, 1),
        "life": (times, life, 1),
        "put": (times, put, 1),
        "put together": (max(1, times // 20), lambda: put(100), 100),
    }
    for name, (count, step, each) in cases.items():
        per_second, cpu = rate(count, step)
        found[name] = {"per_second": round(per_second * each, 1), "cpu_ms": round(cpu / each, 3)}
    put(BACKLOG)
    per_second, cpu = rate(times, end)
    found["claim, backlog"] = {"per_second": round(per_second, 1), "cpu_ms": round(cpu, 3)}
    for case in found.values():
        case["rows_each"] = round(found["row"]["per_second"] / case["per_second"], 2)
    return found


def start_latency(database: Database, folder: Path, times: int) -> dict[str, float]:
    """Milliseconds from a commit to the handler."""
    answers = folder / f"answers-{database.engine.dialect.name}"
    answers.touch()
    url = database.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, __file__, "--worker", url, str(answers)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)  # fmt: skip
    queue = open_queue(database)
    found: list[float] = []
    try:
        for number in range(times + 3):
            with database.write() as connection:
                queue.put(connection, Job("look", {}))
            begin = time.monotonic_ns()
            while len(lines := answers.read_bytes().splitlines()) <= number:
                time.sleep(0.002)
            found.append((int(lines[number]) - begin) / 1e6)
            time.sleep(0.03 + number % 7 * 0.013)  # at no particular moment of whoever asks regularly
    finally:
        process.terminate()
        process.wait(30)
    kept = sorted(found[3:])
    return {"ms_median": round(kept[len(kept) // 2], 1), "ms_p95": round(kept[int(len(kept) * 0.95)], 1), "jobs": len(kept)}


def work(url: str, answers: str) -> None:
    """The worker process of `start_latency`."""
    nursery = Nursery(Trade(answers))
    Worker(open_queue(Database(url)), nursery, lifeline=0).run()


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """A server of our own with durable commits; None when PostgreSQL is not installed."""
    from tests.conftest import Cluster, _programs  # noqa: PLC0415 - needs pytest, which the rest of this program does not

    programs = _programs()
    if programs is None:
        yield None
        return
    folder.chmod(0o755)
    cluster = Cluster(folder / "pg", programs)
    cluster.start()
    cluster.ask("ALTER SYSTEM SET fsync = on")
    cluster.ask("ALTER SYSTEM SET full_page_writes = on")
    cluster.ask("CREATE DATABASE bench TEMPLATE template0")
    options = f"-c listen_addresses='' -c unix_socket_directories='{cluster.folder}'"
    cluster.stop()
    cluster.run("pg_ctl", "-D", str(cluster.folder / "data"), "-l", str(cluster.folder / "log"), "-w", "-o", options, "start")
    yield cluster.url("bench")
    cluster.stop()


def measured(url: str, folder: Path, times: int) -> dict[str, Any]:
    """Everything about one database."""
    database = Database(url)
    migrate(database)
    prepare(database)
    if not database.is_sqlite:
        with database.read() as connection:
            assert connection.execute(sa.text("SHOW fsync")).scalar() == "on"
    latency = start_latency(database, folder, times)
    found = {"start": latency, **figures(database, times)}
    database.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=300, help="rounds of each case")
    parser.add_argument("--dry", action="store_true", help="write no result")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(*options.worker)
        return
    os.environ.setdefault("PYTHONPATH", measure.PACKAGE)
    facts = measure.announce("The queue: jobs that do nothing, and how soon a worker begins")
    found: dict[str, Any] = {}
    with measure.bench_folder() as folder, postgres(folder) as url:
        found["sqlite"] = measured(f"sqlite:///{folder / 'queue.db'}", folder, options.times)
        if url is not None:
            found["postgresql"] = measured(url, folder, options.times)
    for name, cases in found.items():
        start = cases["start"]
        print(f"  {name}: a job begins {start['ms_median']} ms after its commit (p95 {start['ms_p95']} ms)")
        rows = [(key, case["per_second"], case["cpu_ms"], case["rows_each"]) for key, case in cases.items() if key != "start"]
        measure.table(rows, ("case", "per second", "CPU ms each", "committed rows each"))
    if not options.dry:
        measure.write("jobs", facts, found)


if __name__ == "__main__":
    main()
