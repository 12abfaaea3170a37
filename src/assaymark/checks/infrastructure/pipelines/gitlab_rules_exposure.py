"""Rules of GitLab CI: secrets in logs and artifacts, switches that open what should be closed, and foreign text in scripts.

Passwords written out in ``variables`` are left to the secrets check: it sees every file, and two findings for one password help nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.gitlab_document import Gitlab, Job
from assaymark.checks.infrastructure.pipelines.pipeline_rules import script_flaws, variable_flaws
from assaymark.checks.infrastructure.pipelines.scripts import Script, place, within
from assaymark.checks.infrastructure.pipelines.vocabulary import SECRET_PATH, is_true
from assaymark.checks.reading.yaml_tree import Keyed, Scalar, scalar_text, scalars_below
from assaymark.checks.rulebook import Flaw
from assaymark.checks.shell.facts import Foreign, names_a_secret, written_to
from assaymark.checks.shell.reader import Command, expansions, read
from assaymark.model.severity import Severity

_TEXT = (
    "CI_COMMIT_MESSAGE CI_COMMIT_TITLE CI_COMMIT_DESCRIPTION CI_COMMIT_TAG_MESSAGE CI_COMMIT_AUTHOR CI_MERGE_REQUEST_TITLE "
    "CI_MERGE_REQUEST_DESCRIPTION CI_MERGE_REQUEST_LABELS CI_MERGE_REQUEST_MILESTONE GITLAB_USER_NAME TRIGGER_PAYLOAD"
)
_NAMES = (
    "CI_COMMIT_REF_NAME CI_COMMIT_BRANCH CI_COMMIT_TAG CI_BUILD_REF_NAME CI_MERGE_REQUEST_SOURCE_BRANCH_NAME CI_MERGE_REQUEST_REF_PATH "
    "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME"
)
FOREIGN: Foreign = {**dict.fromkeys(_TEXT.split(), "text"), **dict.fromkeys(_NAMES.split(), "name")}
"""Predefined variables whose value comes from whoever pushes or opens a merge request; a branch name may hold ``$(…)`` but no space."""
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


def _variables(file: Gitlab) -> Iterator[tuple[str, Scalar, Scalar]]:
    """Every variable that is written down: owner, key, value."""
    for owner, node in file.owners("variables"):
        for key, value in node.named() if isinstance(node, Keyed) else ():
            plain = value.get("value") if isinstance(value, Keyed) else value
            if isinstance(plain, Scalar):
                yield owner, key, plain


def foreign_variables(file: Gitlab) -> Foreign:
    """The predefined ones, and variables of the file that are made of them."""
    found = dict(FOREIGN)
    for _, key, value in _variables(file):
        kinds = {FOREIGN[name] for name in _VARIABLE.findall(value.text) if name in FOREIGN}
        if kinds:
            found[key.text] = "text" if "text" in kinds else "name"
    return found


def scripts(file: Gitlab) -> Iterator[Flaw]:
    """The rules about shell text, over every script of the file."""
    foreign = foreign_variables(file)
    yield from script_flaws(file.scripts, file.lines, foreign)


_EXPANDED = re.compile(r"\$\[\[\s*(inputs\.[\w-]+)[^\]]*\|\s*expand_vars[^\]]*\]\]")


def input_expanded(file: Gitlab) -> Iterator[Flaw]:
    """An input of a component is pasted into a script with variables resolved first."""
    for script in file.scripts:
        for scalar in script.scalars:
            for found in _EXPANDED.finditer(scalar.text):
                span = within(scalar, found.start(), len(found.group()), file.lines)
                message = f"{found[1]} is pasted into the script after variables in it were resolved, so their content becomes commands"
                yield Flaw("input-expanded", script.owner, f"{script.key}: {found[1]}", message, span)


def debug_trace(file: Gitlab) -> Iterator[Flaw]:
    """Every variable and command of the job is written to the log."""
    for owner, key, value in _variables(file):
        if key.text in {"CI_DEBUG_TRACE", "CI_DEBUG_SERVICES"} and is_true(value):
            severity = Severity.LOW if key.text == "CI_DEBUG_SERVICES" else None
            message = f"{key.text} writes what the job knows to the log, secrets included"
            yield Flaw("debug-trace", owner, f"variables.{key.text}", message, key.span, severity)


def docker_tls_off(file: Gitlab) -> Iterator[Flaw]:
    """The Docker service is told to work without TLS."""
    for owner, key, value in _variables(file):
        if key.text == "DOCKER_TLS_CERTDIR" and not value.text.strip():
            message = "The Docker service listens without TLS; every other container of the job can command it"
            yield Flaw("docker-tls-off", owner, "variables.DOCKER_TLS_CERTDIR", message, key.span)


def variable_switches(file: Gitlab) -> Iterator[Flaw]:
    """Variables that switch verification off or address Docker in the clear."""
    yield from variable_flaws((owner, "variables", key, value) for owner, key, value in _variables(file))


def artifact_holds_secret(file: Gitlab) -> Iterator[Flaw]:
    """Files that usually hold secrets are kept as artifacts."""
    for owner, artifacts in file.owners("artifacts"):
        if not isinstance(artifacts, Keyed):
            continue
        closed = scalar_text(artifacts.get("public")) == "false" or scalar_text(artifacts.get("access")) in {
            "none",
            "developer",
            "maintainer",
        }
        for node in scalars_below(artifacts.get("paths"), set()):
            if SECRET_PATH.search(node.text):
                message = f"{node.text} usually holds secrets, and everyone who may see the job can download it"
                yield Flaw(
                    "artifact-holds-secret", owner, f"artifacts.paths: {node.text}", message, node.span, Severity.LOW if closed else None
                )


_WRITES = re.compile(r"\b(?:echo|printf|cat)\b[^\n]{0,2000}>")


def secret_in_artifact(file: Gitlab) -> Iterator[Flaw]:
    """A secret is written into a file that the same job keeps as an artifact."""
    jobs = {job.name: job for job in file.jobs}
    for script in file.scripts:
        text = script.text
        if ">" not in text or script.owner not in jobs or not _WRITES.search(text):
            continue
        paths = _kept(file, jobs[script.owner])
        for command in read(text) if paths else ():
            target = written_to(command.words).removeprefix("./")
            name = _secret_in(command) if target in paths else ""
            if name:
                yield _artifact_flaw(script, command, name, target, file)


def _artifact_flaw(script: Script, command: Command, name: str, target: str, file: Gitlab) -> Flaw:
    message = f"{name} is written to {target}, which is kept as an artifact for everyone who may see the job"
    span = place(script, command.start, command.end, file.lines)
    return Flaw("secret-in-artifact", script.owner, f"{script.key}: {name} in {target}", message, span)


def _kept(file: Gitlab, job: Job) -> frozenset[str]:
    artifacts = file.effective(job, "artifacts")
    if not isinstance(artifacts, Keyed):
        return frozenset()
    reports = artifacts.get("reports")
    places = [artifacts.get("paths"), reports.get("dotenv") if isinstance(reports, Keyed) else None]
    return frozenset(node.text.removeprefix("./") for each in places for node in scalars_below(each, set()))


def _secret_in(command: Command) -> str:
    if command.program()[0] not in {"echo", "printf", "cat"}:
        return ""
    return next((name for word in command.words for name, _ in expansions(word) if names_a_secret(name)), "")
