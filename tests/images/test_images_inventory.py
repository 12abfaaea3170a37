"""Readers of what is installed: what they say equals what the package managers say, and nothing passes as empty."""

from __future__ import annotations

import io
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from tests.images.image_builder import docker_archive, file, tar_of

from assaymark.checks.application.dependencies.packages import Ecosystem, PackageSet
from assaymark.checks.reading.inventory import DIALECTS, Unreadable, dialect_of, read
from assaymark.formats.go_program import MARK, GoFinder
from assaymark.formats.parts import DamagedParts, join, split
from assaymark.model.check import Dialect
from assaymark.model.subject import EntryKind
from assaymark.subjects.image.subject import ImageSubject

ADMIN = Path("/var/lib/dpkg")


def listed(dialect: str, data: bytes) -> set[tuple[str, str]]:
    return {(package.name, package.version) for package in read(Dialect(dialect), data).packages}


def answer(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=300).stdout


def test_names_and_their_readers() -> None:
    names = {
        "var/lib/dpkg/status": "dpkg-status",
        "image//packages/rpm": "rpm-sqlite",
        "lib/apk/db/installed": "apk-installed",
        "usr/lib/sysimage/rpm/rpmdb.sqlite": "rpm-sqlite",
        "usr/lib/python3/dist-packages/six-1.16.0.dist-info/METADATA": "dist-info",
        "x/site-packages/a-1.egg-info": "dist-info",
        "app/node_modules/@a/b/package.json": "node-module",
        "srv/app.jar": "jar",
        "usr/bin/tool//go-buildinfo": "go-buildinfo",
    }
    assert {name: dialect_of(name) for name in names} == names
    others = (
        "package.json",
        "node_modules/package.json",
        "src/a/package.json",
        "status",
        "METADATA",
        "x/installed",
        "node_modules/a/b/package.json",
    )
    assert {name: dialect_of(name) for name in others} == dict.fromkeys(others)
    assert set(names.values()) == set(DIALECTS)


# --- the package managers' own word -------------------------------------------------------------------------------------


def test_dpkg_says_the_same() -> None:
    if shutil.which("dpkg-query") is None or not (ADMIN / "status").exists():
        pytest.skip("dpkg is not here: the reader of its status was NOT compared with it")
    form = "${db:Status-Status}\t${Package}\t${Version}\t${source:Package}\t${source:Version}\n"
    rows = [line.split("\t") for line in answer("dpkg-query", "-W", "-f", form).splitlines()]
    wanted = {tuple(row[1:]) for row in rows if row[0] == "installed"}
    found = read(Dialect("dpkg-status"), (ADMIN / "status").read_bytes())
    assert {(p.name, p.version, p.upstream or p.name, p.upstream_version or p.version) for p in found.packages} == wanted


def test_rpm_says_the_same(tmp_path: Path) -> None:
    if shutil.which("rpmbuild") is None or "sqlite" not in answer("rpm", "--eval", "%_db_backend"):
        pytest.skip("rpm with SQLite is not here: the reader of its database was NOT compared with it")
    spec = tmp_path / "a.spec"
    spec.write_text(
        "Name: alpha\nVersion: 1.2.3\nRelease: 4.el9\nSummary: a\nLicense: x\nBuildArch: noarch\n%description\na\n"
        "%package -n alpha-libs\nEpoch: 2\nSummary: l\n%description -n alpha-libs\nl\n"
        "%install\nmkdir -p %{buildroot}/usr/share/alpha\nfor i in $(seq 1 500); do echo $i > %{buildroot}/usr/share/alpha/$i; done\n"
        "%files\n/usr/share/alpha\n%files -n alpha-libs\n"
    )
    answer("rpmbuild", "-bb", "--define", f"_topdir {tmp_path}/top", str(spec))
    place = ("--root", str(tmp_path / "root"), "--dbpath", "/var/lib/rpm")
    answer("rpm", *place, "--nodeps", "-i", *map(str, (tmp_path / "top").rglob("*.rpm")))
    wanted = {tuple(line.split(" ")) for line in answer("rpm", *place, "-qa", "--qf", "%{NAME} %{EVR}\n").splitlines()}
    assert len(wanted) == 2
    layer = tar_of(
        file("var/lib/rpm/rpmdb.sqlite", (tmp_path / "root/var/lib/rpm/rpmdb.sqlite").read_bytes()),
        file("etc/os-release", b'ID="rocky"\nVERSION_ID="9.3"\n'),
        *(file(f"usr/share/alpha/{number}", b"%d\n" % number) for number in range(1, 501)),
        file("usr/share/alpha/mine", b"1\n"),
    )
    image = ImageSubject(str(docker_archive(tmp_path / "image.tar", [layer])))
    offered = image.file("image//packages/rpm", limit=8 << 20)
    assert offered is not None
    found = read(Dialect("rpm-sqlite"), offered)
    assert ({(p.name, p.version) for p in found.packages}, found.release, found.problems) == (wanted, "9", ())
    assert [entry.path for entry in image.entries() if entry.kind is EntryKind.FILE and entry.path.startswith("usr")] == [
        "usr/share/alpha/mine"
    ]
    assert listed("rpm-sqlite", (tmp_path / "root/var/lib/rpm/rpmdb.sqlite").read_bytes()) == wanted


def test_apk_says_the_same(tmp_path: Path) -> None:
    if shutil.which("apk") is None:
        pytest.skip("apk is not here: the reader of its database was NOT compared with it")
    (tmp_path / "lib/apk/db").mkdir(parents=True)
    (tmp_path / "etc/apk").mkdir(parents=True)
    (tmp_path / "etc/apk/world").touch()
    (tmp_path / "etc/apk/arch").write_text("x86_64\n")
    (tmp_path / "lib/apk/db/installed").write_bytes(APK)
    said = answer("apk", "--root", str(tmp_path), "--no-network", "info", "-v").split()
    assert sorted(f"{name}-{version}" for name, version in listed("apk-installed", APK)) == sorted(said)


# --- by hand ------------------------------------------------------------------------------------------------------------

APK = (
    b"C:Q1p78yvTLG094tHE1+dToJGbmYzQE=\nP:musl\nV:1.2.5-r0\nA:x86_64\nS:1\nI:1\nT:the library\nU:u\nL:MIT\no:musl\n"
    b"F:lib\nR:ld.so\na:0:0:755\nZ:Q1p78yvTLG094tHE1+dToJGbmYzQE=\n\n"
    b"C:Q1q78yvTLG094tHE1+dToJGbmYzQE=\nP:libcrypto3\nV:3.3.0-r2\nA:x86_64\nS:1\nI:1\nT:t\nU:u\nL:A\no:openssl\n\n"
)
STATUS = (
    b"Package: a\nStatus: install ok installed\nVersion: 1:2-3+b1\nSource: src (1:2-3)\n\n"
    b"Package: b\nStatus: deinstall ok config-files\nVersion: 1\n"
)


@pytest.mark.parametrize(
    ("os_release", "ecosystem", "release", "is_known"),
    [
        (b'ID=debian\nVERSION_ID="12"\n', Ecosystem.DEBIAN, "12", True),
        (b"ID=ubuntu\nVERSION_ID='22.04'\n", Ecosystem.UBUNTU, "22.04:LTS", True),
        (b"ID=ubuntu\nVERSION_ID=23.10\n", Ecosystem.UBUNTU, "23.10", True),
        (b"ID=debian\nPRETTY_NAME=sid\n", Ecosystem.DEBIAN, "", False),
        (b"ID=kali\nVERSION_ID=2024.1\n", Ecosystem.DEBIAN, "kali-2024.1", False),
        (b"", Ecosystem.DEBIAN, "", False),
    ],
)
def test_release_is_the_one_that_advisories_name(os_release: bytes, ecosystem: Ecosystem, release: str, is_known: bool) -> None:
    found = read(Dialect("dpkg-status"), join({"var/lib/dpkg/status": STATUS, "os-release": os_release}))
    assert [(p.ecosystem, p.name, p.version, p.upstream, p.upstream_version) for p in found.packages] == [
        (ecosystem, "a", "1:2-3+b1", "src", "1:2-3")
    ]
    assert found.release == release
    assert bool(found.problems) is not is_known


def test_database_alone_lists_its_packages_and_says_what_is_missing() -> None:
    for dialect, data in (("dpkg-status", STATUS), ("apk-installed", APK)):
        found = read(Dialect(dialect), data)
        assert found.packages
        assert "release" in found.problems[0][1]
    assert [(p.name, p.upstream, p.line) for p in read(Dialect("apk-installed"), APK).packages] == [
        ("libcrypto3", "openssl", 17),
        ("musl", "", 2),
    ]


def test_alpine_and_its_rebuilds() -> None:
    found = read(Dialect("apk-installed"), join({"lib/apk/db/installed": APK, "os-release": b"ID=alpine\nVERSION_ID=3.19.1\n"}))
    assert (found.release, found.problems) == ("v3.19", ())


def test_single_files() -> None:
    assert listed("dist-info", b"Metadata-Version: 2.1\nName: Foo.Bar_baz\nVersion: 1.0\n\nName: other\n") == {("foo-bar-baz", "1.0")}
    assert listed("node-module", b'{"name": "@a/b", "version": "1.2.3", "x": [1]}') == {("@a/b", "1.2.3")}
    assert read(Dialect("node-module"), b'{"type": "module"}') == PackageSet(packages=())
    assert read(Dialect("node-module"), b'{"name": "a"}').problems
    text = (
        b"go1.21.5\npath\tx\nmod\texample.org/app\t(devel)\t\ndep\texample.org/a\tv1.2.3\th1:x\n"
        b"dep\texample.org/b\tv1.0.0\n=>\texample.org/c\tv2.0.0\th1:y\n"
    )
    assert listed("go-buildinfo", text) == {("stdlib", "1.21.5"), ("example.org/a", "v1.2.3"), ("example.org/c", "v2.0.0")}


def jar(**members: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/"), data)
    return target.getvalue()


def test_jars_also_inside_jars() -> None:
    inner = jar(**{"META-INF/maven/org.a/b/pom.properties": b"#x\nversion=1.2\ngroupId=org.a\nartifactId=b\n"})
    outer = jar(**{"BOOT-INF/lib/b.jar": inner, "META-INF/maven/org.c/d/pom.properties": b"groupId=org.c\r\nartifactId=d\r\nversion=3\r\n"})
    assert listed("jar", outer) == {("org.a:b", "1.2"), ("org.c:d", "3")}
    assert read(Dialect("jar"), jar(**{"a.class": b"x"})) == PackageSet(packages=())


@pytest.mark.parametrize(
    ("dialect", "data", "reason"),
    [
        ("dpkg-status", b"nothing of the kind", "format"),
        ("apk-installed", b"nothing", "format"),
        ("rpm-sqlite", b"SQLite format 3\0" + bytes(600), "format"),
        ("rpm-sqlite", bytes(12) + b"\x61\x15\x06\x00" + bytes(500), "unsupported"),
        ("rpm-sqlite", b"RpmP" + bytes(500), "unsupported"),
        ("rpm-sqlite", b"\x37\x7f\x06\x82" + bytes(500), "unsupported"),
        ("dist-info", b"Name: x\n", "format"),
        ("node-module", b"{", "syntax"),
        ("jar", b"PK\x03\x04", "format"),
        ("go-buildinfo", b"x", "format"),
        ("dpkg-status", b"assaymark-parts/1\n9 9\nx", "format"),
    ],
)
def test_what_cannot_be_read_is_a_gap(dialect: str, data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read(Dialect(dialect), data)
    assert caught.value.reason_class == reason


def test_rpm_database_that_cannot_be_read_is_told_of_an_image_too(tmp_path: Path) -> None:
    for number, (data, reason) in enumerate(
        ((b"SQLite format 3\0" + bytes(600), "format"), (bytes(12) + b"\x61\x15\x06\x00" + bytes(500), "unsupported"))
    ):
        image = ImageSubject(str(docker_archive(tmp_path / f"{number}.tar", [tar_of(file("var/lib/rpm/rpmdb.sqlite", data))])))
        offered = image.file("image//packages/rpm", limit=8 << 20)
        assert offered is not None
        with pytest.raises(Unreadable) as caught:
            read(Dialect("rpm-sqlite"), offered)
        assert caught.value.reason_class == reason


def test_joined_parts_come_apart_again() -> None:
    parts = {"a": b"1 2\n3", "b\n": b"", "ü": bytes(range(256))}
    assert split(join(parts)) == parts
    with pytest.raises(DamagedParts):
        split(join(parts)[:-1])


# --- Go programs --------------------------------------------------------------------------------------------------------


def program(version: bytes, modules: bytes, *, flags: int = 2) -> bytes:
    def told(text: bytes) -> bytes:
        size, out = len(text), bytearray()
        while size >= 0x80:
            out.append(size & 0x7F | 0x80)
            size >>= 7
        return bytes([*out, size]) + text

    return (
        b"\x7fELF\0" + bytes(100) + MARK + bytes([8, flags]) + bytes(16) + told(version) + told(b"s" * 16 + modules + b"e" * 16) + bytes(50)
    )


@pytest.mark.parametrize("step", [1, 7, 64, 1 << 20])
def test_go_programs_are_seen_however_they_come(step: int) -> None:
    modules = b"path\tx\ndep\texample.org/a\tv1.2.3\th1:x\n" * 20
    data = MARK + b"no text" + program(b"go1.22.1", modules)
    finder = GoFinder()
    for at in range(0, len(data), step):
        finder.feed(memoryview(data)[at : at + step])
    assert finder.text == b"go1.22.1\n" + modules
    for other in (program(b"xx", modules), program(b"go1.16", modules, flags=0), MARK, MARK + b"\xff" * 100):
        finder = GoFinder()
        finder.feed(memoryview(other))
        assert finder.text == b""


def test_image_offers_what_its_own_go_programs_are_built_from(tmp_path: Path) -> None:
    data = program(b"go1.22.1", b"path\tx\ndep\texample.org/a\tv1.2.3\th1:x\n")
    image = ImageSubject(str(docker_archive(tmp_path / "i.tar", [tar_of(file("app", data, 0o755), file("data", data))])))
    assert [entry.path for entry in image.entries() if entry.path.endswith("//go-buildinfo")] == ["app//go-buildinfo", "data//go-buildinfo"]
    offered = image.file("app//go-buildinfo", limit=1 << 20)
    assert offered is not None
    assert listed("go-buildinfo", offered) == {("stdlib", "1.22.1"), ("example.org/a", "v1.2.3")}
