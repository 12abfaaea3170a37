"""Credentials for a registry: asked from standard input, or those that docker and podman keep. No helper program is started."""

from __future__ import annotations

import base64
import binascii
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE

_MOST = 1 << 20
_DOCKER_HUB = ("registry-1.docker.io", "https://index.docker.io/v1/")


class _Entry(Struct, frozen=True):
    auth: str = ""


class _Kept(Struct, frozen=True):
    auths: dict[str, _Entry] = {}


def of(username: str) -> str:
    """``user:word``, the word from standard input.

    Raises:
        UsageError: when there is none.
    """
    found = sys.stdin.read(8192).strip("\r\n")
    if not found:
        raise UsageError("standard input holds no password", advice="pipe it in: … --username robot --password-stdin < token")
    return f"{username}:{found}"


def kept(host: str) -> str:
    """``user:password`` for a host; empty where nobody logged in."""
    names = _DOCKER_HUB if host == _DOCKER_HUB[0] else (host, f"https://{host}")
    for path in _places():
        try:
            with path.open("rb") as file:
                found = msgspec.json.decode(file.read(_MOST), type=_Kept)
        except (OSError, *UNDECODABLE):
            continue
        for name in names:
            entry = found.auths.get(name)
            if entry is not None and entry.auth:
                return _decoded(entry.auth, path)
    return ""


def _places() -> Iterator[Path]:
    """Where they keep them, as podman looks (containers-auth.json) and then docker."""
    if os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(os.environ["REGISTRY_AUTH_FILE"])
    if os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(os.environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    yield Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "config.json"


def _decoded(text: str, path: Path) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8").rstrip("\0")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise UsageError(f"{path} holds a credential that is no base64", advice="log in again") from error
