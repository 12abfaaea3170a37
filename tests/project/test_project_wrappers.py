"""The wrappers for forges are thin: they run, and ask the command line for nothing that it does not have."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
import yaml

import assaymark
from assaymark.cli.main import COMMANDS, cli
from assaymark.views.formats import FORMATS

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
COMPONENT = ROOT / "ci" / "gitlab" / "templates" / "assay.yml"
JENKINSFILE = ROOT / "ci" / "jenkins" / "Jenkinsfile.example"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
PACKAGE = str(Path(assaymark.__file__).resolve().parents[1])
"""Where the package under test lies, for processes that start in another folder."""
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"


def options_of(name: str) -> set[str]:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    return {option for parameter in command.params for option in parameter.opts}


def bad_change(folder: Path) -> tuple[str, str]:
    """Build the demo's sample at `folder`; the ids of main and of its bad branch, which is checked out."""
    subprocess.run([sys.executable, str(ROOT / "demo" / "build_sample.py"), str(folder)], check=True, capture_output=True)

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True).stdout.strip()

    git("switch", "--quiet", "feature/fast-export")
    return git("rev-parse", "main"), git("rev-parse", "feature/fast-export")


class Place(NamedTuple):
    """Where a wrapper runs: the sample with its bad branch checked out, and folders that belong to one test."""

    sample: Path
    scratch: Path
    cache: Path
    base: str
    head: str


@pytest.fixture
def place(tmp_path: Path, prepared_cache: Path) -> Place:
    return Place(tmp_path / "sample", tmp_path, prepared_cache, *bad_change(tmp_path / "sample"))


def environment(place: Place, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAYMARK_", "GITHUB_", "CI_"))}
    own = {"HOME": str(place.scratch), "ASSAYMARK_CACHE": str(place.cache), "ASSAYMARK_DAEMON": "off", "PYTHONPATH": PACKAGE}
    return kept | own | more


@pytest.mark.parametrize("wrapper", [ACTION, COMPONENT, JENKINSFILE], ids=lambda path: path.name)
def test_a_wrapper_uses_only_options_and_formats_that_exist(wrapper: Path) -> None:
    text = wrapper.read_text("utf-8")
    asked = {name for line in text.splitlines() if "pip" not in line for name in re.findall(r"(?<![\w-])--[a-z][a-z-]*", line)}
    foreign = {"--require-hashes", "--only-binary"}
    assert asked - foreign <= options_of("check")
    formats = set(re.findall(r"--(?:report|format) \"?([a-z-]+)", text))
    assert formats
    assert formats <= set(FORMATS)


def test_the_hooks_of_pre_commit_call_commands_that_exist() -> None:
    hooks: list[dict[str, Any]] = yaml.safe_load(HOOKS.read_text("utf-8"))
    assert [(hook["id"], hook["stages"]) for hook in hooks] == [("assay", ["pre-commit"]), ("assay-push", ["pre-push"])]
    for hook in hooks:
        called = re.findall(r"\bassay ([a-z]+)", hook["entry"])
        assert called
        assert set(called) <= set(COMMANDS)


def run_hook(number: int, place: Place, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a hook's entry as pre-commit does: split like a shell's words, without standard input."""
    programs = place.scratch / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "assay").write_text(f'#!/bin/sh\nexec {sys.executable} -c "from assaymark.cli.main import main; main()" "$@"\n', "utf-8")
    (programs / "assay").chmod(0o755)
    hook = yaml.safe_load(HOOKS.read_text("utf-8"))[number]
    env = environment(place, PATH=f"{programs}:{os.environ['PATH']}", **more)
    command = shlex.split(hook["entry"])
    return subprocess.run(command, cwd=place.sample, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def test_the_push_hook_of_pre_commit_stops_a_bad_push(place: Place) -> None:
    ran = run_hook(1, place, PRE_COMMIT_FROM_REF=place.base, PRE_COMMIT_TO_REF=place.head)
    assert ran.returncode == 1, ran.stderr
    assert "export.py" in ran.stdout


def test_the_commit_hook_of_pre_commit_looks_at_what_is_staged(place: Place) -> None:
    assert run_hook(0, place).returncode == 0
    (place.sample / "harbour" / "late.py").write_text(
        "import subprocess\n\n\ndef late(name):\n    subprocess.run(f'ls {name}', shell=True)\n", "utf-8"
    )
    subprocess.run(["git", "-C", str(place.sample), "add", "harbour/late.py"], check=True)
    ran = run_hook(0, place)
    assert ran.returncode == 1, ran.stderr
    assert "late.py" in ran.stderr + ran.stdout


def run_action(place: Place, **more: str) -> tuple[int, str, str]:
    """Run the action's second step as the runner would; exit code, what it printed, its outputs."""
    step = yaml.safe_load(ACTION.read_text("utf-8"))["runs"]["steps"][1]
    blank = dict.fromkeys(step["env"], "")
    for name in ("PYTHONPATH", "ASSAYMARK_DAEMON"):
        del blank[name]
    outputs, summary = place.scratch / "outputs", place.scratch / "summary"
    outputs.write_text("")
    env = environment(place) | blank | {"PYTHON": sys.executable, "GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(summary)} | more
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    ran = subprocess.run(command, cwd=place.sample, env=env, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr, outputs.read_text()


def test_the_action_stops_a_bad_pull_request_and_leaves_its_reports(place: Place) -> None:
    code, said, outputs = run_action(place, EVENT="pull_request", PULL_BASE=place.base, PULL_HEAD=place.head, SARIF="assay.sarif")
    assert code == 1, said
    assert "exit-code=1" in outputs
    assert "::error" in said
    assert "export.py" in (place.scratch / "summary").read_text("utf-8")
    sarif = json.loads((place.sample / "assay.sarif").read_text("utf-8"))
    assert sarif["runs"][0]["results"]


def test_the_action_does_not_let_an_input_become_a_command(place: Place) -> None:
    code, said, _ = run_action(place, TARGET='main"; touch pwned; "', ARGUMENTS="--verbose $(touch pwned)")
    assert code == 2, said
    assert not (place.sample / "pwned").exists()


def test_the_gitlab_component_stops_a_bad_merge_request_and_leaves_its_reports(place: Place) -> None:
    _, jobs = yaml.safe_load_all(COMPONENT.read_text("utf-8"))
    (job,) = jobs.values()
    script = "\n".join(job["script"]).replace("$[[ inputs.arguments ]]", "")
    called = f"{sys.executable} -c 'from assaymark.cli.main import main; main()'"
    env = environment(place, CI_MERGE_REQUEST_DIFF_BASE_SHA=place.base, CI_COMMIT_SHA=place.head)
    command = ["bash", "-eo", "pipefail", "-c", script.replace("/tmp/assaymark/bin/assay", called)]
    ran = subprocess.run(command, cwd=place.sample, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    for report in job["artifacts"]["reports"].values():
        assert json.loads((place.sample / report).read_text("utf-8"))


def test_the_gitlab_component_declares_every_input_that_it_uses() -> None:
    text = COMPONENT.read_text("utf-8")
    header, _ = yaml.safe_load_all(text)
    body = text.partition("\n---\n")[2]
    assert set(re.findall(r"\$\[\[ inputs\.([a-z-]+) \]\]", body)) == set(header["spec"]["inputs"])


def test_the_action_declares_every_input_that_it_uses_and_pastes_none_into_a_script() -> None:
    text = ACTION.read_text("utf-8")
    action = yaml.safe_load(text)
    assert set(re.findall(r"inputs\.([a-z-]+)", text)) == set(action["inputs"])
    assert [step["name"] for step in action["runs"]["steps"] if "${{" in step["run"]] == []


def test_our_own_pipeline_pins_its_actions_and_has_no_rights_by_default() -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    assert workflow["permissions"] == {}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert [name for name in used if name != "$/" and not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name)] == []
    assert "make test" in [step.get("run") for step in steps]
    assert all("permissions" in job and "timeout-minutes" in job for job in workflow["jobs"].values())
