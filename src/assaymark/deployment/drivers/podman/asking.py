"""What podman says and does: its command, and its service for reading where there is a socket (a twentieth of the time).

Guarantees: no shell; of the deployer's environment podman gets what it needs to find its own things, and nothing else; every call has an
end; what podman says of an error is kept as its reason, cut.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed
from assaymark.errors import EngineMissing
from assaymark.formats.undecodable import UNDECODABLE

_SECONDS = 60.0
_PULL_SECONDS = 900.0
_READ_SECONDS = 10.0
_MOST_BYTES = 64 << 20
_KEPT = (
    "PATH", "HOME", "USER", "TMPDIR", "LANG", "LC_ALL", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME",
    "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF", "REGISTRY_AUTH_FILE", "DBUS_SESSION_BUS_ADDRESS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
_API = "/v4.0.0/libpod"
T = TypeVar("T")


class _Pascal(Struct, frozen=True, rename="pascal"):
    """Members as podman writes them; null for what is empty."""


class RunState(_Pascal, frozen=True):
    running: bool = False
    pid: int = 0
    status: str = ""


class Image(_Pascal, frozen=True):
    """What `image inspect` says."""

    id: str
    digest: str = ""
    repo_digests: list[str] | None = None

    @property
    def digests(self) -> frozenset[str]:
        """Of its manifest, and of the indexes that it was taken by."""
        named = {each.rpartition("@")[2] for each in self.repo_digests or ()}
        return frozenset({self.digest, *named} - {""})


class Settings(_Pascal, frozen=True):
    labels: dict[str, str] | None = None


class Layers(_Pascal, frozen=True):
    data: dict[str, str] | None = None


class Bound(_Pascal, frozen=True):
    host_ip: str = ""
    host_port: str = ""


class OneNetwork(_Pascal, frozen=True):
    i_p_address: str = msgspec.field(default="", name="IPAddress")


class Networks(_Pascal, frozen=True):
    i_p_address: str = msgspec.field(default="", name="IPAddress")
    networks: dict[str, OneNetwork] | None = None
    ports: dict[str, list[Bound] | None] | None = None


class Limited(_Pascal, frozen=True):
    memory: int = 0
    pids_limit: int = 0
    privileged: bool = False
    readonly_rootfs: bool = False
    pid_mode: str = ""
    network_mode: str = ""


class Network(Struct, frozen=True):
    """What `network inspect` says."""

    driver: str = ""
    network_interface: str = ""


class Container(_Pascal, frozen=True):
    """What `inspect` says."""

    id: str
    name: str
    created: str
    image: str
    image_digest: str = ""
    state: RunState = RunState()
    config: Settings = Settings()
    graph_driver: Layers = Layers()
    network_settings: Networks = Networks()
    host_config: Limited = Limited()

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.labels or {}

    def address(self, port: str, *, published: bool) -> str:
        """Where it is reached, nothing while it is not."""
        there = self.network_settings
        if published:
            bound = (there.ports or {}).get(f"{port}/tcp") or []
            return next((f"{each.host_ip or '127.0.0.1'}:{each.host_port}" for each in bound if each.host_port), "")
        named = [each.i_p_address for each in (there.networks or {}).values() if each.i_p_address]
        host = there.i_p_address or next(iter(named), "")
        return f"{host}:{port}" if host else ""


class _Listed(_Pascal, frozen=True):
    """What `ps` says."""

    id: str
    state: str = ""
    pid: int = 0

    def is_as(self, known: Container | None) -> bool:
        """Whether nothing happened to it since."""
        return known is not None and known.state.pid == self.pid and known.state.running == (self.state == "running")


class Refused(Exception):  # noqa: N818 - podman said no
    """In its words."""


class Podman:
    """It, asked."""

    def __init__(self, program: str, socket_path: str) -> None:
        found = shutil.which(program)
        if found is None:
            advice = "install it: apt-get install podman runc netavark aardvark-dns iptables catatonit"
            raise EngineMissing(f"the program {program} is not here", advice=advice)
        self._program = found
        self._socket = _socket(socket_path)
        self._known: dict[str, Container] = {}

    # --- reading ---------------------------------------------------------------------------------------------------------

    def labelled(self, labels: Mapping[str, str]) -> list[Container]:
        """All containers with all of these labels, running or not."""
        words = [f"{name}={value}" for name, value in labels.items()]
        if self._socket:
            listed = self._get(f"{_API}/containers/json?{urlencode({'all': 'true', 'filters': json.dumps({'label': words})})}")
            ids = [each["Id"] for each in _decoded(listed or b"[]", list[dict[str, msgspec.Raw]])]
            found = [self._get(f"{_API}/containers/{quote(_decoded(each, str))}/json") for each in ids]
            return [_decoded(each, Container) for each in found if each]
        named = [word for each in words for word in ("--filter", f"label={each}")]
        there = _decoded(self.do("ps", "--all", "--no-trunc", "--format", "json", *named).encode(), list[_Listed])
        # What is told of a container changes with its process alone: it is not asked about twice.
        known = {each.id: self._known[each.id] for each in there if each.is_as(self._known.get(each.id))}
        asked = self.containers([each.id for each in there if each.id not in known])
        self._known = known | {each.id: each for each in asked}
        return list(self._known.values())

    def containers(self, names: Sequence[str]) -> list[Container]:
        """These, as far as they are there."""
        if not names:
            return []
        if self._socket:
            found = [self._get(f"{_API}/containers/{quote(name)}/json") for name in names]
            return [_decoded(each, Container) for each in found if each]
        try:
            return _decoded(self._run(["inspect", "--type", "container", *names]), list[Container])
        except Refused as error:
            if "no such" not in str(error).lower():
                raise DriverFailed("podman does not say what runs", why=str(error)) from error
        # One of them went meanwhile: those that are left, each by itself.
        return [] if len(names) == 1 else [found for name in names for found in self.containers([name])]

    def image(self, name: str) -> Image | None:
        """Of this name or id; none when it is not here."""
        if self._socket:
            found = self._get(f"{_API}/images/{quote(name, safe='')}/json")
            return _decoded(found, Image) if found else None
        try:
            return _decoded(self._run(["image", "inspect", name]), list[Image])[0]
        except Refused as error:
            if _unknown(str(error)):
                return None
            raise DriverFailed(f"podman does not tell about the image {name}", why=str(error)) from error

    def bridge_of(self, network: str) -> str:
        """The interface of a network on this machine; nothing when it is no bridge."""
        found = _decoded(self.do("network", "inspect", network).encode(), list[Network])
        return next((each.network_interface for each in found if each.driver == "bridge"), "")

    def _get(self, path: str) -> bytes:
        """The answer of its service; nothing for 404."""
        connection = _Unix(self._socket)
        try:
            connection.request("GET", path, headers={"Host": "podman"})
            answer = connection.getresponse()
            data = answer.read(_MOST_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise DriverFailed(f"the service of podman at {self._socket} does not answer", why=str(error)) from error
        finally:
            connection.close()
        if answer.status == 404:
            return b""
        if answer.status != 200:
            raise DriverFailed("the service of podman refuses", why=f"{answer.status}: {data[:500].decode(errors='replace')}")
        return data

    # --- doing -----------------------------------------------------------------------------------------------------------

    def do(self, *words: str, stdin: bytes = b"", pass_fds: Sequence[int] = ()) -> str:
        """What it prints.

        Raises:
            DriverFailed: when it refuses.
        """
        try:
            return self._run(words, stdin=stdin, pass_fds=pass_fds).decode(errors="replace")
        except Refused as error:
            raise DriverFailed(f"podman {words[0]} failed", why=str(error)) from error

    def pull(self, name: str) -> None:
        """The image is here.

        Raises:
            DriverFailed: when it cannot be had.
        """
        try:
            self._run(["pull", "--quiet", name], seconds=_PULL_SECONDS)
        except Refused as error:
            raise DriverFailed(f"the image {name} is not here and cannot be had", why=str(error)) from error

    def _run(self, words: Sequence[str], *, stdin: bytes = b"", pass_fds: Sequence[int] = (), seconds: float = _SECONDS) -> bytes:
        try:
            ran = subprocess.run(
                [self._program, *words], input=stdin, capture_output=True, timeout=seconds, check=False, pass_fds=pass_fds,
                env={name: os.environ[name] for name in _KEPT if name in os.environ}, cwd="/",
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise DriverFailed(f"podman {words[0]} does not end", why=f"{seconds:g} seconds are over") from error
        except OSError as error:
            raise DriverFailed("podman cannot be started", why=str(error)) from error
        if ran.returncode:
            raise Refused(ran.stderr.decode(errors="replace").strip()[-1000:] or f"it ended with {ran.returncode}")
        return ran.stdout


def _unknown(words: str) -> bool:
    return any(each in words.lower() for each in ("not known", "no such", "not found"))


def _decoded(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except UNDECODABLE as error:
        raise DriverFailed("podman answers something that is not understood", why=str(error)) from error


def _socket(said: str) -> str:
    if said == "none":
        return ""
    if said != "auto":
        return said
    run = "/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "")
    path = f"{run}/podman/podman.sock"
    return path if run and Path(path).is_socket() else ""


class _Unix(http.client.HTTPConnection):
    """By a socket of the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("podman", timeout=_READ_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
