"""How much of what the public corpora of Terraform samples test do our rules find, and how often do they find what those call right?

    python benchmarks/recall_iac.py --trivy CHECKOUT --kics CHECKOUT

Checkouts of aquasecurity/trivy-checks and of KICS (Checkmarx/kics, or DataDog's fork, which is smaller). A rule of theirs counts as *known*
when one of ours has its id, as *strict* when every bad sample is found and no good one (Trivy), or at least half of the expected places and
no good one (KICS, whose expectations name lines). Rules of clouds and services that we do not read count as not known.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure

from assaymark.checks.infrastructure.iac import terraform
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import Digest
from assaymark.model.rules import catalogue

CHECK = terraform.make(CheckSettings(cache_dir="", installation_key=Secret(b"benchmark")))
NOWHERE = Digest("sha256:" + "0" * 64)


def known_ids() -> dict[str, set[str]]:
    """Their id -> our rules."""
    found: dict[str, set[str]] = {}
    for name, row in catalogue().rules_of("terraform").items():
        for alias in row.aliases:
            found.setdefault(alias.lower().removeprefix("avd-"), set()).add(name)
    return found


def hits(content: bytes, rules: set[str]) -> int:
    """How often some of our rules see something in a file."""
    ((_, outcome),) = CHECK.run([Input(NOWHERE, Dialect("terraform"), (Part("main.tf", content),))])
    return sum(sighting.rule in rules for sighting in outcome.sightings) if isinstance(outcome, Checked) else 0


def of_trivy(folder: Path, ids: dict[str, set[str]]) -> Iterator[tuple[str, bool, bool, int, int]]:
    """(severity, known, strict, good samples, false findings on them) per rule."""
    for file in sorted((folder / "checks" / "cloud").rglob("*.rego")):
        head = [line[2:] for line in file.read_text("utf-8").split("\n\n")[0].splitlines() if line.startswith("# ")]
        about = yaml.safe_load("\n".join(head[1:])) if head[:1] == ["METADATA"] else None
        custom = (about or {}).get("custom", {})
        samples = yaml.safe_load((folder / custom["examples"]).read_text("utf-8")).get("terraform") if custom.get("examples") else None
        if not samples:
            continue
        rules = ids.get(str(custom["id"]).lower(), set())
        good, bad = ([text.encode() for text in samples.get(kind) or []] for kind in ("good", "bad"))
        false = sum(bool(hits(text, rules)) for text in good) if rules else 0
        strict = bool(rules) and not false and all(hits(text, rules) for text in bad)
        yield custom["severity"], bool(rules), strict, len(good) if rules else 0, false


def of_kics(folder: Path, ids: dict[str, set[str]]) -> Iterator[tuple[str, bool, bool, int, int]]:
    for file in sorted((folder / "assets" / "queries" / "terraform").rglob("metadata.json")):
        about = json.loads(file.read_text("utf-8"))
        rules = ids.get(str(about["id"]).lower(), set())
        if not rules:
            yield about["severity"], False, False, 0, 0
            continue
        expected = _expected(file.parent / "test" / "positive_expected_result.json")
        good = [path.read_bytes() for path in sorted((file.parent / "test").glob("negative*.tf"))]
        false = sum(bool(hits(text, rules)) for text in good)
        found = sum(
            min(hits(path.read_bytes(), rules), expected.get(path.name, 0) or expected.get("", 0))
            for path in sorted((file.parent / "test").glob("positive*.tf"))
        )
        yield about["severity"], True, not false and found * 2 >= sum(expected.values()) > 0, len(good), false


def _expected(file: Path) -> dict[str, int]:
    rows: Any = json.loads(file.read_text("utf-8")) if file.exists() else []
    return Counter(row.get("fileName", "") for row in rows if isinstance(row, dict)) if isinstance(rows, list) else {}


def summed(rows: Iterator[tuple[str, bool, bool, int, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    samples = false = 0
    for severity, known, strict, good, wrong in rows:
        row = found.setdefault(severity, {"rules": 0, "known": 0, "strict": 0})
        row["rules"] += 1
        row["known"] += known
        row["strict"] += strict
        samples, false = samples + good, false + wrong
    return {**found, "good samples of known rules": samples, "of these found": false}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--trivy", type=Path)
    asked.add_argument("--kics", type=Path)
    asked.add_argument("--dry", action="store_true")
    options = asked.parse_args()
    ids = known_ids()
    result = {}
    if options.trivy:
        result["trivy-checks"] = summed(of_trivy(options.trivy, ids))
    if options.kics:
        result["kics"] = summed(of_kics(options.kics, ids))
    print(json.dumps(result, indent=2))
    if not options.dry:
        (measure.RESULTS / "iac_recall.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
