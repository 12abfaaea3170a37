"""Rules of Bitbucket Pipelines: what a pipeline takes from elsewhere, where it runs, and who may deploy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.bitbucket_document import Bitbucket, Step
from assaymark.checks.infrastructure.pipelines.bitbucket_rules_scripts import pipes
from assaymark.checks.infrastructure.pipelines.pipeline_rules import Written, image_flaws, kept_file_flaws
from assaymark.checks.infrastructure.pipelines.vocabulary import MOVING_REF, PRODUCTION, is_true
from assaymark.checks.infrastructure.pipelines.walking import at, entries, key_span, pairs
from assaymark.checks.reading.image_names import moves, name_of
from assaymark.checks.reading.yaml_tree import Keyed, Scalar, scalar_text, scalars_below
from assaymark.checks.rulebook import Flaw

_EVERYTHING = re.compile(r"\{?\*{1,2}\}?\Z")


def _images(file: Bitbucket) -> Iterator[Written]:
    seen: set[int] = set()
    places = [("pipeline", file.root.get("image"))]
    places += [(step.name, step.node.get("image")) for step in file.steps]
    places += [(f"service {key.text}", at(service, "image")) for key, service in pairs(at(file.root, "definitions", "services"))]
    for owner, image in places:
        node = at(image, "name") if isinstance(image, Keyed) else image
        if isinstance(node, Scalar) and id(node) not in seen:
            seen.add(id(node))
            yield owner, "image", node


def image_unpinned(file: Bitbucket) -> Iterator[Flaw]:
    """An image whose tag moves, or that has none."""
    yield from image_flaws(_images(file))


def pipe_unpinned(file: Bitbucket) -> Iterator[Flaw]:
    """A pipe without a full version runs, with the step's variables, whatever its owner publishes next."""
    for step, pipe in pipes(file):
        name = pipe.name.text.removeprefix("docker://")
        tag = name.rpartition("/")[2].partition(":")[2]
        short = re.fullmatch(r"v?\d+(?:\.\d+)?", tag) is not None and not pipe.name.text.startswith("docker://")
        if moves(name) or short:
            message = f"The pipe {moves(name) or 'follows version ' + tag}, and it is given the variables of this step"
            yield Flaw("pipe-unpinned", step.name, f"pipe: {name_of(name)}", message, pipe.name.span)


def import_unpinned(file: Bitbucket) -> Iterator[Flaw]:
    """A pipeline of another repository that follows a branch."""
    for group, node in pairs(file.root.get("pipelines")):
        for key, value in [(group, node)] if group.text == "default" else pairs(node):
            found = at(value, "import")
            parts = scalar_text(found).split(":")
            if isinstance(found, Scalar) and len(parts) == 3 and MOVING_REF.match(parts[1]):
                owner = group.text if key is group else f"{group.text} {key.text}"
                yield Flaw(
                    "import-unpinned", owner, f"import: {parts[0]}", f"The pipeline follows the branch {parts[1]} of {parts[0]}", found.span
                )


def _own_runner(step: Step) -> Scalar | None:
    labels = step.get("runs-on")
    return next((node for node in scalars_below(labels, set()) if node.text.startswith("self.hosted")), None)


def docker_on_own_runner(file: Bitbucket) -> Iterator[Flaw]:
    """The Docker service of a runner of one's own has the rights of that machine."""
    everywhere = is_true(at(file.root, "options", "docker"))
    for step in file.steps:
        runner = _own_runner(step)
        asks = everywhere or any(scalar_text(each) == "docker" for each in entries(step.get("services")))
        if runner is not None and asks:
            message = "The step can start containers with all rights of the runner's machine"
            yield Flaw("docker-on-own-runner", step.name, "services: docker", message, runner.span)


def own_runner_for_strangers(file: Bitbucket) -> Iterator[Flaw]:
    """Pull requests run on a machine of the organisation."""
    for step in file.steps:
        runner = _own_runner(step) if step.started == "pull-requests" else None
        if runner is not None:
            message = "Pull requests run on your own runner, which may keep state or rights between steps"
            yield Flaw("own-runner-for-strangers", step.name, "runs-on: self.hosted", message, runner.span)


def identity_for_pull_requests(file: Bitbucket) -> Iterator[Flaw]:
    """A change that nobody merged gets an identity that clouds accept."""
    for step in file.steps:
        node = step.get("oidc")
        if step.started == "pull-requests" and isinstance(node, Scalar) and is_true(node):
            message = "The code of a pull request can sign in wherever this repository's identity is accepted"
            yield Flaw("identity-for-pull-requests", step.name, "oidc", message, node.span)


def _production(step: Step) -> str:
    name = scalar_text(step.get("deployment"))
    return name if PRODUCTION.search(name) and scalar_text(step.get("trigger")) != "manual" and step.first else ""


def deploy_from_pull_request(file: Bitbucket) -> Iterator[Flaw]:
    """A production deployment in pipelines of pull requests."""
    for step in file.steps:
        if step.started == "pull-requests" and _production(step):
            message = f"{step.name} deploys to production from a pull request, before anybody merged it"
            yield Flaw("deploy-from-pull-request", step.name, "deployment", message, key_span(step.node, "deployment"))


def deploy_without_guard(file: Bitbucket) -> Iterator[Flaw]:
    """A production deployment that runs by itself for every branch."""
    for step in file.steps:
        any_branch = step.started == "default" or (step.started == "branches" and _EVERYTHING.match(step.pattern))
        if any_branch and _production(step):
            message = f"{step.name} deploys to production from every branch, without a person"
            yield Flaw("deploy-without-guard", step.name, "deployment", message, key_span(step.node, "deployment"))


def _kept(file: Bitbucket) -> Iterator[Written]:
    for step in file.steps:
        artifacts = step.node.get("artifacts")
        paths = artifacts.get("paths") if isinstance(artifacts, Keyed) else artifacts
        yield from ((step.name, "artifacts", node) for node in scalars_below(paths, set()))


def artifact_holds_secret(file: Bitbucket) -> Iterator[Flaw]:
    """Files that usually hold secrets are kept as artifacts."""
    yield from kept_file_flaws(_kept(file))
