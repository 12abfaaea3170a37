"""The commands, as a person runs them on a machine of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.dependencies.advisory_samples import record, until

import assaymark

Run = Callable[..., tuple[int, str]]
_PROGRAM = "from assaymark.cli.main import main; main()"


@pytest.fixture
def assay(tmp_path: Path) -> Run:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "ASSAYMARK_", "XDG_"))}
    env |= {
        "HOME": str(tmp_path),
        "ASSAYMARK_CACHE": str(tmp_path / "cache"),
        "ASSAYMARK_KEY": "a key for tests only",
        "ASSAYMARK_DAEMON": "off",
        "PYTHONPATH": str(Path(assaymark.__file__).resolve().parents[1]),
        "COLUMNS": "120",
    }
    (tmp_path / "shop").mkdir()

    def run(*words: str, **more: str) -> tuple[int, str]:
        command = [sys.executable, "-c", _PROGRAM, *words]
        ran = subprocess.run(command, cwd=tmp_path / "shop", env=env | more, capture_output=True, text=True, check=False)
        return ran.returncode, " ".join((ran.stdout + ran.stderr).split())

    return run


def test_from_nothing_to_a_verdict_that_grows_old(assay: Run, tmp_path: Path) -> None:
    code, said = assay("advisories", "status")
    assert code == 3
    assert "run `assay advisories update`" in said
    (tmp_path / "osv").mkdir()
    (tmp_path / "osv" / "one.json").write_text(json.dumps(record("GHSA-1", "lantern", *until("2"))))
    code, said = assay("advisories", "update", "--from", str(tmp_path / "osv"))
    assert code == 0, said
    assert (tmp_path / ".local" / "share" / "assaymark" / "advisories" / "index.db").is_file()
    code, said = assay("advisories", "status", ASSAYMARK_TODAY="2030-01-01")
    assert code == 0, said
    assert "PyPI 1 packages" in said
    assert "days old" in said
    (tmp_path / "shop" / "requirements.txt").write_text("lantern==2.0\n")
    code, said = assay("check", "--all", ".", ASSAYMARK_TODAY="2030-01-01")
    assert code == 0, said
    assert "lock files were compared with advisories of" in said


def test_words_that_make_no_sense_are_refused(assay: Run, tmp_path: Path) -> None:
    for words in (("--from", "http://example.org"), ("--from", "nowhere"), ("--from", str(tmp_path), "--ecosystem", "npm")):
        code, said = assay("advisories", "update", *words)
        assert code == 2, said
        assert "do this:" in said


def test_vex_without_advisories_is_an_error_and_no_empty_document(assay: Run, tmp_path: Path) -> None:
    (tmp_path / "shop" / "requirements.txt").write_text("lantern==1.0\n")
    code, said = assay("vex", "--author", "ana@example.org")
    assert code == 3, said
    assert "assay advisories update" in said
