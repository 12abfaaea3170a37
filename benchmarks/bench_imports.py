"""How long an import of 100,000 findings takes, from the bytes to the recorded rows, and how much memory: SARIF and native formats.

Each import runs in a process of its own on a fresh database, so that the memory is its own: `read` is the reader alone, `whole` is what the
server does for one request. A second import of the same report, which changes nothing, is timed as well.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import sqlalchemy as sa
from benchmarks import measure

from assaymark.model.assessment import SubjectId
from assaymark.model.identity import identify
from assaymark.model.rules import catalogue
from assaymark.server.imports.found import Ask, World
from assaymark.server.imports.kinds import kind_of
from assaymark.server.imports.readers import read
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work import importing
from assaymark.store import tables
from assaymark.store.migrations.apply import migrate

COUNT = 100_000
_PATHS = 5_000


def _sarif(count: int) -> object:
    results = [
        {
            "ruleId": f"R{number % 300}",
            "level": "warning",
            "message": {"text": f"Something is wrong here, for the {number}th time"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": f"src/module{number % _PATHS}.py"},
                        "region": {"startLine": 1 + number // _PATHS},
                    }
                }
            ],
        }
        for number in range(count)
    ]
    return {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "bench"}}, "results": results}]}


def _trivy(count: int) -> object:
    rows = [
        {
            "VulnerabilityID": f"CVE-2024-{10_000 + number}",
            "PkgName": f"package{number % 2_000}",
            "InstalledVersion": "1.2.3",
            "FixedVersion": "1.2.4",
            "Severity": ("LOW", "MEDIUM", "HIGH", "CRITICAL")[number % 4],
            "Title": "a weakness that lets somebody do what nobody should",
            "Description": "a longer text " * 20,
            "PrimaryURL": f"https://example.org/{number}",
            "References": [f"https://example.org/{number}/{at}" for at in range(4)],
        }
        for number in range(count)
    ]
    return {
        "SchemaVersion": 2,
        "ArtifactName": ".",
        "Results": [{"Target": "package-lock.json", "Class": "lang-pkgs", "Type": "npm", "Vulnerabilities": rows}],
    }


def _semgrep(count: int) -> object:
    results = [
        {
            "check_id": f"team.rules.rule-{number % 300}",
            "path": f"src/module{number % _PATHS}.py",
            "start": {"line": 1 + number // _PATHS, "col": 3},
            "end": {"line": 1 + number // _PATHS, "col": 20},
            "extra": {"message": f"for the {number}th time", "severity": "WARNING", "metadata": {"cwe": ["CWE-79: XSS"]}, "lines": "x = y"},
        }
        for number in range(count)
    ]
    return {"results": results, "errors": [], "paths": {"scanned": []}, "version": "1"}


REPORTS: Mapping[str, Callable[[int], object]] = {"sarif": _sarif, "trivy": _trivy, "semgrep": _semgrep}


def one(form: str, count: int, url: str) -> dict[str, float]:
    """Seconds and megabytes of one format, in this process."""
    data = json.dumps(REPORTS[form](count)).encode()
    before = _peak()
    began = time.monotonic()
    seen = read(data, kind_of(data), (Ask(), World())).seen
    found = len(identify(seen, catalogue()))
    reading = time.monotonic() - began
    del seen
    with tempfile.TemporaryDirectory() as folder:
        service = open_service(load(data=folder, database=url))
        migrate(service.database)
        with service.database.write() as link:
            row = {"kind": "environment", "key": os.urandom(8).hex(), "name": "bench", "created_at": 0}
            number = SubjectId(link.execute(tables.subject.insert().returning(tables.subject.c.id), row).scalar_one())
        (whole, cpu), (again, _) = (_imported(service, number, data) for _ in range(2))
        with service.database.read() as link:
            where = tables.occurrence.c.subject == number, tables.occurrence.c.closed_at.is_(None)
            open_ = link.execute(sa.select(sa.func.count()).select_from(tables.occurrence).where(*where)).scalar_one()
        service.database.close()
    assert open_ == found, (open_, found)
    sizes = {"findings": found, "mib": len(data) / 2**20, "memory_mib": _peak() - before}
    return sizes | {"read": reading, "whole": whole, "whole_cpu": cpu, "again": again}


def _imported(service: Service, number: SubjectId, data: bytes) -> tuple[float, float]:
    """Seconds by the clock, and of this process."""
    began, own = time.monotonic(), time.process_time()
    told = importing.take(service, number, data, importing.Order(""), importing.By("bench"))
    if told.state == "running":
        importing.import_report(service, {"assessment": told.assessment}, _Once())
    return time.monotonic() - began, time.process_time() - own


class _Once:
    number, is_last = 1, False

    def should_stop(self) -> bool:
        return False


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Every format, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of it")
    parser.add_argument("--url", default="", help="a PostgreSQL database of its own; SQLite without it")
    parser.add_argument("--form", default="", choices=["", *REPORTS], help="only this one, as a line of JSON")
    given = parser.parse_args()
    count = COUNT // 20 if given.quick else COUNT
    if given.form:
        print(json.dumps(one(given.form, count, given.url)))
        return
    found = {}
    for form in REPORTS:
        words = [
            sys.executable,
            __file__,
            "--form",
            form,
            *(["--quick"] if given.quick else []),
            *(["--url", given.url] if given.url else []),
        ]
        run = subprocess.run(words, check=True, capture_output=True, text=True)
        found[form] = json.loads(run.stdout.strip().splitlines()[-1])
        print(form, {name: round(value, 1) for name, value in found[form].items()})
    if not given.quick:
        measure.write("imports", {"database": "postgresql" if given.url else "sqlite"}, found)


if __name__ == "__main__":
    main()
