"""Debian's docker-registry on loopback: a real registry, which has no referrers API."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.endorsement.places.registries import Image, digest_of

from assaymark.endorsement.places.direct import send
from assaymark.endorsement.places.reference import Reference
from assaymark.endorsement.places.registry import Registry

_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def program() -> str:
    found = shutil.which("docker-registry")
    if found is None:
        pytest.skip("NOT PROVED: docker-registry is not installed; do this: sudo apt-get install docker-registry")
    return found


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Its host and port."""
    command = program()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = folder / "registry.yml"
    config.write_text(_CONFIG.format(folder=folder / "blobs", port=port))
    with (folder / "registry.log").open("wb") as log:
        process = subprocess.Popen([command, "serve", str(config)], stdout=log, stderr=log)
        try:
            _wait(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()


def pushed(host: str, image: Image, tag: str = "1", name: str = "shop/web") -> str:
    """The digest of an image that was pushed."""
    registry = Registry(send, Reference(host, name, plain=True))
    for data in image.blobs.values():
        registry.put_blob(data)
    for data, kind in image.documents():
        registry.put_manifest(digest_of(data), data, kind)
    registry.put_manifest(tag, image.index, image.documents()[-1][1])
    return image.digest


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    pytest.fail("docker-registry did not start")
