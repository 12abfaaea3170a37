"""How often "new" lies: `assay replay` on the histories that are given, beside the scheme of file, line and rule.

A finding survives a commit when its file held it before, with the same rule and statement, and the commit wrote none of its lines
(git's own word). A surviving finding that a scheme calls new is falsely new. Which lines a commit wrote does not depend on either scheme.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure


def replayed(history: Path, last: int, env: dict[str, str]) -> dict[str, Any]:
    """Scores of both schemes on one history."""
    command = measure.assay("replay", "--last", str(last), "--json")
    ran = subprocess.run(command, cwd=history, env=env, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{history.name}: {ran.stderr[-2000:]}")
    report = json.loads(ran.stdout)
    return {"commits": report["commits"], "schemes": {score.pop("scheme"): score for score in report["scores"]}}


def rate(score: dict[str, int]) -> float:
    return score["falsely_new"] / score["surviving"] if score["surviving"] else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("histories", nargs="*", type=Path, help="git repositories; their folder names name the rows")
    parser.add_argument("--last", type=int, default=300, help="so many first-parent commits of each")
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    options = parser.parse_args()
    facts = measure.announce(f"false-new rates over the last {options.last} commits")
    if not options.histories:
        print("  no history was given: nothing measured")
        return
    figures: dict[str, Any] = {}
    with measure.bench_folder() as home:
        env = measure.environment(home)
        measure.prepare(env)
        for history in options.histories:
            found = figures[history.resolve().name] = replayed(history.resolve(), options.last, env)
            for score in found["schemes"].values():
                score["rate"] = round(rate(score), 6)
    rows = [
        [name, row["commits"], scheme, score["surviving"], score["falsely_new"], f"{rate(score):.2%}", score["commits_with_lies"]]
        for name, row in figures.items()
        for scheme, score in row["schemes"].items()
    ]
    measure.table(rows, ["history", "commits", "scheme", "surviving", "falsely new", "rate", "commits with a lie"])
    if not options.dry:
        measure.write("identity_replay", facts, {"last": options.last, "histories": figures})


if __name__ == "__main__":
    main()
