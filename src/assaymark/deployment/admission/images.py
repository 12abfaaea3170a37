"""Where an image hides in a Kubernetes object, and whether its name says which bytes will run.

Guarantees: all containers, init and ephemeral containers and image volumes of pods and of the built-in kinds that make pods are found; of a
kind that is not known, whatever has the shape of a pod's description, at any depth; of a list, each of its objects. An object that has
another shape than its kind is an error and never "no image". Not found: images that a driver, a controller or a program inside a container
is told by a setting of its own (CSI attributes, arguments, environment).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

_PINNED = re.compile(r"[^@\s]+@(sha256:[0-9a-f]{64})")
_TEMPLATE = ("spec", "template", "spec")
_KINDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "PodTemplate"): ("template", "spec"),
    ("", "ReplicationController"): _TEMPLATE,
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
}
"""(group, kind) to where its pod is described."""
_SNAPSHOTS = frozenset({("apps", "ControllerRevision")})
"""Copies of what was, from which nothing starts: pods that are made of it are asked about themselves."""
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_DEEPEST = 64
_MOST_NODES = 200_000


class ShapeError(ValueError):
    """The object is not of the shape that its kind has."""


class Image(Struct, frozen=True):
    """One place that names an image."""

    path: str
    """As in ``spec.template.spec.initContainers[0]``."""
    text: str
    """As it is written there."""

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of what will run; empty where the name does not say."""
        return digest_of(self.text)


def digest_of(text: str) -> str:
    """``repo:tag@sha256:<hex>`` is pinned, whatever the tag says; a tag alone, and another way to write a digest, are not."""
    found = _PINNED.fullmatch(text)
    return found[1] if found else ""


def images_of(document: Mapping[str, Any], group: str = "", kind: str = "") -> tuple[Image, ...]:
    """All images of an object, in the order in which they stand; `group` and `kind` are those of an object that does not say itself.

    Raises:
        ShapeError: when its shape is not that of its kind, or it is too deep or too large to be looked through.
    """
    return tuple(image for place, each in _objects(document, group, kind) for image in _of_one(each, place))


def annotations_of(document: Mapping[str, Any], group: str = "", kind: str = "") -> dict[str, str]:
    """Those of the object, and those that its pods will have."""
    found: dict[str, str] = {}
    for _, (named, each) in _objects(document, group, kind):
        ways = [("metadata",), (*_KINDS[named][:-1], "metadata")] if named in _KINDS else [("metadata",), ("spec", "template", "metadata")]
        for way in ways:
            inner: Any = each
            for name in way:
                inner = inner.get(name) if isinstance(inner, Mapping) else None
            given = inner.get("annotations") if isinstance(inner, Mapping) else None
            if isinstance(given, Mapping):
                found |= {str(key): value for key, value in given.items() if isinstance(value, str)}
    return found


def _objects(
    document: Mapping[str, Any], group: str, kind: str, place: str = "", depth: int = 0
) -> Iterator[tuple[str, tuple[tuple[str, str], Mapping[str, Any]]]]:
    """The object, or all that a list holds, each with where it stands and what it is."""
    if depth > 4:
        raise ShapeError(f"{place} holds lists within lists")
    version, said = document.get("apiVersion", ""), document.get("kind", "")
    if isinstance(said, str) and said:
        kind = said
    if isinstance(version, str) and version:
        group = version.rpartition("/")[0]
    if kind.endswith("List") and "items" in document:
        items = document["items"] or ()
        if not isinstance(items, list | tuple):
            raise ShapeError(f"{place or 'the list'} has items that are no list")
        inner = "" if kind == "List" else kind.removesuffix("List")
        for number, item in enumerate(items):
            yield from _objects(_mapping(item, f"{place}items[{number}]"), group, inner, f"{place}items[{number}].", depth + 1)
        return
    yield place, ((group, kind), document)


def _of_one(found: tuple[tuple[str, str], Mapping[str, Any]], place: str) -> Iterator[Image]:
    named, document = found
    if named in _SNAPSHOTS:
        return
    way = _KINDS.get(named)
    if way is None:
        yield from _by_shape(document, place)
        return
    inner: Mapping[str, Any] = document
    at = place
    for name in way:
        following = inner.get(name)
        if following is None:
            return
        at += name + "."
        inner = _mapping(following, at)
    yield from _of_pod(inner, at)


def _of_pod(spec: Mapping[str, Any], place: str) -> Iterator[Image]:
    for name in _CONTAINERS:
        for number, container in enumerate(_entries(spec, name, place)):
            at = f"{place}{name}[{number}]"
            yield from _named(_mapping(container, at), "image", at)
    for number, volume in enumerate(_entries(spec, "volumes", place)):
        at = f"{place}volumes[{number}]"
        source = _mapping(volume, at).get("image")
        if source is not None:
            yield from _named(_mapping(source, f"{at}.image"), "reference", f"{at}.image")


def _named(holder: Mapping[str, Any], name: str, place: str) -> Iterator[Image]:
    text = holder.get(name)
    if text is None or text == "":
        return  # a pod without it is refused by the cluster; in a template somebody else fills it in, and the pod is asked about
    if not isinstance(text, str):
        raise ShapeError(f"{place}.{name} is no text")
    yield Image(place, text)


def _entries(spec: Mapping[str, Any], name: str, place: str) -> list[Any]:
    found = spec.get(name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise ShapeError(f"{place}{name} is no list")
    return found


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ShapeError(f"{place.rstrip('.')} is no object")
    return value


# --- kinds that are not known ----------------------------------------------------------------------------------------


def _by_shape(document: Mapping[str, Any], place: str) -> Iterator[Image]:
    """Depth first, in the order in which it is written."""
    todo: list[tuple[Any, str, int]] = [(document, place, 0)]
    looked = 0
    while todo:
        node, at, depth = todo.pop()
        looked += 1
        if depth > _DEEPEST or looked > _MOST_NODES:
            raise ShapeError("it is too deep or too large to be looked through")
        if isinstance(node, Mapping):
            if _is_pod(node):
                yield from _of_pod(node, at)
            todo += [(value, f"{at}{name}.", depth + 1) for name, value in reversed(list(node.items())) if isinstance(value, dict | list)]
        else:
            inner = [
                (value, f"{at.rstrip('.')}[{number}].", depth + 1) for number, value in enumerate(node) if isinstance(value, dict | list)
            ]
            todo += reversed(inner)


def _is_pod(node: Mapping[str, Any]) -> bool:
    containers = [each for name in _CONTAINERS for each in _listed(node, name)]
    if any(isinstance(each.get("image"), str) for each in containers):
        return True
    sources = [each.get("image") for each in _listed(node, "volumes")]
    return any(isinstance(each, Mapping) and isinstance(each.get("reference"), str) for each in sources)


def _listed(node: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = node.get(name)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
