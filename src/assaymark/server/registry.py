"""Brings an image from a registry into an OCI layout (OCI Distribution 1.1: manifests and blobs by digest).

Guarantees: every byte that is kept has the digest by which it was asked; sizes are bounded before and while they are read; requests go
through `outgoing.client`, so no registry, token service or store of blobs leads inside; the credential is shown to the registry's own token
service over the registry's own scheme, and to nobody else; what is half there is not taken for an image.

A tag is resolved once (`Registry.digest_of`); what is judged is named by its digest. Of an index of several platforms one is taken,
linux/amd64 if it is there.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import httpx2
import msgspec
from msgspec import Struct

from assaymark.endorsement.places import access
from assaymark.endorsement.places.door import Said
from assaymark.endorsement.places.reference import Reference, reference
from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.server.addresses import host_name

MOST_BYTES = 8 << 30
"""Of an image, packed."""
MOST_DOCUMENT = 4 << 20
MOST_LAYERS = 500
_INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_ACCEPT = ", ".join((*_MANIFESTS, *_INDEXES))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


_Document = TypeVar("_Document")


class ImageName(Struct, frozen=True):
    """``host/name:tag``, taken apart."""

    host: str
    """With a port where it has one."""
    name: str
    tag: str = ""
    plain: bool = False
    """Over HTTP without TLS: only where whoever runs the server says so."""

    @property
    def url(self) -> str:
        return f"{'http' if self.plain else 'https'}://{self.host}/v2/{self.name}"


class _Platform(Struct):
    architecture: str = ""
    os: str = ""


class _Descriptor(Struct, rename="camel"):
    digest: str
    size: int = 0
    media_type: str = ""
    platform: _Platform | None = None


class _Index(Struct):
    manifests: list[_Descriptor]


class _Manifest(Struct):
    config: _Descriptor
    layers: list[_Descriptor]


def image_name(text: str, *, plain: bool = False) -> ImageName:
    """From a reference, with or without tag, without digest, e.g. ``ghcr.io/group/shop:1`` or ``nginx``.

    Raises:
        UsageError: when it is none.
    """
    if "@" in text or "://" in text:
        raise UsageError(f"{text[:200]!r} is no image", advice="name it as host/group/name@sha256:<64 hex digits>")
    found = reference(text)
    own, _, port = found.host.partition(":") if found.host.count(":") < 2 else found.host.rpartition(":")
    host_name(own)
    if port and not port.isdecimal():
        raise UsageError(f"{text[:200]!r} is no image", advice="name it as host/group/name@sha256:<64 hex digits>")
    return ImageName(found.host, found.name, found.tag, plain)


class Registry:
    """One registry, as one caller."""

    def __init__(
        self, client: httpx2.Client, image: ImageName, credential: str = "", should_stop: Callable[[], bool] = lambda: False
    ) -> None:
        """`credential` is ``user:password``, or empty."""
        self._client, self._image, self._credential, self._should_stop = client, image, credential, should_stop
        self._authorization = ""

    def digest_of(self, tag: str) -> str:
        """What a tag stands for now.

        Raises:
            SubjectNotFound: when the registry does not have it.
            SubjectUnreadable: when it does not answer.
        """
        return f"sha256:{hashlib.sha256(self._read(tag)).hexdigest()}"

    def pull(self, digest: str, folder: Path) -> None:
        """Write the image's layout into this folder, which appears whole or not at all.

        Raises:
            SubjectNotFound: when the registry does not have it.
            SubjectUnreadable: when it does not answer, is too large, or gives other bytes.
        """
        if (folder / "index.json").exists():
            return
        draft = folder.with_name(f"{folder.name}.{os.getpid()}.{os.urandom(3).hex()}.draft")
        (draft / "blobs" / "sha256").mkdir(mode=0o700, parents=True)
        try:
            self._fill(draft, digest)
            draft.rename(folder)
        except FileExistsError:
            return  # another process was first
        except OSError as error:
            if not (folder / "index.json").exists():
                raise SubjectUnreadable(
                    "the image cannot be stored", why=error.strerror or str(error), advice="is the disk full?"
                ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _fill(self, draft: Path, wanted: str) -> None:
        digest, data = self._manifest(draft, wanted)
        manifest = _decoded(data, _Manifest, "manifest")
        parts = [manifest.config, *manifest.layers]
        if len(manifest.layers) > MOST_LAYERS or sum(max(0, part.size) for part in parts) > MOST_BYTES:
            raise SubjectUnreadable(
                "the image is larger than the server reads", why=f"at most {MOST_BYTES >> 30} GiB in {MOST_LAYERS} layers"
            )
        left = MOST_BYTES
        for part in {each.digest: each for each in parts}.values():
            left -= self._blob(draft, part.digest, left)
        index = {"schemaVersion": 2, "manifests": [{"mediaType": _MANIFESTS[0], "digest": digest, "size": len(data)}]}
        (draft / "oci-layout").write_bytes(b'{"imageLayoutVersion": "1.0.0"}')
        (draft / "index.json").write_bytes(msgspec.json.encode(index))

    def _manifest(self, draft: Path, digest: str) -> tuple[str, bytes]:
        """Digest and bytes of the one image that is meant."""
        for _ in range(3):  # an index of indexes is as deep as anybody goes
            data = self._document(digest)
            if "manifests" not in _decoded(data, dict[str, msgspec.Raw], "manifest"):
                _path(draft, digest).write_bytes(data)
                return digest, data
            _path(draft, digest).write_bytes(data)  # kept: it says which platforms there are besides the one that is judged
            rows = _decoded(data, _Index, "index").manifests
            images = [row for row in rows if row.platform is None or row.platform.os not in {"unknown", "windows"}]
            chosen = [row for row in images if row.platform and (row.platform.os, row.platform.architecture) == ("linux", "amd64")]
            if not images:
                raise SubjectNotFound(f"{self._shown} holds no image", why="its index names none for Linux")
            digest = (chosen or images)[0].digest
        raise SubjectUnreadable(f"{self._shown} cannot be understood", why="its indexes name each other without end")

    def _document(self, digest: str) -> bytes:
        data = self._read(_checked(digest))
        if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
            raise SubjectUnreadable(f"{self._image.host} gives another manifest than {digest}", advice="do not run it")
        return data

    def _read(self, reference: str) -> bytes:
        data = b""
        with self._get(f"manifests/{reference}", {"Accept": _ACCEPT}) as answer:
            for chunk in answer.iter_raw():
                data += chunk
                if len(data) > MOST_DOCUMENT:
                    raise SubjectUnreadable(f"a manifest of {self._shown} is too large")
        return data

    def _blob(self, draft: Path, digest: str, most: int) -> int:
        size, made = 0, hashlib.sha256()
        with self._get(f"blobs/{_checked(digest)}", {}) as answer, _path(draft, digest).open("xb") as file:
            for chunk in answer.iter_raw():
                size += len(chunk)
                if size > most or self._should_stop():
                    raise SubjectUnreadable(f"{self._shown} was not read to its end", why="it is too large, or its time was over")
                made.update(chunk)
                file.write(chunk)
        if f"sha256:{made.hexdigest()}" != digest:
            raise SubjectUnreadable(f"{self._image.host} gives another content than {digest}", advice="do not run it")
        return size

    @property
    def _shown(self) -> str:
        return f"{self._image.host}/{self._image.name}"

    def _get(self, path: str, headers: dict[str, str]) -> _Answer:
        answer = self._ask(path, headers)
        if answer.status_code == 401:
            challenge = answer.headers.get("www-authenticate", "")
            answer.close()
            self._authorization = self._token(challenge)
            answer = self._ask(path, headers)
        if answer.status_code == 200:
            return _Answer(answer)
        answer.close()
        if answer.status_code == 404:
            raise SubjectNotFound(f"{self._shown}: {path} is not there", why="it was deleted, or never pushed", advice="push it")
        raise SubjectUnreadable(
            f"{self._shown} cannot be fetched",
            why=f"the registry answers {answer.status_code}",
            advice="look at the token of its connection",
        )

    def _ask(self, path: str, headers: dict[str, str]) -> httpx2.Response:
        own = {**headers, **({"Authorization": self._authorization} if self._authorization else {})}
        request = self._client.build_request("GET", f"{self._image.url}/{path}", headers=own)
        try:
            return self._client.send(request, stream=True, follow_redirects=True)
        except httpx2.HTTPError as error:
            raise SubjectUnreadable(f"{self._shown} cannot be reached", why=type(error).__name__, advice="it is tried again") from error

    def _token(self, challenge: str) -> str:
        """What the registry's challenge leads to (docs of the distribution specification: token authentication)."""
        image = Reference(self._image.host, self._image.name, plain=self._image.plain)
        asked = access.token_request(challenge, image, self._credential, access.PULL)
        if asked is None:
            return access.basic(self._credential)
        try:
            answer = self._client.get(asked.url, headers=asked.headers)
        except httpx2.HTTPError as error:
            raise SubjectUnreadable(
                "the registry's token service gives none", why=type(error).__name__, advice="it is tried again"
            ) from error
        return access.token_of(Said(answer.status_code, {}, answer.content))


class _Answer:
    def __init__(self, answer: httpx2.Response) -> None:
        self._answer = answer

    def __enter__(self) -> httpx2.Response:
        return self._answer

    def __exit__(self, *_: object) -> None:
        self._answer.close()


def _checked(digest: str) -> str:
    if not _DIGEST.match(digest):
        raise SubjectUnreadable(f"{digest[:80]!r} is no SHA-256", why="the image names its parts by it")
    return digest


def _path(draft: Path, digest: str) -> Path:
    return draft / "blobs" / "sha256" / _checked(digest).removeprefix("sha256:")


def _decoded(data: bytes, kind: type[_Document], what: str) -> _Document:
    try:
        return msgspec.json.decode(data, type=kind)
    except (*UNDECODABLE, ValueError) as error:
        raise SubjectUnreadable(f"the image's {what} cannot be understood", why=str(error)[:200]) from error
