"""Figures, posture, trends and reports over 1,000,000 findings of 10,000 subjects in five years.

    python benchmarks/bench_server_figures.py [--findings N] [--subjects N] [--rounds N] [--url URL] [--dry]

As `bench_server_lists.py` measures lists: through the whole application, without a network, less what was waited for a core. First the five
years are summed up day by day, which is timed; then every page and operation is asked as of now, as of a day, and as of an instant within
a day, for everything, a team, several teams and a repository. Budget: 300 ms at p95. Without `--url` it makes a fleet on SQLite and on a
PostgreSQL of its own.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import on_both_databases
from benchmarks.bench_server_lists import LIST_MS, Case, Known, Unstopped, asks, measured, misses_of, service_over, show_requests
from benchmarks.generate_fleet import NOW, TEAMS, YEARS, Plan, generate

from assaymark.model.assessment import Instant
from assaymark.server.reports.issue import Order, issue
from assaymark.server.service import Service
from assaymark.server.work.figures import sum_up_days
from assaymark.store import figure_days
from assaymark.store.promises import DAY

_API = "/api/v1"
REPORT_SECONDS = 5.0
"""A report is issued by a job or by somebody who waits for it."""


def some_day(chance: random.Random) -> str:
    at = (NOW - int(chance.random() * YEARS * 365 * DAY)) // 1_000_000
    return f"as_of={time.strftime('%Y-%m-%d', time.gmtime(at))}"


def some_instant(chance: random.Random) -> str:
    at = (NOW - int(chance.random() * YEARS * 365 * DAY)) // 1_000_000
    return f"as_of={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))}"


def _team(chance: random.Random) -> str:
    return f"team={chance.randint(1, TEAMS)}"


def _repository(chance: random.Random) -> str:
    return f"repository={chance.randint(1, 2000)}"


def _figure(chance: random.Random) -> str:
    return f"severity={chance.choice(('critical', 'high', 'medium', 'low'))}&band={chance.randint(0, 4)}"


def cases(_known: Known) -> Iterator[Case]:
    """Pages, figures, trends and lists."""
    for path in (f"{_API}/figures", f"{_API}/figures/trend", "/posture"):
        for who in ("admin", "three teams"):
            yield Case(f"{path} of {who}", asks(path), who=who)
            yield Case(f"{path} of {who}, as of a day", asks(path, some_day), who=who)
            yield Case(f"{path} of {who}, as of an instant", asks(path, some_instant if path != "/posture" else some_day), who=who)
        yield Case(f"{path} of a team", asks(path, _team, some_day))
        yield Case(f"{path} of a repository", asks(path, _repository, some_day))
        yield Case(f"{path} of a layer", asks(path, lambda _: "layer=platform", some_day))
    yield Case(f"{_API}/figures/trend over five years", asks(f"{_API}/figures/trend", lambda _: "days=1825"))
    for name in (
        "late",
        "waived",
        "unchecked",
        "came",
        "fixed",
        "gone",
        "unproven",
        "never",
        "environments",
        "verdicts",
        "failed",
        "stopped",
    ):
        yield Case(f"list of {name}, as of a day", asks(f"{_API}/figures/{name}/list", some_day))
    yield Case("list of open, as of a day", asks(f"{_API}/figures/open/list", _figure, some_day))
    yield Case("list of open of a team", asks(f"{_API}/figures/open/list", _team, _figure))
    yield Case("list of late of three teams", asks(f"{_API}/figures/late/list"), who="three teams")
    yield Case("page of reports", asks("/report"))


def figures(url: str, folder: Path, plan: Plan | None, rounds: int) -> dict[str, Any]:
    """Everything over one database; without a plan it is filled already."""
    service = service_over(url, folder)
    try:
        if plan:
            generate(service.database, plan)
        summing = summed_up(service)
        return {"summing": summing, "requests": measured(service, rounds, of=cases), "report_s": issued(service)}
    finally:
        service.database.close()


def summed_up(service: Service) -> dict[str, float]:
    """Five years, and what one further day costs."""
    started = time.perf_counter()
    sum_up_days(service, {}, Unstopped())
    took = time.perf_counter() - started
    with service.database.read() as link:
        last = figure_days.last_day(link) or 0
    return {"seconds": round(took, 1), "ms_a_day": round(1000 * took / max(1, YEARS * 365 + (last - NOW // DAY)), 1)}


def issued(service: Service) -> float:
    """Seconds for a report of everything: figures, HTML, PDF, signature."""
    started = time.perf_counter()
    issue(service, Order(None, Instant(NOW // DAY * DAY - 1)))
    return round(time.perf_counter() - started, 2)


def misses(found: dict[str, Any]) -> list[str]:
    """What is over its budget."""
    slow = [] if found["report_s"] <= REPORT_SECONDS else [f"report: {found['report_s']} s of {REPORT_SECONDS:.0f}"]
    return [*misses_of(found["requests"]), *slow]


def show(found: dict[str, Any]) -> None:
    """For people."""
    show_requests(found["requests"])
    print(f"  summing up: {found['summing']}; a report in {found['report_s']} s")
    print("  over budget: " + ("; ".join(misses(found)) or "nothing"), flush=True)


if __name__ == "__main__":
    on_both_databases.main(
        (__doc__ or "", "figures, posture and reports of the server", "server_figures"), figures, show, budget_ms=LIST_MS
    )
