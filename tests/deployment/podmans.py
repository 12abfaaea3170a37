"""For tests with real containers: a podman that can run here, or a loud skip; images of busybox that say who they are."""

from __future__ import annotations

import functools
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from assaymark.deployment.drivers.driver import DriverFailed, Pair
from assaymark.deployment.drivers.podman.driver import PodmanDriver, opened
from assaymark.deployment.edge.control import Edge
from assaymark.deployment.edge.haproxy import HaproxyEdge

MISSING = (
    "NOT PROVED: podman cannot run here: {}; "
    "do this: sudo apt-get install podman runc netavark aardvark-dns iptables catatonit busybox-static"
)
_CONF = """[containers]
default_ulimits = ["nofile=1024:1024","nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
"""
"""What works without a full init system, and where limits may not be raised."""


def podman(*words: str, stdin: bytes = b"", check: bool = True) -> str:
    ran = subprocess.run(["podman", *words], input=stdin, capture_output=True, check=False, timeout=120)
    if check and ran.returncode:
        raise AssertionError(f"podman {words}: {ran.stderr.decode(errors='replace')[-800:]}")
    return ran.stdout.decode(errors="replace").strip()


def needed() -> None:
    """Skip where containers cannot run."""
    if why := _unable():
        pytest.skip(MISSING.format(why))


@functools.cache
def _unable() -> str:
    """Why no container can run, nothing when one ran; the machine's own settings are tried first."""
    if shutil.which("podman") is None:
        return "it is not installed"
    if not (shutil.which("busybox") and _static(Path(str(shutil.which("busybox"))))):
        return "there is no static busybox for its images"
    found = ""
    for conf in (os.environ.get("CONTAINERS_CONF"), _written(_CONF)):
        if conf is not None:
            os.environ["CONTAINERS_CONF"] = conf
        try:
            made = image("probe")
            podman("run", "--rm", "--pull=never", "--network=none", "--entrypoint=/bin/true", made.reference)
            made.remove()
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            found = str(error)[-400:]
        else:
            return ""
    return found


def _static(program: Path) -> bool:
    return b"/ld-linux" not in program.resolve().read_bytes()[:4096]


def _written(text: str) -> str:
    handle, name = tempfile.mkstemp(prefix="assaymark-containers-", suffix=".conf")
    os.write(handle, text.encode())
    os.close(handle)
    return name


class Image:
    """One that answers with its word at port 8080, and at /cgi-bin/slow after some time."""

    def __init__(self, name: str, word: str) -> None:
        self.name, self.word = name, word
        self.digest = podman("image", "inspect", "--format", "{{.Digest}}", name)
        self.reference = f"{name.rpartition(':')[0]}@{self.digest}"

    def remove(self) -> None:
        podman("rmi", "--force", self.name, check=False)


def image(word: str, *, slow: float = 0.5) -> Image:
    """A new one; its name is never used again."""
    name = f"localhost/assay-test-{uuid.uuid4().hex[:12]}:{word}"
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        _add(tar, "bin/busybox", Path(str(shutil.which("busybox"))).read_bytes(), 0o755)
        for applet in ("sh", "httpd", "sleep", "true", "touch", "cat", "mkdir", "rm", "chmod", "mount"):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
        _add(tar, "srv/index.html", f"{word}\n".encode(), 0o644)
        _add(tar, "srv/cgi-bin/slow", f"#!/bin/sh\nsleep {slow}\nprintf 'Content-Type: text/plain\\r\\n\\r\\n{word}\\n'\n".encode(), 0o755)
        _add(tar, "srv/name", name.encode(), 0o644)  # or two of one second would be one image, and go together
        for folder in ("tmp", "etc", "run"):
            made = tarfile.TarInfo(folder)
            made.type, made.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(made)
    start = 'ENTRYPOINT ["/bin/httpd","-f","-p","8080","-h","/srv"]'
    podman("import", "--quiet", "--change", start, "--change", "USER 1000:1000", "-", name, stdin=data.getvalue())
    return Image(name, word)


def _add(tar: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), mode
    tar.addfile(entry, io.BytesIO(data))


def new_pair() -> Pair:
    """Nobody else's."""
    return Pair("test", f"web-{uuid.uuid4().hex[:8]}")


@contextmanager
def driver(pair: Pair, folder: Path, listen: str, **options: str) -> Iterator[PodmanDriver]:
    """The driver; whatever it launched and its edge are gone afterwards."""
    made = opened({"port": "8080", "listen": listen, "edge_folder": str(folder), **options})
    try:
        yield made
    finally:
        cleared(made, pair)
        ended(folder)


def cleared(made: PodmanDriver, pair: Pair) -> None:
    with suppress(DriverFailed):
        for each in made.list(pair):
            made.burn(pair, each.id)


def ended(folder: Path) -> None:
    """The edges of a folder, whichever ran."""
    with suppress(DriverFailed, ProcessLookupError):
        os.kill(Edge(folder).show().pid, 9)
    with suppress(OSError, ValueError, IndexError):
        os.kill(int((folder / "haproxy.pid").read_text().split()[0]), 15)
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


__all__ = ["HaproxyEdge", "Image", "cleared", "driver", "ended", "image", "needed", "new_pair", "podman"]
