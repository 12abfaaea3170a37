"""`assay machine-image`: a bake seals what it baked, and a seal is told only when it holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from moto import mock_aws
from tests.deployment.aws_region import ONE, REGION, Region

from assaymark.cli.main import cli
from assaymark.endorsement.keys import new_key
from assaymark.errors import AssayError


class Bake:
    def __init__(self, folder: Path) -> None:
        self.region, self.folder = Region(), folder
        private, public = new_key()
        (folder / "bake.pem").touch(0o600)
        (folder / "bake.pem").write_bytes(private)
        (folder / "bake.pub").write_text(public.pem)

    def run(self, *words: str) -> str:
        result = CliRunner().invoke(cli, ["machine-image", *words, "--region", REGION], standalone_mode=False)
        if isinstance(result.exception, Exception):
            raise result.exception
        return result.stdout


@pytest.fixture
def bake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bake]:
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield Bake(tmp_path)


def test_what_was_sealed_is_told_and_can_be_launched(bake: Bake) -> None:
    ami = bake.region.image()
    key = str(bake.folder / "bake.pem")
    dry = bake.run("seal", ami, "--digest", ONE, "--key", key, "--dry-run")
    assert "would sign" in dry
    assert ami in dry
    with pytest.raises(AssayError, match="nobody sealed"):
        bake.run("check", ami, "--key", str(bake.folder / "bake.pub"))
    assert "signed" in bake.run("seal", ami, "--digest", ONE, "--key", key)
    assert bake.run("check", ami, "--key", str(bake.folder / "bake.pub")).strip() == ONE


def test_another_key_is_not_believed(bake: Bake) -> None:
    ami = bake.region.image(ONE)
    with pytest.raises(AssayError, match="does not hold"):
        bake.run("check", ami, "--key", str(bake.folder / "bake.pub"))


@pytest.mark.parametrize("digest", ["latest", "sha256:12", "sha512:" + "1" * 128])
def test_what_is_no_digest_is_not_signed(bake: Bake, digest: str) -> None:
    with pytest.raises(AssayError, match="no digest"):
        bake.run("seal", bake.region.image(), "--digest", digest, "--key", str(bake.folder / "bake.pem"))


def test_an_image_that_is_not_there_is_said_to_be_not_there(bake: Bake) -> None:
    with pytest.raises(AssayError, match="no machine image"):
        bake.run("check", "ami-0123456789abcdef0", "--key", str(bake.folder / "bake.pub"))
