"""zizmor: every input ends as checked or unchecked, and addresses do not move."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from assaymark.checks.infrastructure.pipelines import zizmor_engine
from assaymark.checks.infrastructure.pipelines.zizmor import make
from assaymark.checks.infrastructure.pipelines.zizmor_advice import ADVICE
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.errors import EngineMissing
from assaymark.model.check import Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite
from assaymark.model.rules import catalogue

CHECK = make(CheckSettings(cache_dir="", installation_key=Secret(b"k")))
HEAD = "name: x\non: push\npermissions: {}\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n"
STEP = "      - name: greet\n        run: echo ${{ github.head_ref }}\n"
USES = "      - uses: actions/checkout@v4\n"


def an_input(text: str | bytes, dialect: str = "workflow") -> Input:
    content = text.encode() if isinstance(text, str) else text
    return Input(sha256(content), Dialect(dialect), (Part("", content),))


def outcome(text: str | bytes, dialect: str = "workflow") -> Outcome:
    ((_, found),) = CHECK.run([an_input(text, dialect)])
    return found


def sites(text: str) -> list[tuple[str, str, str]]:
    found = outcome(text)
    assert isinstance(found, Checked), found
    made = []
    for sighting in found.sightings:
        assert isinstance(sighting.site, ConfigurationSite)
        made.append((sighting.rule, sighting.site.resource, sighting.site.attribute))
    return sorted(made)


def test_zizmor_finding_has_the_names_of_job_and_step_as_address() -> None:
    assert ("zizmor/template-injection", "jobs.build.steps[greet]", "run: github.head_ref") in sites(HEAD + STEP)
    assert ("zizmor/unpinned-uses", "jobs.build.steps[actions/checkout]", "uses: actions/checkout") in sites(HEAD + USES)


@pytest.mark.parametrize(
    "edited",
    [
        HEAD + "      - run: make\n" + STEP + USES,
        HEAD + USES.replace("v4", "v5") + STEP,
        HEAD.replace("jobs:\n", "jobs:\n  other:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n") + STEP + USES,
        "# words\n\n" + HEAD + STEP + USES,
        (HEAD + STEP + USES).replace("\n", "\r\n"),
    ],
    ids=["step-before", "raised-and-swapped", "job-before", "comment", "crlf"],
)
def test_zizmor_address_stays_when_the_surroundings_change(edited: str) -> None:
    assert sites(edited) == sites(HEAD + STEP + USES)


def test_zizmor_the_same_flaw_twice_counts_twice() -> None:
    once, twice = sites(HEAD + USES), sites(HEAD + USES + USES)
    assert sorted(once + once) == twice


def test_zizmor_span_counts_code_points() -> None:
    found = outcome(HEAD + "      - run: echo é ${{ github.head_ref }}\n")
    assert isinstance(found, Checked)
    (span,) = [s.span for s in found.sightings if s.rule == "zizmor/template-injection"]
    assert span is not None
    assert (span.start_line, span.start_column, span.end_column) == (8, 25, 40)


def test_zizmor_its_ignore_comment_is_recorded_and_nothing_is_dropped() -> None:
    found = outcome(HEAD + "      - run: echo ${{ github.head_ref }} # zizmor: ignore[template-injection] reviewed\n" + USES)
    assert isinstance(found, Checked)
    by_rule = {str(s.rule): s.suppression for s in found.sightings}
    marked = by_rule["zizmor/template-injection"]
    assert marked is not None
    assert (marked.line, marked.marker) == (8, "# zizmor: ignore[template-injection] reviewed")
    assert by_rule["zizmor/unpinned-uses"] is None


ODD: list[tuple[bytes, str, str, int]] = [
    (b"on: push\njobs: [\n", "workflow", "syntax", 3),
    (b"on: push\non: push\njobs: {}\n", "workflow", "syntax", 1),
    (b"on: push\njobs:\n  x:\n    steps: 3\n", "workflow", "schema", 3),
    (b"hello: 1\n", "workflow", "schema", 1),
    (b"name: \xff\n", "workflow", "encoding", 1),
    (b"name: a\ndescription: b\nruns:\n  using: composite\n  steps: 3\n", "action", "schema", 3),
    (b"version: 2\n", "dependabot", "schema", 1),
    (b"a: " + b"[" * 3000 + b"]" * 3000, "workflow", "size", 1),
    (b"a: b\n" * 400_000, "workflow", "size", 0),
]


@pytest.mark.parametrize(("content", "dialect", "reason", "line"), ODD)
def test_zizmor_a_file_that_it_passes_over_is_unchecked_with_the_reason(content: bytes, dialect: str, reason: str, line: int) -> None:
    found = outcome(content, dialect)
    assert isinstance(found, Unchecked)
    assert (found.reason_class, found.line) == (reason, line)


def test_zizmor_a_reason_holds_no_value_of_the_file() -> None:
    word = "hunter" + "2"
    found = outcome(f"on: push\njobs:\n  x:\n    runs-on: ubuntu-latest\n    env: {word}\n    steps: []\n")
    assert isinstance(found, Unchecked)
    assert word not in found.reason


def test_zizmor_a_batch_answers_as_single_runs_do() -> None:
    inputs = [an_input(content, dialect) for content, dialect, _, _ in ODD]
    inputs += [an_input(HEAD + STEP), an_input(HEAD + USES), an_input(b""), an_input(b"# words\n"), an_input(b"galaxy: role\n", "action")]
    singles = {each.digest: next(iter(CHECK.run([each])))[1] for each in inputs}
    batch = list(CHECK.run(inputs))
    assert len(batch) == len(inputs)
    assert dict(batch) == singles
    assert singles[an_input(b"").digest] == Checked(skipped="empty")
    assert singles[an_input(b"galaxy: role\n").digest] == Checked(skipped="other-format")


def test_zizmor_a_failing_process_leaves_no_input_without_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], 101, b"", b"panicked")

    monkeypatch.setattr(subprocess, "run", broken)
    found = list(CHECK.run([an_input(HEAD + STEP), an_input(HEAD + USES)]))
    assert [each.reason_class for _, each in found if isinstance(each, Unchecked)] == ["engine-failed", "engine-failed"]


def test_zizmor_missing_engine_is_an_error_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    zizmor_engine.installed.cache_clear()
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(EngineMissing) as caught:
        CHECK.knowledge()
    assert caught.value.advice
    monkeypatch.undo()
    zizmor_engine.installed.cache_clear()


def test_zizmor_knowledge_starts_no_process_and_is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    best = 1.0
    for _ in range(20):
        zizmor_engine.installed.cache_clear()
        start = time.perf_counter()
        CHECK.knowledge()
        best = min(best, time.perf_counter() - start)
    assert best < 0.002


def test_zizmor_every_audit_of_the_installed_version_has_class_and_advice() -> None:
    with open(zizmor_engine.installed().binary, "rb") as file:  # noqa: PTH123
        program = file.read()
    rows = {name.removeprefix("zizmor/") for name in catalogue().rules if name.startswith("zizmor/")}
    assert rows == ADVICE.keys()
    assert [name for name in sorted(rows) if name.encode() not in program] == []
    answer = subprocess.run(
        [zizmor_engine.installed().binary, "--offline", "-vv", "-"], input=HEAD.encode() + STEP.encode(), capture_output=True, check=False
    )
    named = {line.rsplit(b"scheduling ", 1)[1].split(b" ")[0].decode() for line in answer.stderr.splitlines() if b"scheduling " in line}
    assert len(named) > 30
    assert named <= rows


@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        (".github/workflows/a.yml", "workflow"),
        ("x/.github/workflows/a.yaml", "workflow"),
        (".github/workflows/sub/a.yml", None),
        ("action.yml", "action"),
        ("a/b/action.yaml", "action"),
        ("transaction.yml", None),
        (".github/dependabot.yml", "dependabot"),
        ("dependabot.yml", None),
    ],
)
def test_zizmor_files_are_selected_by_name(path: str, dialect: str | None) -> None:
    assert CHECK.select(path) == dialect
