"""How long a lock file takes to be read and compared.

The lock file and the advisories are made up (seeded), in the size and shape of public ones: 1,000 packages of npm, an index of 30,000 npm
packages with two ranges each. Nothing is remembered between rounds but what a warm
worker keeps: the open index and the keys of versions; `first` is the first round of a process.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure

from assaymark.advisories.archives import Raw
from assaymark.advisories.compiling import Collection
from assaymark.checks.application.dependencies.check import judge
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256


def version(chance: random.Random) -> str:
    return f"{chance.randint(0, 9)}.{chance.randint(0, 30)}.{chance.randint(0, 20)}"


def lock_file(count: int, chance: random.Random) -> bytes:
    """Like those that npm writes: nested keys, hashes, edges."""
    names = [f"package-{number}" for number in chance.sample(range(100_000), count)]
    packages: dict[str, Any] = {"": {"name": "shop", "version": "1.0.0", "dependencies": dict.fromkeys(names[:40], "^1.0.0")}}
    for number, name in enumerate(names):
        needs = dict.fromkeys(names[number * 3 + 1 : number * 3 + 4], "*")
        packages[f"node_modules/{name}"] = {
            "version": version(chance),
            "resolved": f"https://registry.example.org/{name}/-/{name}.tgz",
            "integrity": "sha512-" + "A" * 86 + "==",
            **({"dependencies": needs} if needs else {}),
            "engines": {"node": ">=18"},
            "license": "MIT",
        }
    return json.dumps({"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": packages}, indent=2).encode()


def records(count: int, chance: random.Random) -> Iterator[Raw]:
    """Advisories of which few hit: most ranges end low."""
    for number in range(count):
        events = [{"introduced": "0"}, {"fixed": f"0.{chance.randint(0, 9)}.{chance.randint(0, 9)}"}]
        affected = {
            "package": {"ecosystem": "npm", "name": f"package-{chance.randrange(100_000)}"},
            "ranges": [{"type": "SEMVER", "events": [*events, {"introduced": "9.28.0"}, {"fixed": "9.29.0"}]}],
        }
        record = {"id": f"GHSA-{number:06}", "aliases": [f"CVE-2026-{number:06}"], "summary": "made up", "affected": [affected]}
        yield Raw(f"{number}.json", json.dumps(record).encode())


def rounds(work: Callable[[], object], count: int) -> dict[str, float]:
    """Milliseconds of CPU: the first, and what the rest took."""
    spent = []
    for _ in range(count):
        start = time.process_time()
        work()
        spent.append((time.process_time() - start) * 1000)
    rest = sorted(spent[1:])
    return {"first_ms": round(spent[0], 2), "median_ms": round(rest[len(rest) // 2], 2), "least_ms": round(rest[0], 2)}


def lock_figures(folder: Path, packages: int, advisories: int, count: int) -> dict[str, Any]:
    chance = random.Random(20261127)
    collection = Collection()
    for raw in records(advisories, chance):
        collection.add(raw)
    start = time.process_time()
    collection.write(folder / "index.db", {}, {}, {"compiled": "", "from": "", "sources": "{}"})
    compiled = time.process_time() - start
    del collection  # a worker does not hold what the index was made of, and its collector would walk over it
    gc.collect()
    gc.freeze()
    index, content = Index(str(folder / "index.db")), lock_file(packages, chance)
    each = Input(sha256(content), Dialect("package-lock"), (Part("", content),))
    outcome = judge(each, index)
    assert isinstance(outcome, Checked)
    figures = {"packages": packages, "bytes": len(content), "advisories": advisories, "hits": len(outcome.sightings)}
    return {**figures, "write_index_s": round(compiled, 2), **rounds(lambda: judge(each, index), count)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    facts = measure.announce("dependencies: a lock file of 1,000 packages")
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        figures["lock_file"] = lock_figures(Path(name), 1_000, 30_000, options.rounds)
        print(f"  lock file  {figures['lock_file']}", flush=True)
    if not options.dry:
        measure.write("dependencies", facts, figures)


if __name__ == "__main__":
    main()
