"""The example check of `add-a-check.md` is a whole one, and works as installed software."""

from __future__ import annotations

import tomllib
from pathlib import Path

import msgspec
import pytest
from tests.docs.docs_pages import DOCS, Workshop, blocks

FILES = {
    block.info.partition("example=")[2]: block.text
    for block in blocks((DOCS / "how-to" / "add-a-check.md").read_text("utf-8"))
    if "example=" in block.info
}


@pytest.fixture
def plugged(workshop: Workshop, tmp_path: Path) -> Workshop:
    """The example, laid down as an installer does."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "assay_npmrc.py").write_text(FILES["assay_npmrc.py"], "utf-8")
    project = tomllib.loads(FILES["pyproject.toml"])["project"]
    metadata = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    ((group, points),) = project["entry-points"].items()
    lines = [f"[{group}]", *(f"{name} = {value}" for name, value in points.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")
    path = f"{site}:{workshop.environment['PYTHONPATH']}"
    return Workshop(workshop.sample, workshop.environment | {"PYTHONPATH": path})


def found(workshop: Workshop, folder: Path) -> list[tuple[str, str, str]]:
    ran = workshop.run("assay check --format json", folder)
    verdict = msgspec.json.decode(ran.stdout)["verdict"]
    return [(j["finding"]["witnesses"][0]["rule"], j["state"], j["finding"]["place"]["path"]) for j in verdict["findings"]]


def test_the_example_check_sees_what_it_says(plugged: Workshop, tmp_path: Path) -> None:
    folder = plugged.copy(tmp_path)
    (folder / ".npmrc").write_text("registry = https://npm.example.org/\nstrict-ssl = false\n", "utf-8")
    assert found(plugged, folder) == [("npmrc/strict-ssl-off", "new", ".npmrc")]
    (folder / ".npmrc").write_text("strict-ssl=true\n", "utf-8")
    assert found(plugged, folder) == []


def test_what_the_example_check_cannot_read_is_unchecked(plugged: Workshop, tmp_path: Path) -> None:
    folder = plugged.copy(tmp_path)
    (folder / ".npmrc").write_bytes(b"strict-ssl = false\n\xff\xfe")
    ran = plugged.run("assay check", folder)
    assert ran.returncode == 5, ran.stdout
    assert "npmrc could not check .npmrc" in " ".join(ran.stdout.split())


def test_the_tests_on_the_page_hold(plugged: Workshop, tmp_path: Path) -> None:
    (tmp_path / "test_npmrc.py").write_text(FILES["test_npmrc.py"], "utf-8")
    ran = plugged.run("python -c 'import test_npmrc as t; t.test_off_is_seen(); t.test_moving_it_changes_nothing()'", tmp_path)
    assert ran.returncode == 0, ran.stdout
