"""What tests of the driver rootfs run: a tree with a small web server in it, baked into nothing but a folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from assaymark.deployment.drivers.driver import Configuration, Launch, Pair
from assaymark.subjects.manifest import Form, manifest_of

PAIR = Pair("production", "web")
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORTS = f"{23000 + 400 * _WORKER}-{23399 + 400 * _WORKER}"
"""Of this process alone: instances share the host's network."""
_FOLDERS = ("bin", "proc", "dev", "tmp", "etc", "data", "run", "run/secrets", "srv")
COMMAND = ["/bin/httpd", "-f", "-p", "127.0.0.1:{port}", "-h", "/srv"]


def need(runtime: str) -> None:
    """Skip loudly where trees cannot be run."""
    program = {"bubblewrap": "bwrap", "runc": "runc"}[runtime]
    missing = [name for name in (program, "busybox") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"NOT PROVED: not installed: {' '.join(missing)}; do this: sudo apt-get install bubblewrap runc busybox-static")
    if os.geteuid() != 0:
        pytest.skip("NOT PROVED: trees with owners are run as root here")
    linked = subprocess.run(["ldd", shutil.which("busybox") or ""], check=False, capture_output=True, text=True)
    if "=>" in linked.stdout:
        pytest.skip("NOT PROVED: busybox needs libraries; do this: sudo apt-get install busybox-static")


def tree(folder: Path, text: str = "one") -> tuple[Path, str]:
    """A tree, and its digest."""
    folder.mkdir(parents=True)
    for name in _FOLDERS:
        (folder / name).mkdir()
        (folder / name).chmod(0o755)
    shutil.copyfile(shutil.which("busybox") or "", folder / "bin/busybox")
    (folder / "bin/busybox").chmod(0o755)
    for name in ("httpd", "sh", "sleep", "cat", "id", "touch", "env", "ls"):
        (folder / "bin" / name).symlink_to("busybox")
    for name, content in (("srv/index.html", text), ("etc/app.conf", "inside"), ("etc/passwd", "app:x:1000:1000::/:/bin/sh\n")):
        (folder / name).write_text(content)
        (folder / name).chmod(0o644)
    folder.chmod(0o755)
    return folder, manifest_of(str(folder), Form.OWNED).digest


def options(state: Path, runtime: str = "bubblewrap", **more: str) -> dict[str, str]:
    return {"command": json.dumps(COMMAND), "state": str(state), "runtime": runtime, "ports": PORTS, "stop_seconds": "0.3", **more}


def launch(place: Path, digest: str, generation: int = 1, count: int = 1, configuration: Configuration | None = None) -> Launch:
    given = configuration or Configuration("sha256:" + "c" * 64)
    return Launch(PAIR, generation, f"{place}@{digest}", digest, count, given)
