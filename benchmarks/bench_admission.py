"""How long a cluster waits for an answer: AdmissionReviews over the whole application, on SQLite and on PostgreSQL.

    python benchmarks/bench_admission.py [--images N] [--rounds N] [--requests N] [--dry]

Real signatures, real rows, every middleware; one caller, in process, without a socket (which would add the kernel's share and the API
server's TLS). Time is taken when the last byte of the answer is out: what is written down after it delays the next answer, not this one.
`cpu` is this process's, `wall` the clock's on a machine that others use too. Peers (Kyverno, Ratify, policy-controller) need a cluster and
cannot be had as packages: none is measured here.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
import structlog
from benchmarks import measure
from benchmarks.bench_server_components import postgres
from starlette.applications import Starlette
from tests.server.admission.clusters import believe, endorse, pod

from assaymark.deployment.admission.approved import ApprovedDigest, Place, maps
from assaymark.jobs.open import prepare
from assaymark.server.app import make_app
from assaymark.server.people import credential
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work.admitting import approved_for
from assaymark.store import admission
from assaymark.store.migrations.apply import migrate

BUDGET_MS = 10.0


class Taken(msgspec.Struct, frozen=True):
    """One request."""

    wall: float
    cpu: float
    status: int
    body: bytes

    @property
    def allowed(self) -> bool:
        return bool(msgspec.json.decode(self.body)["response"]["allowed"])


class Cluster:
    """Asks an application, as an API server does."""

    def __init__(self, app: Starlette, host: str, token: str) -> None:
        self._app = app
        self._headers = [
            (b"host", host.encode()), (b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json"),
        ]  # fmt: skip

    async def ask(self, body: bytes, path: str = "/admission/k8s") -> Taken:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "headers": [*self._headers, (b"content-length", str(len(body)).encode())], "state": {},
        }  # fmt: skip
        told: list[bytes] = []
        status, ended = 0, 0.0
        at_end = 0.0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, ended, at_end
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                told.append(message.get("body", b""))
                if not message.get("more_body"):
                    ended, at_end = time.perf_counter(), time.process_time()

        began, at_begin = time.perf_counter(), time.process_time()
        await self._app(scope, receive, send)
        return Taken((ended - began) * 1000, (at_end - at_begin) * 1000, status, b"".join(told))


def opened(url: str, folder: Path) -> Service:
    """A server with nothing in it."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    service = open_service(load({"HOME": str(folder)}, data=str(folder / "data"), database=url))
    migrate(service.database)
    prepare(service.database)
    return service


def gate_of(service: Service, name: str = "measured") -> str:
    """A gate that enforces; its token."""
    token = credential.new_secret()
    with service.database.write() as link:
        admission.add(link, admission.Draft(name, "production", enforces=True), credential.hashed(token), service.now())
    return token


def shares(taken: Sequence[float]) -> dict[str, float]:
    ordered = sorted(taken)
    at = {name: ordered[max(0, -(-len(ordered) * part // 100) - 1)] for name, part in (("p50", 50), ("p99", 99))}
    return {name: round(value, 2) for name, value in at.items()} | {"max": round(ordered[-1], 2)}


def told(taken: Sequence[Taken]) -> dict[str, Any]:
    return {"wall_ms": shares([each.wall for each in taken]), "cpu_ms": shares([each.cpu for each in taken])}


def digests(number: int) -> list[str]:
    return [f"sha256:{hashlib.sha256(f'image {each}'.encode()).hexdigest()}" for each in range(number)]


def review_of(*images: str, pad: int = 0) -> bytes:
    document = pod(*(f"registry.example.org/shop/app:1@{each}" for each in images))
    document["request"]["object"]["metadata"]["annotations"] = {"note": "n" * pad}
    return json.dumps(document).encode()


async def figures(service: Service, images: int, rounds: int, requests: int) -> dict[str, Any]:
    """Cold, warm, refused, large."""
    believe(service)
    known = digests(images)
    for each in known:
        endorse(service, each)
    cluster = Cluster(make_app(service), service.settings.url.partition("//")[2], gate_of(service))
    found: dict[str, Any] = {"images": images, "requests": requests, "rounds": rounds}
    cold = [await cluster.ask(review_of(each)) for each in known]
    assert all(each.allowed for each in cold)
    found["cold, one image"] = told(cold)
    cases: dict[str, Callable[[int], bytes]] = {
        "warm, three images": lambda at: review_of(*(known[(at + step) % images] for step in range(3))),
        "warm, three images, 64 KiB": lambda at: review_of(*(known[(at + step) % images] for step in range(3)), pad=64 << 10),
        "warm, one of two refused": lambda at: review_of(known[at % images], "sha256:" + "0" * 64),
        "warm, 1 MiB": lambda at: review_of(known[at % images], pad=1 << 20),
    }
    for name, make in cases.items():
        number = requests if "MiB" not in name else max(20, requests // 20)
        await cluster.ask(make(0))
        all_rounds = [[await cluster.ask(make(at)) for at in range(number)] for _ in range(rounds)]
        assert all(each.allowed is ("refused" not in name) for taken in all_rounds for each in taken)
        found[name] = {f"round {index + 1}": told(taken) for index, taken in enumerate(all_rounds)}
        wall = [found[name][f"round {index + 1}"]["wall_ms"]["p99"] for index in range(rounds)]
        found[name]["p99_wall_ms_least_of_rounds"] = min(wall)
        found[name]["p99_wall_ms_median_of_rounds"] = statistics.median(wall)
    found["what a cluster is given"] = _given(service, images)
    return found


def _given(service: Service, images: int) -> dict[str, Any]:
    """All approved digests, verified anew, as ConfigMaps."""
    began = time.process_time()
    with service.database.read() as link:
        assert len(approved_for(service, link, "production")) == images
    verified = time.process_time() - began
    began = time.process_time()
    ends = [ApprovedDigest(each, "2036-01-01T00:00:00Z") for each in digests(10_000)]
    (made,) = maps(Place("production"), ends)
    size = len(json.dumps(made))
    return {
        "verified_per_cpu_s": round(images / verified),
        "map_of_10000_ms": round((time.process_time() - began) * 1000, 1),
        "map_bytes": size,
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--images", type=int, default=300)
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--requests", type=int, default=1000)
    words.add_argument("--dry", action="store_true", help="write no result")
    given = words.parse_args()
    facts = measure.announce("admission")
    found: dict[str, Any] = {"budget_p99_ms": BUDGET_MS}

    def on(name: str, url: str, folder: Path) -> None:
        service = opened(url, folder / name)
        try:
            found[name] = asyncio.run(figures(service, given.images, given.rounds, given.requests))
        finally:
            service.database.close()
        for case, values in found[name].items():
            print(f"  {name:10} {case:28} {values}", flush=True)

    with tempfile.TemporaryDirectory(prefix="assay-b") as text, tempfile.TemporaryDirectory(dir="/tmp") as short:
        on("sqlite", f"sqlite:///{text}/gates.db", Path(text))
        with postgres(Path(short)) as made:
            if made is None:
                print("  PostgreSQL is not installed: not measured")
            else:
                on("postgresql", made, Path(text))
    if not given.dry:
        measure.write("admission", facts, found)


if __name__ == "__main__":
    main()
