"""How long a revocation takes that covers 100,000 endorsements: until it is refused, until all of it is marked, and the memory for it.

`python benchmarks/bench_revoking.py [how many]`; on SQLite and, where it is installed, on PostgreSQL.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import Any

import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.bench_server_components import postgres

from assaymark.endorsement.revocation import Revocation, Target
from assaymark.jobs.open import prepare
from assaymark.server.people.accounts import By
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work import revoking
from assaymark.store import bulk, running, withdrawals
from assaymark.store import tables as t
from assaymark.store.migrations.apply import migrate

RULES = "sha256:" + "1" * 64
AT = 1_700_000_000_000_000


class _Attempt:
    number, is_last = 1, True

    def should_stop(self) -> bool:
        return False


def _fill(service: Service, number: int) -> None:
    with service.database.write() as link:
        link.execute(t.subject.insert(), {"kind": "branch", "key": "main", "name": "main", "created_at": 1})
        asked = ("id", "subject", "trigger", "trigger_details", "queued_at", "state", "head")
        bulk.add(link, t.assessment, asked, ((n, 1, "push", "{}", AT, "pass", f"{n:040x}") for n in range(1, number + 1)))
        names = (
            "id", "digest", "bundle", "assessment", "subject", "kind", "head", "resource", "verifier", "engine", "rules", "policy",
            "verdict", "levels", "environments", "approved_by", "verified_at", "expires_at", "made_at",
        )  # fmt: skip
        rows = (
            (n, f"sha256:{n:064x}", "", n, 1, "branch", f"{n:040x}", "git+https://f.test/a", "v", "assaymark@0.1.0", RULES, "", "",
             "[]", "[]", "[]", AT, AT * 2, AT)
            for n in range(1, number + 1)
        )  # fmt: skip
        bulk.add(link, t.endorsement, names, rows)
        bulk.add(link, t.endorsed_digest, ("digest", "endorsement"), ((f"gitCommit:{n:040x}", n) for n in range(1, number + 1)))
        environments = ("kind", "key", "name", "created_at", "details")
        bulk.add(link, t.subject, environments, (("environment", f"e{n}", f"e{n}", 1, f'{{"commit":"{n:040x}"}}') for n in range(1, 1001)))


def figures(service: Service, number: int) -> dict[str, Any]:
    _fill(service, number)
    tracemalloc.start()
    started = time.perf_counter()
    with service.database.write() as link:
        done = revoking.revoke(service, link, Revocation(Target.ENGINE, f"rules@{RULES}", "a rule was blind", ""), by=By("ana"))
    refused = time.perf_counter() - started
    more = done.more
    after = withdrawals.AT_ONCE
    while more:
        with service.database.read() as link:
            after = link.execute(sa.select(sa.func.max(t.endorsement_withdrawal.c.endorsement))).scalar_one()
        if after >= number:
            break
        revoking.spread_revocation(service, {"revocation": done.row.id, "began": done.row.at, "after": after}, _Attempt())
    revoking.tell_revocation(service, {"revocation": done.row.id, "began": done.row.at}, _Attempt())
    marked = time.perf_counter() - started
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    started = time.perf_counter()
    with service.database.read() as link:
        places = running.places(link, withdrawals.under(done.row), None, after=0, limit=50)
        withdrawn = withdrawals.count(link, withdrawals.under(done.row), number + 1)
    return {
        "endorsements": number, "withdrawn": withdrawn, "refused_s": round(refused, 2), "all_marked_s": round(marked, 2),
        "peak_mib": round(peak / 2**20, 1), "list_of_what_runs_ms": round((time.perf_counter() - started) * 1000), "listed": len(places),
    }  # fmt: skip


def _service(folder: Path, url: str) -> Service:
    made = open_service(load({"HOME": str(folder)}, data=str(folder / "data"), database=url))
    migrate(made.database)
    prepare(made.database)
    return made


def main() -> None:
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        service = _service(Path(name), f"sqlite:///{name}/assaymark.db")
        print(json.dumps({"database": "sqlite"} | figures(service, number)))
        service.database.close()
    with tempfile.TemporaryDirectory(dir="/tmp") as name, postgres(Path(name)) as url:
        if url is None:
            print("PostgreSQL is not installed: not measured")
            return
        service = _service(Path(name), url)
        print(json.dumps({"database": "postgresql"} | figures(service, number)))
        service.database.close()


if __name__ == "__main__":
    main()
