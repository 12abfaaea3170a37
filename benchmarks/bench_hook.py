"""What the hook adds to `git commit` when nothing is wrong.

Every round changes three Python files of a small repository to content that nobody has seen, and times `git commit` alone: without a hook,
with our hook and a warm daemon, with our hook and no daemon, and with hooks made of peers that are installed. *Contents known* commits what
`assay check --staged` has judged a moment ago. CPU of the daemon's side is read from the kernel's account of the daemon and its children.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import generate, measure

PLAIN, WARM, KNOWN, ALONE = "no hook", "assay, warm daemon", "assay, warm daemon, contents known", "assay, no daemon"
BUDGET_MS = {WARM: 25, ALONE: 150}
PEERS = {
    "ruff S (peer)": (
        "ruff",
        'git diff --cached --name-only -z --diff-filter=d -- "*.py" | xargs -0 {tool} check --select S --no-cache -q',
    ),
    "gitleaks (peer)": ("gitleaks", "{tool} git --pre-commit --staged --no-banner -l error ."),
    "betterleaks (peer)": ("betterleaks", "{tool} git --staged --no-banner -l error ."),
    "detect-secrets (peer)": ("detect-secrets-hook", "git diff --cached --name-only -z --diff-filter=d | xargs -0 {tool}"),
}


class Case:
    """One repository with one hook."""

    def __init__(self, name: str, folder: Path, env: dict[str, str]) -> None:
        self.name, self.folder, self.env = name, folder, env
        generate.repository(folder, generate.tree(200), env)

    def use(self, script: str) -> None:
        hook = self.folder / ".git" / "hooks" / "pre-commit"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        hook.chmod(0o755)

    def commit(self, round_: int) -> measure.Cost:
        generate.stage_change(self.folder, round_, self.name, self.env)
        if self.name == KNOWN:
            measure.timed(measure.assay("check", "--staged"), self.folder, self.env)
        return measure.timed(["git", "commit", "--quiet", "-m", f"change {round_}"], self.folder, self.env)


def cases(home: Path, *, peers: bool) -> dict[str, Case]:
    off = measure.environment(home)
    on = {**off, "ASSAYMARK_DAEMON": "on"}
    ours = (PLAIN, WARM, KNOWN, ALONE)
    made = {name: Case(name, home / f"r{number}", on if name in (WARM, KNOWN) else off) for number, name in enumerate(ours)}
    for name in ours[1:]:
        measure.timed(measure.assay("hook", "install", "pre-commit"), made[name].folder, off)
    for name, (program, script) in PEERS.items() if peers else ():
        found = measure.tool(program)
        if found:
            made[name] = Case(name, home / f"r{len(made)}", off)
            made[name].use(script.format(tool=found))
    return made


def daemon_pid(case: Case) -> int:
    """Start the daemon by a first commit, and wait until it serves."""
    asked = [sys.executable, "-c", "from assaymark.daemon.start import running; print(running())"]
    measure.timed(measure.assay("daemon", "start"), case.folder, case.env)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        pid = int(subprocess.run(asked, env=case.env, capture_output=True, text=True, check=True).stdout or 0)
        if pid and list((Path(case.env["XDG_RUNTIME_DIR"]) / "assaymark").glob("*.sock")):
            return pid
        time.sleep(0.2)
    raise SystemExit("the daemon did not come up within a minute")


def run(rounds: int, *, peers: bool) -> dict[str, Any]:
    with measure.bench_folder() as home:
        preparation = measure.prepare(measure.environment(home))
        made = cases(home, peers=peers)
        pid = daemon_pid(made[WARM])
        try:
            for case in made.values():  # first runs load what later ones find in the system's cache
                case.commit(10_000)
                case.commit(10_001)
            served = dict.fromkeys(made, 0.0)

            def step(name: str, round_: int) -> measure.Cost:
                if not Path(f"/proc/{pid}").exists():
                    raise SystemExit("the daemon ended meanwhile, most likely because the installed code changed: please run again")
                before = measure.daemon_cpu(pid)
                cost = made[name].commit(round_)
                served[name] += (measure.daemon_cpu(pid) - before) * 1000 / rounds
                return cost

            steps: dict[str, Callable[[int], measure.Cost]] = {name: partial(step, name) for name in made}
            costs = measure.interleaved(steps, rounds)
        finally:
            measure.timed(measure.assay("daemon", "stop"), made[WARM].folder, made[WARM].env)
    figures: dict[str, Any] = {name: measure.summary(cost) for name, cost in costs.items()}
    for name in (WARM, KNOWN):
        figures[name]["daemon_cpu_ms_mean"] = round(served[name], 1)
    for name, figure in figures.items():
        paired = sorted((mine.wall - plain.wall) * 1000 for mine, plain in zip(costs[name], costs[PLAIN], strict=True))
        figure["added_wall_ms_median"] = round(paired[len(paired) // 2], 1)
        figure["added_wall_ms_least"] = round(figure["wall_ms_least"] - figures[PLAIN]["wall_ms_least"], 1)
        figure["added_cpu_ms"] = round(figure["cpu_ms_median"] - figures[PLAIN]["cpu_ms_median"] + figure.get("daemon_cpu_ms_mean", 0.0), 1)
        figure["ratio_to_no_hook"] = round(figure["wall_ms_median"] / figures[PLAIN]["wall_ms_median"], 2)
    return {"cases": figures, "preparation_cpu_s": round(preparation.cpu, 1), "budget_added_ms": BUDGET_MS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    options = parser.parse_args()
    facts = measure.announce("what the hook adds to `git commit` of three changed Python files")
    figures = run(options.rounds, peers=not options.no_peers)
    columns = ("added_wall_ms_median", "added_wall_ms_least", "added_cpu_ms", "wall_ms_median", "cpu_ms_median", "ratio_to_no_hook")
    measure.table([[name, *(row[c] for c in columns)] for name, row in figures["cases"].items()], ["", *columns])
    if not options.dry:
        measure.write("hook", facts, figures)


if __name__ == "__main__":
    main()
