"""The server's lists, pages and search over 1,000,000 findings of 10,000 subjects in five years, and an import of 100,000 findings.

    python benchmarks/bench_server_lists.py [--findings N] [--subjects N] [--rounds N] [--url URL] [--dry]

Every request goes through the whole application in this process (routing, rights, the queries, JSON or HTML), without a network. Measured
is server time: by the clock, less what was waited for a core where the machine has other work as well (`Waits`); the clock's own time
stands beside it. Parameters are drawn anew each round, by a seed. Budgets: 300 ms at p95 for every list and page, 1 s for search, 60 s for
the import. Without `--url` it makes a fleet (`generate_fleet.py`) on SQLite and on a PostgreSQL of its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from starlette.requests import Request
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure, on_both_databases
from benchmarks.generate_fleet import DAY, NOW, TEAMS, YEARS, Plan, generate

from assaymark.jobs.open import prepare as prepare_queue
from assaymark.model.access import Grant, PersonId, Principal, Role, TeamId
from assaymark.model.assessment import SubjectId
from assaymark.server.app import make_app
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work import importing
from assaymark.store.migrations.apply import migrate
from assaymark.store.tables import assessment, finding, occurrence, subject

LIST_MS, SEARCH_MS, IMPORT_SECONDS = 300.0, 1000.0, 60.0
IMPORTED = 100_000
_API = "/api/v1"
_PEOPLE = {
    "admin": Principal(PersonId(1), "admin", (Grant(Role.ADMIN),)),
    "one team": Principal(PersonId(1), "one", (Grant(Role.VIEWER, TeamId(7)),)),
    "three teams": Principal(PersonId(1), "three", tuple(Grant(Role.VIEWER, TeamId(number)) for number in (3, 11, 29))),
}


class Waits:
    """How long the threads of this process and the database's processes stood in the queue for a core (Linux): on a machine that others
    use as well, that is their time and not the server's.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def places(self) -> list[Path]:
        found = [Path("/proc/self/task")]
        if not self._service.database.is_sqlite:
            with self._service.database.read() as link:
                pids = link.execute(sa.text("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")).scalars().all()
            found += [Path(f"/proc/{pid}/task") for pid in pids]
        return found

    @staticmethod
    def seconds(places: Sequence[Path]) -> tuple[float, float]:
        """(on a core, waiting for one) until now."""
        worked = waited = 0
        for place in places:
            for task in place.glob("*/schedstat"):
                with contextlib.suppress(OSError, IndexError):
                    fields = task.read_text().split()
                    worked += int(fields[0])
                    waited += int(fields[1])
        return worked / 1e9, waited / 1e9

    def since(self, places: Sequence[Path], before: tuple[float, float], wall: float) -> float:
        """Seconds of the clock less those waited for a core, and never less than those on a core: threads may wait side by side."""
        worked, waited = self.seconds(places)
        return max(worked - before[0], wall - (waited - before[1]))


Make = Callable[[random.Random], tuple[str, str, Any]]
"""(method, path with query, document) of one round."""


class Case(NamedTuple):
    """One kind of request."""

    name: str
    make: Make
    budget_ms: float = LIST_MS
    who: str = "admin"


class Known(NamedTuple):
    """Values that are there, to ask for."""

    subjects: Sequence[int]
    """Those that hold most first."""
    rules: Sequence[str]
    classes: Sequence[str]
    findings: Sequence[tuple[int, str]]
    assessments: Sequence[tuple[int, str]]


def known(service: Service) -> Known:
    """Look for them, once."""
    c = occurrence.c
    largest = sa.select(c.subject).group_by(c.subject).order_by(sa.func.count().desc()).limit(200)
    with service.database.read() as link:
        return Known(
            [row[0] for row in link.execute(largest)],
            [row[0] for row in link.execute(sa.select(finding.c.rule).distinct())],
            [row[0] for row in link.execute(sa.select(finding.c.rule_class).distinct())],
            [tuple(row) for row in link.execute(sa.select(finding.c.id, finding.c.fingerprint).limit(500))],
            [tuple(row) for row in link.execute(sa.select(assessment.c.id, assessment.c.head).limit(500))],
        )


def _when(chance: random.Random) -> str:
    at = (NOW - int(chance.random() * YEARS * 365 * DAY)) // 1_000_000
    return f"as_of={time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(at))}"


def _day(chance: random.Random) -> str:
    return _when(chance)[: len("as_of=2026-01-01")]


def _get(path: str, *parts: str) -> tuple[str, str, Any]:
    return ("GET", path + ("?" + "&".join(parts) if parts else ""), None)


def asks(path: str, *parts: Callable[[random.Random], str]) -> Make:
    """A GET with parts of the query that are drawn for it."""
    return lambda chance: _get(path, *(part(chance) for part in parts))


def sends(more: dict[str, Any], text: Callable[[random.Random], str]) -> Make:
    """A search for a text that is drawn for it."""
    return lambda chance: ("POST", f"{_API}/search", {"text": text(chance)} | more)


def cases(values: Known) -> Iterator[Case]:
    """Every list, every filter alone and joined, now and in the past; search in each of its forms."""
    kinds = ("code", "component", "configuration", "secret", "host", "unchecked")
    words = ("order", "invoice session", "mail audit 17", "token", "nothing-of-this-kind", "the login is open", "se", "r39")
    findings = f"{_API}/findings"
    filters: dict[str, Callable[[random.Random], str]] = {
        "kind": lambda r: f"kind={r.choice(kinds)}",
        "severity": lambda r: f"severity={r.choice(('critical', 'high', 'medium', 'low', 'info'))}",
        "layer": lambda r: f"layer={r.choice(('application', 'platform', 'infrastructure'))}",
        "rule": lambda r: f"rule={r.choice(values.rules)}",
        "family": lambda r: f"rule_class={r.choice(values.classes)}",
        "team": lambda r: f"team={r.randint(1, TEAMS)}",
        "subject": lambda r: f"subject={r.choice(values.subjects)}",
        "repository": lambda r: f"repository={r.randint(1, 2000)}",
        "words": lambda r: f"text={r.choice(words).replace(' ', '%20')}",
        "waived": lambda _: "waived=true",
        "kind, team and family": lambda r: f"kind={r.choice(kinds)}&team={r.randint(1, TEAMS)}&rule_class={r.choice(values.classes)}",
    }
    yield Case("findings, worst first", lambda _: _get(findings))
    yield Case("findings, newest first", lambda _: _get(findings, "order=newest"))
    yield Case("findings, as of", lambda r: _get(findings, _when(r)))
    yield Case("findings, newest first, as of", lambda r: _get(findings, "order=newest", _when(r)))
    yield Case("findings, closed", lambda r: _get(findings, "state=closed", _when(r)))
    yield Case("findings, counted", lambda r: _get(findings, "count=true", filters["kind"](r)))
    for who in ("one team", "three teams"):
        yield Case(f"findings of {who}", lambda _: _get(findings), who=who)
        yield Case(f"findings of {who}, as of", lambda r: _get(findings, _when(r)), who=who)
    for name, part in filters.items():
        yield Case(f"findings by {name}", asks(findings, part))
        yield Case(f"findings by {name}, as of", asks(findings, part, _when))
        yield Case(f"facets by {name}", asks(f"{findings}/facets", part))
    yield Case("facets", lambda _: _get(f"{findings}/facets"))
    yield Case("facets, as of", lambda r: _get(f"{findings}/facets", _when(r)))
    yield Case("one finding", lambda r: _get(f"{findings}/{r.choice(values.findings)[0]}"))
    yield Case("everywhere that one stands", lambda r: _get(f"{findings}/{r.choice(values.findings)[0]}/places"))
    yield Case("one occurrence", lambda r: _get(f"{_API}/occurrences/{r.randint(1, 40_000)}"))
    yield from _others(values)
    yield from _searches(values, words)


def _others(values: Known) -> Iterator[Case]:
    subjects, assessments = f"{_API}/subjects", f"{_API}/assessments"
    for order in ("name", "worst", "judged"):
        yield Case(f"subjects by {order}", asks(f"{subjects}?order={order}"))
    yield Case("subjects, as of", lambda r: _get(subjects, _when(r)))
    yield Case("subjects that fail, as of", lambda r: _get(subjects, "state=fail", _when(r)))
    yield Case("subjects by part of a name", lambda _: _get(subjects, "name=invoice-1", "with_ended=true", "count=true"))
    yield Case("subjects of three teams", lambda _: _get(subjects), who="three teams")
    yield Case("one subject", lambda r: _get(f"{subjects}/{r.choice(values.subjects)}"))
    yield Case("one subject, as of", lambda r: _get(f"{subjects}/{r.choice(values.subjects[:20])}"))
    yield Case("how a subject went", lambda r: _get(f"{subjects}/{r.choice(values.subjects)}/posture"))
    yield Case("posture of all", lambda _: _get(f"{_API}/posture"))
    yield Case("posture of all, as of", lambda r: _get(f"{_API}/posture", _when(r)))
    yield Case("assessments", lambda _: _get(assessments))
    yield Case("assessments, as of", lambda r: _get(assessments, _when(r)))
    yield Case("assessments of three teams", lambda _: _get(assessments), who="three teams")
    yield Case("assessments that fail", lambda _: _get(assessments, "state=fail"))
    yield Case("assessments of a subject", lambda r: _get(assessments, f"subject={r.choice(values.subjects)}"))
    yield Case("assessments of a commit", lambda r: _get(assessments, f"head={r.choice(values.assessments)[1]}"))
    yield Case("one assessment", lambda r: _get(f"{assessments}/{r.choice(values.assessments)[0]}"))
    yield from pages(values)


def pages(values: Known) -> Iterator[Case]:
    """Every page that people live in, as an administrator and as somebody of three teams, now and in the past."""
    ages = ("0-7", "8-30", "31-90", "91-365", "366-")
    asked: dict[str, Make] = {
        "changes": lambda _: _get("/changes"),
        "subjects": lambda _: _get("/subjects"),
        "a subject": lambda r: _get(f"/subjects/{r.choice(values.subjects)}"),
        "my queue": lambda _: _get("/", "for=developer"),
        "the security queue": lambda _: _get("/", "for=manager"),
        "the standing": lambda _: _get("/", "for=stakeholder"),
        "findings": lambda _: _get("/findings"),
        "findings, newest first": lambda _: _get("/findings", "order=newest"),
        "findings, as of": lambda r: _get("/findings", _day(r)),
        "findings by cause": lambda _: _get("/findings", "group=cause"),
        "findings by age and severity": lambda r: _get("/findings", f"age={r.choice(ages)}", "severity=high"),
        "late findings": lambda _: _get("/findings", "late=true"),
        "findings of nobody": lambda _: _get("/findings", "owner=-"),
        "findings of a team, as of": lambda r: _get("/findings", f"team={r.randint(1, TEAMS)}", _day(r)),
        "findings of a family, as of": lambda r: _get("/findings", f"rule_class={r.choice(values.classes)}", _day(r)),
        "findings by words": lambda r: _get("/findings", f"text={r.choice(('order', 'invoice%20session', 'token', 'nowhere'))}"),
        "closed findings": lambda r: _get("/findings", "state=closed", _day(r)),
        "a finding": lambda r: _get(f"/findings/{r.choice(values.findings)[0]}"),
        "a trace of a commit": lambda r: _get("/trace", f"q={r.choice(values.assessments)[1]}"),
        "a trace of somebody": lambda _: _get("/trace", "q=nobody-of-this-name"),
    }
    for who in ("admin", "three teams"):
        for name, make in asked.items():
            yield Case(f"page of {name}, {who}", make, who=who)


def _searches(values: Known, words: Sequence[str]) -> Iterator[Case]:
    asked: dict[str, Callable[[random.Random], str]] = {
        "words": lambda r: r.choice(words),
        "a rule": lambda r: r.choice(values.rules),
        "a family": lambda r: r.choice(values.classes),
        "a fingerprint": lambda r: r.choice(values.findings)[1],
        "a short id": lambda r: r.choice(values.findings)[1].rpartition(":")[2][:12],
        "a commit": lambda r: r.choice(values.assessments)[1],
        "the beginning of a commit": lambda r: r.choice(values.assessments)[1][:9],
        "a subject": lambda r: f"group-{r.randint(0, 96)}/invoice",
        "a path": lambda r: f"src/mail/order_{r.randint(0, 996)}.py",
        "an advisory": lambda r: f"CVE-20{r.randint(10, 26)}-{r.randint(1000, 99999)}",
        "a component": lambda _: "pkg:npm/lodash@4.17.20",
        "what is nowhere": lambda r: f"nowhere{r.random()}",
    }
    for name, text in asked.items():
        yield Case(f"search: {name}", sends({}, text), SEARCH_MS)
    yield Case("search: a secret", sends({"secret": True}, lambda r: f"tok-{r.random()}"), SEARCH_MS)


def measured(service: Service, rounds: int, seed: int = 7, *, of: Callable[[Known], Iterator[Case]] = cases) -> dict[str, dict[str, float]]:
    """Milliseconds per case: p50 and p95 without what was waited for a core, p95 by the clock, its budget."""
    present = ["admin"]

    def identify(_service: Service, _request: Request) -> Principal | None:
        return _PEOPLE[present[0]]

    found: dict[str, dict[str, float]] = {}
    waits = Waits(service)
    chance = random.Random(seed)
    with TestClient(make_app(service, identify=identify), base_url=service.settings.url) as client:
        for case in of(known(service)):
            present[0] = case.who
            taken, walls = [], []
            places = waits.places()
            for _ in range(rounds):
                method, path, body = case.make(chance)
                stood, started = waits.seconds(places), time.perf_counter()
                answer = client.request(method, path, json=body)
                wall = time.perf_counter() - started
                walls.append(1000 * wall)
                taken.append(1000 * waits.since(places, stood, wall))
                if answer.status_code not in (200, 404):
                    raise SystemExit(f"{case.name}: {path} answers {answer.status_code}: {answer.text[:300]}")
            taken.sort()
            walls.sort()
            last = max(0, -(-95 * len(taken) // 100) - 1)
            found[case.name] = {
                "p50": round(taken[len(taken) // 2], 1),
                "p95": round(taken[last], 1),
                "p95_wall": round(walls[last], 1),
                "budget": case.budget_ms,
            }
    return found


class Unstopped:
    """An attempt that nobody stops."""

    number = 1
    is_last = False

    def should_stop(self) -> bool:
        return False


def imported(service: Service, count: int = IMPORTED) -> dict[str, float]:
    """A SARIF report of so many results into one subject: seconds, and peak memory before and after."""
    places = [
        {"physicalLocation": {"artifactLocation": {"uri": f"src/d{n % 97}/f{n % 9973}.py"}, "region": {"startLine": 1 + n % 900}}}
        for n in range(count)
    ]
    results = [{"ruleId": f"R{n}", "level": "warning", "message": {"text": f"finding {n}"}, "locations": [places[n]]} for n in range(count)]
    data = json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "scanner"}}, "results": results}]}).encode()
    del places, results
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    with service.database.write() as link:
        values = {"kind": "branch", "key": f"imported-{time.time_ns()}", "name": "imported", "created_at": 0}
        number = SubjectId(link.execute(subject.insert().values(values).returning(subject.c.id)).scalar_one())
    waits = Waits(service)
    threads = waits.places()
    stood, started, cpu = waits.seconds(threads), time.perf_counter(), time.process_time()
    told = importing.take(service, number, data, importing.Order(""), importing.By("bench"))
    importing.import_report(service, {"assessment": told.assessment}, Unstopped())
    wall = time.perf_counter() - started
    seconds = waits.since(threads, stood, wall)
    with service.database.read() as link:
        stands = link.execute(sa.select(sa.func.count()).select_from(occurrence).where(occurrence.c.subject == number)).scalar_one()
    if stands != count:
        raise SystemExit(f"the import wrote {stands} of {count}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {
        "seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "mib_before": before,
        "mib_peak": peak,
    }


def service_over(url: str, folder: Path) -> Service:
    """A server's service over a database, quiet."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    env = {"HOME": str(folder), "ASSAYMARK_KEY": "a key for benchmarks only"}
    made = open_service(load(env, data=str(folder / "data"), database=url, rate="1000000000"))
    migrate(made.database)
    prepare_queue(made.database)
    return made


def figures(url: str, folder: Path, plan: Plan | None, rounds: int, *, count: int = IMPORTED) -> dict[str, Any]:
    """Everything over one database; without a plan it is filled already."""
    service = service_over(url, folder)
    try:
        filled = generate(service.database, plan) if plan else {}
        requests = measured(service, rounds)
        lists_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        return {"fill_s": {name: round(value, 1) for name, value in filled.items()}, "requests": requests, "mib_after_lists": lists_mib,
                "import": imported(service, count)}  # fmt: skip
    finally:
        service.database.close()


def misses_of(requests: dict[str, dict[str, float]]) -> list[str]:
    """Requests that are over their budget."""
    return [f"{name}: {row['p95']} ms of {row['budget']:.0f}" for name, row in requests.items() if row["p95"] > row["budget"]]


def misses(found: dict[str, Any]) -> list[str]:
    """What is over its budget."""
    took = found["import"]["seconds"]
    return [*misses_of(found["requests"]), *([f"import: {took} s of {IMPORT_SECONDS:.0f}"] if took > IMPORT_SECONDS else [])]


def show_requests(requests: dict[str, dict[str, float]]) -> None:
    """As a table."""
    rows = [
        [name, row["p50"], row["p95"], row["p95_wall"], "" if row["p95"] <= row["budget"] else "OVER"] for name, row in requests.items()
    ]
    measure.table(rows, ["request", "p50 ms", "p95 ms", "by the clock", "budget"])


def show(found: dict[str, Any]) -> None:
    """For people."""
    show_requests(found["requests"])
    print(f"  import of {IMPORTED} findings: {found['import']}; peak memory after the lists {found['mib_after_lists']} MiB")
    print("  over budget: " + ("; ".join(misses(found)) or "nothing"), flush=True)


if __name__ == "__main__":
    on_both_databases.main((__doc__ or "", "lists, pages and search of the server", "server_lists"), figures, show)
