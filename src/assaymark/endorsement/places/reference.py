"""Names of images: ``oci://host/group/name:tag@sha256:…``, taken apart. Pure; whether a host may be gone to is for whoever goes."""

from __future__ import annotations

import re

from msgspec import Struct

from assaymark.errors import UsageError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?\Z")
_DOCKER_HUB = "registry-1.docker.io"
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SCHEME = "oci://"


class Reference(Struct, frozen=True):
    """An image, or a repository of images when it has neither tag nor digest."""

    host: str
    """With a port where it has one."""
    name: str
    tag: str = ""
    digest: str = ""
    plain: bool = False
    """Over HTTP without TLS: this machine's own, or where whoever calls says so."""

    @property
    def url(self) -> str:
        return f"{'http' if self.plain else 'https'}://{self.host}/v2/{self.name}"

    @property
    def shown(self) -> str:
        return f"{self.host}/{self.name}"

    @property
    def resource(self) -> str:
        """As endorsements name it."""
        return f"{_SCHEME}{self.shown}"


def is_reference(text: str) -> bool:
    """Whether it says by its scheme that it is an image of a registry."""
    return text.startswith(_SCHEME)


def reference(text: str, *, plain: bool = False) -> Reference:
    """With or without ``oci://``, tag and digest.

    Raises:
        UsageError: when it is none.
    """
    rest, _, digest = text.removeprefix(_SCHEME).partition("@")
    host, _, name = rest.partition("/")
    if not name or not ("." in host or ":" in host or host == "localhost"):
        host, name = _DOCKER_HUB, rest if "/" in rest else f"library/{rest}"
    host = _DOCKER_HUB if host in {"docker.io", "index.docker.io"} else host
    name, _, tag = name.partition(":")
    is_whole = _HOST.match(host) and _NAME.match(name) and len(name) <= 255
    if not is_whole or (tag and not _TAG.match(tag)) or ("@" in text and not DIGEST.match(digest)):
        raise UsageError(f"{text[:200]!r} is no image", advice="name it as oci://host/group/name@sha256:<64 hex digits>")
    own = host.rpartition(":")[0] or host
    return Reference(host, name, tag, digest, plain or own in _LOOPBACK or host in _LOOPBACK)
