"""Laws of addresses, whole rendered answers, and what arbitrary input may do to the readers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assaymark.checks.infrastructure.pipelines import azure, bitbucket, circleci, github, gitlab, jenkins, tekton
from assaymark.checks.settings import CheckSettings, Secret
from assaymark.checks.shell.reader import read, sequences
from assaymark.model.check import Check, Checked, Dialect, Input, Outcome, Part, Unchecked
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite

SETTINGS = CheckSettings(cache_dir="", installation_key=Secret(b"k"))
GITLAB: Check = gitlab.make(SETTINGS)
JENKINS: Check = jenkins.make(SETTINGS)
GOLDEN = Path(__file__).parent / "golden"
SAMPLES: dict[str, tuple[Check, str, str]] = {
    "gitlab": (GITLAB, "gitlab-ci", "sample.gitlab-ci.yml"),
    "jenkins": (JENKINS, "jenkinsfile", "sample.jenkinsfile"),
    "azure": (azure.make(SETTINGS), "azure-pipelines", "sample.azure-pipelines.yml"),
    "bitbucket": (bitbucket.make(SETTINGS), "bitbucket-pipelines", "sample.bitbucket-pipelines.yml"),
    "circleci": (circleci.make(SETTINGS), "circleci", "sample.circleci.yml"),
    "tekton": (tekton.make(SETTINGS), "tekton", "sample.tekton.yaml"),
    "github": (github.make(SETTINGS), "github-workflow", "sample.github-workflow.yml"),
}


def outcome(check: Check, dialect: str, content: bytes) -> Outcome:
    ((_, found),) = check.run([Input(sha256(content), Dialect(dialect), (Part("", content),))])
    return found


def sites(check: Check, dialect: str, text: str) -> list[tuple[str, str, str]]:
    found = outcome(check, dialect, text.encode())
    assert isinstance(found, Checked), found
    made = []
    for sighting in found.sightings:
        assert isinstance(sighting.site, ConfigurationSite)
        made.append((sighting.rule, sighting.site.resource, sighting.site.attribute))
    return sorted(made)


def rendered(found: Outcome) -> str:
    assert isinstance(found, Checked)
    rows = []
    for each in found.sightings:
        assert isinstance(each.site, ConfigurationSite)
        assert each.span is not None
        place = f"{each.span.start_line}:{each.span.start_column}-{each.span.end_line}:{each.span.end_column}"
        muted = f" muted by {each.suppression.marker!r}" if each.suppression else ""
        rows.append(
            f"{place} {each.rule} {each.severity}/{each.confidence} {each.site.resource} | "
            f"{each.site.attribute}{muted}\n    {each.message}\n"
        )
    return "".join(rows)


@pytest.mark.parametrize("name", SAMPLES)
def test_pipelines_whole_answer_is_the_golden_one(name: str) -> None:
    check, dialect, file = SAMPLES[name]
    found = outcome(check, dialect, (GOLDEN / file).read_bytes())
    assert rendered(found) == (GOLDEN / f"{name}.txt").read_text("utf-8")


def _gitlab_reordered(text: str) -> str:
    head, *jobs = text.split("\n\n")
    return "\n\n".join([head, *reversed([job.rstrip("\n") for job in jobs])]) + "\n"


def _deeper(text: str) -> str:
    """Twice the indentation, list items included."""
    return re.sub(r"(?m)^( *)(- )?", lambda found: found[1] * 2 + ("-   " if found[2] else ""), text)


def _blocks_reordered(text: str) -> str:
    """Neighbouring blocks, which blank lines part, change places as far as they stand at the same depth."""
    blocks = re.split(r"\n\n(?=[ ]+[-\w])", text)
    for at in range(1, len(blocks) - 1):
        if re.match(r" *", blocks[at])[0] == re.match(r" *", blocks[at + 1])[0]:  # type: ignore[index]
            head, below = blocks[at + 1], ""
            rest = re.search(r"\n(?=(?:\w|  pull-requests:|---))", head)
            if rest:
                head, below = head[: rest.start()], head[rest.start() :]
            blocks[at], blocks[at + 1] = head, blocks[at].rstrip("\n") + (below or "\n")
    return "\n\n".join(blocks)


_ALIKE: dict[str, Callable[[str], str]] = {
    "blocks reordered": _blocks_reordered,
    "comments": lambda text: "# one\n" + re.sub(r"(?m)^( *)(- (?:job|step|name|run|checkout))", r"\1# why\n\1\2", text),
    "crlf": lambda text: text.replace("\n", "\r\n"),
    "blank lines": lambda text: re.sub(r"(?m)^( *- (?:job|step|run|name):)", r"\n\n\1", text),
}
EDITS: dict[str, dict[str, Callable[[str], str]]] = {
    "gitlab": {
        "job before": lambda text: "first:\n  script: make\n\n" + text,
        "step before": lambda text: text.replace("  script:\n", "  script:\n    - make quiet\n"),
        "jobs reordered": _gitlab_reordered,
        "comments": lambda text: "# one\n" + text.replace("\n    - ", "\n    # why\n    - "),
        "deeper": _deeper,
        "crlf": lambda text: text.replace("\n", "\r\n"),
    },
    "jenkins": {
        "stage before": lambda text: text.replace("stages {\n", "stages {\n    stage('Quiet') { steps { sh 'make' } }\n", 1),
        "step before": lambda text: text.replace("steps {\n", "steps {\n        sh 'make'\n"),
        "comments": lambda text: "// one\n" + text.replace("steps {\n", "steps { // two\n /* three */\n"),
        "deeper": lambda text: "\n".join("    " + line for line in text.split("\n")),
        "crlf": lambda text: text.replace("\n", "\r\n"),
    },
    "azure": {
        **_ALIKE,
        "job before": lambda text: text.replace("jobs:\n", "jobs:\n  - job: first\n    steps: [{bash: date}]\n", 1),
        "step before": lambda text: text.replace("steps:\n      - ", "steps:\n      - bash: date\n      - "),
        "deeper": _deeper,
    },
    "github": {
        **_ALIKE,
        "job before": lambda text: text.replace("jobs:\n", "jobs:\n  first:\n    steps: [{run: date}]\n", 1),
        "step before": lambda text: text.replace("steps:\n      - ", "steps:\n      - run: date\n      - "),
        "deeper": _deeper,
    },
    "bitbucket": {
        **_ALIKE,
        "step before": lambda text: text.replace("default:\n", "default:\n    - step: {name: first, script: [date]}\n", 1),
        "line before": lambda text: text.replace("script:\n          - curl", "script:\n          - date\n          - curl"),
        "deeper": _deeper,
    },
    "circleci": {
        **_ALIKE,
        "job before": lambda text: text.replace("jobs:\n", "jobs:\n  first: {steps: [checkout]}\n", 1),
        "step before": lambda text: text.replace("- checkout\n", "- checkout\n      - run: date\n"),
        "deeper": _deeper,
    },
    "tekton": {
        **_ALIKE,
        "document before": lambda text: "apiVersion: v1\nkind: ConfigMap\n---\n" + text,
        "step before": lambda text: text.replace("  steps:\n\n", "  steps:\n    - {name: first, image: 'a:1', script: date}\n\n"),
        "deeper": _deeper,
    },
}


@pytest.mark.parametrize(("name", "edit"), [(name, edit) for name, edits in EDITS.items() for edit in edits])
def test_pipelines_addresses_stay_under_edits_elsewhere(name: str, edit: str) -> None:
    check, dialect, file = SAMPLES[name]
    text = (GOLDEN / file).read_text("utf-8").replace("  # assay:allow", "").replace(" // assay:allow", "")
    changed = EDITS[name][edit](text)
    assert changed != text
    assert sites(check, dialect, changed) == sites(check, dialect, text)


@pytest.mark.parametrize("name", SAMPLES)
def test_pipelines_a_batch_answers_as_single_runs_do(name: str) -> None:
    check, dialect, file = SAMPLES[name]
    contents = [(GOLDEN / file).read_bytes(), b"", b"\xff", b"{", b"a: [", b"x"]
    inputs = [Input(sha256(content), Dialect(dialect), (Part("", content),)) for content in contents]
    assert dict(check.run(inputs)) == {each.digest: next(iter(check.run([each])))[1] for each in inputs}


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
    found = outcome(check, dialect, content)
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


def _added(check: Check, dialect: str, text: str, changed: str) -> list[tuple[str, str, str]]:
    before = sites(check, dialect, text)
    after = sites(check, dialect, changed)
    for each in before:
        after.remove(each)
    return after


_DEFECTS: dict[str, tuple[str, str]] = {
    "azure": (
        "      - script: npm ci && npm test\n",
        "      - script: npm ci && npm test\n      - bash: curl -k https://added.example.org\n",
    ),
    "bitbucket": ("          - bash -c", "          - curl -k https://added.example.org\n          - bash -c"),
    "circleci": ("      - checkout\n", "      - checkout\n      - run: curl -k https://added.example.org\n"),
    "github": ("          npm ci\n", "          npm ci\n          curl -k https://added.example.org\n"),
    "tekton": ("                npm ci\n", "                npm ci\n                curl -k https://added.example.org\n"),
}


@pytest.mark.parametrize("name", _DEFECTS)
def test_pipelines_one_more_defect_is_exactly_one_more_sighting(name: str) -> None:
    check, dialect, file = SAMPLES[name]
    text = (GOLDEN / file).read_text("utf-8")
    changed = text.replace(*_DEFECTS[name])
    assert changed != text
    assert [rule for rule, _, _ in _added(check, dialect, text, changed)] == [f"{check.id}/verification-off"]


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


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_pipelines_shell_reader_is_linear_on_hostile_text(text: str) -> None:
    one_outcome(
        GITLAB,
        "gitlab-ci",
        ("j:\n  script: |\n    curl $CI_COMMIT_TITLE\n" + "".join(f"    {line}\n" for line in text.split("\n"))).encode(),
    )
