"""`assay attach` in a real repository, beside real files, and at a real registry."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.endorsement.approvals import KEY, statement_of
from tests.endorsement.places import debian_registry
from tests.endorsement.places.registries import Image

from assaymark.cli import registry_login
from assaymark.endorsement import bundle, dsse
from assaymark.endorsement.places import files
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named

if TYPE_CHECKING:
    from tests.cli.conftest import Repo


def of(*subjects: Named) -> str:
    return bundle.written(dsse.sign(PAYLOAD_TYPE, statement_of(None, subjects), KEY)).decode()


def test_a_note_is_put_got_and_exchanged(repo: Repo, tmp_path: Path) -> None:
    commit = repo.commit("one", a_DOT_txt="a")
    repo.git("init", "-q", "--bare", str(tmp_path / "remote.git"))
    repo.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    data = of(Named("shop", {"gitCommit": commit}))
    assert repo.assay("attach", "get", "git:HEAD").code == 1
    assert repo.assay("attach", "put", "-", "git:HEAD", stdin=data).code == 0
    assert repo.assay("attach", "get", "git:HEAD").out == data + "\n"
    assert "has no refs/notes/endorsements" in repo.assay("attach", "notes", "fetch").out
    pushed = repo.assay("attach", "notes", "push")
    assert pushed.code == 0, pushed.err
    repo.git("update-ref", "-d", "refs/notes/endorsements")
    assert "are merged" in repo.assay("attach", "notes", "fetch", "origin").out
    assert repo.assay("attach", "get", "git:HEAD").out == data + "\n"
    assert commit in repo.assay("attach", "subjects", "git:HEAD").out


def test_a_file_gets_its_endorsement_beside_it(repo: Repo) -> None:
    repo.write(wheel="a wheel")
    digest = files.digest_of(repo.path / "wheel").removeprefix("sha256:")
    (repo.path / "b.json").write_text(of(Named("wheel", {"sha256": digest})))
    assert "wheel.sigstore.json" in repo.assay("attach", "put", "b.json", "wheel").out
    assert repo.assay("attach", "get", "wheel", "-o", "out.jsonl").code == 0
    assert (repo.path / "out.jsonl").read_text() == (repo.path / "b.json").read_text() + "\n"
    repo.write(wheel="another")
    refused = repo.assay("attach", "put", "b.json", "wheel")
    assert refused.code == 2
    assert "is not about wheel" in refused.err


def test_what_is_no_endorsement_is_refused_with_words(repo: Repo) -> None:
    repo.write(wheel="a wheel")
    assert repo.assay("attach", "put", "-", "wheel", stdin="{}").code == 2
    assert repo.assay("attach", "put", "absent", "wheel").code == 2
    assert repo.assay("attach", "get", "git:nowhere").code == 2


@pytest.mark.enable_socket
def test_an_image_gets_its_endorsement_in_its_registry(repo: Repo, tmp_path: Path) -> None:
    image = Image("by command")
    with debian_registry.running(tmp_path) as host:
        debian_registry.pushed(host, image)
        subjects = json.loads(repo.assay("attach", "subjects", f"oci://{host}/shop/web:1").out)
        assert subjects[0]["digest"]["sha256"] == image.digest.removeprefix("sha256:")
        assert len(subjects) == 5
        (repo.path / "b.json").write_text(of(*(Named(each["name"], each["digest"]) for each in subjects)))
        done = repo.assay("attach", "put", "b.json", f"oci://{host}/shop/web:1", "--everywhere", "--att")
        assert done.code == 0, done.err
        assert done.out.count("attached to") == 3
        for digest in (image.digest, image.manifest("arm64")):
            got = repo.assay("attach", "get", f"oci://{host}/shop/web@{digest}")
            assert got.out.splitlines()[0] == (repo.path / "b.json").read_text()


def test_credentials_are_those_that_docker_and_podman_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = base64.b64encode(b"robot:word").decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"registry.example": {"auth": auth}}, "credsStore": "desktop"}))
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert registry_login.kept("registry.example") == "robot:word"
    assert registry_login.kept("other.example") == ""
