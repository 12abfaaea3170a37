"""`assay revoke` in a list of one's own: what stands there stays, the same is once, and what makes no sense is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from assaymark.cli.revoke import command
from assaymark.endorsement import revocation
from assaymark.endorsement.revocation import Target
from assaymark.errors import AssayError, UsageError
from assaymark.model.assessment import Instant

KEY = "SHA256:" + "k" * 43


def run(*words: str) -> Result:
    return CliRunner().invoke(command, list(words))


def test_a_list_grows_and_the_same_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "revocations.json"
    for words in (
        ("key", KEY, "--until", "2026-11-28T09:00:00Z"),
        ("engine", "rules@sha256:1"),
        ("engine", "rules@sha256:1"),
    ):
        assert run(*words, "--reason", "copied", "--list", str(path)).exit_code == 0
    found = revocation.read(path.read_bytes())
    assert set(found) == {(Target.KEY, KEY), (Target.ENGINE, "rules@sha256:1")}
    first = revocation.first(found, [(Target.KEY, KEY)], Instant(0))
    assert first is not None
    assert (first.number, first.reason) == (1, "copied")
    assert b'"number": 2' in path.read_bytes()


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("key", KEY), "reason"),
        (("key", KEY, "--reason", "x", "--since", "soon"), "window"),
        (("key", KEY, "--reason", "x", "--since", "2026-02-01T00:00:00Z", "--until", "2026-01-01T00:00:00Z"), "ends before"),
        (("component", "pkg:npm/lodash", "--reason", "x"), "package"),
    ],
)
def test_what_makes_no_sense_is_refused_and_writes_nothing(tmp_path: Path, words: tuple[str, ...], what: str) -> None:
    path = tmp_path / "revocations.json"
    said = run(*words, "--list", str(path))
    assert isinstance(said.exception, UsageError)
    assert what in str(said.exception)
    assert not path.exists()


def test_a_file_that_is_no_list_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "revocations.json"
    path.write_text('{"number": 1, "number": 2}')
    assert isinstance(run("key", KEY, "--reason", "x", "--list", str(path)).exception, UsageError)
    assert path.read_text() == '{"number": 1, "number": 2}'


@pytest.mark.parametrize("server", ["", "http://assay.example", "ftp://assay.example"])
def test_a_token_is_sent_over_tls_only(monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    monkeypatch.setenv("ASSAYMARK_TOKEN", "t")
    monkeypatch.delenv("ASSAYMARK_SERVER", raising=False)
    assert isinstance(run("key", KEY, "--reason", "x", "--server", server).exception, AssayError)
