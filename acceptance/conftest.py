from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.harness import Shell


@pytest.fixture(scope="session")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """`assay`, installed and prepared: compiled rules are made once per installation."""
    made = Shell(tmp_path_factory.mktemp("home"))
    said = made.run("doctor", folder=made.home)
    assert said.code == 0, said.out + said.err
    return made


@pytest.fixture(params=["sqlite", "postgresql"])
def fleet_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database for measurements, empty: a file, and a server with its settings as installed."""
    from benchmarks.bench_server_components import postgres  # noqa: PLC0415 - few need the server's libraries

    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'fleet.db'}"
        return
    # A unix socket has a short name, and the server's account must reach the folder.
    with tempfile.TemporaryDirectory(dir="/tmp") as short, postgres(Path(short)) as made:
        if made is None:
            pytest.skip("NOT PROVED: PostgreSQL is not installed; do this: sudo apt-get install postgresql")
        yield made
