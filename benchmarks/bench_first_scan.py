"""The first full scan of a public project: our one run against each installed peer, and against the sum of them.

The project is a folder or an archive given as argument, or a source package that pip fetches. It is unpacked into a folder without a
history, so that every tool sees the same files; nothing is remembered from an earlier run, what is made once per installation is there.
Findings are compared with the engine that does the same work: ruff S and zizmor must agree place by place; secrets by (file, line).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure
from benchmarks.peers import PEERS, Peer, Spot, semgrep, spots

DEFAULT = "paramiko"
ANY = (0, 1, 5)
OWN_ENGINE = {"ruff S": "ruff/", "zizmor": "zizmor/"}
SECRETS = "secrets/"


def fetched(package: str, folder: Path) -> Path:
    """The source archive of a package, from pip's index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:", "--no-deps", "--dest", str(folder), package]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit(f"pip could not fetch {package}; give a folder or an archive")
    return next(folder.iterdir())


def unpacked(given: Path, folder: Path) -> Path:
    """A folder of the project's files without a history."""
    if given.is_dir():
        subprocess.run(["cp", "-a", f"{given}/.", str(folder)], check=True)
        subprocess.run(["rm", "-rf", str(folder / ".git")], check=True)
    elif zipfile.is_zipfile(given):
        with zipfile.ZipFile(given) as archive:
            archive.extractall(folder)
    else:
        with tarfile.open(given) as archive:
            archive.extractall(folder, filter="data")
    return folder


def size_of(folder: Path) -> dict[str, int]:
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {"files": len(files), "kilobytes": sum(path.stat().st_size for path in files) // 1024}


def ours(folder: Path, home: Path, env: dict[str, str]) -> tuple[measure.Cost, list[Spot], list[str]]:
    """Our cost, findings with the rule of every witness, and what stayed unchecked."""
    for path in (home / "cache").glob("facts*"):
        path.unlink()
    report = home / "ours.json"
    cost = measure.timed(measure.assay("check", str(folder), "--all", "-f", "json", "-o", str(report)), home, env, codes=ANY)
    found: list[Spot] = []
    gaps: list[str] = []
    for judged in json.loads(report.read_text("utf-8"))["verdict"]["findings"]:
        finding = judged["finding"]
        if finding["core"][0] == "unchecked":
            gaps.append(f"{finding['place']['path']}: {finding['witnesses'][0]['message']}")
        else:
            found += [(finding["place"]["path"], finding["place"]["line"], witness["rule"]) for witness in finding["witnesses"]]
    return cost, found, gaps


def theirs(peer: Peer, folder: Path, home: Path, env: dict[str, str]) -> tuple[measure.Cost, list[Spot]] | None:
    program = measure.tool(peer.program)
    if program is None:
        return None
    report = home / f"{peer.program}.json"
    report.unlink(missing_ok=True)
    command = [program, *peer.arguments(folder, report)]
    if peer.by_output:
        command = ["sh", "-c", 'out=$1; shift; exec "$@" > "$out"', "sh", str(report), *command]
    cost = measure.timed(command, home, env, codes=())
    return cost, spots(peer, report, folder)


def compared(peer: Peer, found: list[Spot], mine: list[Spot]) -> dict[str, Any]:
    """How a peer's findings and ours stand to each other."""
    if peer.name in OWN_ENGINE:
        prefix = OWN_ENGINE[peer.name]
        left = Counter(found)
        right = Counter((path, line, rule.removeprefix(prefix)) for path, line, rule in mine if rule.startswith(prefix))
        return {"both": (left & right).total(), "only_peer": _rules(left - right), "only_ours": _rules(right - left)}
    if peer.kind == "secrets":
        theirs_at = {(path, line): rule for path, line, rule in found}
        ours_at = {(path, line): rule for path, line, rule in mine if rule.startswith(SECRETS)}
        return {
            "both": len(theirs_at.keys() & ours_at.keys()),
            "only_peer": dict(Counter(rule for place, rule in theirs_at.items() if place not in ours_at).most_common(12)),
            "only_ours": dict(Counter(rule for place, rule in ours_at.items() if place not in theirs_at).most_common(12)),
        }
    return {}


def _rules(spots_: Counter[Spot]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for (_, _, rule), number in spots_.items():
        counts[rule] += number
    return dict(counts.most_common(12))


def run(folder: Path, home: Path, peers: tuple[Peer, ...], rounds: int) -> dict[str, Any]:
    env = measure.environment(home, **{name: value for name, value in os.environ.items() if name == "ASSAYMARK_PEERS"})
    measure.prepare(env)
    own = [ours(folder, home, env) for _ in range(rounds)]
    mine, gaps = own[-1][1], own[-1][2]
    rows: dict[str, Any] = {}
    (home / "nothing").mkdir()
    (home / "nothing" / "a.py").write_text("one = 1\n", "utf-8")
    for peer in peers:
        theirs(peer, home / "nothing", home, env)  # a peer's own rule cache is made here, as ours was by `doctor`
        runs = [done for done in (theirs(peer, folder, home, env) for _ in range(rounds)) if done is not None]
        if not runs:
            print(f"  {peer.name}: not installed", flush=True)
            continue
        best = min(cost.cpu for cost, _ in runs)
        found = runs[-1][1]
        rows[peer.name] = {"wall_s": _least([c for c, _ in runs]), "cpu_s": round(best, 2), "findings": len(found)}
        rows[peer.name]["compared"] = compared(peer, found, mine)
    total = {"wall_s": _least([cost for cost, _, _ in own]), "cpu_s": round(min(cost.cpu for cost, _, _ in own), 2), "findings": len(mine)}
    return {
        "ours": {**total, "unchecked": len(gaps)},
        "peers": rows,
        "sum_of_peers": {name: round(sum(row[name] for row in rows.values()), 2) for name in ("wall_s", "cpu_s")},
    }


def _least(costs: list[measure.Cost]) -> float:
    return round(min(cost.wall for cost in costs), 2)


def show(figures: dict[str, Any]) -> None:
    rows = {"assay check --all": figures["ours"], **figures["peers"], "sum of peers": figures["sum_of_peers"]}
    mine = figures["ours"]["cpu_s"]
    measure.table(
        [[n, r["cpu_s"], r["wall_s"], f"{r['cpu_s'] / mine:.2f}", r.get("findings", "")] for n, r in rows.items()],
        ["", "cpu s", "wall s", "cpu / ours", "findings"],
    )
    for name, row in figures["peers"].items():
        if row["compared"]:
            print(f"  {name}: " + ", ".join(f"{key} {value}" for key, value in row["compared"].items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", nargs="?", type=Path, help=f"folder or archive (default: pip fetches {DEFAULT})")
    parser.add_argument("--name", default="", help="what the project is called in the result")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--semgrep-rules", type=Path, help="folder of local rules; without it semgrep is left out")
    parser.add_argument("--dry", action="store_true", help="print, write no result")
    options = parser.parse_args()
    peers = (*PEERS, semgrep(options.semgrep_rules.resolve())) if options.semgrep_rules else PEERS
    with measure.bench_folder() as home:
        for part in ("download", "project"):
            (home / part).mkdir()
        given = options.project or fetched(DEFAULT, home / "download")
        name = options.name or given.name
        folder = unpacked(given, home / "project")
        facts = measure.announce(f"first full scan of {name}: {size_of(folder)}")
        figures = {"project": name, **size_of(folder), **run(folder, home, peers, options.rounds)}
    show(figures)
    if not options.dry:
        measure.write(f"first_scan_{name.split('-')[0]}", facts, figures)


if __name__ == "__main__":
    main()
