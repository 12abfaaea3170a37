"""Terraform: how long our rules take beside a warm checkov over the rules that both have, and whether the verdicts agree, one by one.

    python benchmarks/bench_iac.py --folder DIR --checkov PYTHON

DIR is a tree of Terraform files (a checkout of bridgecrewio/terragoat for the figures in README.md), PYTHON the interpreter of an
environment that holds checkov. Both are warm: checkov has imported and run once, ours has loaded parser and tables once; nothing is
remembered between rounds, the parsed files included. CPU seconds of one process each.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure

from assaymark.checks.infrastructure.iac import folders, terraform
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.engine.links import look_up
from assaymark.engine.units import derive
from assaymark.model.check import Check, Checked, Input, Part
from assaymark.model.finding import ConfigurationSite, RuleId
from assaymark.model.rules import catalogue
from assaymark.testing.memory import MemorySubject

Verdict = tuple[str, str]
"""(resource, checkov's id)."""


def units(folder: Path) -> tuple[Check, list[Input]]:
    """Our check and its inputs."""

    check = terraform.make(CheckSettings(cache_dir="", installation_key=Secret(b"benchmark")))
    names = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {name: (folder / name).read_bytes() for name in names if check.select(name)}
    subject = MemorySubject(files)
    entries = list(subject.entries())
    by_digest = {entry.digest: files[entry.path] for entry in entries}
    links = look_up([check], [entries], [subject.reader()], None)[check.id]
    inputs = []
    for dialect, unit in derive(check, entries, links):
        inputs.append(Input(unit.digest, dialect, tuple(Part(member.name, by_digest[member.digest]) for member in unit.members)))
    return check, inputs


def ours(folder: Path, rounds: int) -> tuple[list[float], Counter[Verdict], dict[RuleId, set[str]]]:
    """Seconds per round, what was found as (resource, checkov's id), and the ids of each of our rules."""

    check, inputs = units(folder)
    ids = {
        name: {a for a in row.aliases if a.startswith("CKV")} for name, row in catalogue().rules.items() if name.startswith("terraform/")
    }
    seconds: list[float] = []
    outcomes: list[Any] = []
    for _ in range(rounds + 1):
        folders._body.cache_clear()  # noqa: SLF001 - a warm process, not a remembered answer
        start = time.process_time()
        outcomes = [outcome for _, outcome in check.run(inputs)]
        seconds.append(time.process_time() - start)
    found: Counter[Verdict] = Counter()
    for outcome in outcomes:
        for sighting in outcome.sightings if isinstance(outcome, Checked) else ():
            if isinstance(sighting.site, ConfigurationSite):
                # checkov names a data source without the word.
                resource = re.sub(r"(^|\.)data\.", r"\1", sighting.site.resource)
                found.update((resource, ident) for ident in ids[sighting.rule])
    return seconds[1:], found, ids


def theirs(python: str, folder: Path, checks: list[str], rounds: int) -> dict[str, Any]:
    asked = json.dumps({"folder": str(folder), "checks": checks, "rounds": rounds})
    program = str(Path(__file__).with_name("checkov_warm.py"))
    ran = subprocess.run([python, program], input=asked, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(ran.stderr[-2000:])
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def compared(found: Counter[Verdict], rows: list[list[Any]]) -> dict[str, Any]:
    """The verdicts one by one; a resource of one name in two folders counts as one that fails if either does."""
    failed = {(resource.partition("[")[0], ident) for ident, resource, _, fails in rows if fails}
    passed = {(resource.partition("[")[0], ident) for ident, resource, _, fails in rows if not fails} - failed
    mine = set(found)
    return {
        "verdicts": len(failed | passed),
        "equal": len(failed & mine) + len(passed - mine),
        "only checkov": sorted(failed - mine),
        "only ours": sorted(passed & mine),
        "ours, where checkov has no verdict": len(mine - failed - passed),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--folder", type=Path, required=True)
    asked.add_argument("--checkov", required=True, help="interpreter of checkov's environment")
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--dry", action="store_true")
    options = asked.parse_args()
    seconds, found, ids = ours(options.folder, options.rounds)
    shared = sorted({ident for row in ids.values() for ident in row})
    report = theirs(options.checkov, options.folder, shared, options.rounds)
    verdicts = compared(found, report["rows"])
    result = {
        "files": sum(1 for path in options.folder.rglob("*.tf") if path.is_file()),
        "checkov": report["version"],
        "ids that both have": len(shared),
        "cpu seconds, ours, least": round(min(seconds), 4),
        "cpu seconds, checkov warm, least": round(min(report["seconds"]), 4),
        "times faster": round(min(report["seconds"]) / min(seconds), 1),
        **verdicts,
    }
    for name, value in result.items():
        print(f"{name}: {value if not isinstance(value, list) else len(value)}")
    for title in ("only checkov", "only ours"):
        for resource, ident in verdicts[title]:
            print(f"  {title}: {ident} {resource}")
    if not options.dry:
        (measure.RESULTS / "iac.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
