"""A host that runs trees: recipes, bakes, endorsements and terms in one folder, and `assay` as installed for all of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from acceptance.harness import Said, Shell

from assaymark.deployment.bake import report
from assaymark.deployment.drivers.driver import Instance, Pair, Share
from assaymark.deployment.drivers.rootfs.driver import RootfsDriver, opened
from assaymark.endorsement import keys

PAIR = Pair("production", "web")
VERIFIER, RESOURCE = "https://ci.example.org/verifier/1", "oci://localhost/shop/web"
RECIPE = """
[image]
name = "localhost/shop/web"
user = "1000:1000"
entrypoint = ["/bin/httpd"]

[files]
folders = ["/proc", "/dev", "/tmp", "/etc", "/run/secrets", "/data"]
"""
TERMS = """state = "deployer"
[believe]
trust = "trust"
bundles = ["bundles"]
update = false
[deploy.production.web]
driver = "rootfs"
image = "{folder}/trees"
count = 2
probe_seconds = 20
probe_every = 0.05
probe_successes = 2
soak_seconds = 0.1
drain_seconds = 5
canary = [50]
canary_seconds = 0.1
[deploy.production.web.options]
"""


class Host:
    """It, with everything that it needs."""

    def __init__(self, shell: Shell, folder: Path, runtime: str) -> None:
        self.shell, self.folder, self.runtime = shell, folder, runtime
        self.listen = f"127.0.0.1:{_free_port()}"
        first = 24000 + os.getpid() % 400 * 20
        self.options = {
            "command": json.dumps(["/bin/httpd", "-f", "-p", "127.0.0.1:{port}", "-h", "/srv"]), "state": str(folder / "state"),
            "runtime": runtime, "ports": f"{first}-{first + 199}", "listen": self.listen, "edge_folder": str(folder / "edge"),
            "probe": "http", "probe_path": "/index.html", "stop_seconds": "0.5", "user": "1000:1000",
        }  # fmt: skip
        for name in ("trees", "bundles", "trust"):
            (folder / name).mkdir()
        private, public = keys.new_key()
        (folder / "key.pem").write_bytes(private)
        (folder / "key.pem").chmod(0o600)
        self.revoke()
        root = {"name": "ci", "verifier": VERIFIER, "keys": [public.pem]}
        (folder / "trust/trust.json").write_text(json.dumps({"roots": [root]}))
        (folder / "assay-bake.toml").write_text(RECIPE)
        lines = "".join(f"{name} = '{value}'\n" for name, value in self.options.items())
        (folder / "assay-deploy.toml").write_text(TERMS.format(folder=folder) + lines)

    def revoke(self, *digests: str) -> None:
        entries = [{"target": "subject", "name": each, "reason": "it is hostile", "at": "2026-01-01T00:00:00Z"} for each in digests]
        (self.folder / "trust/revocations.json").write_text(json.dumps({"number": len(entries), "entries": entries}))

    def bake(self, word: str, *, endorsed: bool = True) -> str:
        """Bake a site that says this word, write its tree, have it endorsed; the digest that is deployed."""
        source = self.folder / f"source-{word}"
        (source / "bin").mkdir(parents=True)
        (source / "srv").mkdir()
        shutil.copyfile(shutil.which("busybox") or "", source / "bin/httpd")
        (source / "bin/httpd").chmod(0o755)
        (source / "srv/index.html").write_text(word)
        words = ("-o", f"out-{word}", "--storage", "storage", "--tree", f"tree-{word}")
        said = self.assay("bake", source.name, *words)
        assert said.code == 0, said.out + said.err
        digest = report.read(self.folder / f"out-{word}").manifest
        (self.folder / f"tree-{word}").rename(self.folder / "trees" / digest.partition(":")[2])
        if endorsed:
            signing = ("--key", "key.pem", "--verifier", VERIFIER, "--resource", RESOURCE, "-o", f"bundles/{word}.sigstore.json")
            said = self.assay("endorse", "--bake", f"out-{word}", *signing)
            assert said.code == 0, said.out + said.err
        return digest

    def assay(self, *words: str) -> Said:
        return self.shell.run(*words, folder=self.folder)

    def deploy(self, digest: str) -> Said:
        return self.assay("deploy", "production", "web", digest, "--reason", "acceptance")

    def resume(self) -> Said:
        return self.assay("deploy", "production", "web")

    def killed(self, digest: str, after: float) -> bool:
        """Deploy, and kill the deployer after some seconds; False when it had ended."""
        words = [*self.shell.command, "deploy", "production", "web", digest]
        made = subprocess.Popen(
            words, cwd=self.folder, env=self.shell.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )  # fmt: skip
        try:
            made.wait(after)
        except subprocess.TimeoutExpired:
            made.send_signal(signal.SIGKILL)
            made.wait()
            return True
        return False

    @property
    def driver(self) -> RootfsDriver:
        return opened(self.options)

    def instances(self) -> list[Instance]:
        return list(self.driver.list(PAIR))

    def serving(self) -> list[Share]:
        return list(self.driver.serving(PAIR))

    def supervisors(self) -> int:
        """How many stand by anything of this host, by the kernel."""
        marked = str(self.folder / "state").encode()
        return sum(b"supervisor.py" in words and marked in words for words in map(_words, Path("/proc").glob("[0-9]*")))

    def clear(self) -> None:
        """Nothing of it runs any more."""
        for each in self.instances():
            self.driver.burn(PAIR, each.id)
        marked = str(self.folder / "edge").encode()
        for process in Path("/proc").glob("[0-9]*"):
            if b"assaymark.deployment.edge" in _words(process) and marked in _words(process):
                os.kill(int(process.name), signal.SIGKILL)


def host(shell: Shell, folder: Path, runtime: str) -> Host:
    """A host, or the reason why there is none."""
    pytest.importorskip("assaymark.deployment.phoenix.run", reason="NOT PROVED: the deployer is not there")
    pytest.importorskip("assaymark.deployment.edge.door", reason="NOT PROVED: the edge is not there")
    return Host(shell, folder, runtime)


def _words(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        number: int = tried.getsockname()[1]
        return number


def live(said: Said) -> Any:
    """What a command in JSON says."""
    return json.loads(said.out)
