"""Rules of CircleCI: what a pipeline takes from elsewhere, where it runs, and which rights its jobs hold."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.circleci_document import Circle, Step
from assaymark.checks.infrastructure.pipelines.pipeline_rules import Written, image_flaws, kept_file_flaws
from assaymark.checks.infrastructure.pipelines.vocabulary import PRODUCTION
from assaymark.checks.infrastructure.pipelines.walking import at, entries
from assaymark.checks.reading.yaml_tree import Keyed, Scalar, scalar_text, scalars_below
from assaymark.checks.rulebook import Flaw

_DEPLOYS = re.compile(r"(?:^|[-_/ ])(?:deploy|publish|release|promote|rollout)", re.IGNORECASE)
_FULL = re.compile(r"\d+\.\d+\.\d+")
_FEWEST_JOBS = 3


def orb_unpinned(file: Circle) -> Iterator[Flaw]:
    """An orb that follows its newest release or a development version; it runs with the job's secrets."""
    for _, node in file.orbs:
        name, at_sign, version = node.text.partition("@")
        if at_sign and (version == "volatile" or version.startswith("dev:")):
            message = f"The orb follows {version}, and its code runs with the job's secrets"
            yield Flaw("orb-unpinned", "orbs", f"orb: {name}", message, node.span)


def orb_follows_versions(file: Circle) -> Iterator[Flaw]:
    """An orb that takes every new minor or patch release."""
    for _, node in file.orbs:
        name, _, version = node.text.partition("@")
        if re.fullmatch(r"\d+(?:\.\d+)?", version) and not _FULL.match(version):
            message = f"The orb takes every release of {version}, and its code runs with the job's secrets"
            yield Flaw("orb-follows-versions", "orbs", f"orb: {name}", message, node.span)


def _images(file: Circle) -> Iterator[Written]:
    seen: set[int] = set()
    for owner, place in file.places:
        for each in entries(place.get("docker")):
            node = at(each, "image")
            if isinstance(node, Scalar) and id(node) not in seen:
                seen.add(id(node))
                yield owner, "docker", node


def image_unpinned(file: Circle) -> Iterator[Flaw]:
    """An image whose tag moves, or that has none."""
    yield from image_flaws(_images(file))


def own_runner_for_strangers(file: Circle) -> Iterator[Flaw]:
    """A job on the organisation's own machine runs for every branch."""
    open_jobs = {use.job for use in file.uses if not file.guards(use)}
    for job in file.jobs:
        node = job.node.get("resource_class") or at(job.node, "machine", "resource_class")
        if isinstance(node, Scalar) and "/" in node.text and "<<" not in node.text and job.name in open_jobs:
            message = f"Every branch runs on the machines of {node.text}, which may keep state or rights between jobs"
            yield Flaw("own-runner-for-strangers", job.name, f"resource_class: {node.text}", message, node.span)


def all_ssh_keys(file: Circle) -> Iterator[Flaw]:
    """A job gets every key of the project."""
    for job in file.jobs:
        for step in job.steps:
            if step.name == "add_ssh_keys" and at(step.given, "fingerprints") is None:
                yield Flaw("all-ssh-keys", job.name, "add_ssh_keys", "The job gets every SSH key of the project", step.span)


def deploy_without_guard(file: Circle) -> Iterator[Flaw]:
    """A production deployment with secrets that runs by itself for every branch."""
    for use in file.uses:
        deploys = PRODUCTION.search(use.name) and _DEPLOYS.search(use.name)
        if deploys and at(use.node, "context") is not None and not file.guards(use):
            message = f"{use.name} deploys to production from every branch, without a filter and without a person"
            yield Flaw("deploy-without-guard", f"{use.workflow}/{use.name}", "context", message, use.span)


def secrets_for_all_jobs(file: Circle) -> Iterator[Flaw]:
    """A context that every job of a workflow gets."""
    workflows: dict[str, list[frozenset[str]]] = {}
    for use in file.uses:
        if not use.approval:
            names = frozenset(scalar_text(each) for each in entries(at(use.node, "context")))
            workflows.setdefault(use.workflow, []).append(names)
    for use in file.uses:
        given = workflows.pop(use.workflow, [])
        for name in sorted(frozenset.intersection(*given)) if len(given) >= _FEWEST_JOBS else ():
            message = f"Every job of the workflow {use.workflow} can read the secrets of the context {name}"
            yield Flaw("secrets-for-all-jobs", use.workflow, f"context: {name}", message, use.span)


def _kept(file: Circle) -> Iterator[Written]:
    for job in file.jobs:
        for step in job.steps:
            yield from ((job.name, step.name, node) for node in _paths(step))


def _paths(step: Step) -> Iterator[Scalar]:
    if step.name == "store_artifacts" and isinstance(step.given, Keyed):
        yield from scalars_below(step.given.get("path"), set())
    elif step.name in {"persist_to_workspace", "save_cache"}:
        yield from scalars_below(at(step.given, "paths"), set())


def artifact_holds_secret(file: Circle) -> Iterator[Flaw]:
    """Files that usually hold secrets are kept for whoever may see the run."""
    yield from kept_file_flaws(_kept(file))
