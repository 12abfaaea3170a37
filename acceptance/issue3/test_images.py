"""Images: package lists equal to the package managers' own, hostile layers told, the speed that was promised.

Builds a Debian image from Debian's packages (mmdebstrap, umoci, skopeo; root and a mirror in reach), an rpm root (rpmbuild), and compares
what is read with what dpkg-query and rpm say. ``APK_ROOT`` names an Alpine root for the comparison with ``apk``, ``IMAGE_TRUTH`` a folder
of further image archives that must each be listed or refused with a reason. What is not there is skipped and said.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from acceptance.harness import Shell

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.bench_images import case, write_images

from assaymark.checks.reading.inventory import read
from assaymark.errors import AssayError
from assaymark.model.check import Dialect
from assaymark.model.subject import EntryKind
from assaymark.subjects.image.subject import ImageSubject

FIRST_SECONDS, AGAIN_SECONDS = 4.0, 0.010
SIZE = 1 << 30


def need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"NOT PROVED: {', '.join(missing)} not installed")


def ran(*words: str, folder: Path | None = None) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=1200, check=False)
    if done.returncode:
        pytest.skip(f"NOT PROVED: {' '.join(words[:4])} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def codename() -> str:
    """This machine's release, whose keys and mirror are at hand."""
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line.partition("=")[2] for line in lines if line.startswith("VERSION_CODENAME=")), "stable")


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``root.tar`` (the only layer), ``docker.tar``, ``oci`` and ``root`` (dpkg's folder alone)."""
    need("mmdebstrap", "umoci", "skopeo", "dpkg-query", "tar")
    folder = tmp_path_factory.mktemp("debian")
    ran("mmdebstrap", "--variant=minbase", "--include=openssh-server,python3-six,ca-certificates", codename(), "root.tar", folder=folder)
    ran("umoci", "init", "--layout", "oci", folder=folder)
    ran("umoci", "new", "--image", "oci:latest", folder=folder)
    ran("umoci", "raw", "add-layer", "--image", "oci:latest", "root.tar", folder=folder)
    (folder / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
    ran("skopeo", "--policy", "policy.json", "copy", "oci:oci:latest", "docker-archive:docker.tar:debian:test", folder=folder)
    ran("skopeo", "--policy", "policy.json", "copy", "oci:oci:latest", "oci-archive:oci.tar", folder=folder)
    (folder / "root").mkdir()
    ran("tar", "-xf", "root.tar", "-C", "root", "./var/lib/dpkg", folder=folder)
    return folder


@pytest.mark.parametrize("form", ["oci", "oci.tar", "docker.tar"])
def test_debian_packages_are_those_that_dpkg_names(debian: Path, form: str, tmp_path: Path) -> None:
    words = "${db:Status-Status}\t${Package}\t${Version}\t${source:Package}\t${source:Version}\n"
    said = ran("dpkg-query", f"--admindir={debian}/root/var/lib/dpkg", "-W", "-f", words)
    wanted = {tuple(line.split("\t")[1:]) for line in said.splitlines() if line.startswith("installed\t")}
    image = ImageSubject(str(debian / form), cache=str(tmp_path))
    data = image.file("image//packages/dpkg", limit=1 << 30)
    assert data is not None
    found = read(Dialect("dpkg-status"), data)
    assert {(p.name, p.version, p.upstream or p.name, p.upstream_version or p.version) for p in found.packages} == wanted
    assert found.release
    assert found.problems == ()
    kinds = [entry.kind for entry in image.entries() if entry.kind in {EntryKind.FILE, EntryKind.VENDOR}]
    assert kinds.count(EntryKind.VENDOR) / len(kinds) > 0.95


def test_debian_image_is_judged_by_the_command(debian: Path, shell: Shell) -> None:
    said = shell.run("check", "oci", "-v", folder=debian)
    assert said.code == 1
    assert "etc/ssh/ssh_host_" in said.out
    assert "The image names no user" in said.out
    assert "files came with installed packages unchanged" in said.out


def test_rpm_packages_are_those_that_rpm_names(tmp_path: Path) -> None:
    need("rpmbuild", "rpm")
    if "sqlite" not in ran("rpm", "--eval", "%_db_backend"):
        pytest.skip("NOT PROVED: this rpm does not write SQLite")
    names = [f"sample{number}" for number in range(12)]
    for number, name in enumerate(names):
        spec = tmp_path / f"{name}.spec"
        epoch = f"Epoch: {number}\n" if number % 3 == 1 else ""
        head = f"Name: {name}\n{epoch}Version: 1.{number}~rc1\nRelease: {number}.el9\nSummary: s\nLicense: x\nBuildArch: noarch\n"
        folder = f"/usr/share/{name}"
        fill = f"mkdir -p %{{buildroot}}{folder}\nfor i in $(seq 1 {number * 200 + 1}); do echo $i > %{{buildroot}}{folder}/$i; done\n"
        spec.write_text(f"{head}%description\nd\n%install\n{fill}%files\n{folder}\n")
        ran("rpmbuild", "-bb", "--define", f"_topdir {tmp_path}/top", str(spec))
    place = ("--root", str(tmp_path / "root"), "--dbpath", "/var/lib/rpm")
    ran("rpm", *place, "--nodeps", "-i", *map(str, (tmp_path / "top").rglob("*.rpm")))
    wanted = {tuple(line.split(" ")) for line in ran("rpm", *place, "-qa", "--qf", "%{NAME} %{EVR}\n").splitlines()}
    found = read(Dialect("rpm-sqlite"), (tmp_path / "root/var/lib/rpm/rpmdb.sqlite").read_bytes())
    assert {(p.name, p.version) for p in found.packages} == wanted
    assert len(wanted) == len(names)


def test_apk_packages_are_those_that_apk_names() -> None:
    need("apk")
    root = os.environ.get("APK_ROOT")
    if not root:
        pytest.skip("NOT PROVED: APK_ROOT names no Alpine root")
    said = ran("apk", "--root", root, "--no-network", "info", "-v").split()
    found = read(Dialect("apk-installed"), (Path(root) / "lib/apk/db/installed").read_bytes())
    assert sorted(f"{p.name}-{p.version}" for p in found.packages) == sorted(said)


def test_foreign_archives_are_listed_or_refused_with_a_reason() -> None:
    folder = os.environ.get("IMAGE_TRUTH")
    if not folder:
        pytest.skip("NOT PROVED: IMAGE_TRUTH names no folder of image archives")
    silent = [path for path in sorted(Path(folder).rglob("*.tar")) if not _listed_or_told(path)]
    assert silent == []


def _listed_or_told(path: Path) -> bool:
    try:
        return bool(list(ImageSubject(str(path)).entries()))
    except AssayError as error:
        return bool(error.why)


def test_a_gigabyte_is_listed_in_four_seconds_and_again_in_ten_milliseconds(tmp_path: Path) -> None:
    """Judged by processor seconds: two of them work in parallel, and neighbours on the machine are not counted."""
    for name, path in write_images(tmp_path, SIZE):
        figures = case(path, tmp_path / "cache", 2)
        assert figures["first"]["cpu_seconds"] < FIRST_SECONDS * 2, (name, figures)
        assert figures["again"]["cpu_seconds"] < AGAIN_SECONDS, (name, figures)
        if os.getloadavg()[0] < 1:
            assert figures["first"]["wall_seconds"] < FIRST_SECONDS, (name, figures)
