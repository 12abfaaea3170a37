"""What an image consists of, as subjects of a statement: its index, the manifest of each platform, and their configurations.

The manifest's digest is what a cluster runs, and changes when an image is pushed, because layers are packed on the way: ask after the push.
The configuration's digest stays. Manifests that only carry attestations are no platforms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from assaymark.endorsement.places.documents import INDEXES, document
from assaymark.endorsement.places.reference import DIGEST
from assaymark.endorsement.places.registry import Registry
from assaymark.endorsement.statement import Named
from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.subjects.image.places import document as document_of
from assaymark.subjects.image.places import open_place

Read = Callable[[str], bytes]
"""A manifest by its digest."""
_DEEPEST = 3
_MOST = 200
_NOT_IMAGES = ("vnd.docker.reference.type",)


class ImagePart(Struct, frozen=True):
    """One digest of an image."""

    named: Named
    kind: str
    """``index``, ``manifest`` or ``config``."""
    platform: str = ""
    """As ``linux/amd64``; empty of an index, and where an image of one platform does not say."""


def subjects_of(read: Read, digest: str, name: str, *, platform: str = "") -> tuple[Named, ...]:
    """Everything by which the image may be named when it runs; of one platform only, with the index, when one is given.

    Raises:
        SubjectNotFound: when it is not there, or has no such platform.
        SubjectUnreadable: when it cannot be understood.
    """
    parts = list(parts_of(read, digest, name))
    chosen = [each for each in parts if not platform or each.kind == "index" or each.platform in {platform, ""}]
    if all(each.kind == "index" for each in chosen):
        has = ", ".join(sorted({each.platform for each in parts if each.platform})) or "none"
        raise SubjectNotFound(f"{name} has no image for {platform or 'any platform'}", why=f"it has {has}")
    return tuple({each.named.digest["sha256"]: each.named for each in chosen}.values())


def parts_of(read: Read, digest: str, name: str) -> Iterator[ImagePart]:
    """Its parts, the outermost first. Raises like `subjects_of`."""
    yield from _parts(read, digest, name, "", 0)


def of_registry(registry: Registry) -> Read:
    """Reads manifests of a registry."""

    def read(digest: str) -> bytes:
        found = registry.manifest(digest)
        if found is None:
            raise SubjectNotFound(f"{registry.image.shown} does not hold {digest}", why="it was deleted, or never pushed")
        return found.data

    return read


def resolved(registry: Registry) -> str:
    """Digest of what the reference names: its digest, or what its tag stands for now.

    Raises:
        SubjectNotFound: when there is none.
    """
    if registry.image.digest:
        return registry.image.digest
    found = registry.manifest(registry.image.tag or "latest")
    if found is None:
        raise SubjectNotFound(f"{registry.image.shown}:{registry.image.tag or 'latest'} is not there", advice="push it")
    return found.part.digest


def of_layout(path: str) -> tuple[Read, tuple[str, ...]]:
    """Reads manifests of an OCI layout, a folder or a tar; and the digests that its index names.

    Raises:
        SubjectNotFound, SubjectUnreadable: when it is none. A docker archive has no manifests: push it, then ask the registry.
    """
    place = open_place(path)
    if place.find("index.json") is None:
        raise SubjectNotFound(f"{path} is no OCI layout", why="it has no index.json", advice="push the image, and name it in its registry")
    rows = document(document_of(place, "index.json", path), path).get("manifests")
    digests = tuple(str(row.get("digest", "")) for row in rows or [] if isinstance(row, dict))

    def read(digest: str) -> bytes:
        return document_of(place, "blobs/" + _checked(digest).replace(":", "/"), path, digest=digest)

    return read, digests


def _parts(read: Read, digest: str, name: str, platform: str, depth: int) -> Iterator[ImagePart]:
    found = document(read(_checked(digest)), f"manifest {digest}")
    if found.get("mediaType") in INDEXES or "manifests" in found:
        if depth >= _DEEPEST:
            raise SubjectUnreadable(f"{name} cannot be understood", why="its indexes name each other without end")
        yield ImagePart(_name(name, platform, digest), "index", platform)
        rows = found.get("manifests")
        for row in (rows if isinstance(rows, list) else [])[:_MOST]:
            if isinstance(row, dict) and _is_image(row):
                yield from _parts(read, str(row.get("digest", "")), name, _platform(row), depth + 1)
        return
    config = found.get("config")
    if not isinstance(config, dict) or "artifactType" in found:
        raise SubjectUnreadable(f"{name}@{digest} is no image", why="its manifest names no configuration")
    yield ImagePart(_name(name, platform, digest), "manifest", platform)
    yield ImagePart(_name(f"{name}#config", platform, _checked(str(config.get("digest", "")))), "config", platform)


def _name(name: str, platform: str, digest: str) -> Named:
    return Named(f"{name} ({platform})" if platform else name, {"sha256": digest.removeprefix("sha256:")})


def _is_image(row: dict[str, Any]) -> bool:
    notes, platform = row.get("annotations"), row.get("platform")
    is_note = isinstance(notes, dict) and any(each in notes for each in _NOT_IMAGES)
    return not is_note and not (isinstance(platform, dict) and platform.get("os") == "unknown") and "artifactType" not in row


def _platform(row: dict[str, Any]) -> str:
    found = row.get("platform")
    words = [found.get(each) for each in ("os", "architecture", "variant")] if isinstance(found, dict) else []
    return "/".join(each for each in words if isinstance(each, str) and each)


def _checked(digest: str) -> str:
    if not DIGEST.match(digest):
        raise SubjectUnreadable(f"{digest[:80]!r} is no SHA-256", why="the image names its parts by it")
    return digest
