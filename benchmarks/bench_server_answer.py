"""How long the server needs from a job's start to the recorded verdict, and what fetching is of that.

A repository of 10,000 files is pushed to, three files at a time, over `file://`; the worker is warm (rules compiled, first push judged,
mirror there). Measured in the worker's process, on SQLite: `answer` is the whole span, `fetch`, `judge` and `record` are its parts;
`inventory` is the whole subject again, behind the answer. Mirrors are also timed alone: nothing new, three files, and the first copy.
The whole span, from a forge's signed delivery to the comment, is measured on `assay serve` in a process of its own (`webhook_span.py`), on
SQLite and, where a URL is given, on PostgreSQL.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sqlalchemy as sa
from benchmarks import generate, measure, webhook_span

from assaymark.model.trigger import MergeRequest, RemoteRepository, SubjectKind, Trigger, TriggerKind
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work import assess as assessing
from assaymark.server.work import cases
from assaymark.server.work.intake import Source, accept
from assaymark.server.work.inventory import inventory
from assaymark.store import tables
from assaymark.store.migrations.apply import migrate
from assaymark.subjects.mirror import Mirror, Want
from assaymark.subjects.remote import Remote


class Once:
    """An attempt that nobody disturbs."""

    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


class Origin:
    """The repository that is pushed to."""

    def __init__(self, home: Path, files: int) -> None:
        self.env = measure.environment(home)
        self.path = home / "git" / "shop"
        self.round = 0
        generate.repository(self.path, generate.tree(files), self.env)

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.path, env=self.env, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def change(self, count: int = 3) -> str:
        self.round += 1
        generate.stage_change(self.path, self.round, "server", self.env, count)
        self.git("commit", "--quiet", "-m", f"change {self.round}")
        return self.head()


class Server:
    """A service whose jobs are run here, with a stopwatch on their parts."""

    def __init__(self, home: Path, origin: Origin, database: str = "") -> None:
        given = {"data": str(home / "data"), "local_repositories": str(home / "git")} | ({"database": database} if database else {})
        self.service: Service = open_service(load({"HOME": str(home)}, **given))
        migrate(self.service.database)
        self.remote = RemoteRepository("group/shop", f"file://{origin.path}", default_branch="main")
        self.parts: dict[str, float] = {}

    def accept(self, trigger: Trigger) -> int:
        with self.service.database.write() as link:
            (number,) = accept(self.service, link, trigger, source=Source())
        return int(number)

    def assess(self, trigger: Trigger) -> dict[str, float]:
        number = self.accept(trigger)
        self.parts = {}
        started = time.perf_counter()
        assessing.assess(self.service, {"assessment": number}, Once())
        self.parts["answer"] = self.parts.pop("written", time.perf_counter()) - started
        row = self.row(number)
        if row.state not in {"pass", "fail"}:
            raise SystemExit(f"the assessment ended {row.state}: {row.summary}")
        return self.parts

    def take_stock(self) -> float:
        with self.service.database.read() as link:
            row = link.execute(sa.select(tables.subject).where(tables.subject.c.kind == "branch")).one()
        started = time.perf_counter()
        inventory(self.service, {"subject": row.id, "head": row.head}, Once())
        return time.perf_counter() - started

    def row(self, number: int) -> Any:
        with self.service.database.read() as link:
            return link.execute(sa.select(tables.assessment).where(tables.assessment.c.id == number)).one()

    def stopwatch(self) -> None:
        """Time what the handler calls."""
        self._watch(Mirror, "fetch", "fetch")
        self._watch(assessing, "judge", "judge")
        self._watch(cases, "write_down", "record")

    def _watch(self, owner: Any, name: str, part: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **more: Any) -> Any:
            started = time.perf_counter()
            try:
                return inner(*args, **more)
            finally:
                now = time.perf_counter()
                self.parts[part] = self.parts.get(part, 0.0) + now - started
                if part == "record":
                    self.parts["written"] = now

        setattr(owner, name, timed)


def milliseconds(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered) * 1000, 1),
        "p95": round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))] * 1000, 1),
        "least": round(ordered[0] * 1000, 1),
    }


def answers(home: Path, files: int, rounds: int, database: str = "") -> dict[str, Any]:
    """Pushes and merge requests, each of three files."""
    os.environ.pop("ASSAYMARK_CACHE", None)
    origin = Origin(home, files)
    server = Server(home, origin, database)
    server.stopwatch()
    first = server.assess(Trigger(TriggerKind.PUSH, server.remote, ref="refs/heads/main", after=origin.head()))["answer"]
    stock = [server.take_stock()]
    spans: dict[str, list[dict[str, float]]] = {"push": [], "merge request": []}
    for number in range(rounds):
        before = origin.head()
        after = origin.change()
        spans["push"].append(server.assess(Trigger(TriggerKind.PUSH, server.remote, ref="refs/heads/main", before=before, after=after)))
        stock.append(server.take_stock())
        origin.git("checkout", "--quiet", "-B", "feature")
        head = origin.change()
        origin.git("update-ref", f"refs/pull/{number}/head", head)
        origin.git("checkout", "--quiet", "main")
        request = MergeRequest(number, "main", head, after)
        trigger = Trigger(
            TriggerKind.MERGE_REQUEST, server.remote, SubjectKind.MERGE_REQUEST, ref=f"refs/pull/{number}/head", merge_request=request
        )
        spans["merge request"].append(server.assess(trigger))
    server.service.database.close()
    figures: dict[str, Any] = {
        name: {part: milliseconds([each.get(part, 0.0) for each in rows]) for part in ("answer", "fetch", "judge", "record")}
        for name, rows in spans.items()
    }
    return {"first_push_s": round(first, 1), "inventory": milliseconds(stock[1:]), **figures}


def mirrors(home: Path, files: int, rounds: int) -> dict[str, Any]:
    """The copy alone."""
    origin = Origin(home, files)
    remote = Remote(url=f"file://{origin.path}", scheme="file")
    mirror = Mirror(home / "mirrors" / "1.git")
    started = time.perf_counter()
    mirror.fetch(remote, [Want(origin.head())])
    first = time.perf_counter() - started
    spans: dict[str, list[float]] = {"the commit is here": [], "the ref has not moved": [], "three files": []}
    for _ in range(rounds):
        for name, want in (("the commit is here", Want(origin.head())), ("the ref has not moved", Want(ref="refs/heads/main"))):
            started = time.perf_counter()
            mirror.fetch(remote, [want])
            spans[name].append(time.perf_counter() - started)
        want = Want(origin.change(), "refs/heads/main")
        started = time.perf_counter()
        mirror.fetch(remote, [want])
        spans["three files"].append(time.perf_counter() - started)
    return {"first_copy_s": round(first, 2), **{name: milliseconds(values) for name, values in spans.items()}}


def whole(home: Path, files: int, rounds: int, database: str = "") -> dict[str, Any]:
    """From the delivery to what stands at the merge request."""
    stage = webhook_span.Stage(home, files, database)
    try:
        first = stage.warm_up()
        spans = [stage.round() for _ in range(rounds)]
    finally:
        stage.close()
    status, comment = zip(*spans, strict=True)
    return {"first_push_s": round(first, 1), "status": milliseconds(list(status)), "comment": milliseconds(list(comment))}


def show(title: str, figures: Mapping[str, Any]) -> None:
    rows = [[name, *value.values()] for name, value in figures.items() if isinstance(value, dict) and "median" in value]
    for name, value in figures.items():
        if isinstance(value, dict) and "median" not in value:
            rows += [[f"{name}: {part}", *spans.values()] for part, spans in value.items()]
    print(f"  {title}: " + ", ".join(f"{name} {value}" for name, value in figures.items() if not isinstance(value, dict)))
    measure.table(rows, ("milliseconds", "median", "p95", "least"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--database", default="", help="URL of an empty PostgreSQL database, for the whole span")
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    options = parser.parse_args()
    facts = measure.announce(f"the server's answer to three files of {options.files}")
    figures: dict[str, Any] = {"files": options.files, "rounds": options.rounds}
    with tempfile.TemporaryDirectory(prefix="assay-b") as folder:
        figures["mirror"] = mirrors(Path(folder), options.files, options.rounds)
        show("mirror", figures["mirror"])
    with tempfile.TemporaryDirectory(prefix="assay-b") as folder:
        figures["sqlite"] = answers(Path(folder), options.files, options.rounds)
        show("server on SQLite", figures["sqlite"])
    for name, database in {"sqlite": "", "postgresql": options.database}.items():
        if name == "sqlite" or database:
            with tempfile.TemporaryDirectory(prefix="assay-b") as folder:
                figures[f"delivery to answer, {name}"] = whole(Path(folder), options.files, options.rounds, database)
                show(f"delivery to answer, {name}", figures[f"delivery to answer, {name}"])
    if not options.dry:
        measure.write("server_answer", facts, figures)


if __name__ == "__main__":
    main()
