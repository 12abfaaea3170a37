"""Rules of Azure Pipelines: what a pipeline takes from elsewhere, where it runs, and which rights its jobs hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.azure_document import Azure, conditional, span_of
from assaymark.checks.infrastructure.pipelines.pipeline_rules import INFO, LOW, Written, image_flaws, kept_file_flaws
from assaymark.checks.infrastructure.pipelines.vocabulary import COMMIT, MOVING_REF, SECURITY_JOB, is_true, words
from assaymark.checks.infrastructure.pipelines.walking import at, entries, text_at
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw

_HOSTED = re.compile(r"azure pipelines|hosted |\$[({]", re.IGNORECASE)
_SECURITY_TASK: Final = words(
    "credscan advancedsecurity-codeql-analyze advancedsecurity-dependency-scanning sonarqubeanalyze sonarcloudanalyze whitesource"
    " mend snyksecurityscan microsoftsecuritydevops trivy checkmarx veracode fortifyscacentos aquascanner dependency-check-build-task"
    " gitleaks postanalysis policheck binskim semmle codeqltasks"
)
_KEPT: Final = ("targetPath", "PathtoPublish", "path")


def _images(file: Azure) -> Iterator[Written]:
    """Container images that are written down: of resources, jobs and services."""
    named = set()
    for each in entries(at(file.root, "resources", "containers")):
        named.add(text_at(each, "container"))
        node = at(each, "image")
        if isinstance(node, Scalar):
            yield "resources", "containers.image", node
    for owner, place in file.places:
        container = place.get("container")
        node = at(container, "image") if isinstance(container, Keyed) else container
        if isinstance(node, Scalar) and node.text not in named and not node.text.startswith("$"):
            yield owner, "container.image" if isinstance(container, Keyed) else "container", node


def image_unpinned(file: Azure) -> Iterator[Flaw]:
    """An image whose tag moves, or that has none; a bare word is an alias that a template's caller declares."""
    yield from image_flaws((owner, key, node) for owner, key, node in _images(file) if key != "container" or re.search(r"[/:]", node.text))


def repository_unpinned(file: Azure) -> Iterator[Flaw]:
    """Templates or sources of another repository that follow a branch."""
    for each in entries(at(file.root, "resources", "repositories")):
        name, kind, ref = text_at(each, "name"), text_at(each, "type"), text_at(each, "ref")
        node = at(each, "repository")
        if not isinstance(node, Scalar) or "$" in ref or ref.startswith("refs/tags/") or COMMIT.search(ref):
            continue
        if not ref or ref.startswith("refs/heads/") or MOVING_REF.match(ref):
            shown = f"the branch {ref.removeprefix('refs/heads/')}" if ref else "the default branch"
            message = f"What is taken from {name or node.text} follows {shown}"
            yield Flaw(
                "repository-unpinned",
                "resources",
                f"repositories: {name or node.text}",
                message,
                node.span,
                INFO if kind == "git" else None,
            )


def credentials_persist(file: Azure) -> Iterator[Flaw]:
    """The pipeline's token stays on disk after the checkout."""
    for step in file.steps:
        if step.kind == "checkout" and is_true(step.node.get("persistCredentials")):
            message = "Every later step of the job can use the pipeline's token, code that the build runs included"
            yield Flaw(
                "credentials-persist",
                step.owner,
                f"checkout {step.what}: persistCredentials",
                message,
                span_of(step.node, "persistCredentials"),
            )


def own_runner_for_strangers(file: Azure) -> Iterator[Flaw]:
    """Pull requests run on a pool of the organisation's own machines."""
    if file.pull_requests != "written":
        return
    for owner, place in file.places:
        pool = place.get("pool")
        node = at(pool, "name") if isinstance(pool, Keyed) else pool
        if not isinstance(node, Scalar) or not node.text or _HOSTED.match(node.text) or at(pool, "vmImage") is not None:
            continue
        message = f"Pull requests run on the pool {node.text}, whose machines may keep state or rights between jobs"
        yield Flaw("own-runner-for-strangers", owner, f"pool: {node.text}", message, node.span)


def security_step_may_fail(file: Azure) -> Iterator[Flaw]:
    """A step whose purpose is security is allowed to fail."""
    for step in file.steps:
        name = text_at(step.node, "displayName")
        if not is_true(step.node.get("continueOnError")):
            continue
        if step.task in _SECURITY_TASK or SECURITY_JOB.search(name):
            what = step.what.partition("@")[0] if step.task in _SECURITY_TASK else name
            yield Flaw(
                "security-step-may-fail",
                step.owner,
                f"{what}: continueOnError",
                f"{what} may fail and the pipeline still passes",
                span_of(step.node, "continueOnError"),
            )


_PRIVILEGED = re.compile(r"--privileged\b(?!=false)|--cap-add[= ](?:ALL|SYS_ADMIN)\b")
_SOCKET = re.compile(r"(?:-v|--volume|--mount)[= ]\S*docker\.sock")


def container_with_host_rights(file: Azure) -> Iterator[Flaw]:
    """A job's container can do what the machine can."""
    places = [("resources", each) for each in entries(at(file.root, "resources", "containers"))]
    places += [(owner, container) for owner, place in file.places if isinstance(container := place.get("container"), Keyed)]
    for owner, container in places:
        options = at(container, "options")
        if isinstance(options, Scalar) and _PRIVILEGED.search(options.text):
            yield Flaw("host-rights", owner, "container.options: --privileged", "The container has all rights of the machine", options.span)
        elif (isinstance(options, Scalar) and _SOCKET.search(options.text)) or is_true(at(container, "mapDockerSocket")):
            node = options if isinstance(options, Scalar) else container
            message = "Whoever holds the container socket is root on the machine"
            yield Flaw("host-rights", owner, "container.options: container socket", message, node.span, LOW)


def _kept(file: Azure) -> Iterator[Written]:
    for step in file.steps:
        node: Node | None = step.node.get("publish") if step.kind == "publish" else None
        if step.task in {"publishpipelineartifact", "publishbuildartifacts"}:
            node = next((found for name in _KEPT if (found := step.given(name)) is not None), None)
        if isinstance(node, Scalar):
            yield step.owner, "publish", node


def artifact_holds_secret(file: Azure) -> Iterator[Flaw]:
    """Files that usually hold secrets are published."""
    yield from kept_file_flaws(_kept(file))


def secrets_for_all_jobs(file: Azure) -> Iterator[Flaw]:
    """A variable group stands above all jobs, so each of them, also those that run pull requests, can read it."""
    variables = file.root.get("variables")
    if not isinstance(variables, Items) or file.pull_requests != "written" or len(file.jobs) < 2:
        return
    for each in variables.entries:
        node = at(each, "group")
        if isinstance(node, Scalar) and not node.text.startswith("$"):
            message = f"All jobs of a pipeline that pull requests start can read the variable group {node.text}"
            yield Flaw("secrets-for-all-jobs", "pipeline", f"variables.group: {node.text}", message, node.span)


def feed_without_check(file: Azure) -> Iterator[Flaw]:
    """A task is told not to compare certificates."""
    for step in file.steps:
        for key, value in conditional(step.node.get("inputs")):
            name = key.text.lower()
            insecure = (name in {"acceptuntrustedcerts", "allowinsecureconnections", "trustservercertificate"} and is_true(value)) or (
                name == "verifyssl" and scalar_text(value).lower() == "false"
            )
            if insecure:
                message = f"{key.text}: {step.what.partition('@')[0]} takes whoever answers for the right one"
                yield Flaw("verification-off", step.owner, f"{step.task}: {key.text}", message, key.span)
