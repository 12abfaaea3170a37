from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.jobs.soaking import shaky_database

from assaymark.jobs.job import Job
from assaymark.server.service import open_service
from assaymark.server.settings import load
from assaymark.server.supervisor import Supervisor, environment

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
PATIENT = "import sys; sys.stdin.read()"
_PREPARED = 180
"""Seconds: the first worker of a server compiles the rules, which takes eight of a core that it has for itself."""


def until(claim: Callable[[], Any], seconds: float = 15) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := claim():
            return found
        time.sleep(0.05)
    return pytest.fail("it did not come to it")


def supervisor(program: str, count: int = 1, grace: float = 5.0) -> Supervisor:
    made = Supervisor(count, os.environ, command=[sys.executable, "-c", program], grace=grace)
    made.start()
    return made


def test_so_many_workers_run_and_end_with_it() -> None:
    made = supervisor(PATIENT, count=2)
    pids = until(lambda: made.pids() if len(made.pids()) == 2 else None)
    made.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_worker_that_died_is_started_again_after_a_pause() -> None:
    made = supervisor(PATIENT)
    (first,) = until(made.pids)
    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: made.pids() not in ([], [first]))
    assert time.monotonic() - began >= 0.4
    made.stop()


def test_a_worker_that_dies_at_once_is_started_less_and_less_often(tmp_path: Path) -> None:
    made = supervisor(f"open({str(tmp_path / 'log')!r}, 'a').write('.')")
    time.sleep(4)
    made.stop()
    assert 2 <= len((tmp_path / "log").read_text()) <= 4


def test_a_worker_that_does_not_end_is_killed() -> None:
    made = supervisor(STUBBORN, grace=0.5)
    (pid,) = until(made.pids)
    time.sleep(0.5)
    made.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_databases_url_is_no_word_of_a_command(tmp_path: Path) -> None:
    settings = load({"HOME": str(tmp_path)}, database="postgresql://assay:hidden@127.0.0.1/assay", storage="")
    env = environment(settings, {"ASSAYMARK_RATE": "7", "ASSAYMARK_DATABASE": "another"})
    assert env["ASSAYMARK_DATABASE"] == settings.database
    assert load(env).database == settings.database
    assert load(env).data == settings.data
    assert env["ASSAYMARK_RATE"] == "7"


def test_a_worker_says_what_is_wrong_with_its_settings_and_leaves_no_process(tmp_path: Path) -> None:
    words = ["worker", "--data", str(tmp_path / "data"), "--database", "mysql://assay:hidden@127.0.0.1/assay"]
    command = [sys.executable, "-c", "from assaymark.cli.main import main; main()", *words]
    ran = subprocess.run(command, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 2  # its output ended, so that nobody holds it any more
    assert "PostgreSQL" in ran.stderr
    assert "hidden" not in ran.stderr


@pytest.mark.enable_socket
@pytest.mark.timeout(400)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # the other one is restarted below
def test_serve_starts_its_workers_does_work_and_ends_whole(service: Any, tmp_path: Path) -> None:
    env = {**os.environ, "HOME": str(tmp_path), "ASSAYMARK_CACHE": str(tmp_path / "cache")}
    settings = service.settings
    words = ["serve", "--data", str(settings.data), "--listen", "127.0.0.1:0", "--database", settings.database]
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-c", "from assaymark.cli.main import main; main()", *words]
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def said() -> str:
        return (tmp_path / "log").read_text()

    try:
        until(lambda: "worker entered" in said(), seconds=60)
        from assaymark.jobs import clock  # noqa: PLC0415

        def start() -> bool:
            with service.database.write() as connection:
                try:
                    return clock.run_now(connection, service.queue, "clean-jobs") is not None
                except KeyError:
                    return False

        until(start, seconds=30)
        until(lambda: "job done" in said(), seconds=_PREPARED)
    finally:
        server.terminate()
        assert server.wait(40) == 0, said()[-2000:]
    assert "worker left" in said()
    assert "worker killed" not in said()


@pytest.mark.enable_socket
@pytest.mark.timeout(400)
def test_server_and_workers_survive_a_restart_of_the_database(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with shaky_database("postgresql", tmp_path) as (url, restart):
        env = {**os.environ, "HOME": str(tmp_path), "ASSAYMARK_DATABASE": url}
        words = ["serve", "--data", str(tmp_path / "data"), "--listen", f"127.0.0.1:{port}"]
        with (tmp_path / "log").open("wb") as log:
            command = [sys.executable, "-c", "from assaymark.cli.main import main; main()", *words]
            server = subprocess.Popen(command, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def is_well() -> bool:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=5) as answer:
                return bool(answer.status == 200)
            return False

        def said() -> str:
            return (tmp_path / "log").read_text()

        try:
            until(lambda: is_well() and "worker entered" in said(), seconds=60)
            restart()
            until(is_well, seconds=30)
            service = open_service(load(env, data=str(tmp_path / "data")))
            with service.database.write() as connection:
                service.queue.put(connection, Job("clean-jobs", {}))
            until(lambda: "job done" in said(), seconds=_PREPARED)
            service.database.close()
            assert said().count("worker started") == 1, "the worker died of it"
        finally:
            server.terminate()
            assert server.wait(40) == 0, said()[-2000:]
