from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.pages.chromium import PROGRAM, Browser

PASSWORD = "correct horse battery"


class Server:
    """`assay serve` as a user starts it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAYMARK_")}
        environment |= {"HOME": str(folder), "ASSAYMARK_CACHE": str(cache)}
        words = ["serve", "--data", str(folder / "data"), "--listen", self.url.removeprefix("http://")]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            program = "from assaymark.cli.main import main; main()"
            self.process = subprocess.Popen([sys.executable, "-c", program, *words], env=environment, stdout=log, stderr=log)

    def setup_link(self) -> str:
        """The link that it prints."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            found = re.search(r"http://\S+/setup/\S+", self.log.read_text())
            if found:
                with socket.socket() as probe:
                    host, port = self.url.removeprefix("http://").split(":")
                    if probe.connect_ex((host, int(port))) == 0:
                        return found.group()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, warm_cache: Path) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"), warm_cache)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not PROGRAM:
        pytest.skip("NOT PROVED: Chromium is not installed; do this: sudo apt-get install chromium")
    made = Browser()
    yield made
    made.close()
