"""Checks of third parties are looked for once per folder, whoever asks."""

from __future__ import annotations

import configparser  # noqa: F401 - what is scanned with is loaded before the path is another
import os
import sys
from pathlib import Path

import pytest

from assaymark.checks import plugins


def distribution(folder: Path, name: str, reference: str) -> None:
    metadata = folder / f"{name}-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "entry_points.txt").write_text(f"[assaymark.checks]\n{name} = {reference}\n")


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []
    scan = plugins._scan

    def counting(folder: str) -> dict[str, str]:
        seen.append(Path(folder).name)
        return scan(folder)

    monkeypatch.setattr(plugins, "_scan", counting)
    return seen


def test_a_folder_is_scanned_again_only_when_it_changes(tmp_path: Path, scanned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    site, scripts = tmp_path / "site-packages", tmp_path / "bin"
    distribution(site, "one", "one:make")
    distribution(site, "secrets", "theirs:make")
    scripts.mkdir()
    monkeypatch.setattr(sys, "path", [str(site)])
    assert plugins.installed(str(tmp_path)) == {"one": "one:make"}
    monkeypatch.setattr(sys, "path", [str(scripts), str(site), str(tmp_path / "nowhere")])
    assert plugins.installed(str(tmp_path)) == {"one": "one:make"}
    monkeypatch.setattr(sys, "path", [str(site)])
    assert plugins.installed(str(tmp_path)) == {"one": "one:make"}
    assert scanned == ["site-packages", "bin"]
    distribution(site, "two", "two:make")
    os.utime(site, ns=(1, 1))
    assert plugins.installed(str(tmp_path)) == {"one": "one:make", "two": "two:make"}
    assert scanned == ["site-packages", "bin", "site-packages"]


@pytest.mark.parametrize("content", [b"", b"{", b'{"stamp": [], "checks": {}}', b'{"/x": {"changed": "1"}}', b"\xff"])
def test_a_damaged_memory_costs_a_scan(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path / "site-packages", "one", "one:make")
    (tmp_path / "plugins.json").write_bytes(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site-packages")])
    assert plugins.installed(str(tmp_path)) == {"one": "one:make"}


def test_a_folder_of_an_odd_name_and_a_cache_that_is_not_there_are_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / os.fsdecode(b"f\xff-packages")
    distribution(odd, "one", "one:make")
    monkeypatch.setattr(sys, "path", [str(odd)])
    assert plugins.installed(str(tmp_path)) == {"one": "one:make"}
    assert plugins.installed(str(tmp_path / "nowhere")) == {"one": "one:make"}


def test_the_memory_does_not_grow_for_ever(tmp_path: Path, scanned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(plugins._MOST_FOLDERS + 2):
        (tmp_path / f"p{number}").mkdir()
        monkeypatch.setattr(sys, "path", [str(tmp_path / f"p{number}")])
        plugins.installed(str(tmp_path))
    assert (tmp_path / "plugins.json").stat().st_size < 1000
    plugins.installed(str(tmp_path))
    assert len(scanned) == plugins._MOST_FOLDERS + 2
