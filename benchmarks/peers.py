"""The scanners we compare with: how each is started on a folder, and where its report names a file and a line.

No peer reaches the network here: verification of secrets, version checks and online audits are switched off. Settings and inline waivers of
the scanned project are ignored where the peer can do that, as ours keeps waived findings in its report.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Spot = tuple[str, int, str]
"""Path below the scanned folder, line, rule of the peer."""


class Peer(NamedTuple):
    """One scanner."""

    name: str
    kind: str
    """``secrets``, ``code`` or ``pipelines``: what of ours it is compared with."""
    program: str
    arguments: Callable[[Path, Path], list[str]]
    """Of the folder and the report's place; a report of None goes through standard output."""
    read: Callable[[Any], Iterator[Spot]]
    by_output: bool = False


def _gitleaks(report: Any) -> Iterator[Spot]:
    for row in report or []:
        yield row["File"], row["StartLine"], row["RuleID"]


def _betterleaks(report: Any) -> Iterator[Spot]:
    for row in report["findings"]:
        yield row["location"]["path"], row["location"]["start_line"], row["rule_id"]


def _kingfisher(report: Any) -> Iterator[Spot]:
    for row in report["findings"]:
        yield row["finding"]["path"], row["finding"]["line"], row["rule"]["id"]


def _detect_secrets(report: Any) -> Iterator[Spot]:
    for path, rows in report["results"].items():
        for row in rows:
            yield path, row["line_number"], row["type"]


def _ruff(report: Any) -> Iterator[Spot]:
    for row in report:
        yield row["filename"], row["location"]["row"], row["code"] or "syntax"


def _bandit(report: Any) -> Iterator[Spot]:
    for row in report["results"]:
        yield row["filename"], row["line_number"], row["test_id"]


def _zizmor(report: Any) -> Iterator[Spot]:
    for row in report:
        primary = [place for place in row["locations"] if place["symbolic"]["kind"] == "Primary"] or row["locations"]
        place = primary[0]
        yield place["symbolic"]["key"]["Local"]["verbatim_path"], place["concrete"]["location"]["start_point"]["row"] + 1, row["ident"]


def _semgrep(report: Any) -> Iterator[Spot]:
    for row in report["results"]:
        yield row["path"], row["start"]["line"], row["check_id"].rpartition(".")[2]


PEERS = (
    Peer(
        "gitleaks", "secrets", "gitleaks",
        lambda folder, out: ["dir", str(folder), "--no-banner", "--exit-code=0", "--report-format=json", f"--report-path={out}"], _gitleaks,
    ),
    Peer(
        "betterleaks", "secrets", "betterleaks",
        lambda folder, out: [str(folder), "--no-banner", "--exit-code=0", "-l", "error", f"--output={out}"], _betterleaks,
    ),
    Peer(
        "kingfisher", "secrets", "kingfisher",
        lambda folder, out: ["scan", str(folder), "--format=json", f"--output={out}", "--no-validate", "--no-update-check"], _kingfisher,
    ),
    Peer(
        "detect-secrets", "secrets", "detect-secrets",
        lambda folder, _: ["-C", str(folder), "scan", "--all-files", "--no-verify", "."], _detect_secrets, by_output=True,
    ),
    Peer(
        "ruff S", "code", "ruff",
        lambda folder, out: [
            "check", str(folder), "--isolated", "--no-cache", "--select=S", "--ignore=S105,S106,S107", "--no-preview", "--exit-zero",
            "--ignore-noqa", "--no-respect-gitignore", "--output-format=json", f"--output-file={out}",
        ],
        _ruff,
    ),
    Peer(
        "bandit", "code", "bandit",
        lambda folder, out: ["-r", str(folder), "-q", "--exit-zero", "-f", "json", "-o", str(out)], _bandit,
    ),
    Peer(
        "zizmor", "pipelines", "zizmor",
        lambda folder, _: [
            "--offline", "--no-exit-codes", "--format=json", "--no-progress", "--collect=all", "--no-config", str(folder),
        ],
        _zizmor, by_output=True,
    ),
)  # fmt: skip


def semgrep(rules: Path) -> Peer:
    """Semgrep with rules of a local folder."""
    return Peer(
        "semgrep",
        "code",
        "semgrep",
        lambda folder, out: [
            "scan", f"--config={rules}", "--metrics=off", "--disable-version-check", "--quiet", "--no-git-ignore", "--json",
            f"--output={out}", str(folder),
        ],
        _semgrep,
    )  # fmt: skip


def spots(peer: Peer, report: Path, folder: Path) -> list[Spot]:
    """What a peer reported, with paths below the folder."""
    text = report.read_text("utf-8") if report.exists() else ""
    if not text.strip():
        return []
    rows = peer.read(json.loads(text))
    return [(os.path.relpath(folder / path, folder), line, rule) for path, line, rule in rows]
