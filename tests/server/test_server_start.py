"""What somebody meets who starts the server, or looks after one, with something wrong."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from assaymark.errors import UsageError
from assaymark.server import run
from assaymark.server.people.links import sets_up, setup_link
from assaymark.server.service import Service
from assaymark.server.settings import load, make_data, need_data


def _assay(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from assaymark.cli.main import main; main()"]
    return subprocess.run(
        [*program, *words], capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "HOME": str(home)}
    )


def test_a_data_folder_that_cannot_be_made_is_said_and_is_no_defect(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = _assay("serve", "--data", str(tmp_path / "file" / "data"), home=tmp_path)
    assert said.returncode == 2
    assert "cannot be made" in said.stderr
    assert "--data" in said.stderr
    assert "defect" not in said.stderr


def test_a_database_whose_folder_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = _assay("serve", "--data", str(tmp_path), "--database", f"sqlite:///{tmp_path}/file/x.db", home=tmp_path)
    assert said.returncode == 2
    assert "cannot be made" in said.stderr


@pytest.mark.parametrize("words", [("person", "list"), ("person", "reset", "ada"), ("store", "verify")])
def test_a_folder_that_was_mistyped_is_no_empty_server(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = tmp_path / "mistyped"
    said = _assay(*words, "--data", str(folder), home=tmp_path)
    assert said.returncode == 2
    assert str(folder) in said.stderr
    assert not folder.exists()


def test_where_a_server_was_its_data_are_found(service: Service) -> None:
    need_data(service.settings)


@pytest.mark.enable_socket
def test_an_address_that_is_taken_is_said_before_anything_is_begun(service: Service, tmp_path: Path) -> None:
    link = setup_link(service)
    assert link is not None
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = load({"HOME": str(tmp_path)}, data=str(tmp_path / "data"), listen=f"127.0.0.1:{taken.getsockname()[1]}")
        make_data(settings)
        with pytest.raises(UsageError, match="cannot be listened at") as refused:
            run.serve(Service(settings, service.database, service.queue, service.blobs, service.vault, service.now))
    assert "--listen" in refused.value.advice
    with service.database.read() as connection:
        assert sets_up(service, connection, link.rpartition("/")[2]), "the link of the server that runs was made useless"
