"""A site that deploys with podman: trust, endorsements, terms, images, and `assay` as a process that may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from acceptance.harness import PACKAGE, ROOT
from tests.deployment import podmans
from tests.deployment.edges import free_address
from tests.deployment.podmans import Image
from tests.endorsement.asking.pipeline import Pipeline

from assaymark.deployment.drivers.driver import Instance, Pair, Share
from assaymark.deployment.drivers.podman.driver import PodmanDriver, opened
from assaymark.endorsement.revocation import Revocation, Target

QUICK = """probe_seconds = 20
probe_every = 0.05
probe_successes = 2
soak_seconds = 0.1
drain_seconds = 10
canary = [50]
canary_seconds = 0.1
"""


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


class Site:
    """One pair of its own, called ``production``/``component``."""

    def __init__(self, folder: Path, edge: str, terms: str = QUICK) -> None:
        self.folder, self.edge = folder, edge
        self.pair = Pair("production", podmans.new_pair().component)
        self.listen = free_address()
        self.pipeline = Pipeline(folder / "pipeline")
        self.bundles = folder / "bundles"
        self.bundles.mkdir()
        self.options = {"port": "8080", "listen": self.listen, "edge": edge, "edge_folder": str(folder / "edge"), "pull": "never"}
        self.write(terms)

    def write(self, terms: str) -> None:
        said = "".join(f'{name} = "{value}"\n' for name, value in self.options.items())
        table = f"deploy.{self.pair.environment}.{self.pair.component}"
        text = f'state = "state"\n[believe]\ntrust = "pipeline/trust"\nbundles = ["bundles"]\n[{table}]\ndriver = "podman"\n{terms}'
        (self.folder / "assay-deploy.toml").write_text(f"{text}[{table}.options]\n{said}")

    def approve(self, *images: Image) -> None:
        for each in images:
            value = each.digest.removeprefix("sha256:")
            (self.bundles / f"{value[:8]}.sigstore.json").write_bytes(self.pipeline.endorsed({"sha256": value}))

    def revoke(self, *images: Image) -> None:
        told = [Revocation(Target.SUBJECT, each.digest, "it is hostile", "2026-01-01T00:00:00Z") for each in images]
        self.pipeline.revoke(*told)

    @property
    def environment(self) -> Mapping[str, str]:
        path = os.pathsep.join([str(PACKAGE), str(ROOT), os.environ.get("PYTHONPATH", "")])
        return {**os.environ, "PYTHONPATH": path, "XDG_DATA_HOME": str(self.folder / "home"), "ASSAYMARK_DAEMON": "off"}

    def command(self, *words: str, kill_at: int = 0) -> list[str]:
        terms = str(self.folder / "assay-deploy.toml")
        return [sys.executable, "-m", "acceptance.issue7.killing", str(kill_at), *words, "--terms", terms]

    def run(self, *words: str, kill_at: int = 0) -> Said:
        """`assay`, killed by SIGKILL at its n-th point when that is not 0."""
        command = self.command(*words, kill_at=kill_at)
        ran = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=180, check=False)
        return Said(ran.returncode, ran.stdout, ran.stderr)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """`assay`, going on beside."""
        return subprocess.Popen(
            self.command(*words), cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip

    def deploy(self, image: Image, *more: str, kill_at: int = 0) -> Said:
        return self.run("deploy", self.pair.environment, self.pair.component, image.reference, "-f", "json", *more, kill_at=kill_at)

    def resume(self) -> Said:
        return self.run("deploy", self.pair.environment, self.pair.component, "-f", "json")

    def keep(self) -> Said:
        return self.run("phoenix", self.pair.environment, self.pair.component, "--once", "-f", "json")

    @property
    def driver(self) -> PodmanDriver:
        return opened(self.options)

    def serving(self) -> tuple[Share, ...]:
        return tuple(self.driver.serving(self.pair))

    def instances(self) -> tuple[Instance, ...]:
        return tuple(self.driver.list(self.pair))


@contextmanager
def site(folder: Path, edge: str = "builtin", terms: str = QUICK) -> Iterator[Site]:
    """It; what runs of it is gone afterwards."""
    podmans.needed()
    made = Site(folder, edge, terms)
    try:
        yield made
    finally:
        podmans.cleared(made.driver, made.pair)
        podmans.ended(folder / "edge")


def stopped(process: subprocess.Popen[str]) -> str:
    """What it said until it was interrupted."""
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    return said
