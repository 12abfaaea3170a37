"""What the transparency log costs: appending (tree alone, with lines, in both databases), proving, verifying, computing it again.

    python benchmarks/bench_log.py [--leaves N] [--rounds N] [--pymerkle PYTHON] [--postgres] [--dry]

Figures are per second of CPU time of one core in this process (of databases also of the clock, since they wait for disks and processes of
their own); the best of the rounds, which are interleaved. `--pymerkle` names an interpreter of an environment that has this peer; it is
GPL, so it is never imported here: the same leaves go through a process of its own. Budget: 200,000 appends per second in batches.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure
from benchmarks.bench_server_components import postgres

from assaymark.endorsement import keys
from assaymark.endorsement.log import audit, checkpoint, entry, merkle, note, proof, tiles
from assaymark.endorsement.log.audit import Head
from assaymark.endorsement.log.checkpoint import Checkpoint
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.log.inclusion import LogKeys
from assaymark.endorsement.log.merkle import Frontier, Tree
from assaymark.model.assessment import Instant
from assaymark.store import log
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate

NOW = Instant(1_796_000_000_000_000)
BATCH = 10_000
PROOFS = 2_000
ORIGIN = "log.example/api/v1/log"

PEER = """
import json, sys, time
import pymerkle
leaves = [line.encode() for line in sys.stdin.read().split("\\n")]
tree = pymerkle.InmemoryTree(algorithm="sha256")
begin = time.process_time()
for start in range(0, len(leaves), 10_000):
    tree.append_entries(leaves[start:start + 10_000])
append = len(leaves) / (time.process_time() - begin)
size = tree.get_size()
wanted = [1 + number * 7919 % size for number in range(500)]
begin = time.process_time()
proofs = [tree.prove_inclusion(index, size) for index in wanted]
prove = len(wanted) / (time.process_time() - begin)
root = tree.get_state(size)
begin = time.process_time()
for index, each in zip(wanted, proofs):
    pymerkle.verify_inclusion(tree.get_leaf(index), root, each)
verify = len(wanted) / (time.process_time() - begin)
print(json.dumps({"append": append, "prove": prove, "verify": verify, "root": root.hex()}))
"""


def entries(number: int) -> list[Entry]:
    return [
        Entry(EntryType.ENDORSE, Instant(NOW + index), "ada", (f"sha256:{index:064x}",), f"sha256:{index * 7:064x}")
        for index in range(number)
    ]


def rate(count: int, run: Callable[[], object]) -> float:
    """Per second of CPU time."""
    begin = time.process_time()
    run()
    return count / (time.process_time() - begin)


class Stage:
    def __init__(self, number: int) -> None:
        self.entries = entries(number)
        self.lines = [entry.line(each, index) for index, each in enumerate(self.entries)]
        self.tree = Tree(self.lines)
        self.size = number
        self.root = merkle.root(number, self.tree.subtree)
        self.signer = keys.private_key(keys.new_key("ed25519")[0])
        self.keys = LogKeys(ORIGIN, (note.verifier_of(ORIGIN, self.signer.public),))
        self.head = Checkpoint(ORIGIN, number, self.root)
        self.note = checkpoint.signed(self.head, self.signer)
        self.wanted = random.Random(7).choices(range(number), k=PROOFS)
        self.paths = [merkle.inclusion(index, number, self.tree.subtree) for index in self.wanted]
        self.files = [proof.written(self.lines[index], index, path, self.note) for index, path in zip(self.wanted, self.paths, strict=True)]

    def append_tree(self, empty: Tree | Frontier) -> None:
        for start in range(0, self.size, BATCH):
            empty.append(self.lines[start : start + BATCH])

    def append_lines(self) -> None:
        tree = Tree()
        for start in range(0, self.size, BATCH):
            tree.append([entry.line(each, start + index) for index, each in enumerate(self.entries[start : start + BATCH])])

    def prove(self) -> None:
        for index in self.wanted:
            merkle.inclusion(index, self.size, self.tree.subtree)

    def prove_consistency(self) -> None:
        for first in self.wanted:
            merkle.consistency(first, self.size, self.tree.subtree)

    def verify(self) -> None:
        for index, path in zip(self.wanted, self.paths, strict=True):
            if not merkle.is_included(merkle.leaf_hash(self.lines[index]), index, self.size, path, self.root):
                raise SystemExit("a proof does not hold")

    def verify_files(self) -> None:
        for each in self.files:
            proof.proved(each, self.keys)

    def audit(self) -> None:
        def fetch(tile: tiles.Tile) -> bytes:
            start = tile.number * tiles.WIDTH
            if tile.kind is tiles.Kind.ENTRIES:
                return tiles.bundle(self.lines[start : start + tile.width])
            return b"".join(self.tree.subtree(tiles.HEIGHT * tile.level, start + index) for index in range(tile.width))

        if not audit.whole(self.size, fetch, [Head(self.head, "here")]).holds:
            raise SystemExit("the log does not hold")

    def cases(self) -> dict[str, tuple[int, Callable[[], object]]]:
        return {
            "append, tree": (self.size, lambda: self.append_tree(Tree())),
            "append, frontier": (self.size, lambda: self.append_tree(Frontier())),
            "append, lines written too": (self.size, self.append_lines),
            "prove inclusion": (PROOFS, self.prove),
            "prove consistency": (PROOFS, self.prove_consistency),
            "verify inclusion": (PROOFS, self.verify),
            "verify proof files with Ed25519": (PROOFS, self.verify_files),
            "compute all again from files": (self.size, self.audit),
        }


def of_memory(stage: Stage, rounds: int) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, (count, run) in stage.cases().items():
            found.setdefault(name, []).append(rate(count, run))
    return {name: round(max(rates)) for name, rates in found.items()}


def of_database(url: str, stage: Stage) -> dict[str, float]:
    """Each batch is a transaction; proofs are of the whole log, by tiles."""
    database = Database(url)
    migrate(database)
    found: dict[str, float] = {}
    for batch, count in ((1, 300), (100, 10_000), (BATCH, stage.size)):
        begin, cpu = time.perf_counter(), time.process_time()
        for start in range(0, count, batch):
            with database.write() as link:
                log.append(link, stage.entries[start : start + batch])
        found[f"append by {batch}"] = round(count / (time.perf_counter() - begin))
        found[f"append by {batch}, of our CPU"] = round(count / (time.process_time() - cpu))
    with database.read() as link:
        size = log.size(link)
        begin = time.perf_counter()
        for index in stage.wanted[:500]:
            merkle.inclusion(index, size, log.subtree(link, size))
        found["prove inclusion"] = round(500 / (time.perf_counter() - begin))
    database.close()
    return found


def of_peer(interpreter: str, stage: Stage) -> dict[str, Any]:
    given = b"\n".join(stage.lines)
    done = subprocess.run([interpreter, "-c", PEER], input=given, capture_output=True, check=True, timeout=600)
    found: dict[str, Any] = json.loads(done.stdout)
    same = found.pop("root") == stage.root.hex()
    return {name: round(value) for name, value in found.items()} | {"same root": same}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaves", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pymerkle", default="", help="interpreter that has pymerkle")
    parser.add_argument("--postgres", action="store_true", help="PostgreSQL too")
    parser.add_argument("--dry", action="store_true", help="write no result")
    options = parser.parse_args()
    facts = measure.announce("transparency log")
    stage = Stage(options.leaves)
    found: dict[str, Any] = {"leaves": options.leaves, "memory": of_memory(stage, options.rounds)}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        found["sqlite"] = of_database(f"sqlite:///{folder}/assaymark.db", stage)
        if options.postgres and (url := stack.enter_context(postgres(Path(folder)))) is not None:
            found["postgresql"] = of_database(url, stage)
    if options.pymerkle:
        found["pymerkle"] = of_peer(options.pymerkle, stage)
    for part in ("memory", "sqlite", "postgresql", "pymerkle"):
        for case, value in found.get(part, {}).items():
            print(f"{part:11} {case:34} {value:>10,}" + ("" if isinstance(value, bool) else " /s"))
    if not options.dry:
        measure.write("log", facts, found)


if __name__ == "__main__":
    main()
