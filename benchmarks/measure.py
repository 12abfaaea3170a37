"""How the benchmarks measure, and how they write down what they found.

Guarantees: CPU seconds are user + system of a process with all its children, wall seconds are of the same run; rounds of several cases are
interleaved, so that a noisy neighbour meets all of them; a result holds no path, no host and no user name. Asserts nothing: a slow run is
a result, not an error.
"""

from __future__ import annotations

import gc
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def package_folder() -> str:
    """The folder that holds the package: the installed wheel when there is one, the source tree otherwise."""
    try:
        import assaymark  # noqa: PLC0415 - its place is what we look for
    except ImportError:
        sys.path.insert(0, str(ROOT / "src"))
        import assaymark  # noqa: PLC0415
    return str(Path(assaymark.__file__).resolve().parents[1])


PACKAGE = package_folder()


class Cost(NamedTuple):
    """Seconds of one run."""

    wall: float
    cpu: float


def assay(*arguments: str) -> list[str]:
    """The command `assay`: the console script beside this interpreter, or the module."""
    script = Path(sys.executable).with_name("assay")
    start = [str(script)] if script.exists() else [sys.executable, "-c", "from assaymark.cli.main import main; main()"]
    return [*start, *arguments]


def tool(name: str) -> str | None:
    """An installed program: from the folders in ``ASSAYMARK_PEERS``, beside this interpreter, or on the path.

    One wheel of a peer installs a command under another peer's name: a tool counts only when it says that it is itself.
    """
    places = [os.environ.get("ASSAYMARK_PEERS", ""), str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    found = shutil.which(name, path=os.pathsep.join(filter(None, places)))
    if found and name == "gitleaks":
        said = subprocess.run([found, "--help"], capture_output=True, text=True, check=False).stdout
        return found if "betterleaks" not in said else None
    return found


@contextmanager
def bench_folder() -> Iterator[Path]:
    """A short temporary folder, for a socket's path has to fit into 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="assay-b", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def environment(home: Path, **more: str) -> dict[str, str]:
    """What a measured process sees: nothing of this user's git or our settings, no daemon unless asked for."""
    (home / "run").mkdir(mode=0o700, parents=True, exist_ok=True)
    return {
        "PATH": str(Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", ""),
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": PACKAGE,
        "ASSAYMARK_CACHE": str(home / "cache"),
        "ASSAYMARK_KEY": "a key for benchmarks only",
        "ASSAYMARK_DAEMON": "off",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
        **more,
    }


def prepare(env: Mapping[str, str]) -> Cost:
    """`assay doctor`: builds what is built once per installation, so that no later figure holds it."""
    return timed(assay("doctor"), Path(env["HOME"]), env)


def timed(command: Sequence[str], folder: Path, env: Mapping[str, str], *, codes: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end.

    Raises:
        SystemExit: when its exit code is none of `codes`: a figure of something that failed would be a lie.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, cwd=folder, env=dict(env), capture_output=True, stdin=subprocess.DEVNULL, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if codes and ran.returncode not in codes:
        said = (ran.stderr or ran.stdout).decode(errors="replace")[-2000:]
        raise SystemExit(f"{Path(command[0]).name} {' '.join(command[1:3])} ended with {ran.returncode}:\n{said}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def interleaved(cases: Mapping[str, Callable[[int], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Every case once per round, each round in another order."""
    costs: dict[str, list[Cost]] = {name: [] for name in cases}
    names = list(cases)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            costs[name].append(cases[name](number))
    return costs


def summary(costs: Sequence[Cost]) -> dict[str, float]:
    """Milliseconds: medians, and the least wall time, which the neighbours disturb least."""
    return {
        "wall_ms_median": round(statistics.median(c.wall for c in costs) * 1000, 1),
        "wall_ms_least": round(min(c.wall for c in costs) * 1000, 1),
        "cpu_ms_median": round(statistics.median(c.cpu for c in costs) * 1000, 1),
        "rounds": len(costs),
    }


def as_served() -> None:
    """Do what a server does when it has begun: what is there by now is not looked through for garbage again (`server/run.py`)."""
    gc.collect()
    gc.freeze()


def daemon_cpu(pid: int) -> float:
    """CPU seconds of a daemon and of its children that have ended (Linux; ticks of 10 ms, so look at sums over many requests)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, Any]:
    """Facts that the figures depend on; nothing that names the machine."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "git": git,
        "load_1_5_15_min": [round(load, 1) for load in os.getloadavg()],
    }


def announce(title: str) -> dict[str, Any]:
    """Print what is measured on which kind of machine; returns the machine's facts as they were at the start."""
    facts = machine()
    print(f"{title}\n  " + ", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    return facts


def write(name: str, facts: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    """Keep a result for the commit that changes it."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps({"machine": {**facts, "load_at_end": round(os.getloadavg()[0], 1)}, **figures}, indent=1) + "\n", "utf-8")
    print(f"  written to results/{path.name}")


def table(rows: Sequence[Sequence[object]], head: Sequence[str]) -> None:
    """Print rows below a head, first column to the left."""
    texts = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(head))]
    for row in texts:
        cells = [
            cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  " + "  ".join(cells).rstrip(), flush=True)
