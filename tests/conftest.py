"""Databases for all rooms that keep something: a test that takes `database` runs on SQLite and on PostgreSQL."""

# Rooms that keep nothing do not pay for what a server imports.
# ruff: noqa: PLC0415

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from xdist.scheduler.loadscope import LoadScopeScheduling

ACCOUNT = "postgres"
_READY = "ready"
_ROOM = 4 << 30

settings.register_profile("steady", derandomize=True, deadline=None)
settings.register_profile("chance", max_examples=1000, deadline=None)
settings.load_profile("steady")  # a gate answers the same question the same way each time; `make soak` looks elsewhere


def _programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """A test goes to whichever worker is free, but what shares something dear (a server with its sample, a prepared cache) stays together.

    By place, and not by `xdist_group`, which has no effect with pytest 9.2: it writes names that pytest does not read any more.
    """

    def _split_scope(self, nodeid: str) -> str:
        folders, module = nodeid.partition("::")[0].split("/")[:-1], nodeid.partition("::")[0]
        if "pages" in folders:
            return module
        return "/".join(folders) if {"docs", "project"} & set(folders) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Together:
    return Together(config, log)


class Cluster:
    """A PostgreSQL server of the tests' own, on a unix socket in a folder."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self.programs = folder, programs
        self.account = ACCOUNT if os.geteuid() == 0 else None  # it refuses to run as root
        self._link: psycopg.Connection[tuple[object, ...]] | None = None

    def run(self, program: str, *words: str) -> None:
        subprocess.run([str(self.programs / program), *words], check=True, capture_output=True, user=self.account, cwd="/", timeout=120)

    def start(self) -> None:
        self.folder.mkdir()
        if self.account:
            os.chown(self.folder, pwd.getpwnam(self.account).pw_uid, -1)
        self.run("initdb", "-D", str(self.folder / "data"), "-U", "assay", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        self.rise()

    def rise(self) -> None:
        """Start it, for the first time or after `stop`, which ends it as a crash would."""
        settings = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}' -c max_connections=200"
        settings += " -c fsync=off -c full_page_writes=off"
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-l", str(self.folder / "log"), "-w", "-o", settings, "start")

    def leave(self) -> None:
        if self._link is not None:
            self._link.close()

    def stop(self) -> None:
        self.leave()
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "stop")

    def url(self, name: str) -> str:
        return f"postgresql:///{name}?host={self.folder}&user=assay"

    def ask(self, words: str) -> None:
        if self._link is None or self._link.closed:
            self._link = psycopg.connect(self.url("postgres"), autocommit=True)
        self._link.execute(words.encode())

    def prepare(self) -> None:
        """The database that others are copied from: what migrations do takes longer than what most tests do."""
        self.ask(f"CREATE DATABASE {_READY} TEMPLATE template0")
        _bring_up(self.url(_READY))

    def make(self) -> str:
        """A database with the present schema; gives its name."""
        name = f"t{uuid.uuid4().hex}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {_READY} STRATEGY FILE_COPY")  # a fifth of the time that its log takes
        return name


def _place() -> Path:
    """Memory where there is enough of it: a database per test is made in 20 ms there, and in 50 on a disk."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > _ROOM else Path("/tmp")


def _bring_up(url: str) -> None:
    from assaymark.jobs.open import prepare
    from assaymark.store.database import Database
    from assaymark.store.migrations.apply import migrate

    database = Database(url)
    migrate(database)
    prepare(database)
    database.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Cluster]:
    """One server for all workers of a run: the last one to leave stops it."""
    programs = _programs()
    if programs is None:
        pytest.skip("NOT PROVED: PostgreSQL is not installed; do this: sudo apt-get install postgresql")
    # Sockets have short names, and the account must reach the folder: not below pytest's own one.
    base = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    folder = _place() / f"assaymark-pg-{uuid.uuid5(uuid.NAMESPACE_URL, str(base)).hex[:12]}"
    users = base / "postgres-users"
    cluster = Cluster(folder, programs)
    with _locked(base):
        if not users.exists() or users.read_text() == "0":
            shutil.rmtree(folder, ignore_errors=True)
            cluster.start()
            cluster.prepare()
        users.write_text(str(int(users.read_text() if users.exists() else "0") + 1))
    yield cluster
    cluster.leave()
    with _locked(base):
        left = int(users.read_text()) - 1
        users.write_text(str(left))
        if not left:
            cluster.stop()
            shutil.rmtree(folder, ignore_errors=True)


class _locked:  # noqa: N801 - reads like a function
    def __init__(self, base: Path) -> None:
        self.file = (base / "postgres-lock").open("w")

    def __enter__(self) -> None:
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Compiled rules are the same for all tests of a run, whichever worker compiles them; facts are kept under each server's own key."""
    base = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    folder = base / "warm-cache"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def prepared_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the present schema, to be copied."""
    file = tmp_path_factory.mktemp("prepared") / "assaymark.db"
    _bring_up(f"sqlite:///{file}")
    return file


@pytest.fixture
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Makes a database of a kind, with the present schema and nothing in it; gives its URL."""
    names: list[str] = []

    def make(kind: str) -> str:
        if kind == "sqlite":
            shutil.copyfile(request.getfixturevalue("prepared_sqlite"), tmp_path / "assaymark.db")
            return f"sqlite:///{tmp_path / 'assaymark.db'}"
        cluster: Cluster = request.getfixturevalue("postgres")
        names.append(cluster.make())
        return cluster.url(names[-1])

    yield make
    for name in names:
        request.getfixturevalue("postgres").ask(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> str:
    """The URL of a database with the present schema and nothing in it."""
    return make_database(request.param)


@pytest.fixture
def database(database_url: str) -> Iterator[object]:
    """It, open."""
    from assaymark.store.database import Database

    made = Database(database_url)
    yield made
    made.close()


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[object]:
    """A server's service over it, with folders of its own."""
    from assaymark.server.service import open_service
    from assaymark.server.settings import load

    made = open_service(load({"HOME": str(tmp_path)}, data=str(tmp_path / "data"), database=database_url))
    yield made
    made.database.close()
