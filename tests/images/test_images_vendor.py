"""Whose files are whose: what an installed package brought is counted, what anybody changed is looked at."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from tests.images.image_builder import config_of, docker_archive, file, folder, hard, link, oci_folder, tar_of

from assaymark.checks.infrastructure.images.image import Image
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.compose import context, make_checks
from assaymark.config import load
from assaymark.flow import Request, assay
from assaymark.model.finding import CheckId
from assaymark.model.subject import EntryKind
from assaymark.model.verdict import Verdict
from assaymark.subjects.image.subject import ImageSubject
from assaymark.subjects.resolve import ImageRequest, open_comparison
from assaymark.verdict.policy import Policy

STATUS = b"""Package: tool
Status: install ok installed
Architecture: amd64
Version: 1.0-1
Conffiles:
 /etc/tool.conf %s

Package: gone
Status: deinstall ok config-files
Version: 1
""" % hashlib.md5(b"shipped = yes\n").hexdigest().encode()
SCRIPT, BINARY, CONF = b"#!/bin/sh\nexit 0\n", b"\x7fELF\0\0binary", b"shipped = yes\n"
SUMS = b"%s  bin/tool\n%s  usr/lib/tool.so\n" % (hashlib.md5(SCRIPT).hexdigest().encode(), hashlib.md5(BINARY).hexdigest().encode())
DEBIAN = (
    link("bin", "usr/bin"),
    folder("usr/bin"),
    file("usr/bin/tool", SCRIPT, 0o755),
    file("usr/lib/tool.so", BINARY),
    file("etc/tool.conf", CONF),
    file("etc/os-release", b'ID=debian\nVERSION_ID="12"\n'),
    file("var/lib/dpkg/status", STATUS),
    file("var/lib/dpkg/info/tool.md5sums", SUMS),
    file("var/lib/dpkg/info/tool.postinst", b"#!/bin/sh\n"),
)


def kinds(tmp_path: Path, *layers: bytes) -> dict[str, EntryKind]:
    found = ImageSubject(str(docker_archive(tmp_path / "image.tar", list(layers))))
    return {entry.path: entry.kind for entry in found.entries() if entry.kind is not EntryKind.SYMLINK}


def own(tmp_path: Path, *layers: bytes) -> set[str]:
    return {path for path, kind in kinds(tmp_path, *layers).items() if kind is EntryKind.FILE and "//" not in path}


def test_dpkg_files_are_the_vendors_also_through_merged_folders(tmp_path: Path) -> None:
    assert own(tmp_path, tar_of(*DEBIAN)) == {"etc/os-release"}


def test_changed_text_is_the_images_own_in_whatever_layer(tmp_path: Path) -> None:
    changed = [m if m[0].name != "etc/tool.conf" else file("etc/tool.conf", b"password = x\n") for m in DEBIAN]
    assert own(tmp_path, tar_of(*changed)) == {"etc/os-release", "etc/tool.conf"}
    assert own(tmp_path, tar_of(*DEBIAN), tar_of(file("usr/bin/tool", b"#!/bin/sh\necho mine\n"))) == {"etc/os-release", "usr/bin/tool"}


def test_binary_that_a_later_layer_brought_is_the_images_own(tmp_path: Path) -> None:
    assert own(tmp_path, tar_of(*DEBIAN), tar_of(file("usr/lib/tool.so", b"\x7fELF\0other"))) == {"etc/os-release", "usr/lib/tool.so"}


def test_files_that_an_upgrade_replaced_are_no_buried_files_of_ours(tmp_path: Path) -> None:
    better, script = (
        SUMS.replace(hashlib.md5(SCRIPT).hexdigest().encode(), hashlib.md5(b"#!/bin/sh\nexit 1\n").hexdigest().encode()),
        b"#!/bin/sh\nexit 1\n",
    )
    upgrade = (file("usr/bin/tool", script), file("var/lib/dpkg/info/tool.md5sums", better), file("var/lib/dpkg/status", STATUS + b"\n"))
    layers = [tar_of(*DEBIAN, file("mine", b"first")), tar_of(*upgrade, file("mine", b"second"))]
    found = ImageSubject(str(docker_archive(tmp_path / "image.tar", layers)))
    assert [entry.path for entry in found.buried()] == ["mine"]
    assert "usr/bin/tool" not in own(tmp_path, *layers)


def test_a_name_that_only_looks_like_a_list_owns_nothing(tmp_path: Path) -> None:
    layer = tar_of(file("srv/info/tool.md5sums", SUMS), file("usr/bin/tool", SCRIPT), file("var/lib/dpkg/status", b""))
    assert own(tmp_path, layer) == {"srv/info/tool.md5sums", "usr/bin/tool"}


def test_apk_and_pip_files_are_the_vendors(tmp_path: Path) -> None:
    sha1 = base64.b64encode(hashlib.sha1(SCRIPT).digest())
    module, edited = b"x = 1\n", b"x = 2\n"
    digest = base64.urlsafe_b64encode(hashlib.sha256(module).digest()).rstrip(b"=")
    record = b"".join(b"%s,sha256=%s,6\n" % (name, digest) for name in (b"mod.py", b"other.py", b"mod-1.dist-info/METADATA"))
    site = "usr/lib/python3.12/site-packages"
    layer = tar_of(
        file("bin/tool", SCRIPT),
        file("bin/mine", SCRIPT),
        file("lib/apk/db/installed", b"P:tool\nV:1-r0\nF:bin\nR:tool\na:0:0:755\nZ:Q1%s\n\n" % sha1),
        file(f"{site}/mod.py", module),
        file(f"{site}/other.py", edited),
        file(f"{site}/mod-1.dist-info/RECORD", record),
        file(f"{site}/mod-1.dist-info/METADATA", module),  # by which the package itself is judged
        file(f"{site}/empty-1.dist-info/RECORD", b"nothing that says anything"),
    )
    wanted = {"bin/mine", f"{site}/other.py", f"{site}/mod-1.dist-info/METADATA", f"{site}/empty-1.dist-info/RECORD"}
    assert own(tmp_path, layer) == wanted


def test_standard_library_is_the_vendors_only_beside_its_interpreter(tmp_path: Path) -> None:
    library = (file("usr/local/bin/python3.12", BINARY, 0o755), hard("usr/local/bin/python", "usr/local/bin/python3.12"))
    below = file("usr/local/lib/python3.12/subprocess.py", b"import os\n"), file("usr/local/lib/python3.12/site-packages/a.py", b"a = 1\n")
    later = file("usr/local/lib/python3.12/mine.py", b"m = 1\n")
    found = own(tmp_path, tar_of(*library, *below), tar_of(later))
    assert "usr/local/lib/python3.12/subprocess.py" not in found
    assert {"usr/local/lib/python3.12/site-packages/a.py", "usr/local/lib/python3.12/mine.py"} <= found


def test_large_binary_is_listed_and_never_read(tmp_path: Path) -> None:
    big = bytes(9 << 20)
    assert kinds(tmp_path, tar_of(file("app", big), file("text", b"x" * (9 << 20))))["app"] is EntryKind.BINARY
    assert kinds(tmp_path, tar_of(file("text", b"x" * (9 << 20))))["text"] is EntryKind.FILE


def test_package_database_is_offered_with_its_release(tmp_path: Path) -> None:
    found = ImageSubject(str(docker_archive(tmp_path / "image.tar", [tar_of(*DEBIAN)])))
    data = found.file("image//packages/dpkg", limit=1 << 20)
    assert data is not None
    assert b"Package: tool" in data
    assert b"ID=debian" in data
    names = {entry.path: entry.kind for entry in found.entries()}
    assert names["var/lib/dpkg/status"] is EntryKind.VENDOR


# --- the whole way -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, because rules are compiled once for each."""
    return tmp_path_factory.mktemp("home")


def verdict_of(home: Path, image: Path, base: Path | None = None) -> Verdict:
    config = load({"HOME": str(home), "ASSAYMARK_CACHE": str(home / "cache"), "ASSAYMARK_KEY": "k" * 20})
    comparison = open_comparison(ImageRequest(str(image), str(base) if base else None, config.cache))
    return assay(Request(comparison, whole=base is None, only=frozenset({CheckId("secrets"), CheckId("image")})), context(config))


def test_secret_in_a_deleted_file_is_found_and_says_so(tmp_path: Path, home: Path) -> None:
    token = b"glpat-" + b"aB3dE5gH7jK9mN1pQ3sT"
    layers = [tar_of(*DEBIAN, file("root/.netrc", b"machine h login u password " + token + b"\n")), tar_of(file("root/.wh..netrc"))]
    verdict = verdict_of(home, oci_folder(tmp_path / "image", layers, User="app"))
    (finding,) = [j.finding for j in verdict.findings if j.finding.core.kind == "secret"]
    assert finding.place.path == "root/.netrc"
    assert "later layer" in dict(finding.notes)["came and went"]
    assert any("installed packages" in notice for notice in verdict.notices)


def test_only_what_an_image_adds_to_its_base_is_new(tmp_path: Path, home: Path) -> None:
    base = [tar_of(*DEBIAN, file("opt/old", b"x", 0o4755))]
    old = docker_archive(tmp_path / "base.tar", base)
    new = docker_archive(tmp_path / "new.tar", [*base, tar_of(file("opt/new", b"x", 0o4755))])
    verdict = verdict_of(home, new, old)
    ours = [j for j in verdict.findings if j.finding.rule == "image/setuid-program"]
    states = {j.finding.message.split()[0]: str(j.state) for j in ours}
    assert states == {"/opt/old": "known", "/opt/new": "new"}


def test_policy_is_that_of_whoever_checks(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = b'[checks]\ndisable = ["image"]\n'
    image = docker_archive(tmp_path / "image.tar", [tar_of(*DEBIAN, file("assay.toml", stranger))])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert [run.check for run in verdict_of(home, image).checks] == ["secrets", "image"]
    (tmp_path / "here/assay.toml").write_bytes(b'[checks]\ndisable = ["secrets"]\n')
    assert [run.check for run in verdict_of(home, image).checks] == ["image"]


def test_secret_in_the_environment_is_found(tmp_path: Path, home: Path) -> None:
    token = "glpat-" + "aB3dE5gH7jK9mN1pQ3sT"
    layer = tar_of(*DEBIAN)
    image = docker_archive(tmp_path / "image.tar", [layer], config=config_of([layer], User="app", Env=[f"CI_TOKEN={token}"]))
    verdict = verdict_of(home, image)
    found = {j.finding.place.path for j in verdict.findings if j.finding.core.kind == "secret"}
    assert "image//environment.env" in found


def test_check_is_one_of_the_built_in_ones(tmp_path: Path) -> None:
    made = make_checks(Policy(), CheckSettings(cache_dir=str(tmp_path), installation_key=Secret(b"k" * 20)))
    assert any(isinstance(check, Image) for check in made)
