"""What the typed layer of the API costs: CPU per request of the server's process, and requests a second over loopback.

Three operations, each in our layer with everything that stands before it (guard, sign-in, limits, OpenAPI), and in bare Starlette with
msgspec written by hand: a list of 50 typed rows, a POST with 20 typed items, and a request that is refused. A fourth one, the health of a
real server, reads the database. One uvicorn (uvloop, httptools) per case in a process of its own, asked by `ab` with 8 connections; the
rounds of the cases are interleaved. CPU is user + system of the server's process alone, taken before and after each round.
"""

from __future__ import annotations

import argparse
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import msgspec
from benchmarks import measure
from msgspec import Struct

CASES = ("layer", "bare")
REQUESTS = {"list": ("GET", "/api/v1/rows", 200), "post": ("POST", "/api/v1/rows", 201), "problem": ("GET", "/api/v1/rows?limit=x", 400)}
HEALTH = ("GET", "/api/v1/health", 200)


class Row(Struct, frozen=True):
    id: int
    path: str
    rule: str
    severity: str
    message: str
    line: int


class Import(Struct, frozen=True):
    rows: tuple[Row, ...]


ROWS = tuple(
    Row(number, f"src/app/module_{number}.py", "ruff/S608", "high", "A query is put together from text.", number) for number in range(50)
)
BODY = msgspec.json.encode(Import(ROWS[:20]))


def serve_layer(port: int, folder: Path) -> None:
    """Our application with two operations more."""
    from starlette.requests import Request  # noqa: PLC0415 - in the server's process only, like the rest

    from assaymark.model.access import Grant, Permission, PersonId, Principal, Role  # noqa: PLC0415
    from assaymark.server.api.route import Call, Page, Router  # noqa: PLC0415
    from assaymark.server.app import make_app, operations  # noqa: PLC0415
    from assaymark.server.logs import set_up  # noqa: PLC0415
    from assaymark.server.protocol import BoundedProtocol  # noqa: PLC0415
    from assaymark.server.service import Service, open_service  # noqa: PLC0415
    from assaymark.server.settings import load  # noqa: PLC0415
    from assaymark.store.migrations.apply import migrate  # noqa: PLC0415

    router = Router("measured")

    def rows(_call: Call, limit: int = 50) -> Page[Row]:
        return Page(ROWS[:limit])

    def add(_call: Call, body: Import) -> dict[str, int]:
        return {"count": len(body.rows)}

    rows.__annotations__ = {"_call": Call, "limit": int, "return": Page[Row]}
    add.__annotations__ = {"_call": Call, "body": Import, "return": dict[str, int]}
    router.add("GET", "/rows", Permission.SUBJECTS_READ)(rows)
    router.add("POST", "/rows", Permission.FINDINGS_IMPORT, status=201)(add)
    who = Principal(
        PersonId(1), "ana", (Grant(Role.DEVELOPER),), frozenset({Permission.SUBJECTS_READ, Permission.FINDINGS_IMPORT}), token=1
    )

    def identify(_service: Service, request: Request) -> Principal | None:
        return who if "authorization" in request.headers else None

    set_up()
    given = {"data": str(folder / "data"), "listen": f"127.0.0.1:{port}", "rate": "100000000", "public_rate": "100000000"}
    service = open_service(load({"HOME": str(folder)}, **given))
    migrate(service.database)
    app = make_app(service, identify=identify, offered=[*operations(), *router.operations])
    _run(app, port, BoundedProtocol)


def serve_bare(port: int, _folder: Path) -> None:
    """The same by hand: nothing is bounded, known, counted or described."""
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.requests import Request  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Import)

    async def rows(request: Request) -> Response:
        try:
            limit = int(request.query_params.get("limit", "50"))
        except ValueError:
            return Response(b'{"title":"the request makes no sense"}', 400, media_type="application/problem+json")
        return Response(encoder.encode({"items": ROWS[:limit]}), media_type="application/json")

    async def add(request: Request) -> Response:
        body = decoder.decode(await request.body())
        return Response(encoder.encode({"count": len(body.rows)}), 201, media_type="application/json")

    _run(Starlette(routes=[Route("/api/v1/rows", rows), Route("/api/v1/rows", add, methods=["POST"])]), port, "httptools")


def _run(app: object, port: int, http: object) -> None:
    import uvicorn  # noqa: PLC0415

    uvicorn.run(
        app, host="127.0.0.1", port=port, loop="uvloop", http=http, ws="none", log_config=None, access_log=False, proxy_headers=False,  # type: ignore[arg-type]
    )  # fmt: skip


class Server:
    """A case in a process of its own."""

    def __init__(self, case: str, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        words = [sys.executable, __file__, "--serve", case, "--port", str(self.port), "--folder", str(folder)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise SystemExit(f"{case} did not start")

    def round(self, request: tuple[str, str, int], count: int, body: Path) -> tuple[float, float]:
        """CPU microseconds per request, and requests a second."""
        method, path, status = request
        words = ["ab", "-q", "-k", "-n", str(count), "-c", "8", "-H", "Authorization: Bearer x"]
        words += ["-p", str(body), "-T", "application/json"] if method == "POST" else []
        before = measure.daemon_cpu(self.process.pid)
        ran = subprocess.run([*words, f"http://127.0.0.1:{self.port}{path}"], check=True, capture_output=True, text=True)
        used = measure.daemon_cpu(self.process.pid) - before
        failed = int((re.search(r"Non-2xx responses:\s+(\d+)", ran.stdout) or [0, 0])[1])
        if failed != (0 if status < 300 else count):
            raise SystemExit(f"{path} did not answer {status}: {ran.stdout}")
        rate = re.search(r"Requests per second:\s+([\d.]+)", ran.stdout)
        assert rate is not None
        return used / count * 1e6, float(rate[1])


def measured(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Medians by what was asked and by whom it was answered."""
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        body = Path(folder) / "body.json"
        body.write_bytes(BODY)
        servers = {case: Server(case, Path(folder) / case) for case in CASES}
        try:
            for turn in range(rounds + 1):
                for name, request in [*REQUESTS.items(), ("health", HEALTH)]:
                    for case, server in servers.items():
                        if name != "health" or case == "layer":
                            made = server.round(request, count if turn else count // 4, body)
                            if turn:  # the first one warms up
                                found.setdefault(f"{name} {case}", []).append(made)
        finally:
            for server in servers.values():
                server.process.terminate()
                server.process.wait(20)
    return {
        name: {
            "cpu_us": round(statistics.median(cpu for cpu, _ in each), 1),
            "cpu_us_least": round(min(cpu for cpu, _ in each), 1),
            "cpu_us_most": round(max(cpu for cpu, _ in each), 1),
            "requests_per_second": round(statistics.median(rate for _, rate in each)),
        }
        for name, each in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    parser.add_argument("--serve", choices=CASES)
    parser.add_argument("--port", type=int)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.serve:
        {"layer": serve_layer, "bare": serve_bare}[given.serve](given.port, given.folder)
        return
    facts = measure.announce("requests to the API")
    result = measured(given.count, given.rounds)
    rows = [[name, *row.values()] for name, row in result.items()]
    measure.table(rows, ("what and by whom", "us CPU, median", "least", "most", "requests/s"))
    if not given.dry:
        measure.write("server_requests", facts, {"requests": given.count, "rounds": given.rounds, "cases": result})


if __name__ == "__main__":
    main()
