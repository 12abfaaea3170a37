"""Scans every blob of a git repository once through the secrets check; compares CPU seconds and findings with installed peers.

    python benchmarks/secrets_history.py GIT_DIR [--no-peers] [--cache DIR]

Peers are looked for in the folders of ``ASSAYMARK_PEERS``, beside this interpreter and on the path.

CPU seconds are user + system, children included, because wall time depends on the neighbours. Values of findings are never printed:
a finding of a peer is counted under the peer's rule, beside whether we report the same line.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import tool

from assaymark.checks.application.secrets.check import make
from assaymark.checks.application.secrets.content import readable
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Input, Part
from assaymark.model.digest import git_blob

_LIMIT = 10 * 1024 * 1024
_BATCH = 256
PEERS: dict[str, Callable[[str, Path], list[str]]] = {
    "betterleaks": lambda git_dir, report: ["git", git_dir, "--no-banner", "--exit-code=0", f"--output={report}"],
    "gitleaks": lambda git_dir, report: ["git", git_dir, "--no-banner", "--exit-code=0", "--report-format=json", f"--report-path={report}"],
    "kingfisher": lambda git_dir, report: [
        "scan", git_dir, "--git-history=full", "--format=json", f"--output={report}", "--no-validate", "--no-update-check"
    ],
}  # fmt: skip
"""Arguments of a scan of the whole history, without asking a provider or an update server."""


def blobs(git_dir: str) -> Iterator[tuple[str, bytes]]:
    """Every blob of the object store once, in pack order, by one `cat-file`."""
    command = ["git", "-C", git_dir, "cat-file", "--batch", "--batch-all-objects", "--unordered", "--buffer"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        stream = process.stdout
        if stream is None:
            raise RuntimeError("git gave no output")
        while header := stream.readline():
            oid, kind, size = header.split()
            body = stream.read(int(size))
            stream.read(1)
            if kind == b"blob":
                yield oid.decode(), body


def names(git_dir: str) -> dict[str, str]:
    """One path per blob, as `rev-list` meets it: the name decides the dialect."""
    output = subprocess.run(["git", "-C", git_dir, "rev-list", "--all", "--objects"], capture_output=True, check=True).stdout
    rows = (line.split(" ", 1) for line in output.decode("utf-8", "surrogateescape").splitlines())
    return {row[0]: row[1] for row in rows if len(row) == 2 and row[1]}


def cpu() -> float:
    """CPU seconds of this process and its finished children."""
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def ours(git_dir: str, cache: str) -> dict[str, Any]:
    """The check over all blobs, in this process."""
    check = make(CheckSettings(cache_dir=cache, installation_key=Secret(hashlib.sha256(b"benchmark").digest())))
    warming = cpu()
    check.warm()
    warmed = cpu() - warming
    counts: collections.Counter[str] = collections.Counter()
    confidence: collections.Counter[str] = collections.Counter()
    rules: collections.Counter[str] = collections.Counter()
    secrets: set[str] = set()
    before = cpu()
    paths = names(git_dir)
    size = 0
    pending: list[Input] = []

    def flush() -> None:
        for _, outcome in check.run(pending):
            counts["scanned"] += 1
            if isinstance(outcome, Checked) and outcome.skipped:
                counts[f"skipped {outcome.skipped}"] += 1
            if isinstance(outcome, Checked) and outcome.sightings:
                counts["with findings"] += 1
                for sighting in outcome.sightings:
                    rules[str(sighting.rule)] += 1
                    confidence[str(sighting.confidence)] += 1
                    secrets.add(getattr(sighting.site, "value_hmac", ""))
        pending.clear()

    for oid, body in blobs(git_dir):
        size += len(body)
        if len(body) > _LIMIT:
            counts["too large"] += 1
            continue
        dialect = check.select(paths.get(oid, ""))
        if dialect is not None:
            pending.append(Input(git_blob(oid), dialect, (Part("", body),)))
        if len(pending) >= _BATCH:
            flush()
    flush()
    return {
        "cpu": cpu() - before,
        "warm": warmed,
        "megabytes": size / 1e6,
        "counts": dict(counts),
        "confidence": dict(confidence),
        "distinct": len(secrets),
        "rules": rules.most_common(),
    }


class Found(NamedTuple):
    """One finding of a peer. The secret stays in this process."""

    rule: str
    secret: str
    path: str
    commit: str


def peer(command: list[str], report: Path) -> tuple[float, list[Found]]:
    """CPU seconds and findings of a peer, in whose form they come; of the second of two runs, because they too keep compiled rules."""
    spent = 0.0
    for _ in range(2):
        before = cpu()
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        spent = cpu() - before
    text = report.read_text("utf-8") if report.exists() else ""
    document = json.JSONDecoder().raw_decode(text)[0] if text else []  # kingfisher writes a second document behind the first
    if isinstance(document, list):
        return spent, [Found(row["RuleID"], row["Secret"], row["File"], row["Commit"]) for row in document]
    rows = document["findings"]
    if rows and "finding" in rows[0]:
        return spent, [_of_kingfisher(row["rule"]["id"], row["finding"]) for row in rows]
    return spent, [Found(r["rule_id"], r["match"]["value"], r["location"]["path"], r["attributes"]["git.sha"]) for r in rows]


def _of_kingfisher(rule: str, row: dict[str, Any]) -> Found:
    commit = row.get("git_metadata", {}).get("commit", {}).get("id", "HEAD")
    return Found(rule, row["snippet"], row.get("git_metadata", {}).get("file", {}).get("path", row["path"].removeprefix("./")), commit)


def missed(git_dir: str, found: list[Found], cache: str) -> collections.Counter[tuple[str, str]]:
    """Per peer rule, how many distinct values we report too, and how many we do not, in a file where the peer saw them."""
    check = make(CheckSettings(cache_dir=cache, installation_key=Secret(b"compare")))
    verdicts: collections.Counter[tuple[str, str]] = collections.Counter()
    for row in {(row.rule, row.secret): row for row in found}.values():
        shown = subprocess.run(["git", "-C", git_dir, "show", f"{row.commit}:{row.path}"], capture_output=True, check=False)
        data = readable(shown.stdout) if shown.returncode == 0 else None
        verdicts[(row.rule, "not to be read" if data is None else _seen(check, row.path, data, row.secret))] += 1
    return verdicts


def _seen(check: Any, path: str, data: bytes, secret: str) -> str:
    """Whether one of our sightings stands where the peer's secret stands."""
    ((_, outcome),) = check.run([Input(git_blob("0" * 40), check.select(path), (Part("", data),))])
    text = data.decode("utf-8", "surrogateescape").split("\n")
    wanted = {number for number, line in enumerate(text, 1) if secret.split("\n", maxsplit=1)[0] in line}
    for sighting in outcome.sightings:
        if any(sighting.span.start_line <= number <= sighting.span.end_line for number in wanted):
            return "both"
    return "only peer"


def compare(name: str, git_dir: str, cache: str, mine: float) -> None:
    """Run one peer and print what it cost and saw."""
    found_at = tool(name)
    if found_at is None:
        print(f"{name}: not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        spent, found = peer([found_at, *PEERS[name](git_dir, report)], report)
        written = report.exists()
    if not written:
        print(f"{name}: installed, but wrote no report")
        return
    print(f"{name:10} {spent:7.1f} CPU s  ratio {spent / mine:.2f}  findings {len(found)}, distinct {len({row.secret for row in found})}")
    for (rule, verdict), number in sorted(missed(git_dir, found, cache).items()):
        print(f"    {rule}: {verdict} {number}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("git_dir")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--cache", default=str(Path(tempfile.gettempdir()) / "assaymark-benchmark"))
    options = parser.parse_args()
    started = time.time()
    mine = ours(options.git_dir, options.cache)
    rate = mine["megabytes"] / mine["cpu"]
    print(f"assaymark  {mine['cpu']:7.1f} CPU s  {rate:6.0f} MB/s  (warm-up {mine['warm']:.2f} s)  {time.time() - started:.0f} s wall")
    for title in ("counts", "confidence", "distinct", "rules"):
        print(f"  {title}: {mine[title]}")
    for name in () if options.no_peers else PEERS:
        compare(name, options.git_dir, options.cache, mine["cpu"])


if __name__ == "__main__":
    main()
