"""How the show ends: an image is baked, approved, and runs read-only; somebody tampers with it, and a phoenix replaces it.

In containers where podman can run here, as a tree under bubblewrap otherwise; where neither can, it says so and shows the bake alone.
Everything lies below ``out/demo/berth``; what runs is stopped in the last scene, by a revocation, and the edge with it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec

ENVIRONMENT, COMPONENT = "production", "berths"
VERIFIER, RESOURCE = "https://harbour.example/verifier/1", "oci://localhost/harbour/berths"
PAGE = "srv/index.html"
MISSING = (
    "The show ends here: neither podman nor bubblewrap can run anything on this machine, so nothing is deployed.\n"
    "Do this: sudo apt-get install podman runc netavark aardvark-dns catatonit iptables buildah bubblewrap busybox-static; make demo"
)
_CONTAINERS = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""
"""For machines without a full init system, and where limits may not be raised."""
_TERMS = """state = "state"
[believe]
trust = "trust"
bundles = ["approved"]
update = false
[deploy.{environment}.{component}]
driver = "{driver}"
image = "{image}"
probe_every = 0.1
probe_successes = 2
soak_seconds = 0.5
drain_seconds = 2
on_drift = "replace"
on_revoked = "stop"
[deploy.{environment}.{component}.options]
{options}
"""


class Platform(msgspec.Struct, frozen=True):
    """What runs it here."""

    driver: str
    image: str
    member: str
    """Of the bake's report: the digest that is deployed."""
    carried: tuple[str, ...]
    """Words for `assay bake`."""
    options: dict[str, str]


class Berth:
    """The folder of the ending."""

    def __init__(self, folder: Path, recipe: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(recipe, folder)
        busybox = shutil.which("busybox")
        if busybox:
            (folder / "site/bin").mkdir()
            shutil.copy(busybox, folder / "site/bin/busybox")
            (folder / "site/bin/busybox").chmod(0o755)
            (folder / "site/bin/httpd").symlink_to("busybox")
        for name in ("approved", "trust"):
            (folder / name).mkdir()
        self.environment: dict[str, str] = {}
        self.listen = f"127.0.0.1:{_free_port()}"
        self.platform = self._podman() or self._tree()

    def _podman(self) -> Platform | None:
        """Where a container runs, in a storage of the show's own."""
        storage = f'[storage]\ndriver = "overlay"\ngraphroot = "{self.folder}/c"\nrunroot = "{self.folder}/r"\n'
        (self.folder / "storage.conf").write_text(storage)
        (self.folder / "containers.conf").write_text(_CONTAINERS)
        places = {"CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf")}
        for more in ({}, {"CONTAINERS_CONF": str(self.folder / "containers.conf")}):
            if _runs_containers(self.folder, os.environ | places | more):
                self.environment = {**places, **more}
                options = {"port": "8080", "pull": "never", "tmpfs": "/tmp:size=4m", **self._edge()}
                return Platform("podman", "localhost/harbour/berths", "image", ("--to-storage",), options)
        return None

    def _tree(self) -> Platform | None:
        if not (shutil.which("bwrap") and shutil.which("busybox") and os.geteuid() == 0):
            return None
        command = json.dumps(["/bin/httpd", "-f", "-p", "127.0.0.1:{port}", "-h", "/srv"])
        options = {"command": command, "state": str(self.folder / "hosts"), "user": "1000:1000", "probe": "http", **self._edge()}
        return Platform("rootfs", str(self.folder / "tree"), "manifest", ("--tree", "tree"), options)

    def _edge(self) -> dict[str, str]:
        return {"listen": self.listen, "edge_folder": str(self.folder / "edge"), "probe_path": "/index.html"}

    def write_terms(self, platform: Platform) -> None:
        options = "\n".join(f"{name} = '{value}'" for name, value in platform.options.items())
        told = {"environment": ENVIRONMENT, "component": COMPONENT, "driver": platform.driver, "image": platform.image, "options": options}
        (self.folder / "assay-deploy.toml").write_text(_TERMS.format(**told))

    def believe(self, public: str) -> None:
        root = {"name": "harbour", "verifier": VERIFIER, "keys": [public]}
        (self.folder / "trust/trust.json").write_text(json.dumps({"roots": [root]}))
        self.revoke()

    def revoke(self, *digests: str) -> None:
        told = [{"target": "subject", "name": each, "reason": "berth 7 was never free", "at": "2026-01-01T00:00:00Z"} for each in digests]
        (self.folder / "trust/revocations.json").write_text(json.dumps({"number": len(told), "entries": told}))

    def baked(self, member: str) -> str:
        found: str = json.loads((self.folder / "baked/bake.json").read_text())[member]
        return found

    def page(self) -> str:
        """What a visitor is told."""
        connection = HTTPConnection(self.listen, timeout=10)
        try:
            connection.request("GET", "/index.html")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def tamper(self, instance: str) -> str:
        """As root of the host, behind the back of everything; the words of what was done."""
        platform = self.platform
        if platform is not None and platform.driver == "podman":
            refused = self._podman_says("exec", "--user", "0", instance, "/bin/busybox", "touch", "/srv/mine", check=False)
            place = Path(self._podman_says("inspect", "--format", "{{.GraphDriver.Data.MergedDir}}", instance)) / PAGE
            said = refused or "refused"
        else:
            place = next(self.folder.glob(f"hosts/*/g*/tree/{PAGE}"))
            said = "the tree is read-only to what runs in it"
        place.write_text("<p>Berth 7 is mine.</p>\n")
        return said

    def _podman_says(self, *words: str, check: bool = True) -> str:
        ran = subprocess.run(["podman", *words], env=os.environ | self.environment, capture_output=True, text=True, check=check)
        return (ran.stdout or ran.stderr).strip()

    def close(self) -> None:
        """Nothing of it runs any more, whatever happened."""
        if self.platform is not None and self.platform.driver == "podman":
            self._podman_says("rm", "--force", "--all", "--time", "0", check=False)
            self._podman_says("rmi", "--force", "--all", check=False)
            for mounted in (self.folder / "c/overlay", self.folder / "c"):
                subprocess.run(["umount", str(mounted)], check=False, capture_output=True)
        marked = str(self.folder).encode()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes()
                if marked in words and int(process.name) != os.getpid():
                    os.kill(int(process.name), signal.SIGTERM)


@contextmanager
def berth(folder: Path, recipe: Path) -> Iterator[Berth]:
    """It; what it started has ended afterwards."""
    made = Berth(folder, recipe)
    try:
        yield made
    finally:
        made.close()


def _runs_containers(folder: Path, environment: dict[str, str]) -> bool:
    """Whether podman runs a container here: one is tried."""
    busybox = shutil.which("busybox")
    if not (shutil.which("podman") and shutil.which("buildah") and busybox):
        return False
    tried = folder / "tried"
    (tried / "bin").mkdir(parents=True, exist_ok=True)
    shutil.copy(busybox, tried / "bin/true")
    words = ["podman", "run", "--rm", "--network=bridge", "--rootfs", str(tried), "/bin/true"]
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(words, env=environment, capture_output=True, check=False, timeout=60).returncode == 0
    return False


def _free_port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        number: int = tried.getsockname()[1]
        return number


def first_instance(told: Any) -> str:
    """Of what `assay instances --format json` says."""
    return str(told["pairs"][0]["instances"][0]["id"])
