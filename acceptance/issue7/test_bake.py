"""Issue 7, bake: the same input gives the same digest in other folders, at other times, under other umasks, by other copies; and the digest
is the same in the layout, in podman's storage and in a registry. By `assay` as installed.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from acceptance.harness import Shell
from tests.deployment import baking as kit

from assaymark.deployment.bake import report
from assaymark.deployment.bake.report import Report
from assaymark.endorsement import keys
from assaymark.subjects.manifest import Form, manifest_of

VERIFIER, RESOURCE = "https://ci.example.org/verifier/1", "oci://localhost/shop/web"
_ACCEPT = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def storage(tmp_path: Path) -> str:
    kit.storage(tmp_path / "storage")
    return str(tmp_path / "storage")


def bake(shell: Shell, folder: Path, storage: str, *words: str, umask: int = 0o022) -> Report:
    """Bake the folder's ``source`` into its ``out``."""
    (folder / "assay-bake.toml").write_text(kit.RECIPE)
    before = os.umask(umask)
    try:
        said = shell.run("bake", "source", "-o", "out", "--storage", storage, *words, folder=folder)
    finally:
        os.umask(before)
    assert said.code == 0, said.out + said.err
    return report.read(folder / "out")


def test_the_same_input_gives_the_same_report_whatever_else_differs(shell: Shell, storage: str, tmp_path: Path) -> None:
    kit.source(tmp_path / "one/source")
    first = bake(shell, tmp_path / "one", storage)
    time.sleep(1.1)
    kit.source(tmp_path / "in another" / "Place" / "source", umask=0o077, reverse=True)
    second = bake(shell, tmp_path / "in another" / "Place", storage, umask=0o077)
    (tmp_path / "copy").mkdir()
    packed = subprocess.run(["tar", "-C", str(tmp_path / "one"), "-cf", "-", "source"], check=True, capture_output=True)
    subprocess.run(["tar", "-C", str(tmp_path / "copy"), "-xmf", "-"], check=True, input=packed.stdout)
    kit.storage(tmp_path / "elsewhere")
    third = bake(shell, tmp_path / "copy", str(tmp_path / "elsewhere"))
    assert first == second == third
    files = [(tmp_path / name / "out").rglob("*") for name in ("one", "in another/Place", "copy")]
    texts = [{each.name: each.read_bytes() for each in found if each.is_file() and "blobs" not in each.parts} for found in files]
    assert texts[0] == texts[1] == texts[2]
    (tmp_path / "one/source/srv/site/a.txt").write_text("A\n")
    other = bake(shell, tmp_path / "one", storage)
    assert {other.image, other.config, other.manifest, other.source}.isdisjoint({first.image, first.config, first.manifest, first.source})
    assert other.recipe == first.recipe


def test_layout_storage_and_registry_name_it_by_one_digest_and_hold_its_manifest(shell: Shell, storage: str, tmp_path: Path) -> None:
    kit.source(tmp_path / "source")
    with registry(tmp_path / "registry") as address:
        made = bake(shell, tmp_path, storage, "--to-storage", "--push", f"{address}/shop/web:1.4", "--plain-http")
        asked = Request(f"http://{address}/v2/shop/web/manifests/{made.image}", headers={"Accept": _ACCEPT})
        with urlopen(asked, timeout=10) as answer:
            assert answer.headers["Docker-Content-Digest"] == made.image
    placed = ["--root", f"{storage}/root", "--runroot", f"{storage}/run"]
    name = f"localhost/shop/web@{made.image}"
    container = subprocess.run(["buildah", *placed, "from", "--quiet", name], check=True, capture_output=True, text=True).stdout.strip()
    mounted = subprocess.run(["buildah", *placed, "mount", container], check=True, capture_output=True, text=True).stdout.strip()
    assert manifest_of(mounted, Form.OWNED).digest == made.manifest
    subprocess.run(["buildah", *placed, "rm", container], check=True, capture_output=True)


def test_from_the_bake_to_a_verified_tree_and_back_when_the_base_is_withdrawn(shell: Shell, storage: str, tmp_path: Path) -> None:
    base, child = tmp_path / "base", tmp_path / "child"
    kit.source(base / "source")
    below = bake(shell, base, storage)
    (child / "source/opt").mkdir(parents=True)
    (child / "source/opt/more.txt").write_text("more\n")
    above = bake(shell, child, storage, "--base", f"oci:{base / 'out/image'}@{below.image}", "--tree", "tree")
    assert (above.lineage, above.base.layers) == ((below.image,), 1)
    _endorse(shell, child)
    trusted = ("--trust", "trust", "--bundle", "web.sigstore.json", "-f", "json")
    said = shell.run("verify", "--owned", "tree", f"localhost/shop/web@{above.image}", above.config, *trusted, folder=child)
    assert said.code == 0, said.out + said.err
    checking = ("bake", "--check", "out", "--trust", "trust", "--follow", str(base / "out"), "--json")
    assert json.loads(shell.run(*checking, folder=child).out)["state"] == "stands"
    (base / "source/srv/site/a.txt").write_text("repaired\n")
    bake(shell, base, storage)
    assert json.loads(shell.run(*checking, folder=child).out)["state"] == "superseded"
    entry = {"target": "component", "name": below.image, "reason": "a hole", "at": "2026-01-01T00:00:00Z"}
    (child / "trust/revocations.json").write_text(json.dumps({"number": 1, "entries": [entry]}))
    said = shell.run(*checking, folder=child)
    assert (said.code, json.loads(said.out)["state"]) == (1, "withdrawn")
    refused = shell.run("verify", "--owned", "tree", *trusted, folder=child)
    assert (refused.code, "revoked" in refused.out) == (1, True), "the endorsement falls with its base"


def _endorse(shell: Shell, folder: Path) -> None:
    private, public = keys.new_key()
    (folder / "key.pem").write_bytes(private)
    (folder / "key.pem").chmod(0o600)
    words = ("--key", "key.pem", "--verifier", VERIFIER, "--resource", RESOURCE, "-o", "web.sigstore.json")
    said = shell.run("endorse", "--bake", "out", *words, folder=folder)
    assert said.code == 0, said.out + said.err
    (folder / "trust").mkdir()
    (folder / "trust/trust.json").write_text(json.dumps({"roots": [{"name": "ci", "verifier": VERIFIER, "keys": [public.pem]}]}))
    (folder / "trust/revocations.json").write_text(json.dumps({"number": 0, "entries": []}))


def test_an_image_that_fails_is_written_and_not_endorsed(shell: Shell, storage: str, tmp_path: Path) -> None:
    kit.source(tmp_path / "source")
    (tmp_path / "assay-bake.toml").write_text(kit.RECIPE.replace('user = "1000:1000"', ""))
    said = shell.run("bake", "source", "-o", "out", "--storage", storage, folder=tmp_path)
    assert (said.code, report.read(tmp_path / "out").verdict.outcome) == (1, "fail")
    (tmp_path / "key.pem").write_bytes(keys.new_key()[0])
    (tmp_path / "key.pem").chmod(0o600)
    words = ("--key", "key.pem", "--verifier", VERIFIER, "--resource", RESOURCE)
    said = shell.run("endorse", "--bake", "out", *words, folder=tmp_path)
    assert (said.code, "only a pass is endorsed" in said.err) == (1, True)


def test_a_root_file_system_of_a_distribution_bakes_reproducibly(shell: Shell, storage: str, tmp_path: Path) -> None:
    """What packages leave behind: links, setuid, names, owners; of packages that this machine gets from where it gets its own."""
    if shutil.which("dpkg-deb") is None or shutil.which("apt-get") is None:
        pytest.skip("NOT PROVED: dpkg is not here")
    (tmp_path / "debs").mkdir()
    got = subprocess.run(
        ["apt-get", "download", "-q", "base-files", "passwd", "coreutils"], check=False, capture_output=True, cwd=tmp_path / "debs"
    )
    if got.returncode:
        pytest.skip("NOT PROVED: no package can be fetched here")
    for each in (tmp_path / "debs").glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(each), str(tmp_path / "source")], check=True)
    recipe = '[image]\nname = "localhost/base"\nuser = "1000:1000"\n[files]\nowner = "keep"\nmodes = "keep"\nspecial = "leave-out"\n'
    (tmp_path / "assay-bake.toml").write_text(recipe)
    made = []
    for name in ("one", "two"):
        began = time.monotonic()
        said = shell.run("bake", "source", "-o", name, "--storage", storage, "--no-checks", folder=tmp_path)
        assert said.code == 0, said.err
        made.append(report.read(tmp_path / name))
        print(f"{made[-1].files} files, {made[-1].bytes >> 20} MiB in {time.monotonic() - began:.2f} s")
        os.utime(tmp_path / "source")
    assert made[0] == made[1]
    text = (tmp_path / "one/manifest.jsonl").read_bytes()
    assert b'"m":"4755","p":"usr/bin/passwd"' in text, "setuid is kept where the recipe says keep"


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Debian's registry, on a port of its own."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("NOT PROVED: docker-registry is not installed; do this: sudo apt-get install docker-registry")
    folder.mkdir()
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    settings = f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {folder}\nhttp:\n  addr: 127.0.0.1:{port}\n"
    (folder / "config.yml").write_text(settings)
    made = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            try:
                urlopen(f"http://127.0.0.1:{port}/v2/", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        made.terminate()
        made.wait(20)
