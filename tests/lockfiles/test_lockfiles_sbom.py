"""`assay sbom`: all lock files of a subject in one document, and what is missing is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.lockfiles.lock_samples import SAMPLES

from assaymark.cli.sbom import command
from assaymark.errors import UsageError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SOURCE_DATE_EPOCH", "GIT_DIR", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "project"
    for sample in SAMPLES:
        path = folder / sample.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sample.text, "utf-8")
    monkeypatch.chdir(folder)
    return folder


def run(*words: str) -> Result:
    result = CliRunner().invoke(command, list(words), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def test_every_lock_file_is_in_it_once(project: Path) -> None:
    document = json.loads(run(".").stdout)
    where = {row["location"] for each in document["components"] for row in each["evidence"]["occurrences"]}
    assert where == {sample.path for sample in SAMPLES}
    assert document["metadata"]["component"]["name"] == "project"
    assert len({each["bom-ref"] for each in document["components"]}) == len(document["components"])


@pytest.mark.parametrize("form", ["cyclonedx", "spdx"])
def test_twice_gives_the_same_bytes(project: Path, form: str) -> None:
    assert run(".", "--format", form).stdout == run(".", "--format", form).stdout


def test_a_time_is_in_it_only_when_one_is_given(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "timestamp" not in json.loads(run(".").stdout)["metadata"]
    assert json.loads(run(".", "--timestamp", "2026-01-31T12:00:00+02:00").stdout)["metadata"]["timestamp"] == "2026-01-31T10:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert json.loads(run(".").stdout)["metadata"]["timestamp"] == "1970-01-02T00:00:00Z"
    assert json.loads(run(".", "--format", "spdx").stdout)["creationInfo"]["created"] == "1970-01-02T00:00:00Z"


@pytest.mark.parametrize("word", ["yesterday", "2026-13-01", "-"])
def test_what_is_no_time_is_refused(project: Path, word: str) -> None:
    with pytest.raises(UsageError):
        CliRunner().invoke(command, [".", "--timestamp", word], catch_exceptions=False)


def test_what_cannot_be_read_is_said_on_both_sides(project: Path) -> None:
    (project / "broken").mkdir()
    (project / "broken" / "package-lock.json").write_text("{", "utf-8")
    result = run(".", "-o", "bill.json")
    document = json.loads((project / "bill.json").read_text("utf-8"))
    gaps = [row["value"] for row in document["metadata"]["properties"] if row["name"] == "assaymark:gap"]
    assert any("broken/package-lock.json:1: " in gap for gap in gaps)
    assert "broken/package-lock.json" in result.stderr
    assert document["compositions"][0]["aggregate"] == "incomplete"


def test_what_the_policy_excludes_is_left_out(project: Path) -> None:
    (project / "assay.toml").write_text('[checks]\nexclude = ["web/**"]\n', "utf-8")
    assert "web/yarn.lock" not in run(".").stdout


def test_a_folder_without_lock_files_gives_an_empty_bill(tmp_path: Path) -> None:
    result = run(str(tmp_path))
    assert json.loads(result.stdout)["components"] == []
    assert "0 packages of 0 lock files" in result.stderr
