"""Laws of addresses, and whole rendered answers."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.pipelines.pipelines_asking import GOLDEN, SAMPLES, outcome, sites_of

from assaymark.model.check import Check, Checked, Dialect, Input, Outcome, Part
from assaymark.model.digest import sha256
from assaymark.model.finding import ConfigurationSite


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
    found = outcome(check, (GOLDEN / file).read_bytes(), dialect)
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
    assert sites_of(check, changed, dialect) == sites_of(check, text, dialect)


@pytest.mark.parametrize("name", SAMPLES)
def test_pipelines_a_batch_answers_as_single_runs_do(name: str) -> None:
    check, dialect, file = SAMPLES[name]
    contents = [(GOLDEN / file).read_bytes(), b"", b"\xff", b"{", b"a: [", b"x"]
    inputs = [Input(sha256(content), Dialect(dialect), (Part("", content),)) for content in contents]
    assert dict(check.run(inputs)) == {each.digest: next(iter(check.run([each])))[1] for each in inputs}


def _added(check: Check, dialect: str, text: str, changed: str) -> list[tuple[str, str, str]]:
    before = sites_of(check, text, dialect)
    after = sites_of(check, changed, dialect)
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
