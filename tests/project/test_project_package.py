"""What is shipped, and what it is made from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import assaymark

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements/runtime.lock", "requirements/dev.lock")
PIN = re.compile(r"^([a-z0-9._-]+)==([^ \\;]+)", re.MULTILINE)


def lock(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def pins(name: str) -> dict[str, str]:
    return dict(PIN.findall(lock(name)))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_tests_meet_the_installed_wheel_when_make_runs_them() -> None:
    if os.environ.get("ASSAYMARK_TESTS") != "wheel":
        pytest.skip("not run by make: the source tree is tested")
    assert "site-packages" in Path(assaymark.__file__).parts


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_is_one_version_with_hashes(name: str) -> None:
    blocks = [block for block in re.split(r"\n(?=[a-z])", lock(name).strip()) if not block.startswith("#")]
    assert len(blocks) > 8
    for block in blocks:
        head = block.splitlines()[0]
        assert PIN.match(head), head
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), head


@pytest.mark.parametrize(
    "name", [*LOCKS, "requirements/alone.lock", "requirements/dev.in", "Makefile", ".ci/set-up", ".ci/run", "pyproject.toml"]
)
def test_no_file_says_where_packages_come_from(name: str) -> None:
    text = lock(name)
    assert not re.search(r"--(extra-)?index-url\b(?! )|--index-url [^-]|--find-links|--trusted-host|--registry|simple/", text)
    assert not re.search(r"https?://[^\s\"']*(pypi|python|artifactory|nexus|mirror|proxy)", text)
    if name.endswith(".lock"):
        assert "://" not in text


def test_the_lock_satisfies_what_the_package_asks_for() -> None:
    locked = pins("requirements/runtime.lock")
    for text in PROJECT["project"]["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(Version(locked[wanted.name.lower()])), text


def test_tests_run_with_the_versions_that_users_are_given() -> None:
    runtime, dev = (pins(name) for name in LOCKS)
    assert runtime.items() <= dev.items()


def test_the_version_is_the_same_wherever_it_is_said(wheel: zipfile.ZipFile) -> None:
    version = PROJECT["project"]["version"]
    assert assaymark.__version__ == version
    assert any(name == f"assaymark-{version}.dist-info/METADATA" for name in wheel.namelist())
    if os.environ.get("ASSAYMARK_TESTS") == "wheel":
        assert metadata.version("assaymark") == version


def test_the_wheel_holds_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    package = ROOT / "src" / "assaymark"
    wanted = {
        f"assaymark/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert wanted <= set(wheel.namelist())
    assert {"assaymark/py.typed", "assaymark/model/rule_data/classes.toml"} <= wanted
    assert sum(name.startswith("assaymark/views/explanations/") for name in wanted) >= 30


def test_the_wheel_holds_nothing_but_the_package_and_its_licence(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert tops == {"assaymark", f"assaymark-{PROJECT['project']['version']}.dist-info"}
    licences = {name.rpartition("/")[2] for name in wheel.namelist() if "/licenses/" in name}
    assert licences == {"LICENSE", "NOTICE"}


def test_the_licence_is_apache_2_in_full() -> None:
    text = lock("LICENSE")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert PROJECT["project"]["license"] == "Apache-2.0"


def test_the_notice_names_every_work_that_the_package_depends_on() -> None:
    notice = lock("NOTICE").lower()
    assert [name for text in PROJECT["project"]["dependencies"] if (name := Requirement(text).name.lower()) not in notice] == []


def test_the_changelog_begins_with_what_is_not_released_yet() -> None:
    assert re.findall(r"^## \[(.+?)\]", lock("CHANGELOG.md"), re.MULTILINE)[0] == "Unreleased"


def test_make_help_names_every_target() -> None:
    targets = set(re.findall(r"^\.PHONY: (.+)$", lock("Makefile"), re.MULTILINE))
    said = subprocess.run(["make", "-s", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    described = {line.split()[0] for line in said.splitlines()[1:] if len(line.split()) > 2}
    assert described == targets
    assert {"test", "demo", "lint", "types", "layers", "unit", "acceptance", "soak", "bench", "lock", "clean"} <= targets


def test_every_room_of_the_package_stands_in_a_layer() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (layers,) = (contract for contract in contracts if contract["type"] == "layers")
    named = set(re.findall(r"[a-z]+", " ".join(layers["layers"]))) | set(layers["exhaustive_ignores"])
    package = ROOT / "src" / "assaymark"
    rooms = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert rooms - {"__init__"} <= named
