"""Rules of Tekton: what a pipeline takes from elsewhere, and whether it can change unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.pipeline_rules import Written, image_flaws, include_flaws
from assaymark.checks.infrastructure.pipelines.tekton_document import Resource, Tekton
from assaymark.checks.infrastructure.pipelines.vocabulary import MOVING_REF
from assaymark.checks.infrastructure.pipelines.walking import at, entries, pairs, text_at
from assaymark.checks.reading.image_names import moves, name_of, without_digest
from assaymark.checks.reading.yaml_tree import Keyed, Node, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw

_ANNOTATION = re.compile(r"pipelinesascode\.tekton\.dev/(?:task|pipeline)(?:-\d+)?\Z")


def image_unpinned(file: Tekton) -> Iterator[Flaw]:
    """An image whose tag moves, or that has none."""
    images: list[Written] = []
    for step in file.steps:
        node = step.node.get("image")
        if isinstance(node, Scalar):
            images.append((step.owner, f"{step.name}.image", node))
    yield from image_flaws(images)


def _references(resource: Resource) -> Iterator[tuple[str, Keyed]]:
    spec = resource.node.get("spec")
    places: list[tuple[str, Node | None]] = [(resource.owner, at(spec, name)) for name in ("taskRef", "pipelineRef")]
    for part in (spec, at(spec, "pipelineSpec")):
        for key in ("tasks", "finally"):
            places += [(f"{resource.owner}/{text_at(task, 'name')}", at(task, "taskRef")) for task in entries(at(part, key))]
    places += [(step.owner, step.node.get("ref")) for step in resource.steps]
    yield from ((owner, node) for owner, node in places if isinstance(node, Keyed))


def _given(reference: Keyed) -> dict[str, Scalar]:
    """Parameters of a resolver by name."""
    found = {}
    for each in entries(reference.get("params")):
        value = at(each, "value")
        if isinstance(value, Scalar):
            found[text_at(each, "name")] = value
    return found


def task_unpinned(file: Tekton) -> Iterator[Flaw]:
    """A task of a bundle, repository or hub that can change under its name."""
    seen: set[int] = set()
    for resource in file.resources:
        for owner, reference in _references(resource):
            if id(reference) not in seen:
                seen.add(id(reference))
                yield from _unpinned(owner, reference)
        yield from _annotated(resource)


def _unpinned(owner: str, reference: Keyed) -> Iterator[Flaw]:
    resolver, given = text_at(reference, "resolver"), _given(reference)
    bundle = reference.get("bundle") or (given.get("bundle") if resolver == "bundles" else None)
    if isinstance(bundle, Scalar) and without_digest(bundle.text) and moves(bundle.text):
        yield Flaw("task-unpinned", owner, f"bundle: {name_of(bundle.text)}", f"The bundle {moves(bundle.text)}", bundle.span)
    if resolver == "git":
        revision = given.get("revision")
        where = given.get("url") or given.get("repo")
        name = where.text if where is not None else "repository"
        if "$(" not in name and "{{" not in name and (revision is None or MOVING_REF.match(revision.text)):
            shown = f"the branch {revision.text}" if revision is not None else "the default branch"
            span = revision.span if revision is not None else reference.span
            yield Flaw("task-unpinned", owner, f"git: {name}", f"The task follows {shown} of {name}", span)
    if resolver == "hub":
        version, name = given.get("version"), scalar_text(given.get("name"))
        if version is None or version.text == "latest":
            span = version.span if version is not None else reference.span
            yield Flaw("task-unpinned", owner, f"hub: {name}", f"The task {name} follows its newest release", span)


def _annotated(resource: Resource) -> Iterator[Flaw]:
    """Tasks that Pipelines-as-Code fetches: a bare name means the newest release."""
    for key, node in pairs(resource.annotations):
        if not _ANNOTATION.match(key.text) or not isinstance(node, Scalar):
            continue
        for name in re.findall(r"[^\s\[\],\"']+", node.text):
            if "/" not in name and ":" not in name and "{" not in name:
                message = f"The task {name} is fetched from the hub in its newest release"
                yield Flaw("task-unpinned", resource.owner, f"hub: {name}", message, node.span)


def fetched_by_address(file: Tekton) -> Iterator[Flaw]:
    """Tasks that are fetched by address."""
    addresses: list[Written] = []
    for resource in file.resources:
        for owner, reference in _references(resource):
            url = _given(reference).get("url")
            if text_at(reference, "resolver") == "http" and url is not None:
                addresses.append((owner, "url", url))
        for key, node in pairs(resource.annotations):
            if _ANNOTATION.match(key.text) and isinstance(node, Scalar):
                found = re.findall(r"https?://[^\s\[\],\"']+", node.text)
                addresses += [(resource.owner, "annotation", Scalar(each, "", "", node.span)) for each in found]
    yield from include_flaws(addresses)
