"""Rules of GitLab CI: what the pipeline takes from elsewhere, and whether it can change unseen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.infrastructure.pipelines.gitlab_document import Gitlab, Job
from assaymark.checks.infrastructure.pipelines.pipeline_rules import image_flaws
from assaymark.checks.infrastructure.pipelines.vocabulary import MOVING_REF, plain_address
from assaymark.checks.reading.image_names import moves, name_of, without_digest
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, scalar_text
from assaymark.checks.rulebook import Flaw
from assaymark.model.severity import Severity

_TRUSTS = ("environment", "release", "id_tokens", "secrets")


def _includes(file: Gitlab) -> Iterator[Node]:
    """Entries of every ``include``: of the file and of triggers of child pipelines."""
    places = [file.root.get("include")]
    places += [trigger.get("include") for _, trigger in file.owners("trigger") if isinstance(trigger, Keyed)]
    for place in places:
        if isinstance(place, Items):
            yield from place.entries
        elif place is not None:
            yield place


def _remote(entry: Node) -> Scalar | None:
    """The address of an include that is fetched from anywhere."""
    node = entry.get("remote") if isinstance(entry, Keyed) else entry
    return node if isinstance(node, Scalar) and node.text.startswith(("http://", "https://")) else None


def include_remote(file: Gitlab) -> Iterator[Flaw]:
    """An include by address whose content nothing fixes."""
    for entry in _includes(file):
        address = _remote(entry)
        fixed = isinstance(entry, Keyed) and entry.get("integrity") is not None
        if address is not None and not fixed and not re.search(r"[0-9a-f]{40}", address.text):
            where = plain_address(address.text)
            yield Flaw("include-remote", "include", f"remote: {where}", f"Whoever controls {where} controls this pipeline", address.span)


def include_cleartext(file: Gitlab) -> Iterator[Flaw]:
    """An include that travels without encryption."""
    for entry in _includes(file):
        address = _remote(entry)
        if address is not None and address.text.startswith("http://"):
            where = plain_address(address.text)
            yield Flaw("include-cleartext", "include", f"remote: {where}", "The pipeline's text is fetched over plain http", address.span)


def include_project_unpinned(file: Gitlab) -> Iterator[Flaw]:
    """An include from another project that follows a branch."""
    for entry in _includes(file):
        project = entry.get("project") if isinstance(entry, Keyed) else None
        if not isinstance(project, Scalar) or not isinstance(entry, Keyed) or project.text.startswith("$CI_PROJECT"):
            continue
        ref = scalar_text(entry.get("ref"))
        if not ref or MOVING_REF.match(ref):
            shown = f"the branch {ref}" if ref else "the default branch"
            yield Flaw(
                "include-project-unpinned",
                "include",
                f"project: {project.text}",
                f"The include follows {shown} of {project.text}",
                project.span,
            )


def include_component_unpinned(file: Gitlab) -> Iterator[Flaw]:
    """A component that follows its newest release or a branch."""
    for entry in _includes(file):
        node = entry.get("component") if isinstance(entry, Keyed) else None
        if not isinstance(node, Scalar):
            continue
        name, at, version = node.text.rpartition("@")
        if at and (version == "~latest" or MOVING_REF.match(version)):
            yield Flaw("include-component-unpinned", "include", f"component: {name}", f"The component follows {version}", node.span)


def _images(file: Gitlab) -> Iterator[tuple[str, str, Scalar]]:
    """Every image and service that is written down: owner, key, name."""
    for key in ("image", "services"):
        for owner, value in file.owners(key):
            for entry in value.entries if isinstance(value, Items) else [value]:
                node = entry.get("name") if isinstance(entry, Keyed) else entry
                if isinstance(node, Scalar) and node.text and value.tag != "!reference":
                    yield owner, key, node


def image_unpinned(file: Gitlab) -> Iterator[Flaw]:
    """An image whose tag moves, or that has none."""
    yield from image_flaws(_images(file))


def image_without_digest(file: Gitlab) -> Iterator[Flaw]:
    """A job with rights of its own runs in an image that its owner can replace under the same tag."""
    for job in file.jobs:
        image = job.node.get("image")
        node = image.get("name") if isinstance(image, Keyed) else image
        if not isinstance(node, Scalar) or not _trusted(file, job):
            continue
        if without_digest(node.text) and not moves(node.text):
            message = "The job holds rights to release or deploy and runs in an image that is fixed by tag only"
            yield Flaw("image-without-digest", job.name, f"image: {name_of(node.text)}", message, node.span)


def _trusted(file: Gitlab, job: Job) -> bool:
    return not job.hidden and any(file.effective(job, key) is not None for key in _TRUSTS)


def docker_in_docker(file: Gitlab) -> Iterator[Flaw]:
    """A Docker daemon as a service needs a runner that gives containers all rights of the machine."""
    for owner, key, node in _images(file):
        if key == "services" and re.search(r"(?:^|/)docker:(?:\S*-)?dind\b(?!-rootless)", node.text):
            message = "Docker in Docker needs a privileged runner, on which any job can take over the machine"
            yield Flaw("docker-in-docker", owner, "services: docker", message, node.span, Severity.INFO)
