"""What the documents of an image say: its configuration and its layers, in a docker archive or an OCI layout.

Guarantees: documents have the digests by which they are named; a layer is a place in a file, and nothing is read of it here.
Where several images are, the user is asked which one is meant (``image.tar#name``): nothing is guessed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from assaymark.errors import SubjectNotFound
from assaymark.formats.tar_headers import DamagedTar
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.subjects.archive import refused
from assaymark.subjects.image.places import Blob, Place, document, open_place
from assaymark.subjects.listing import printable_name

MOST_LAYERS = 1_000
"""Overlay file systems end at 500."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_INDEXES = frozenset({"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"})
_NAME_KEYS = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_Document = TypeVar("_Document")


class Layer(Struct, frozen=True):
    """A packed layer."""

    blob: Blob
    diff_id: str
    stored: str = ""
    """Digest of the packed bytes, where the manifest tells it."""


class Layout(Struct, frozen=True):
    """An image, as far as its documents tell."""

    name: str
    """As the archive tags it; empty when it does not."""
    config: bytes
    layers: tuple[Layer, ...]
    place: Place
    """Must live as long as a blob is read."""

    @property
    def image_id(self) -> str:
        """Digest of the configuration, by which an image is known."""
        return "sha256:" + hashlib.sha256(self.config).hexdigest()


def read_layout(path: str, wanted: str = "") -> Layout:
    """The documents of an image.

    Args:
        path: a folder or a tar.
        wanted: name, platform or digest of the image, when there are several.

    Raises:
        SubjectNotFound: when nothing is there, or not the image that is wanted.
        SubjectUnreadable: when it is damaged, incomplete, or not what its digests say.
    """
    try:
        place = open_place(path)
        if place.find("index.json") is not None and place.find("oci-layout") is not None:
            return _oci(place, path, wanted)
        if place.find("manifest.json") is None:
            raise refused(path, "it is no image: neither a manifest.json nor an OCI layout is in it", "name what `docker save` wrote")
        return _docker(place, path, wanted)
    except DamagedTar as error:
        raise refused(path, f"it is no intact archive: {error}", "fetch it again") from error


class _DockerRow(Struct, rename="pascal"):
    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


class _RootFs(Struct):
    diff_ids: list[str]


class _Config(Struct):
    rootfs: _RootFs


class _Platform(Struct):
    architecture: str = ""
    os: str = ""
    variant: str = ""


class _Descriptor(Struct, rename="camel", frozen=True):
    digest: str
    media_type: str = ""
    platform: _Platform | None = None
    annotations: dict[str, str] | None = None


class _Index(Struct):
    manifests: list[_Descriptor]


class _Manifest(Struct):
    config: _Descriptor
    layers: list[_Descriptor]


def _decoded(data: bytes, kind: type[_Document], shown: str, what: str) -> _Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (*UNDECODABLE, ValueError) as error:
        raise refused(shown, f"its {what} cannot be understood: {error}", "save the image again with docker, podman or skopeo") from error


def _docker(place: Place, shown: str, wanted: str) -> Layout:
    rows = _decoded(document(place, "manifest.json", shown), list[_DockerRow], shown, "manifest.json")
    choices = [((row.repo_tags or [""])[0], row) for row in rows if wanted in {"", *(row.repo_tags or []), row.config}]
    name, row = _one(choices, [tag for row in rows for tag in row.repo_tags or [row.config]], shown, wanted)
    named = re.search(r"(?:^|/)([0-9a-f]{64})(?:\.json)?$", row.config)
    config = document(place, row.config, shown, digest=f"sha256:{named[1]}" if named else "")
    blobs = [(_blob(place, member, shown), "") for member in row.layers]
    return Layout(name, config, _layers(blobs, config, shown), place)


def _oci(place: Place, shown: str, wanted: str) -> Layout:
    index = _decoded(document(place, "index.json", shown), _Index, shown, "index.json")
    found = list(_images(place, index.manifests, shown, 0))
    choices = [(name, manifest) for name, manifest in found if wanted in {"", name, _platform(manifest), manifest.digest}]
    words = [name or _platform(manifest) or manifest.digest for name, manifest in found]
    if len({name for name, _ in found}) < len(found):
        words = [_platform(manifest) or manifest.digest for _, manifest in found]
    name, chosen = _one(choices, words, shown, wanted)
    manifest = _decoded(_by_digest(place, chosen.digest, shown), _Manifest, shown, "manifest")
    config = _by_digest(place, manifest.config.digest, shown)
    blobs = [(_blob(place, _blob_name(layer.digest, shown), shown), layer.digest) for layer in manifest.layers]
    return Layout(name, config, _layers(blobs, config, shown), place)


def _images(place: Place, rows: Sequence[_Descriptor], shown: str, depth: int, name: str = "") -> list[tuple[str, _Descriptor]]:
    """Manifests of images whose parts are here, through indexes of several platforms; attestations are no images."""
    found: list[tuple[str, _Descriptor]] = []
    for row in rows:
        notes = row.annotations or {}
        if "vnd.docker.reference.type" in notes or (row.platform is not None and row.platform.os == "unknown"):
            continue
        called = next((notes[key] for key in _NAME_KEYS if key in notes), name)
        if place.find(_blob_name(row.digest, shown)) is None:
            continue  # an index may name platforms that were not saved
        if row.media_type in _INDEXES:
            if depth >= 4:
                raise refused(shown, "its indexes name each other without end")
            inner = _decoded(_by_digest(place, row.digest, shown), _Index, shown, "index")
            found += _images(place, inner.manifests, shown, depth + 1, called)
        else:
            found.append((called, row))
    return found


def _one(choices: Sequence[tuple[str, _Document]], words: Sequence[str], shown: str, wanted: str) -> tuple[str, _Document]:
    if len(choices) == 1:
        return choices[0]
    names = ", ".join(printable_name(word) for word in words[:20]) or "none"
    if wanted:
        raise SubjectNotFound(f"{printable_name(shown)} holds no single image {printable_name(wanted)!r}", why=f"it holds: {names}")
    if not choices:
        raise refused(shown, "no image is in it", "save one with `docker save`, `podman save` or `skopeo copy`")
    raise SubjectNotFound(
        f"{printable_name(shown)} holds {len(choices)} images",
        why=f"they are: {names}",
        advice=f"name one: {printable_name(shown)}#{names.split(', ')[0]}",
    )


def _platform(row: _Descriptor) -> str:
    parts = (row.platform.os, row.platform.architecture, row.platform.variant) if row.platform else ()
    return "/".join(part for part in parts if part)


def _blob_name(digest: str, shown: str) -> str:
    if not _DIGEST.match(digest):
        raise refused(shown, f"it names a blob by {printable_name(digest)[:80]!r}, which is no SHA-256", "save the image again")
    return "blobs/" + digest.replace(":", "/")


def _by_digest(place: Place, digest: str, shown: str) -> bytes:
    return document(place, _blob_name(digest, shown), shown, digest=digest)


def _blob(place: Place, name: str, shown: str) -> Blob:
    found = place.find(name)
    if found is None:
        raise refused(shown, f"its layer {printable_name(name)} is not in it", "save the image again, with all its layers")
    return found


def _layers(blobs: Sequence[tuple[Blob, str]], config: bytes, shown: str) -> tuple[Layer, ...]:
    diff_ids = _decoded(config, _Config, shown, "configuration").rootfs.diff_ids
    if len(diff_ids) != len(blobs):
        raise refused(shown, f"its configuration speaks of {len(diff_ids)} layers and its manifest of {len(blobs)}", "do not run it")
    if len(diff_ids) > MOST_LAYERS or not all(_DIGEST.match(diff_id) for diff_id in diff_ids):
        raise refused(shown, f"its layers are no SHA-256 digests, or more than {MOST_LAYERS}", "do not run it")
    return tuple(Layer(blob, diff_id, stored) for (blob, stored), diff_id in zip(blobs, diff_ids, strict=True))
