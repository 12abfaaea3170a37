"""Secrets in a whole history against the fastest peers: calls `secrets_history.py`, which measures and compares, with a history.

Give a git repository; without one a small history is generated, which shows that the program works and says little about speed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import generate, measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("history", nargs="?", type=Path, help="a git repository")
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    parser.add_argument("rest", nargs="*", help="further words for secrets_history.py, after --")
    options = parser.parse_args()
    facts = measure.announce("secrets of a whole history")
    with measure.bench_folder() as home:
        env = measure.environment(home, ASSAYMARK_PEERS=os.environ.get("ASSAYMARK_PEERS", ""))
        history = options.history.resolve() if options.history else home / "generated"
        if not options.history:
            generate.repository(history, generate.tree(500), env)
        program = Path(__file__).with_name("secrets_history.py")
        command = [sys.executable, str(program), str(history), "--cache", str(home / "rules"), *options.rest]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    print(ran.stdout, end="")
    if ran.returncode:
        raise SystemExit(ran.stderr[-2000:])
    lines = [line.replace(str(history), history.name) for line in ran.stdout.splitlines()]
    if not options.dry:
        measure.write("secrets_history", facts, {"history": history.name, "said": lines})


if __name__ == "__main__":
    main()
