"""What a baked image is called by, read from its OCI layout: every document is compared with its digest before it is believed."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.subjects.listing import printable_name

MOST_BYTES = 16 << 20
LINEAGE = "dev.assaymark.lineage"
"""Annotation of an image: digests of what it was made from, the nearest first, with spaces between them."""
MOST_ANCESTORS = 64
_Document = TypeVar("_Document")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class Descriptor(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One row of an index or manifest."""

    digest: str
    size: int = 0
    media_type: str = ""


class Index(Struct, frozen=True):
    manifests: tuple[Descriptor, ...]


class Manifest(Struct, frozen=True, rename="camel"):
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: dict[str, str] | None = None


class _RootFs(Struct, frozen=True):
    diff_ids: tuple[str, ...]


class Config(Struct, frozen=True):
    rootfs: _RootFs
    architecture: str = ""
    os: str = ""


class Read(Struct, frozen=True):
    """One image of a layout."""

    digest: str
    """Of its manifest: by it the image is pulled and run."""
    config: str
    """By it a container engine knows the image."""
    layers: tuple[str, ...]
    diff_ids: tuple[str, ...]
    lineage: tuple[str, ...]
    platform: str


def read(layout: Path, digest: str = "") -> Read:
    """The one image that a layout holds, or the one with this manifest's digest.

    Raises:
        SubjectNotFound: when it holds no such image, or several and none was named.
        SubjectUnreadable: when it is damaged or not what its digests say.
    """
    if not digest:
        rows = _decoded(_bytes(layout / "index.json"), Index, layout).manifests
        if len(rows) != 1 or rows[0].media_type in _INDEXES:
            raise SubjectNotFound(f"{_shown(layout)} holds no single image", advice="name the image by its digest")
        digest = rows[0].digest
    manifest = _decoded(blob(layout, digest), Manifest, layout)
    config = _decoded(blob(layout, manifest.config.digest), Config, layout)
    if len(manifest.layers) != len(config.rootfs.diff_ids):
        raise SubjectUnreadable(f"{_shown(layout)} is damaged", why="manifest and configuration name different numbers of layers")
    layers = tuple(each.digest for each in manifest.layers)
    platform = f"{config.os}/{config.architecture}"
    return Read(digest, manifest.config.digest, layers, config.rootfs.diff_ids, lineage_of(manifest), platform)


def lineage_of(manifest: Manifest) -> tuple[str, ...]:
    """What an image says that it was made from; what is no digest is left out."""
    said = (manifest.annotations or {}).get(LINEAGE, "").split()
    return tuple(each for each in said if _DIGEST.fullmatch(each))[:MOST_ANCESTORS]


def blob(layout: Path, digest: str) -> bytes:
    """A small blob.

    Raises:
        SubjectNotFound, SubjectUnreadable: as `read`.
    """
    if not _DIGEST.fullmatch(digest):
        raise SubjectUnreadable(f"{_shown(layout)} names a blob by {printable_name(digest)[:80]}", why="only SHA-256 is read")
    path = layout / "blobs" / "sha256" / digest.partition(":")[2]
    if not path.exists():
        raise SubjectNotFound(f"{digest} is not in {_shown(layout)}", advice="name a digest that its index.json leads to")
    data = _bytes(path)
    if hashlib.sha256(data).hexdigest() != path.name:
        raise SubjectUnreadable(f"{digest} in {_shown(layout)} is damaged", why="its content has another digest", advice="get it again")
    return data


def single(layout: Path, digest: str, target: Path) -> None:
    """A layout at `target` that holds one image of another layout alone, by links: transports know layouts by names, not by digests.

    Raises:
        SubjectNotFound, SubjectUnreadable: as `read`.
    """
    data = blob(layout, digest)
    target.mkdir(parents=True)
    (target / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    row = {"mediaType": _media_type(data), "digest": digest, "size": len(data)}
    (target / "index.json").write_bytes(msgspec.json.encode({"schemaVersion": 2, "manifests": [row]}))
    (target / "blobs").symlink_to(os.path.realpath(layout / "blobs"))


def _media_type(manifest: bytes) -> str:
    found = msgspec.json.decode(manifest)
    said = found.get("mediaType") if isinstance(found, dict) else None
    return str(said) if said else "application/vnd.oci.image.manifest.v1+json"


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise SubjectUnreadable(f"{_shown(path)} cannot be read", why=error.strerror or str(error)) from error
    if len(data) > MOST_BYTES:
        raise SubjectUnreadable(f"{_shown(path)} is too large for a document of an image", why=f"at most {MOST_BYTES} bytes are read")
    return data


def _decoded(data: bytes, kind: type[_Document], layout: Path) -> _Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except UNDECODABLE as error:
        raise SubjectUnreadable(f"{_shown(layout)} is no layout of an image", why=str(error)[:300]) from error


def _shown(path: Path) -> str:
    return printable_name(str(path))
