"""How long reading a lock file takes, beside the time that parsing its JSON, TOML or lines takes anyway; and writing a bill of materials.

The lock files are made up (seeded) in the size and shape of public ones, so that everybody measures the same: 1,157 packages of npm in
1.1 MB as in the largest one of a public collection. `--dir` adds real ones. Cases are interleaved; the least time of many rounds counts.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure

from assaymark.checks.application.dependencies.bom.bill import Bill, joined
from assaymark.checks.application.dependencies.bom.cyclonedx import cyclonedx
from assaymark.checks.application.dependencies.bom.spdx import spdx
from assaymark.checks.application.dependencies.readers import Unreadable, dialect_of, read
from assaymark.model.check import Dialect

SUM = "ab" * 32
SRI = "sha512-" + "A" * 86 + "=="


def npm(count: int, chance: random.Random) -> bytes:
    names = [f"package-{number}" for number in range(count)]
    packages: dict[str, Any] = {"": {"name": "shop", "dependencies": dict.fromkeys(names[:40], "^1.0.0")}}
    for number, name in enumerate(names):
        at = f"node_modules/{name}" if number % 4 else f"node_modules/{names[number // 2 + 1]}/node_modules/{name}"
        packages[at] = {
            "version": f"1.{chance.randint(0, 40)}.{number}",
            "resolved": f"https://registry.example.org/{name}/-/{name}-1.0.0.tgz",
            "integrity": SRI,
            "dev": number % 3 == 0,
            "license": "MIT",
            "dependencies": {chance.choice(names): "^1.0.0" for _ in range(chance.randint(0, 4))},
            "engines": {"node": ">=18"},
            "funding": {"url": "https://example.org/fund"},
            "description": "padding, as packages carry it along " * 10,
        }
    return json.dumps({"name": "shop", "lockfileVersion": 3, "requires": True, "packages": packages}, indent=2).encode()


def pnpm(count: int, chance: random.Random) -> bytes:
    names = [f"package-{number}@1.0.{number}" for number in range(count)]
    packages = "".join(f"  {name}:\n    resolution: {{integrity: {SRI}}}\n    engines: {{node: '>=18'}}\n\n" for name in names)
    snapshots = ""
    for name in names:
        needs = {chance.choice(names) for _ in range(chance.randint(0, 3))}
        rows = "".join(f"      {each.partition('@')[0]}: {each.partition('@')[2]}\n" for each in sorted(needs))
        snapshots += f"  {name}:\n    dependencies:\n{rows}\n" if needs else f"  {name}: {{}}\n\n"
    importers = "importers:\n\n  .:\n    dependencies:\n      package-1:\n        specifier: ^1\n        version: 1.0.1\n\n"
    return f"lockfileVersion: '9.0'\n\n{importers}packages:\n\n{packages}snapshots:\n\n{snapshots}".encode()


def poetry(count: int, chance: random.Random) -> bytes:
    text = ""
    for number in range(count):
        files = "".join(f'    {{file = "package_{number}-{n}.whl", hash = "sha256:{SUM}"}},\n' for n in range(chance.randint(1, 60)))
        text += f'[[package]]\nname = "package-{number}"\nversion = "1.0.{number}"\ngroups = ["main"]\nfiles = [\n{files}]\n\n'
        text += f'[package.dependencies]\npackage-{chance.randrange(count)} = ">=1"\n\n'
    return text.encode()


def cases(folder: str) -> dict[str, tuple[Dialect, bytes]]:
    made = {
        "package-lock, 1157": (Dialect("package-lock"), npm(1157, random.Random(1))),
        "pnpm-lock, 717": (Dialect("pnpm-lock"), pnpm(717, random.Random(2))),
        "poetry.lock, 74": (Dialect("poetry-lock"), poetry(74, random.Random(3))),
    }
    for path in sorted(Path(folder).rglob("*")) if folder else ():
        dialect = dialect_of(path.as_posix())
        if dialect is not None and path.is_file():
            made[f"{path.parent.name}/{path.name}"] = dialect, path.read_bytes()
    return made


def least(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Milliseconds of the fastest round of each."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], (time.perf_counter() - start) * 1000)
    return {name: round(value, 2) for name, value in best.items()}


def figures(dialect: Dialect, content: bytes, rounds: int) -> dict[str, float | int]:
    try:
        packages = read(dialect, content)
    except Unreadable as why:
        raise SystemExit(f"{dialect}: {why.reason}") from why
    work: dict[str, Callable[[], object]] = {"read_ms": lambda: read(dialect, content)}
    if content.lstrip().startswith(b"{"):
        work["json_loads_ms"] = lambda: json.loads(content)
    bill = Bill("shop", *joined([("lock", packages)]))
    work |= {"cyclonedx_ms": lambda: cyclonedx(bill), "spdx_ms": lambda: spdx(bill)}
    return {"kib": len(content) // 1024, "packages": len(packages.packages), "edges": sum(map(len, packages.needs)), **least(work, rounds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--dir", default="", help="a folder with further lock files")
    parser.add_argument("--dry", action="store_true", help="write nothing")
    given = parser.parse_args()
    facts = measure.announce("lock files: how long they take to be read")
    found = {name: figures(dialect, content, given.rounds) for name, (dialect, content) in cases(given.dir).items()}
    for name, row in found.items():
        print(f"{name}: " + ", ".join(f"{key} {value}" for key, value in row.items()))
    if not given.dry:
        measure.write("lock_readers", facts, found)


if __name__ == "__main__":
    main()
