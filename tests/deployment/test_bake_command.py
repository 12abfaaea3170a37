"""`assay bake` as installed: from a folder to an endorsement that holds for image and files, and how its base stands later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deployment import baking as kit

from assaymark.deployment.bake import report
from assaymark.deployment.bake.programs import Programs
from assaymark.deployment.bake.report import Base, Judged, Report
from assaymark.endorsement import keys, revocation, trust
from assaymark.endorsement.trust import Trust, TrustRoot
from assaymark.endorsement.verify import Expected, verify
from assaymark.jobs.job import clock
from assaymark.model.digest import sha256

VERIFIER, RESOURCE = "https://ci.example.org/verifier/1", "oci://localhost/shop/web"
A, B = ("sha256:" + letter * 64 for letter in "ab")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled rules are the same for all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAYMARK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


POLICY = '[checks]\ndisable = ["secrets"]\n'
"""Its rules take the longest to compile, and acceptance bakes with all of them."""


def test_what_was_baked_is_judged_endorsed_and_carried(tmp_path: Path) -> None:
    kit.storage(tmp_path / "storage")
    kit.source(tmp_path / "source")
    (tmp_path / "assay-bake.toml").write_text(kit.RECIPE)
    (tmp_path / "assay.toml").write_text(POLICY)
    words = ("--storage", str(tmp_path / "storage"), "--to-storage", "--tree", "tree")
    done = kit.assay("bake", "source", "-o", "out", *words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    made = report.read(tmp_path / "out")
    assert made.verdict.outcome == "pass"
    for name, digest in ((report.MANIFEST, made.manifest), (report.SBOM, made.sbom), (report.VERDICT, made.verdict.digest)):
        assert sha256((tmp_path / "out" / name).read_bytes()) == digest
    stored = Programs(str(tmp_path / "storage")).buildah("images", "--digests", "--format", "{{.Name}} {{.Digest}}")
    assert ["localhost/shop/web", made.image] in [line.split() for line in stored.splitlines()]
    _endorsed(tmp_path, made)


def _endorsed(folder: Path, made: Report) -> None:
    private, public = keys.new_key()
    (folder / "key.pem").write_bytes(private)
    (folder / "key.pem").chmod(0o600)
    signing = ("endorse", "--bake", "out", "--key", "key.pem", "--verifier", VERIFIER, "--resource", RESOURCE, "-o", "web.sigstore.json")
    done = kit.assay(*signing, folder=folder)
    assert done.returncode == 0, done.stderr
    trusted = trust.opened(Trust((TrustRoot("ci", VERIFIER, (public.pem,)),)))
    for digest in (made.image, made.config, made.manifest):
        held = verify((folder / "web.sigstore.json").read_bytes(), digest, Expected(RESOURCE), trusted, revocation.opened(()), now=clock())
        assert held.ok, held.refused
    said = kit.assay("verify", "--owned", "tree", "--bundle", "web.sigstore.json", *_believing(folder, public.pem), folder=folder)
    assert said.returncode == 0, said.stdout + said.stderr
    (folder / "out" / report.MANIFEST).write_text("{}\n")
    done = kit.assay(*signing, folder=folder)
    assert (done.returncode, "is not what the report names" in done.stderr) == (2, True)


def _believing(folder: Path, pem: str) -> tuple[str, ...]:
    (folder / "public.pem").write_text(pem)
    return ("--key", "public.pem", "--verifier", VERIFIER)


def test_a_verdict_of_another_bake_is_not_endorsed(tmp_path: Path) -> None:
    kit.storage(tmp_path / "storage")
    source = kit.source(tmp_path / "source")
    (tmp_path / "assay-bake.toml").write_text(kit.RECIPE)
    (tmp_path / "assay.toml").write_text(POLICY)
    for name in ("one", "two"):
        assert kit.assay("bake", "source", "-o", name, "--storage", "storage", folder=tmp_path).returncode == 0
        (source / "srv/site/a.txt").write_text(f"other than {name}\n")
    (tmp_path / "key.pem").write_bytes(keys.new_key()[0])
    (tmp_path / "key.pem").chmod(0o600)
    words = ("endorse", "--bake", "one", "--verdict", "two/verdict.json", "--key", "key.pem", "--verifier", VERIFIER)
    done = kit.assay(*words, "--resource", RESOURCE, folder=tmp_path)
    assert (done.returncode, "not of this bake" in done.stderr) == (2, True)


def test_a_base_is_asked_about_by_trust_and_by_where_the_newest_is_told(tmp_path: Path) -> None:
    child, parent = tmp_path / "child", tmp_path / "parent"
    _write(child, Base(A, "base", follow=str(parent)))
    _write(parent, Base(), image=A)
    assert _check(tmp_path) == (0, "stands")
    _write(parent, Base(), image=B)
    assert _check(tmp_path) == (1, "superseded")
    (tmp_path / "trust.json").write_text(_trust())
    assert _check(tmp_path, "--trust", ".", "--follow", str(tmp_path / "nowhere.json")) == (5, "unknown")
    entry = {"target": "subject", "name": A, "reason": "a hole", "at": "2026-01-01T00:00:00Z"}
    (tmp_path / "revocations.json").write_text(json.dumps({"number": 1, "entries": [entry]}))
    assert _check(tmp_path, "--trust", ".") == (1, "withdrawn")


def _write(folder: Path, base: Base, image: str = B) -> None:
    folder.mkdir(exist_ok=True)
    made = Report("web", image, image, image, "linux/amd64", (), (), image, image, verdict=Judged("none"), base=base)
    (folder / report.REPORT).write_bytes(report.written(made))


def _trust() -> str:
    return json.dumps({"roots": [{"name": "ci", "verifier": VERIFIER, "keys": [keys.new_key()[1].pem]}]})


def _check(folder: Path, *words: str) -> tuple[int, str]:
    done = kit.assay("bake", "--check", "child", "--json", *words, folder=folder)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["state"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("bake",), "what to bake"),
        (("bake", "source", "-o", "out"), "needs a name"),
        (("bake", "source", "-o", "source/out", "--name", "web"), "lie in each other"),
        (("bake", "source", "-o", "full", "--name", "web"), "something else already"),
        (("bake", "source", "-o", "out", "--name", "web", "--base", "debian:12"), "by its digest"),
        (("bake", "--check", "full", "-o", "out"), "bakes nothing"),
        (("bake", "source", "-o", "out", "--trust", "."), "are for --check"),
        (("bake", "--check", "full"), "cannot be read"),
    ],
)
def test_words_that_make_no_sense_are_told(words: tuple[str, ...], why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                           monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    (tmp_path / "source").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["assay", *words])
    from assaymark.cli.main import main  # noqa: PLC0415 - as the command is started

    with pytest.raises(SystemExit) as stopped:
        main()
    said = capsys.readouterr().err
    assert (stopped.value.code, why in said) == (2, True), said
