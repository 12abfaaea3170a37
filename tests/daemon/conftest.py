"""A real daemon in a process of its own, and the real client."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from assaymark import hookclient
from assaymark.daemon import start

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job: its children would never be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)

PACKAGE = Path(hookclient.__file__).parent
PROGRAM = "def main(): print('the program ran')"

HANDLER = """
import os, sys, time
warmed = []
def warm():
    warmed.append(os.getpid())
def handle(request, write):
    what = request.argv[0] if request.argv else ""
    if what == "who":
        print(os.getpid() != warmed[0], os.getppid() == warmed[0])
    elif what == "env":
        print(os.getcwd(), request.cwd, os.environ.get("GIT_INDEX_FILE"), os.environ.get("NOT_LISTED"), sys.argv)
    elif what == "stdin":
        write(1, sys.stdin.buffer.read()[::-1])
    elif what == "big":
        write(1, b"x" * 3_000_000); write(2, b"y" * 100_000)
    elif what == "sleep":
        try:
            open(request.argv[1], "w").write(str(os.getpid()))
            time.sleep(60)
        except KeyboardInterrupt:
            open(request.argv[1] + ".interrupted", "w").close()
            raise
    elif what == "crash":
        os._exit(9)
    elif what == "crash-late":
        write(1, b"half an ans"); os._exit(9)
    elif what == "raise":
        raise RuntimeError("quotes hunter2")
    elif what == "leave":
        os.environ["LEFT"] = "behind"; os.chdir("/"); warmed.append(0)
    elif what == "left":
        print(os.environ.get("LEFT"), len(warmed), os.getcwd())
    elif what == "exit":
        return int(request.argv[1])
    elif what == "system-exit":
        sys.exit(int(request.argv[1]))
    elif what == "umask":
        os.close(os.open(request.argv[1], os.O_CREAT | os.O_WRONLY, 0o666))
    elif what == "fds":
        print(len(os.listdir("/proc/self/fd")))
    return 0
"""

SERVER = """
import sys
sys.path[:0] = [{source!r}, {modules!r}]
from assaymark.daemon.__main__ import main
sys.exit(main("toy_handler", idle_seconds={idle}))
"""


class Daemon:
    """An installation of its own, whose program only says that it ran; starts the daemon, asks it, ends it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(home / "run")}
        (home / "run").mkdir()
        (home / "toy_handler.py").write_text(HANDLER)
        self.package = home / "src" / "assaymark"
        for folder in ("daemon", "engine", "model"):
            shutil.copytree(PACKAGE / folder, self.package / folder)
        for name in ("__init__.py", "errors.py", "hookclient.py"):
            shutil.copy2(PACKAGE / name, self.package / name)
        (self.package / "cli").mkdir()
        (self.package / "cli" / "hook.py").write_text(PROGRAM)
        self.script = str(self.package / "hookclient.py")
        self.ask_script = str(self.package / "daemon" / "ask.py")
        self.folder = home / "run" / "assaymark"
        self.socket = self.folder / hookclient.socket_name(self.script)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def launch(self, *, idle: float = 60.0) -> subprocess.Popen[bytes]:
        """A server process, whether or not it will serve."""
        program = SERVER.format(source=str(self.home / "src"), modules=str(self.home), idle=idle)
        return subprocess.Popen(
            [sys.executable, "-I", "-c", program], env=self.environment, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/"
        )

    def start(self, *, idle: float = 60.0) -> None:
        before = self.socket.stat().st_mtime_ns if self.socket.exists() else 0
        self._process = self.launch(idle=idle)
        until(lambda: self.socket.exists() and self.socket.stat().st_mtime_ns != before)

    def ask(
        self, *arguments: str, stdin: bytes = b"", environment: dict[str, str] | None = None, cwd: Path | None = None
    ) -> tuple[int, bytes, bytes]:
        done = self.client(*arguments, environment=environment, cwd=cwd)
        out, err = done.communicate(stdin, timeout=20)
        return done.returncode, out, err

    def client(self, *arguments: str, environment: dict[str, str] | None = None, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", self.ask_script, *arguments],
            env=self.environment | (environment or {}),
            cwd=cwd or self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            if self._process.stderr is not None:
                self._process.stderr.close()


def until(true: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class Wait(Protocol):
    def __call__(self, true: Callable[[], object], *, seconds: float = 10.0) -> None: ...


@pytest.fixture
def wait() -> Wait:
    return until


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    # Not pytest's own folder: its name is so long in a parallel run that a socket in it would not be taken by the kernel.
    home = Path(tempfile.mkdtemp(prefix="assay-"))
    made = Daemon(home)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home / "run"))
    for function in (hookclient.package_folder, hookclient.stamp, hookclient.socket_name):
        monkeypatch.setattr(function, "__defaults__", (made.script,))
    yield made
    made.end()
    assert not start.running()
    shutil.rmtree(home)
