"""What starting costs: instructions of the hook's client and of the engine's imports, and what the facts store does per second.

    python benchmarks/engine_start.py [--quick]

Instructions are counted by valgrind (independent of load); times are CPU and wall seconds of this machine, best of several. The daemon
that is asked has a handler that only returns, so the figures are those of the client, the socket and the fork.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"
sys.path.insert(0, str(SOURCE))

from assaymark import hookclient  # noqa: E402 - found through the line above
from assaymark.engine.facts import FactsStore  # noqa: E402
from assaymark.engine.outcome import CLEAN, encode, fact_key  # noqa: E402
from assaymark.model.check import Dialect  # noqa: E402
from assaymark.model.digest import sha256  # noqa: E402
from assaymark.model.finding import CheckId  # noqa: E402

SITE = next(path for path in sys.path if path.endswith("site-packages"))
IMPORTS = {
    "plan and facts": "assaymark.engine.plan, assaymark.engine.facts",
    "all of the engine": "assaymark.engine.run, assaymark.engine.facts",
    "the daemon": "assaymark.daemon.serve",
    "msgspec alone": "msgspec",
    "sqlite3 alone": "sqlite3",
}
SERVER = "import sys; sys.path[:0] = [{source!r}, {folder!r}]; from assaymark.daemon.__main__ import main; main('toy_handler')"


def importing(modules: str) -> list[str]:
    program = f"import sys; sys.path[:0] = [{str(SOURCE)!r}]; sys.path.append({SITE!r}); import {modules}"
    return [sys.executable, "-I", "-S", "-c", program]


def client() -> list[str]:
    return [sys.executable, "-I", "-S", hookclient.__file__, "pre-commit"]


@contextmanager
def daemon() -> Iterator[dict[str, str]]:
    """A daemon in a folder of its own; yields the environment in which its clients find it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "toy_handler.py").write_text("def handle(request, write): return 0\n")
        environment = {"HOME": folder, "XDG_RUNTIME_DIR": folder, "PATH": os.environ["PATH"]}
        process = subprocess.Popen([sys.executable, "-I", "-c", SERVER.format(source=str(SOURCE), folder=folder)], env=environment)
        socket = Path(folder) / "assaymark" / hookclient.socket_name()
        while not socket.exists():
            time.sleep(0.01)
        try:
            yield environment
        finally:
            process.terminate()
            process.wait()


def instructions(command: list[str], environment: dict[str, str]) -> float:
    """Millions of instructions."""
    with tempfile.NamedTemporaryFile() as out:
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out.name}"]
        subprocess.run([*tool, *command], capture_output=True, check=True, env=environment)
        totals = [line.split()[1] for line in Path(out.name).read_text().splitlines() if line.startswith("totals:")]
        if not totals:
            raise SystemExit("the client became the program: the code changed while it was measured; please run again")
        return int(totals[0]) / 1e6


def times(command: list[str], environment: dict[str, str], rounds: int) -> tuple[float, float]:
    """Least wall and CPU milliseconds of a process."""
    wall, cpu = [], []
    for _ in range(rounds):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(wall) * 1000, min(cpu) * 1000


def starts(rounds: int) -> None:
    with daemon() as environment:
        rows = {"python -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"], "client and daemon": client()}
        rows |= {f"import: {name}": importing(modules) for name, modules in IMPORTS.items()}
        print(f"{'':28}{'wall ms':>10}{'cpu ms':>10}{'Minstr':>10}")
        for name, command in rows.items():
            wall, cpu = times(command, environment, rounds)
            count = f"{instructions(command, environment):10.1f}" if shutil.which("valgrind") else "no valgrind".rjust(12)
            print(f"{name:28}{wall:10.1f}{cpu:10.1f}{count}")


def facts(count: int) -> None:
    key = fact_key(CheckId("bench"), "1", "k")
    rows = [(key(Dialect("py"), sha256(str(number).encode())), encode(CLEAN)) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        store = FactsStore(f"{folder}/facts")
        clock = [time.process_time()]
        for start in range(0, count, 4096):
            store.put(rows[start : start + 4096])
        clock.append(time.process_time())
        found = store.get([row[0] for row in rows])
        clock.append(time.process_time())
        store.close()
        size = sum(path.stat().st_size for path in Path(folder, "facts").iterdir())
        begin = time.process_time()
        one = FactsStore(f"{folder}/facts")
        one.get([rows[0][0]])
        opening = time.process_time() - begin
        one.close()
    if len(found) != count:
        raise SystemExit("facts were lost")
    put, get = (1e6 * (clock[number + 1] - clock[number]) / count for number in (0, 1))
    print(f"facts store, {count:,} facts: put {put:.1f} us, get {get:.1f} us each (CPU), {size / count:.0f} bytes each")
    print(f"open and one look-up {opening * 1000:.2f} ms")


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    starts(5 if quick else 31)
    facts(10_000 if quick else 100_000)
