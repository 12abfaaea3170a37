"""Known-good components at size: pages of the catalogue, a thousand package URLs at once, one component, and noting an endorsement.

Made up (seeded): 10,000 subjects, each endorsed once, each holding 100 packages (1,000,000 rows of components) out of 5,000 packages in ten
versions, one of which everybody holds; one in thirty endorsements has ended, one in fifty is withdrawn. Wall milliseconds of the whole
operation with its JSON, without HTTP; p95 of the rounds, each with another name or
place; beside it the CPU milliseconds of this process, which other work on the machine does not lengthen (PostgreSQL's own are not in it).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure
from benchmarks.bench_server_components import postgres

from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.coding import SCHEME
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.endorsement.components import DAY, ComponentKind, ComponentState
from assaymark.jobs.open import prepare
from assaymark.model.access import Grant, PersonId, Principal, Role
from assaymark.model.assessment import Instant, SubjectId
from assaymark.server.api import approved as api
from assaymark.server.api.route import Call
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work.signers import signer_of
from assaymark.store import approved_index, bulk
from assaymark.store import tables as t
from assaymark.store.approved_index import Vouched
from assaymark.store.migrations.apply import migrate

PACKAGES, VERSIONS, HELD = 5_000, 10, 100
ADMIN = Principal(PersonId(1), "admin", (Grant(Role.ADMIN),))
_AT_ONCE = 500


def fill(service: Service, subjects: int) -> dict[str, Any]:
    """The rows; gives how long noting an endorsement took."""
    chance = random.Random(7)
    now = service.now()
    with service.database.write() as link:
        key = signer_of(service, link).public.id
        bulk.add(link, t.package, ("name", "called"), ((f"npm/p{n:05}", f"p{n:05}") for n in range(PACKAGES)))
        columns = ("digest", "scheme", "created_at")
        bulk.add(link, t.package_set, columns, ((f"sha256:{n:064x}", SCHEME, now - 400 * DAY) for n in range(1, subjects + 1)))
        bulk.add(link, t.subject, ("kind", "key", "name", "created_at"), (("branch", f"s{n}", f"s{n}", 1) for n in range(1, subjects + 1)))
        bulk.add(link, t.component, ("package", "version_key", "package_set", "version"), sorted(_components(chance, subjects)))
        holding = ("subject", "package_set", "path", "opened_at")
        bulk.add(link, t.holding, holding, ((n, n, "package-lock.json", now - DAY) for n in range(1, subjects + 1)))
        made = ("subject", "state", "trigger", "queued_at")
        bulk.add(link, t.assessment, made, ((n, "pass", "push", now - DAY) for n in range(1, subjects + 1)))
        _endorsements(link, subjects, now, key)
    started = time.perf_counter()
    for start in range(1, subjects + 1, _AT_ONCE):
        with service.database.write() as link:
            for number in range(start, min(start + _AT_ONCE, subjects + 1)):
                begun, ends = _span(number, now)
                approved_index.add_packages(link, Vouched(number, begun, ends, SubjectId(number)), [number])
    seconds = time.perf_counter() - started
    if link.dialect.name != "sqlite":
        with service.database.write() as link:
            link.exec_driver_sql("ANALYZE")
    return {"noting_an_endorsement_of_100_packages_ms": round(seconds / subjects * 1_000, 2)}


def _components(chance: random.Random, subjects: int) -> Iterator[tuple[int, bytes, int, str]]:
    keys = {f"{n}.0.0": key_of(Ecosystem.NPM, f"{n}.0.0") or b"" for n in range(1, VERSIONS + 1)}
    for number in range(1, subjects + 1):
        yield 1, keys["1.0.0"], number, "1.0.0"
        for package in chance.sample(range(2, PACKAGES + 1), HELD - 1):
            version = f"{chance.randint(1, VERSIONS)}.0.0"
            yield package, keys[version], number, version


def _span(number: int, now: int) -> tuple[Instant, Instant]:
    begun = now - (number % 29 + 1) * DAY - number
    return Instant(begun), Instant(begun + 1 if number % 30 == 0 else begun + 90 * DAY)


def _endorsements(link: Any, subjects: int, now: int, key: str) -> None:
    columns = (
        "digest", "bundle", "assessment", "subject", "kind", "head", "resource", "verifier", "engine", "rules", "policy", "verdict",
        "levels", "environments", "approved_by", "verified_at", "expires_at", "made_at",
    )  # fmt: skip
    rows = (
        (
            f"sha256:{n:064x}",
            "b",
            n,
            n,
            "branch",
            f"{n:040x}",
            "git+https://a",
            "v",
            "e",
            "r",
            "p",
            "v",
            "[]",
            "[]",
            "[]",
            *_span(n, now),
            now,
        )
        for n in range(1, subjects + 1)
    )
    bulk.add(link, t.endorsement, columns, rows)
    bulk.add(link, t.endorsement_key, ("keyid", "endorsement"), ((key, n) for n in range(1, subjects + 1)))
    link.execute(t.revocation.insert(), {"target": "key", "name": "old", "reason": "lost", "at": now - DAY, "actor": "bench"})
    gone = ((n, 1, now - DAY) for n in range(50, subjects + 1, 50))
    bulk.add(link, t.endorsement_withdrawal, ("endorsement", "revocation", "at"), gone)


def figures(service: Service, rounds: int) -> dict[str, Any]:
    """Milliseconds of each question."""
    chance = random.Random(11)
    call = Call(service, cast("Any", None), ADMIN)

    with service.database.read() as link:
        numbers = list(link.execute(sa.select(t.known_component.c.id).limit(20_000)).scalars())

    def name() -> str:
        return f"p{chance.randrange(PACKAGES):05}"

    def onward() -> Any:
        page = api.list_approved(call, name=f"p0{chance.randrange(5)}")
        return api.list_approved(call, name=f"p0{chance.randrange(5)}", after=page.next)

    def asked(*, instead: bool) -> api.Question:
        purls = [f"pkg:npm/{name()}@{chance.randint(1, VERSIONS + 1)}.0.0" for _ in range(api.MOST_ASKED)]
        return api.Question(tuple(api.AskedComponent(each) for each in purls), instead=instead)

    questions: dict[str, Callable[[], Any]] = {
        "first page": lambda: api.list_approved(call),
        "page by name": lambda: api.list_approved(call, name=name()),
        "two pages, the second behind a cursor": onward,
        "page of a kind": lambda: api.list_approved(call, kind=ComponentKind.PACKAGE, name=name()[:3]),
        "page of what is approved": lambda: api.list_approved(call, state=ComponentState.APPROVED, name=name()[:4]),
        "page of what has expired": lambda: api.list_approved(call, state=ComponentState.EXPIRED),
        "page of what is withdrawn": lambda: api.list_approved(call, state=ComponentState.WITHDRAWN),
        "one component": lambda: api.get_approved(call, chance.choice(numbers)),
        "1,000 package URLs": lambda: api.check_approved(call, body=asked(instead=False)),
        "1,000 package URLs, and what to take instead": lambda: api.check_approved(call, body=asked(instead=True)),
    }
    return {what: _timed(ask, rounds) for what, ask in questions.items()}


def _timed(ask: Callable[[], Any], rounds: int) -> dict[str, float]:
    taken, worked = [], []
    for _ in range(rounds + 1):
        started, busy = time.perf_counter(), time.process_time()
        msgspec.json.encode(ask())
        taken.append((time.perf_counter() - started) * 1_000)
        worked.append((time.process_time() - busy) * 1_000)
    return {"median": round(statistics.median(taken[1:]), 1), "p95": _p95(taken[1:]), "cpu_p95": _p95(worked[1:])}


def _p95(values: list[float]) -> float:
    return round(sorted(values)[max(0, round(len(values) * 0.95) - 1)], 1)


def measured(url: str, folder: Path, subjects: int, rounds: int) -> dict[str, Any]:
    """Fill a database and ask it."""
    service = open_service(load({"HOME": str(folder)}, data=str(folder / "data"), database=url))
    try:
        migrate(service.database)
        prepare(service.database)
        found = fill(service, subjects)
        measure.as_served()
        return {**found, **figures(service, rounds)}
    finally:
        service.database.close()


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--subjects", type=int, default=10_000)
    words.add_argument("--rounds", type=int, default=30)
    words.add_argument("--dry", action="store_true")
    given = words.parse_args()
    facts = measure.announce("known-good components")
    found: dict[str, Any] = {"subjects": given.subjects, "components": given.subjects * HELD, "rounds": given.rounds}
    with tempfile.TemporaryDirectory(prefix="assay-b") as text:
        folder = Path(text)
        found["sqlite"] = measured(f"sqlite:///{folder / 'a.db'}", folder / "sqlite", given.subjects, given.rounds)
        print("sqlite", msgspec.json.encode(found["sqlite"]).decode())
        with tempfile.TemporaryDirectory(dir="/tmp") as short, postgres(Path(short)) as made:
            if made is None:
                print("  PostgreSQL is not installed: not measured")
            else:
                found["postgresql"] = measured(made, folder / "postgresql", given.subjects, given.rounds)
                print("postgresql", msgspec.json.encode(found["postgresql"]).decode())
    if not given.dry:
        measure.write("approved", facts, found)


if __name__ == "__main__":
    main()
