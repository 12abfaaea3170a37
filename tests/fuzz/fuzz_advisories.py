"""What others publish about packages, and versions, as functions of bytes: never another error than the documented one."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from assaymark.advisories.archives import Raw
from assaymark.advisories.compiling import Collection
from assaymark.advisories.severities import base_score
from assaymark.advisories.updating import from_folder
from assaymark.advisories.urgency import read_epss, read_kev
from assaymark.checks.application.dependencies.check import judge
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.model.check import Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.verdict.vex import parse_vex

RECORD = (
    b'{"id":"GHSA-1","modified":"2026-01-01T00:00:00Z","aliases":["CVE-2026-1"],"summary":"s","severity":[{"type":"CVSS_V3","score":'
    b'"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],"affected":[{"package":{"ecosystem":"PyPI","name":"a"},"versions":["1.0","x"],'
    b'"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2"},{"introduced":"3"},{"last_affected":"4"},{"limit":"9"}]}],'
    b'"ecosystem_specific":{"imports":[{"path":"p","symbols":["S"]}]},"database_specific":{"severity":"HIGH","informational":"notice"}}]}'
)
_VEX = (
    b'{"@context":"https://openvex.dev/ns/v0.2.0","author":"a","timestamp":"2026-01-01T00:00:00Z","statements":[{"vulnerability":'
    b'{"name":"CVE-1"},"products":[{"@id":"pkg:pypi/a@1","subcomponents":[{"@id":"pkg:pypi/b"}]}],"status":"not_affected",'
    b'"justification":"component_not_present"}]}'
)
Target = Callable[[bytes], object]


def compile_and_match(data: bytes) -> object:
    """Whatever a record holds: it is compiled, or counted as none, and a lock file can be compared with what came of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.db"
        collection = Collection()
        collection.add(Raw("a.json", data))
        collection.write(path, {}, {}, {})
        index = Index(str(path))
        try:
            lock = b"a==1.0\na==x-legacy\n"
            return judge(Input(sha256(lock), Dialect("requirements"), (Part("", lock),)), index)
        finally:
            index.close()


def folder_of(name: str) -> Target:
    """An archive as it lies in a folder."""

    def run(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(data)
            return from_folder(Path(folder), Path(folder) / "out" / "index.db", "", lambda _: None)

    return run


def versions(data: bytes) -> object:
    """Every order on the same text, twice."""
    text = data.decode("utf-8", "replace")
    for ecosystem in Ecosystem:
        first = key_of(ecosystem, text)
        key_of.cache_clear()
        assert key_of(ecosystem, text) == first
    return base_score(text)


def advisory_targets(archive: bytes) -> Mapping[str, tuple[Target, tuple[bytes, ...]]]:
    """Name -> function and seeds; each may raise an `AssayError` and nothing else."""
    kev = b'{"vulnerabilities":[{"cveID":"CVE-2026-1","dateAdded":"2026-01-01","knownRansomwareCampaignUse":"Known"}]}'
    return {
        "advisory record": (compile_and_match, (RECORD,)),
        "advisory archive": (folder_of("all.zip"), (archive,)),
        "kev": (lambda data: read_kev(data, "kev.json"), (kev,)),
        "epss": (lambda data: read_epss(data, "epss.csv"), (b"#m\ncve,epss,percentile\nCVE-2026-1,0.5,0.9\n", b"\x1f\x8b\x08\0\0\0\0\0")),
        "openvex": (lambda data: parse_vex(data, "vex.json"), (_VEX,)),
        "versions": (
            versions,
            (b"1!2.0a1.post2.dev3+x.1", b"1:2.0~rc1-3ubuntu1", b"1.0-alpha-1-SNAPSHOT", b"v1.2.3-rc.1+b", b"1.2_rc3-r4"),
        ),
    }
