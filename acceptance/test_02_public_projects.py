"""`assay check` on public Python, JavaScript, Java and Go projects from package archives: no error, and no `unchecked` without a reason."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from acceptance.harness import Shell, gaps, has_reason, weaknesses


def fetch(command: list[str], folder: Path) -> None:
    try:
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except FileNotFoundError:
        pytest.skip(f"NOT PROVED: {command[0]} is not installed")
    if ran.returncode:
        pytest.skip(f"NOT PROVED: {' '.join(command[:3])} failed, is the registry out of reach? {ran.stderr.strip()[-300:]}")


def python(name: str, folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-binary", ":all:", "--no-deps"]
    fetch([*pip, "--dest", str(folder), name], folder)
    return next(folder.iterdir())


def javascript(name: str, folder: Path) -> Path:
    fetch(["npm", "pack", "--silent", name], folder)
    return next(folder.glob("*.tgz"))


def debian(name: str, folder: Path) -> Path:
    """The files of a binary package; Go libraries are shipped as source."""
    fetch(["apt-get", "-qq", "download", name], folder)
    (folder / "files").mkdir()
    fetch(["dpkg-deb", "-x", str(next(folder.glob("*.deb"))), "files"], folder)
    return folder / "files"


def java(name: str, folder: Path) -> Path:
    """Java sources that an npm package ships, packed as an archive of their own."""
    with tarfile.open(javascript(name, folder)) as package:
        members = [member for member in package.getmembers() if member.name.endswith((".java", ".kt", ".gradle", ".properties", ".xml"))]
        package.extractall(folder / "java", members=members, filter="data")
    assert any((folder / "java").rglob("*.java"))
    return folder / "java"


PROJECTS: list[tuple[str, Callable[[str, Path], Path], str]] = [
    ("flask", python, ".py"),
    ("requests", python, ".py"),
    ("paramiko", python, ".py"),
    ("express", javascript, ".js"),
    ("lodash", javascript, ".js"),
    ("golang-github-gorilla-mux-dev", debian, ".go"),
    ("golang-github-spf13-cobra-dev", debian, ".go"),
    ("react-native-device-info", java, ".java"),
]


@pytest.mark.parametrize(("name", "get", "suffix"), PROJECTS, ids=[name for name, _, _ in PROJECTS])
def test_a_public_project_is_checked_without_an_error(
    shell: Shell, tmp_path: Path, name: str, get: Callable[[str, Path], Path], suffix: str
) -> None:
    (tmp_path / "given").mkdir()
    project = get(name, tmp_path / "given")
    report = shell.check(str(project), "--all", folder=tmp_path)
    runs = report["verdict"]["checks"]
    assert sum(run["inputs"] for run in runs) > 0, f"nothing of {name} was looked at"
    for gap in gaps(report):
        assert has_reason(gap), gap
    print(f"\n{name} ({suffix}): {len(weaknesses(report))} findings, {len(gaps(report))} unchecked, {report['verdict']['outcome']}")
