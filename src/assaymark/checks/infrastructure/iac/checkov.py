"""Checkov as a further check of Terraform, for the ids that our own rules do not know; switched on by the policy.

Guarantees: one warm process per worker, one outcome per folder, remembered like every other; what checkov could not parse is unchecked.
Only what stands in the folder itself is told: a called module is a unit of its own. Needs `assay engine install checkov`.
Does not reach the network, download modules, or decide on checkov's skip comments: they are recorded.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assaymark.checks.infrastructure.iac.checkov_place import installed
from assaymark.checks.infrastructure.iac.terraform import Terraform
from assaymark.checks.settings import CheckSettings
from assaymark.model.check import Checked, Input, Outcome, Part, Unchecked
from assaymark.model.digest import Digest, digest_of
from assaymark.model.finding import CheckId, ConfigurationSite, Fix, RuleId, Sighting, Span, Suppression
from assaymark.model.severity import Confidence, Severity

if TYPE_CHECKING:
    from assaymark.checks.infrastructure.iac.checkov_process import Process, Row

_WORDS = {
    "timeout": "checkov did not finish in the time granted; split the folder or leave it out by policy",
    "engine-failed": "checkov failed on this folder; `assay engine install checkov` repairs an installation",
}
_INDEX = re.compile(r"\[[^\]]*\]")


class Checkov(Terraform):
    """See the module."""

    id = CheckId("checkov")
    version = "1"
    starts_processes = True

    def __init__(self, cache_dir: str) -> None:
        self._cache_dir = cache_dir
        self._process: Process | None = None

    def knowledge(self) -> str:
        """Checkov's version, and the ids that are left to our own rules.

        Raises:
            EngineMissing: when it is not installed.
        """
        return digest_of([self.id, installed(self._cache_dir).version, _known_ids()])

    def preload(self) -> None:
        """Starting it costs seconds, which only those shall wait for who ask."""

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        """Each folder in turn, by one process."""
        from assaymark.checks.infrastructure.iac.checkov_process import Process  # noqa: PLC0415

        self._process = Process(installed(self._cache_dir).python)
        try:
            yield from super().run(inputs)
        finally:
            self._process.end()
            self._process = None

    def judge(self, parts: Sequence[Part]) -> Outcome:
        """One folder, written to a private place for as long as that takes."""
        from assaymark.checks.infrastructure.iac.checkov_process import Trouble  # noqa: PLC0415

        if self._process is None:
            return Unchecked("engine-failed", _WORDS["engine-failed"])
        with tempfile.TemporaryDirectory(prefix="assay-unit-") as place:
            folder = written(parts, Path(place).resolve())
            try:
                report = self._process.ask(str(folder), _known_ids())
            except Trouble as trouble:
                reason = str(trouble)
                return Unchecked(reason, _WORDS[reason])
            if report.unread:
                return Unchecked("syntax", f"checkov can't parse {Path(report.unread[0]).name}")
            return Checked(tuple(_sighting(row, folder) for row in _own(report.rows, folder)))


def make(settings: CheckSettings) -> Checkov:
    """The check."""
    return Checkov(settings.cache_dir)


def _known_ids() -> list[str]:
    from assaymark.model.rules import catalogue  # noqa: PLC0415

    rules = catalogue().rules_of("terraform").values()
    return sorted({alias for rule in rules for alias in rule.aliases if alias.startswith("CKV")})


def written(parts: Sequence[Part], place: Path) -> Path:
    """Write a unit below a place, deep enough for the folders beside it; returns its own folder."""
    climbs = max((part.name.count("../") for part in parts), default=0)
    folder = place.joinpath(*["d"] * climbs, "unit")
    for part in parts:
        file = Path(*_walked(folder, part.name))
        if place not in file.parents:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(part.content)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _walked(folder: Path, name: str) -> list[str]:
    found = list(folder.parts)
    for step in name.split("/"):
        if step == "..":
            found.pop()
        elif step not in {"", "."}:
            found.append(step)
    return found


def _own(rows: Sequence[Row], folder: Path) -> list[Row]:
    mine = [row for row in rows if Path(row.file).parent == folder and not row.resource.startswith("module.")]
    return sorted(mine, key=lambda row: (row.file, row.start, row.id, row.resource))


def _sighting(row: Row, folder: Path) -> Sighting:
    return Sighting(
        rule=RuleId(f"checkov/{row.id}"),
        # No attribute: which of several keys checkov names first is an accident of its sets, and a record per rule and resource is all.
        site=ConfigurationSite(_INDEX.sub("", row.resource)),
        severity=Severity.MEDIUM,
        message=f"{row.resource}: {row.name}",
        span=Span(max(row.start, 1), 1, max(row.end, row.start, 1), 1),
        confidence=Confidence.MEDIUM,
        member=str(Path(row.file).relative_to(folder)),
        fix=Fix(f"Do what {row.id} asks for." + (f" See {row.url}" if row.url.startswith("https://") else "")),
        suppression=Suppression(row.muted[:200], max(row.start, 1)) if row.muted else None,
    )
