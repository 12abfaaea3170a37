"""What `assay drift --tell` says is understood: a drift is open while it is there, and vanished when a look at the tree is clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.server.deployed.house import GOOD, House

from assaymark.cli import drift_there
from assaymark.cli.drift import command


class Line:
    """To the server in this process, as the command's own client would go."""

    def __init__(self, house: House) -> None:
        self._house = house

    def asked(self, method: str, path: str, body: Any) -> Any:
        return self._house.ask("dep", method, path, body)


def _open(house: House) -> list[tuple[str, str, str]]:
    items = house.ask("ana", "GET", "/deployments/drifts?resolved=false")["items"]
    return sorted((each["place"], each["what"], each["kind"]) for each in items)


def test_what_a_look_found_is_open_until_a_look_at_the_same_tree_is_clean(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_there, "server_at", lambda *_: Line(house))
    house.tell(house.deployer.replace(GOOD))
    tree, manifest = tmp_path / "tree", tmp_path / "manifest"
    tree.mkdir()
    (tree / "conf").write_bytes(b"one\n")

    def look(*more: str) -> int:
        words = [str(tree), "--manifest", str(manifest), "--name", "host-1", "--tell", "production/shop", *more]
        ran = CliRunner().invoke(command, words, standalone_mode=False, catch_exceptions=False)
        return int(ran.return_value)

    CliRunner().invoke(command, [str(tree), "--write-manifest", str(manifest)], standalone_mode=False, catch_exceptions=False)
    (tree / "conf").write_bytes(b"two\n")
    (tree / "tmp").mkdir()
    assert look() == 1
    assert _open(house) == [("host-1", "conf", "content"), ("host-1", "tmp", "added")]
    assert look("--ignore", "tmp=2999-01-01T00:00:00Z") == 1
    (tree / "conf").write_bytes(b"one\n")
    (tree / "tmp").rmdir()
    assert look() == 0
    assert _open(house) == []
