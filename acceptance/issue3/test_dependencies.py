"""Dependencies: hits equal to an independent computation, versions equal to public truth, and the speed that was promised.

Needs real advisories: ``OSV_ARCHIVES`` names a folder with ``PyPI.zip`` and ``Go.zip`` (or ``<ecosystem>/all.zip``) as OSV publishes them;
``VERSION_TRUTH`` one with lists of comparisons (``<ecosystem>-versions*.txt``, lines ``a < b``). ``PUBLIC_LOCKS`` may name a folder with
further lock files. What is not there is skipped and said.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from tests.listening import listening

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.bench_dependencies import lock_figures

from assaymark.advisories.updating import from_folder
from assaymark.checks.application.dependencies.check import judge
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.readers import dialect_of, read
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.component_notes import ACCORDING
from assaymark.model.digest import sha256
from assaymark.model.finding import ComponentSite

WHEELS = (
    ("pip==21.0", "pip/_vendor/vendor.txt"),
    ("pipenv==2018.11.26", "pipenv/vendor/vendor.txt"),
    ("pipenv==2018.11.26", "pipenv/vendor/vendor_pip.txt"),
    ("pipenv==2020.11.15", "pipenv/vendor/vendor.txt"),
)
"""Lists of exact pins that public wheels carry."""
MODULES = ("containers-common", "containers-image", "hashicorp-go-getter", "prometheus-common", "spf13-viper")
"""Debian packages of Go sources, with the go.mod of their release."""
Hits = set[tuple[str, str]]
"""(package, record id)."""


def asked(command: list[str], folder: Path) -> str:
    try:
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    except FileNotFoundError:
        pytest.skip(f"NOT PROVED: {command[0]} is not installed")
    if ran.returncode:
        pytest.skip(f"NOT PROVED: {' '.join(command[:4])} failed, is the registry out of reach? {ran.stderr.strip()[-300:]}")
    return ran.stdout


@pytest.fixture(scope="session")
def archives() -> Path:
    folder = os.environ.get("OSV_ARCHIVES", "")
    if not folder:
        pytest.skip("NOT PROVED: OSV_ARCHIVES names no folder with advisories")
    return Path(folder)


@pytest.fixture(scope="session")
def index(archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    path = tmp_path_factory.mktemp("advisories") / "index.db"
    made = from_folder(archives, path, "2026-11-27T00:00:00Z", lambda _: None)
    assert made.unreadable_count == 0
    return Index(str(path))


def raw_records(archives: Path, ecosystem: str) -> list[dict[str, Any]]:
    """The records as they are, read by nothing of ours."""
    found = [path for path in archives.rglob("*.zip") if path.name == f"{ecosystem}.zip" or path.parent.name == ecosystem]
    if not found:
        pytest.skip(f"NOT PROVED: no archive of {ecosystem}")
    with zipfile.ZipFile(found[0]) as opened:
        return [json.loads(opened.read(name)) for name in opened.namelist() if name.endswith(".json")]


def ours(index: Index, dialect: str, content: bytes) -> Hits:
    outcome = judge(Input(sha256(content), Dialect(dialect), (Part("", content),)), index)
    assert isinstance(outcome, Checked), outcome
    hits: Hits = set()
    for sighting in outcome.sightings:
        if isinstance(sighting.site, ComponentSite):
            name = sighting.site.package.partition("/")[2].replace("%2F", "/")
            hits |= {(name, record) for record in dict(sighting.notes)[ACCORDING].split(", ")}
    return hits


# --- PyPI: pip-audit, asking a server on this machine ----------------------------------------------------------------


class Service(http.server.BaseHTTPRequestHandler):
    """OSV's query by package and version, answered by `packaging` over the raw records."""

    protocol_version = "HTTP/1.1"
    records: ClassVar[dict[str, list[dict[str, Any]]]] = {}

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = canonicalize_name(query["package"]["name"])
        found = [record for record in self.records.get(name, []) if hit_by_packaging(record, name, query["version"])]
        body = json.dumps({"vulns": found} if found else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""


def hit_by_packaging(record: dict[str, Any], name: str, text: str) -> bool:
    rows = [affected for affected in record["affected"] if canonicalize_name(affected["package"]["name"]) == name]
    ranges = [each["events"] for affected in rows for each in affected.get("ranges", []) if each["type"] == "ECOSYSTEM"]
    return any(text in affected.get("versions", []) for affected in rows) or any(inside(events, Version(text)) for events in ranges)


def inside(events: list[dict[str, str]], version: Version) -> bool:
    found = False
    try:
        moves = sorted((Version(value), kind) for event in events for kind, value in event.items())
    except InvalidVersion:
        return False
    for at, kind in moves:
        if kind == "introduced" and version >= at:
            found = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            found = False
    return found


@pytest.fixture(scope="session")
def pip_audit(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Installed into an environment of its own, or the one that ``PIP_AUDIT`` names."""
    if os.environ.get("PIP_AUDIT"):
        return os.environ["PIP_AUDIT"]
    folder = tmp_path_factory.mktemp("audit")
    asked([sys.executable, "-m", "venv", str(folder)], folder)
    asked([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "pip-audit"], folder)
    return str(folder / "bin" / "pip-audit")


@pytest.fixture(scope="session")
def service(archives: Path) -> Iterator[str]:
    Service.records = {}
    for record in raw_records(archives, "PyPI"):
        for name in {canonicalize_name(affected["package"]["name"]) for affected in record.get("affected", [])}:
            if not record.get("withdrawn"):
                Service.records.setdefault(name, []).append(record)
    with listening(Service) as port:
        yield f"http://127.0.0.1:{port}/v1/query"


def python_locks(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Name -> dialect and content."""
    locks: dict[str, tuple[str, bytes]] = {}
    for package, member in WHEELS:
        target = folder / package
        target.mkdir(exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "--no-deps", "--dest", str(target), package]
        asked(pip, folder)
        with zipfile.ZipFile(next(target.glob("*.whl"))) as wheel:
            locks[f"{package} {member}"] = ("requirements", wheel.read(member))
    return locks | public_locks({"requirements", "poetry-lock", "uv-lock", "pipfile-lock", "pdm-lock", "pylock"})


def public_locks(dialects: set[str]) -> dict[str, tuple[str, bytes]]:
    folder = os.environ.get("PUBLIC_LOCKS", "")
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file()) if folder else []
    named = [(path, dialect_of(path.as_posix())) for path in files]
    return {path.relative_to(folder).as_posix(): (dialect, path.read_bytes()) for path, dialect in named if dialect in dialects}


def pins_of(dialect: str, content: bytes) -> list[str]:
    packages = read(Dialect(dialect), content).packages
    return sorted({f"{package.name}=={package.version}" for package in packages if package.source == "registry"})


def test_hits_of_python_lock_files_are_those_of_pip_audit(index: Index, pip_audit: str, service: str, tmp_path: Path) -> None:
    locks = python_locks(tmp_path)
    assert len(locks) >= 3
    total = 0
    for name, (dialect, content) in locks.items():
        pins = latest_only(pins_of(dialect, content))
        if not pins:
            continue
        (tmp_path / "pins.txt").write_text("\n".join(pins) + "\n")
        options = ["--no-deps", "--disable-pip", "-s", "osv", "--osv-url", service, "-f", "json", "--cache-dir", str(tmp_path / "c")]
        command = [pip_audit, "-r", str(tmp_path / "pins.txt"), *options, "--progress-spinner", "off"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode in {0, 1}, ran.stderr[-2000:]
        report = json.loads(ran.stdout)
        theirs = {(row["name"], vulnerability["id"]) for row in report["dependencies"] for vulnerability in row.get("vulns", [])}
        assert ours(index, "requirements", "\n".join(pins).encode()) == theirs, name
        total += len(theirs)
        print(f"  {name}: {len(pins)} pins, {len(theirs)} hits, equal")
    assert total > 20


def latest_only(pins: list[str]) -> list[str]:
    """pip-audit takes one version of a package, and none without an order."""
    orderly = [pin for pin in pins if key_of(Ecosystem.PYPI, pin.partition("==")[2]) is not None]
    return list({pin.partition("==")[0]: pin for pin in orderly}.values())


# --- Go: a matcher that shares nothing with ours ---------------------------------------------------------------------


def go_locks(folder: Path) -> dict[str, bytes]:
    locks: dict[str, bytes] = {}
    for module in MODULES:
        place = folder / module
        place.mkdir()
        asked(["apt-get", "-qq", "download", f"golang-github-{module}-dev"], place)
        asked(["dpkg-deb", "-x", str(next(place.glob("*.deb"))), "files"], place)
        locks |= {f"{module} {path.name}": path.read_bytes() for path in (place / "files").rglob("go.mod")}
    return locks | {name: content for name, (_, content) in public_locks({"go-mod"}).items()}


def semantic(text: str) -> tuple[Any, ...]:
    """Semantic Versioning's precedence, as a tuple; ``0`` is before everything, as the schema says."""
    if text == "0":
        return (-1,)
    text = text.partition("+")[0]
    core, dash, early = text.partition("-")
    numbers = tuple(int(part) for part in core.split("."))
    words = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in early.split("."))
    return (*numbers, *(0,) * (3 - len(numbers)), 0 if dash else 1, words if dash else ())


def naive(records: list[dict[str, Any]], text: str) -> Hits:
    """Every record against every line."""
    lines = modules(text)
    hits: Hits = set()
    for record in records:
        if record.get("withdrawn"):
            continue
        for affected in record["affected"]:
            for name, version in lines:
                if affected["package"]["name"] == name and in_range(affected, version):
                    hits.add((name.lower(), record["id"]))
    return hits


def modules(text: str) -> set[tuple[str, str]]:
    """(module, version) of require lines, after replace: words by white space, block by block."""
    wanted: set[tuple[str, str]] = set()
    replaced: dict[str, tuple[str, ...]] = {}
    block = ""
    for raw in text.splitlines():
        words = raw.partition("//")[0].split()
        if not words or words == [")"]:
            block = block if words == [] else ""
        elif words[-1] == "(":
            block = words[0]
        else:
            kind, rest = (block, words) if block else (words[0], words[1:])
            if kind == "require":
                wanted.add((rest[0], rest[1].removeprefix("v")))
            elif kind == "replace":
                replaced[rest[0]] = tuple(rest[rest.index("=>") + 1 :])
            elif kind == "toolchain":
                wanted.add(("stdlib", rest[0].removeprefix("go")))
    taken = {pair for pair in wanted if pair[0] not in replaced}
    return taken | {(new[0], new[1].removeprefix("v")) for old, new in replaced.items() if len(new) == 2 and old in dict(wanted)}


def in_range(affected: dict[str, Any], version: str) -> bool:
    at = semantic(version)
    for each in affected["ranges"]:
        moves = [(semantic(value), kind) for event in each["events"] for kind, value in event.items()]
        inside = False
        for place, kind in sorted(moves):
            if place <= at:
                inside = kind == "introduced"
        if inside:
            return True
    return False


def test_hits_of_go_modules_are_those_of_a_naive_matcher(index: Index, archives: Path, tmp_path: Path) -> None:
    records = raw_records(archives, "Go")
    locks = go_locks(tmp_path)
    assert len(locks) >= 3
    total = 0
    for name, content in locks.items():
        theirs = naive(records, content.decode())
        assert ours(index, "go-mod", content) == theirs, name
        total += len(theirs)
        print(f"  {name}: {len(theirs)} hits, equal")
    assert total > 20


# --- versions --------------------------------------------------------------------------------------------------------

TRUTH = {
    "alpine": Ecosystem.ALPINE,
    "debian": Ecosystem.DEBIAN,
    "maven": Ecosystem.MAVEN,
    "nuget": Ecosystem.NUGET,
    "packagist": Ecosystem.PACKAGIST,
    "pub": Ecosystem.PUB,
    "pypi": Ecosystem.PYPI,
    "redhat": Ecosystem.ALMALINUX,
    "rubygems": Ecosystem.RUBYGEMS,
    "semver": Ecosystem.NPM,
}
MAVEN_DIFFERS = 20
"""The list orders ``.rc`` below ``-rc``, which Maven gave up (MNG-7644): Maven 3.8.7 itself differs from the list in 19 places."""


@pytest.mark.parametrize("name", TRUTH)
def test_versions_are_ordered_as_the_public_lists_say(name: str) -> None:
    folder = os.environ.get("VERSION_TRUTH", "")
    files = sorted(Path(folder).glob(f"{name}-versions*.txt")) if folder else []
    if not files:
        pytest.skip("NOT PROVED: VERSION_TRUTH names no folder with lists of comparisons")
    right = wrong = refused = 0
    for line in (line for file in files for line in file.read_text("utf-8").splitlines()):
        words = line.split()
        if len(words) != 3 or line.startswith(("# ", "//")):
            continue
        one, other = key_of(TRUTH[name], words[0]), key_of(TRUTH[name], words[2])
        if one is None or other is None:
            refused += 1
        elif words[1] == ("<" if one < other else ">" if one > other else "="):
            right += 1
        else:
            wrong += 1
    print(f"  {name}: {right} right, {wrong} wrong, {refused} refused (compared word for word)")
    assert wrong <= (MAVEN_DIFFERS if name == "maven" else 0)
    assert refused <= right // 100 + 6


# --- speed -----------------------------------------------------------------------------------------------------------


def test_a_lock_of_a_thousand_packages_is_read_and_compared_in_ten_milliseconds(tmp_path: Path) -> None:
    figures = lock_figures(tmp_path, 1_000, 30_000, 300)
    print(f"  {figures}")
    assert figures["hits"] > 0
    assert figures["least_ms"] < 10
