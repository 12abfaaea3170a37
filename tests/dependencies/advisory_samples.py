"""Advisories made up for tests, and the whole flow on lock files in memory."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from assaymark.advisories.archives import Raw
from assaymark.advisories.compiling import Collection, Compiled
from assaymark.checks.application.dependencies.check import judge, make
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.records import Exploited
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.engine.limits import Limits
from assaymark.engine.run import Means, run
from assaymark.flow import Context, Request, assay
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import Sighting
from assaymark.model.verdict import Verdict
from assaymark.testing.memory import MemoryComparison, MemorySubject

TODAY = dt.date(2026, 11, 27)
Record = dict[str, Any]
CRITICAL = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"


def record(id_: str, package: str, *events: Mapping[str, str], ecosystem: str = "PyPI", **more: Any) -> Record:
    """A record with one package and one range; `versions` and others of the schema's fields may be given."""
    affected: Record = {"package": {"ecosystem": ecosystem, "name": package}}
    if events:
        affected["ranges"] = [{"type": "SEMVER" if ecosystem == "Go" else "ECOSYSTEM", "events": list(events)}]
    affected |= {name: more.pop(name) for name in ("versions", "ecosystem_specific") if name in more}
    return {"id": id_, "modified": "2026-01-01T00:00:00Z", "summary": f"{package} does harm", "affected": [affected], **more}


def until(fixed: str, introduced: str = "0") -> tuple[Mapping[str, str], Mapping[str, str]]:
    return {"introduced": introduced}, {"fixed": fixed}


def compiled(
    path: Path,
    records: Iterable[Record | bytes],
    exploited: Mapping[str, Exploited] | None = None,
    epss: Mapping[str, tuple[float, float]] | None = None,
) -> Compiled:
    """An index of these records."""
    collection = Collection()
    for number, each in enumerate(records):
        collection.add(Raw(f"{number}.json", each if isinstance(each, bytes) else json.dumps(each).encode()))
    return collection.write(path, exploited or {}, epss or {}, {"compiled": "2026-11-27T00:00:00Z", "from": "tests", "sources": "{}"})


def said(index: Path, dialect: str, content: str | bytes) -> tuple[Sighting, ...]:
    """What the check says of one lock file."""
    data = content.encode() if isinstance(content, str) else content
    opened = Index(str(index))
    try:
        outcome = judge(Input(sha256(data), Dialect(dialect), (Part("", data),)), opened)
    finally:
        opened.close()
    assert isinstance(outcome, Checked), outcome
    return outcome.sightings


def assayed(index: Path, base: Mapping[str, str], head: Mapping[str, str], today: dt.date = TODAY) -> Verdict:
    """Base against head, with this check alone."""
    context = Context(
        today=today,
        cache_dir=str(index.parent),
        key=Secret(b"a key for tests only"),
        make_checks=lambda _policy, settings: [make(settings)],
        run=lambda planned, checks, sources, _policy: run(planned, checks, sources, Means(limits=Limits(isolate=False))),
        clock=lambda: 0.0,
        settle=lambda: None,
        advisories=str(index),
    )
    sides = [MemorySubject({path: text.encode() for path, text in side.items()}) for side in (base, head)]
    return assay(Request(MemoryComparison(*sides)), context)


def settings(index: Path) -> CheckSettings:
    return CheckSettings(cache_dir=str(index.parent), installation_key=Secret(b"a key for tests only"), advisories=str(index))
