"""The first answer for a change of three files in a repository of 10,000, and whether a second run reads anything again.

*Warm*: what the installed hook runs, answered by the daemon; every round's contents are new. *Cold*: a new process of
`assay check --staged` with an empty facts store; compiled rules are there (they are made once per installation) and the system's file
cache is warm. *Second*: the same question once more, with facts. `--all` is asked twice as well: its second run must find every content
remembered.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import generate, measure

BUDGET_S = {"warm": 0.3, "cold": 1.0}
ANY = (0, 1, 5)


def hits(report: Path) -> dict[str, int]:
    """How many contents a run needed, and how many of them it remembered."""
    runs = json.loads(report.read_text("utf-8"))["verdict"]["checks"]
    return {"inputs": sum(run["inputs"] for run in runs), "remembered": sum(run["hits"] for run in runs)}


class Bench:
    """The repository, with a prepared cache that holds no facts."""

    def __init__(self, home: Path, files: int) -> None:
        self.home, self.folder = home, home / "repo"
        self.env = measure.environment(home)
        measure.prepare(self.env)
        generate.repository(self.folder, generate.tree(files), self.env)
        self.report = home / "report.json"

    def forget(self) -> None:
        """Delete the facts and nothing else of the cache."""
        for path in (self.home / "cache").glob("facts*"):
            path.unlink()

    def ask(self, *words: str) -> measure.Cost:
        command = measure.assay("check", *words, "--format", "json", "-o", str(self.report))
        return measure.timed(command, self.folder, self.env, codes=ANY)

    def cold(self, round_: int) -> measure.Cost:
        generate.stage_change(self.folder, round_, "cold", self.env)
        self.forget()
        return self.ask("--staged")

    def second(self, round_: int) -> measure.Cost:
        generate.stage_change(self.folder, round_, "second", self.env)
        self.ask("--staged")
        return self.ask("--staged")

    def warm(self, round_: int) -> measure.Cost:
        generate.stage_change(self.folder, round_, "warm", self.env)
        client = [sys.executable, "-I", "-S", str(Path(measure.PACKAGE) / "assaymark" / "hookclient.py"), "pre-commit"]
        return measure.timed(client, self.folder, {**self.env, "ASSAYMARK_DAEMON": "on"}, codes=ANY)

    def reset(self) -> None:
        subprocess.run(["git", "reset", "--quiet", "--hard"], cwd=self.folder, env=self.env, check=True)

    def start_daemon(self) -> None:
        on = {**self.env, "ASSAYMARK_DAEMON": "on"}
        measure.timed(measure.assay("daemon", "start"), self.folder, on)
        sockets = self.home / "run" / "assaymark"
        deadline = time.monotonic() + 60
        while not list(sockets.glob("*.sock")):
            if time.monotonic() > deadline:
                raise SystemExit("the daemon did not come up within a minute")
            time.sleep(0.1)


def staged(bench: Bench, rounds: int) -> dict[str, Any]:
    """Warm, cold and second answers, interleaved."""
    bench.start_daemon()
    try:
        for step in (bench.warm, bench.cold):
            bench.reset()
            step(5000)
        cases = {"warm": bench.warm, "cold": bench.cold, "second": bench.second}

        def step_of(name: str, round_: int) -> measure.Cost:
            bench.reset()
            return cases[name](round_)

        costs = measure.interleaved({name: lambda r, n=name: step_of(n, r) for name in cases}, rounds)  # type: ignore[misc]
    finally:
        measure.timed(measure.assay("daemon", "stop"), bench.folder, {**bench.env, "ASSAYMARK_DAEMON": "on"})
    bench.reset()
    return {name: measure.summary(cost) for name, cost in costs.items()}


def twice(bench: Bench, *words: str) -> dict[str, Any]:
    """One question asked twice: what the second answer cost and read."""
    bench.forget()
    first = bench.ask(*words)
    second = bench.ask(*words)
    found = hits(bench.report)
    return {
        "first_wall_s": round(first.wall, 2),
        "first_cpu_s": round(first.cpu, 2),
        "second_wall_s": round(second.wall, 2),
        "second_cpu_s": round(second.cpu, 2),
        **found,
        "read_again": found["inputs"] - found["remembered"],
    }


def run(files: int, rounds: int) -> dict[str, Any]:
    with measure.bench_folder() as home:
        bench = Bench(home, files)
        answers = staged(bench, rounds)
        generate.stage_change(bench.folder, 9000, "twice", bench.env)
        again = {"--staged": twice(bench, "--staged"), "--all": twice(bench, "--all")}
        shutil.rmtree(bench.folder, ignore_errors=True)
    return {"files": files, "answers": answers, "budget_s": BUDGET_S, "asked_twice": again}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    options = parser.parse_args()
    facts = measure.announce(f"first answer for three changed files in {options.files:,}")
    figures = run(options.files, options.rounds)
    columns = ("wall_ms_median", "wall_ms_least", "cpu_ms_median")
    measure.table([[name, *(row[c] for c in columns)] for name, row in figures["answers"].items()], ["", *columns])
    for words, row in figures["asked_twice"].items():
        print(f"  {words} asked twice: " + ", ".join(f"{name} {value}" for name, value in row.items()))
    if not options.dry:
        measure.write("first_answer", facts, figures)


if __name__ == "__main__":
    main()
