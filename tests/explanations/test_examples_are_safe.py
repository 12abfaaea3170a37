"""Every family is explained, has its CWE and its place in OWASP's Top 10, and an example for each kind of file in which our checks find it.

The examples are put before our own checks: the safe one brings no finding of its family. Where it shows the unsafe line too, that line is
put in its place, and must be found. Nothing here goes over a network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest
from msgspec import Struct

from assaymark.model.rules import catalogue
from assaymark.views.examples import DIALECTS, PLATFORMS, Example, examples
from assaymark.views.explain import explanation, safe_code

NO_WEAKNESS = {"unchecked"}
LANGUAGES = {
    "bandit": "python", "ruff": "python", "go": "go", "java": "java", "javascript": "javascript", "php": "php", "dockerfile": "dockerfile",
    "terraform": "hcl", "jenkins": "groovy", "apache": "ini", "nginx": "ini",
}  # fmt: skip
"""Tool of ours -> the language of what it reads; what is read by several platforms is in `PLATFORMS`."""
ELSEWHERE = {"secrets", "dependencies", "image", "semgrep", "gitleaks", "sonarqube", "trivy", "zap"}
"""Tools that read what is no language (values, lock files, layers, services), or every one."""
FILES = {
    "azure": "azure-pipelines.yml", "bitbucket": "bitbucket-pipelines.yml", "circleci": ".circleci/config.yml", "compose": "compose.yaml",
    "dockerfile": "Dockerfile", "github": ".github/workflows/w.yml", "gitlab": ".gitlab-ci.yml", "groovy": "Jenkinsfile",
    "kubernetes": "k8s/app.yaml", "tekton": "tekton/task.yaml", "hcl": "main.tf", "nginx": "nginx.conf", "apache": "httpd.conf",
    "python": "app.py",
}  # fmt: skip
CLASSES = sorted(str(name) for name in catalogue().classes)


def met_in() -> list[tuple[str, str, str]]:
    """(family, language, platform), as the rules of our checks say."""
    found = set()
    for rule in catalogue().rules.values():
        tool = rule.id.partition("/")[0]
        if tool not in ELSEWHERE and rule.rule_class not in NO_WEAKNESS:
            platform = PLATFORMS.get(tool, "")
            language = LANGUAGES.get(tool, "yaml")
            found.add((str(rule.rule_class), language, "" if language == "ini" else platform))
    return sorted(found)


@pytest.mark.parametrize("name", CLASSES)
def test_a_family_has_its_explanation_its_cwe_and_its_place(name: str) -> None:
    page, row = explanation(catalogue().classes[name].id), catalogue().classes[name]  # type: ignore[index]
    assert page.why
    assert page.exploit
    assert page.safe
    if name not in NO_WEAKNESS:
        assert row.cwe > 0
        assert [place[-4:] for place in row.owasp] == ["2021", "2025"]
        assert all(re.fullmatch(r"A(0[1-9]|10):\d{4}", place) for place in row.owasp)


@pytest.mark.parametrize(("family", "language", "platform"), met_in())
def test_a_family_has_an_example_for_each_kind_of_file_that_it_is_met_in(family: str, language: str, platform: str) -> None:
    blocks = safe_code(explanation(catalogue().classes[family].id), language, platform)  # type: ignore[index]
    fits = [block for block in blocks if (block.platform == platform if platform else block.language == language)]
    assert fits, f"write one in views/examples/*.md under `## {family}`"


def test_every_tool_is_said_to_read_something() -> None:
    tools = {rule.id.partition("/")[0] for rule in catalogue().rules.values()}
    assert tools <= LANGUAGES.keys() | PLATFORMS.keys() | ELSEWHERE


# --- before our own checks -------------------------------------------------------------------------------------------


class Shown(Struct, frozen=True):
    """An example with its place in the folder that is checked."""

    example: Example
    number: int

    @property
    def file(self) -> str:
        return FILES[self.example.platform or self.example.language]

    @property
    def name(self) -> str:
        return f"{self.example.family}-{self.example.platform or self.example.language}"


ALL = [Shown(each, number) for number, each in enumerate(each for name in CLASSES for each in examples(name))]
IN_WORDS = {
    "the password as a text in this file",
    "ENV with the password as a text",
    "without rules, so that every branch deploys",
    "listening on every address",
    "without a revision, so that others choose what is loaded",
    "with the secrets of a deployment in its environment",
    "bindings: [{ ref: push }]",
}
"""What is unsafe and no line that could be put in place: a secret, which does not belong here either, or something that is missing."""


def unsafe(code: str) -> str:
    """The same with the unsafe line in place of the one below it; empty when it is told in words."""
    lines, made, taken = code.split("\n"), [], False
    skip = False
    for line in lines:
        found = re.fullmatch(r"(\s*)(?:#|//) unsafe: (.*)", line)
        if found:
            if found[2] in IN_WORDS:
                return ""
            made.append(found[1] + found[2])
            skip = taken = True
        elif skip:
            skip = False
        else:
            made.append(line)
    return "\n".join(made) if taken else ""


@cache
def seen(folder: Path) -> dict[str, frozenset[str]]:
    """Families that our checks find, by the first two parts of the path."""
    for shown in ALL:
        for kind, code in (("safe", shown.example.code), ("unsafe", unsafe(shown.example.code))):
            if code:
                file = folder / f"{kind}-{shown.number}" / shown.file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(code + "\n", "utf-8")
    program = "from assaymark.cli.main import main; main()"
    words = [sys.executable, "-c", program, "check", str(folder), "--all", "--format", "json", "--no-memory"]
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode in {0, 1, 5}
    assert done.stdout, done.stderr[-2000:]
    found: dict[str, set[str]] = defaultdict(set)
    for judged in json.loads(done.stdout)["verdict"]["findings"]:
        finding = judged["finding"]
        if "engine-missing" in finding["core"][2]:
            continue  # of advisories, which examples are not about
        found[finding["place"]["path"].partition("/")[0]].add(finding["core"][1])
    return {name: frozenset(families) for name, families in found.items()}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, frozenset[str]]:
    return seen(tmp_path_factory.mktemp("examples"))


@pytest.mark.parametrize("shown", ALL, ids=lambda shown: shown.name)
def test_the_safe_example_brings_no_finding_of_its_family(shown: Shown, checked: dict[str, frozenset[str]]) -> None:
    found = checked.get(f"safe-{shown.number}", frozenset())
    assert shown.example.family not in found
    assert "unchecked" not in found, "our own checks cannot read it"


@pytest.mark.parametrize("shown", [each for each in ALL if unsafe(each.example.code)], ids=lambda shown: shown.name)
def test_the_unsafe_line_in_its_place_is_found(shown: Shown, checked: dict[str, frozenset[str]]) -> None:
    assert shown.example.family in checked.get(f"unsafe-{shown.number}", frozenset())


def test_no_section_is_overlooked() -> None:
    """A heading or fence that is written otherwise would be no example, and nobody would notice."""
    from importlib.resources import files  # noqa: PLC0415 - of this test alone

    folder = files("assaymark.views") / "examples"
    texts = {dialect: (folder / f"{dialect}.md").read_text("utf-8") for dialect in DIALECTS}
    assert {entry.name for entry in folder.iterdir()} == {f"{dialect}.md" for dialect in DIALECTS} | {"commands.toml"}
    headings = [line[3:] for text in texts.values() for line in text.splitlines() if re.fullmatch(r"## \S+", line)]
    assert set(headings) <= {*CLASSES, "*"}
    written = sum(heading != "*" for heading in headings)
    by_hand = sum("{safe}" not in each.code for name in CLASSES for each in examples(name))
    assert by_hand >= written
