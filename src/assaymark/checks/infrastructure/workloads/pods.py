"""Pods and their containers, wherever a manifest holds them.

A pod is found below every kind that has a pod template at the usual place, also those of extensions (rollouts, serverless services).
A container without an image is a patch of something written elsewhere: what is missing in it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.infrastructure.workloads.lookups import at, entries, mapping, scalar, texts
from assaymark.checks.infrastructure.workloads.manifests import Manifest
from assaymark.checks.infrastructure.workloads.templates import shown
from assaymark.checks.reading.yaml_tree import Items, Keyed, Node, Scalar, scalar_text
from assaymark.model.finding import Span

_LISTS = (("containers", "container"), ("initContainers", "init container"), ("ephemeralContainers", "ephemeral container"))
_WORKLOADS = frozenset({"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "PodTemplate"})
_TEMPLATES = (("spec", "template"), ("spec", "jobTemplate", "spec", "template"), ("template",), ("spec", "podTemplate"))


class Container(Struct, frozen=True, eq=False):
    """One container of a pod."""

    pod: Pod
    name: str
    role: str
    """``container``, ``init container`` or ``ephemeral container``."""
    node: Keyed
    image: Scalar | None

    @property
    def address(self) -> str:
        return f"{self.pod.address} {self.role} {self.name or '?'}"

    @property
    def whole(self) -> bool:
        """False for patches and templates, where what is missing may be written elsewhere."""
        return self.image is not None and self.pod.whole

    @property
    def words(self) -> tuple[Scalar, ...]:
        """Command and arguments."""
        return (*texts(self.node, "command"), *texts(self.node, "args"))

    def context(self, name: str) -> Node | None:
        """A setting of the container's security context, else the pod's."""
        found = at(self.node, "securityContext", name)
        return found if found is not None else at(self.pod.spec, "securityContext", name)

    def own(self, *path: str) -> Node | None:
        """A setting of the container's security context alone."""
        return at(self.node, "securityContext", *path)

    @property
    def span(self) -> Span:
        """Where to point when something is missing: the container's name, else its beginning."""
        named = scalar(self.node, "name")
        return named.span if named else self.node.span


class Pod(Struct, frozen=True, eq=False):
    """One pod or pod template."""

    manifest: Manifest
    meta: Keyed | None
    spec: Keyed
    spot: Span
    """Where to point when something is missing."""

    @property
    def address(self) -> str:
        return self.manifest.address

    @property
    def whole(self) -> bool:
        return self.manifest.template is None

    @property
    def windows(self) -> bool:
        """True when it asks for Windows nodes, where users, capabilities and seccomp do not exist."""
        return "windows" in {
            scalar_text(at(self.spec, "os", "name")),
            scalar_text(at(self.spec, "nodeSelector", "kubernetes.io/os")),
            scalar_text(at(self.spec, "nodeSelector", "beta.kubernetes.io/os")),
        }

    @property
    def patch(self) -> bool:
        """True when no container has an image: the rest is written elsewhere."""
        return not any(container.image for container in self.containers())

    def containers(self) -> Iterator[Container]:
        """Every container, each node once."""
        seen: set[int] = set()
        for key, role in _LISTS:
            for node in entries(self.spec, key):
                if isinstance(node, Keyed) and id(node) not in seen:
                    seen.add(id(node))
                    yield Container(self, shown(scalar_text(node.get("name"))), role, node, scalar(node, "image"))


def pods(manifest: Manifest) -> Iterator[Pod]:
    """The pods that a manifest describes: at most one of every usual place."""
    if manifest.kind == "Pod":
        spec = mapping(manifest.root, "spec")
        if spec is not None:
            yield Pod(manifest, mapping(manifest.root, "metadata"), spec, _spot(manifest))
        return
    for path in _TEMPLATES:
        spec = mapping(manifest.root, *path, "spec")
        if spec is not None and (manifest.kind in _WORKLOADS or any(isinstance(at(spec, key), Items) for key, _ in _LISTS)):
            yield Pod(manifest, mapping(manifest.root, *path, "metadata"), spec, _spot(manifest))
            return


def _spot(manifest: Manifest) -> Span:
    named = scalar(manifest.root, "metadata", "name")
    return named.span if named else manifest.root.span
