"""What benchmarks of the server share: the same figures on SQLite and on a PostgreSQL of their own, or on databases that are there."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.bench_server_components import postgres
from benchmarks.generate_fleet import YEARS, Plan

Figures = Callable[[str, Path, Plan | None, int], dict[str, Any]]


def main(about: tuple[str, str, str], figures: Figures, show: Callable[[dict[str, Any]], None], **more: Any) -> None:
    """Read the words of the command line, measure, show and write; `about` is what it does, its title, and the name of its results."""
    words = argparse.ArgumentParser(description=about[0].partition("\n")[0])
    words.add_argument("--findings", type=int, default=Plan().findings)
    words.add_argument("--subjects", type=int, default=Plan().subjects)
    words.add_argument("--rounds", type=int, default=20)
    words.add_argument("--url", action="append", default=[], help="a database that `generate_fleet.py` filled with the same numbers")
    words.add_argument("--dry", action="store_true")
    given = words.parse_args()
    facts = measure.announce(about[1])
    plan = Plan(given.findings, given.subjects)
    found: dict[str, Any] = {"findings": plan.findings, "subjects": plan.subjects, "years": YEARS, "rounds": given.rounds, **more}

    def on(name: str, url: str, folder: Path, fill: Plan | None) -> None:
        found[name] = figures(url, folder / name, fill, given.rounds)
        show(found[name])

    with tempfile.TemporaryDirectory(prefix="assay-b") as text:
        folder = Path(text)
        for url in given.url:
            on("sqlite" if url.startswith("sqlite") else "postgresql", url, folder, None)
        if not given.url:
            on("sqlite", f"sqlite:///{folder / 'fleet.db'}", folder, plan)
            with tempfile.TemporaryDirectory(dir="/tmp") as short, postgres(Path(short)) as made:
                if made is None:
                    print("  PostgreSQL is not installed: not measured")
                else:
                    on("postgresql", made, folder, plan)
    if not given.dry:
        measure.write(about[2], facts, found)
