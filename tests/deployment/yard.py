"""A site that deploys: trust, endorsements, terms, the platform of files, and `assay` in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from tests.deployment import folder_driver
from tests.deployment.folder_platform import FolderPlatform
from tests.endorsement.approvals import signer
from tests.endorsement.asking.pipeline import Pipeline

from assaymark.cli.main import cli
from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.phoenix.journal import Journal
from assaymark.endorsement import keys
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.errors import AssayError

PAIR = Pair("production", "web")
IMAGE = "registry.example/shop/web"
QUICK = "probe_seconds = 1\nprobe_every = 0.01\nprobe_successes = 2\nsoak_seconds = 0.02\ndrain_seconds = 0\ncount = 2\n"


class Said:
    """What a command answered."""

    def __init__(self, result: Result) -> None:
        error = result.exception
        if error is not None and not isinstance(error, AssayError | SystemExit):
            raise error
        self.code = error.exit_code if isinstance(error, AssayError) else result.return_value or 0
        self.out, self.err = result.stdout, error.diagnosis() if isinstance(error, AssayError) else result.stderr

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out[self.out.index("{\n") :])  # a server in the same process may have written before
        return found


class Yard:
    def __init__(self, folder: Path) -> None:
        folder_driver.install()
        self.folder = folder
        self.pipeline = Pipeline(folder / "pipeline")
        self.bundles = folder / "bundles"
        self.bundles.mkdir()
        self.platform = FolderPlatform(folder / "platform")
        self.glass: KeySigner = signer()
        (folder / "glass.pub").write_text(self.glass.public.pem)
        self.write()

    def write(self, more: str = "", *, options: str = "", top: str = "", head: str = "") -> None:
        """The terms."""
        text = f'state = "state"\n{head}[believe]\ntrust = "pipeline/trust"\nbundles = ["bundles"]\n{top}'
        text += f'[deploy.production.web]\ndriver = "folder"\nimage = "{IMAGE}"\n{QUICK}{more}'
        text += f'[deploy.production.web.options]\nfolder = "{self.folder / "platform"}"\n{options}'
        text += '[deploy.production.web.breakglass]\nkeys = ["glass.pub"]\nmost_hours = 8\n'
        (self.folder / "assay-deploy.toml").write_text(text)

    def approve(self, *digests: str, **claims: Any) -> None:
        for digest in digests:
            value = digest.removeprefix("sha256:")
            (self.bundles / f"{value[:8]}.sigstore.json").write_bytes(self.pipeline.endorsed({"sha256": value}, **claims))

    def revoke(self, *digests: str) -> None:
        self.pipeline.revoke(*(Revocation(Target.SUBJECT, each, "it is hostile", "2026-11-28T11:00:00Z") for each in digests))

    def run(self, *words: str) -> Said:
        return Said(CliRunner().invoke(cli, [*words, "--terms", str(self.folder / "assay-deploy.toml")], standalone_mode=False))

    def deploy(self, digest: str, *words: str) -> Said:
        return self.run("deploy", "production", "web", digest, "-f", "json", *words)

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "state", PAIR).read()

    def serving(self) -> list[int]:
        return [each.generation for each in self.platform.routes()]

    def glass_key(self) -> Path:
        """A key file that orders may be signed with."""
        path = self.folder / "glass.pem"
        private, public = keys.new_key()
        path.touch(0o600)
        path.write_bytes(private)
        (self.folder / "glass.pub").write_text(public.pem)
        return path
