"""Reports as other tools write them: those that were made by running the tool over small samples lie in ``reports/``; what cannot be kept
as a file (a secret's value) or has no tool that can be run here is put together in code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assaymark.checks.application.secrets.keys import Key
from assaymark.checks.settings import Secret
from assaymark.model.finding import Finding
from assaymark.model.identity import identify
from assaymark.model.rules import catalogue
from assaymark.server.imports.found import Ask, Spoken, World
from assaymark.server.imports.kinds import kind_of
from assaymark.server.imports.readers import read

REPORTS = Path(__file__).parent / "reports"
KEY = Key(Secret(b"a key for tests only"))
SOURCE = b"""import hashlib
import subprocess

import yaml


def find(db, name):
    return db.execute("SELECT * FROM users WHERE name = '" + name + "'")


def run(command):
    return subprocess.call(command, shell=True)


def load(text):
    return yaml.load(text)


def digest(data):
    return hashlib.md5(data).hexdigest()
"""
"""What Bandit and Semgrep were run over, as ``code/app.py``."""


def sample(name: str) -> bytes:
    return (REPORTS / f"{name}.json").read_bytes()


def world(files: Mapping[str, bytes] | None = None, names: Mapping[str, str] | None = None) -> World:
    """With these files at hand, and advisories that know these names."""
    held, known = files or {}, names or {}

    def contents(paths: Sequence[str]) -> Mapping[str, bytes]:
        return {path: held[path] for path in paths if path in held}

    return World(contents, lambda ids: {each: known[each] for each in ids if each in known}, KEY)


def spoken(data: bytes | object, given: World | None = None, ask: Ask | None = None) -> Spoken:
    """What a document says."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return read(raw, kind_of(raw), (ask or Ask(), given or world()))


def findings(*documents: bytes | object, given: World | None = None) -> list[Finding]:
    """What several documents say together."""
    return identify([seen for each in documents for seen in spoken(each, given).seen], catalogue())


def by(found: Sequence[Finding]) -> list[tuple[str, ...]]:
    """Who witnesses each finding."""
    return sorted(tuple(sorted({witness.check for witness in each.witnesses})) for each in found)


def grype(*matches: tuple[str, str, str, tuple[str, ...]], distro: str = "") -> dict[str, Any]:
    """(purl, path, id, related ids)"""
    return {
        "matches": [
            {
                "vulnerability": {"id": advisory, "severity": "High", "fix": {"versions": ["9.9"], "state": "fixed"}},
                "relatedVulnerabilities": [{"id": each} for each in related],
                "artifact": {
                    "name": purl.rpartition("/")[2].partition("@")[0],
                    "version": purl.rpartition("@")[2].partition("?")[0],
                    "type": purl.partition("/")[0].removeprefix("pkg:"),
                    "purl": purl,
                    "locations": [{"path": path}],
                },
            }
            for purl, path, advisory, related in matches
        ],
        "distro": {"name": distro},
        "descriptor": {"name": "grype"},
    }


def trivy(*results: dict[str, Any]) -> dict[str, Any]:
    return {"SchemaVersion": 2, "ArtifactName": "x", "Results": list(results)}


def trivy_packages(target: str, kind: str, *rows: tuple[str, str, str, str], system: bool = False) -> dict[str, Any]:
    """(name, version, purl, id)"""
    return {
        "Target": target,
        "Class": "os-pkgs" if system else "lang-pkgs",
        "Type": kind,
        "Vulnerabilities": [
            {
                "VulnerabilityID": advisory,
                "PkgName": name,
                "InstalledVersion": version,
                "Severity": "HIGH",
                "Title": "harm",
                **({"PkgIdentifier": {"PURL": purl}} if purl else {}),
            }
            for name, version, purl, advisory in rows
        ],
    }


def osv(path: str, *rows: tuple[str, str, str, tuple[str, ...]]) -> dict[str, Any]:
    """(ecosystem, name, version, ids)"""
    return {
        "results": [
            {
                "source": {"path": path, "type": "lockfile"},
                "packages": [
                    {
                        "package": {"name": name, "version": version, "ecosystem": ecosystem},
                        "vulnerabilities": [
                            {"id": ids[0], "aliases": list(ids[1:]), "summary": "harm", "database_specific": {"severity": "HIGH"}}
                        ],
                        "groups": [{"ids": [ids[0]], "aliases": list(ids), "max_severity": "7.4"}],
                    }
                    for ecosystem, name, version, ids in rows
                ],
            }
        ]
    }


def gitleaks(value: str, *, path: str = "settings.py", line: int = 1, rule: str = "aws-access-token") -> list[dict[str, Any]]:
    return [
        {
            "RuleID": rule, "Description": "a key", "StartLine": line, "EndLine": line, "StartColumn": 22, "EndColumn": 41,
            "Match": value, "Secret": value, "File": path, "Fingerprint": f"{path}:{rule}:{line}",
        }
    ]  # fmt: skip


def zap(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {"@programName": "ZAP", "@version": "2.16.1", "site": [{"@name": "https://shop.test", "alerts": list(alerts)}]}


def alert(plugin: str, name: str, *instances: tuple[str, str, str], risk: str = "1") -> dict[str, Any]:
    """(method, address, parameter)"""
    rows = [{"method": method, "uri": uri, "param": param, "evidence": "Set-Cookie: session=9"} for method, uri, param in instances]
    return {
        "pluginid": plugin,
        "name": name,
        "riskcode": risk,
        "confidence": "2",
        "desc": "<p>it is</p>",
        "cweid": "693",
        "instances": rows,
    }


def nuclei(template: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "template-id": template, "info": {"name": "It is", "severity": "high", "classification": {"cwe-id": ["cwe-79"]}}, "type": "http",
        "host": address, "matched-at": address, "request": "Cookie: session=9", **more,
    }  # fmt: skip


def snyk(*rows: dict[str, Any], manager: str = "npm", target: str = "package-lock.json") -> dict[str, Any]:
    return {"vulnerabilities": list(rows), "ok": not rows, "packageManager": manager, "displayTargetFile": target}


def prowler(check: str, resource: str, status: str = "FAIL", class_uid: int = 2004, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"event_code": check, "product": {"name": "Prowler"}, "version": "1.5.0"}, "class_uid": class_uid, "category_uid": 2,
        "severity_id": 4, "status_id": 1, "status_code": status, "status_detail": "it is open", "activity_id": 1,
        "finding_info": {"uid": "differs", "title": "Is it closed"}, "resources": [{"uid": resource}], **more,
    }  # fmt: skip
