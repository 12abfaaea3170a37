"""The driver's settings, as the terms give them: words, each with the strict one as its default; one not known is refused."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.podman.memory import place
from assaymark.deployment.edge.place import default
from assaymark.deployment.edge.table import Mode, split
from assaymark.errors import UsageError

_SIZE = re.compile(r"[1-9][0-9]*[kmg]?", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_./:=,@+-]+", re.ASCII)
_ADVICE = "see docs/how-to/phoenix-podman.md"


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """Of one pair."""

    port: str
    """That the instance listens at, inside."""
    listen: str
    """``host:port`` of the edge, where clients come."""
    mode: Mode = Mode.HTTP
    edge: str = "builtin"
    """``builtin`` or ``haproxy``."""
    edge_folder: str = ""
    edge_start: str = "yes"
    """Bring the edge up where it does not answer; ``no`` where a service manager does."""

    probe: str = "http"
    """``http``, ``tcp`` or ``none`` (it runs)."""
    probe_path: str = "/"
    probe_seconds: str = "2"

    memory: str = "256m"
    pids: str = "128"
    cpus: str = ""
    tmpfs: str = ""
    """Places in memory that may be written, a word each: ``/tmp:size=16m``."""
    capabilities: str = ""
    """That the instance keeps, a word each: ``NET_BIND_SERVICE``."""
    writable: str = "no"
    """``yes``: its root may be written; what is written is drift all the same."""
    user: str = ""
    userns: str = ""
    network: str = ""
    ulimits: str = ""
    command: str = ""
    """Instead of the image's own arguments; words as of a shell, without one."""

    reach: str = "auto"
    """``address`` of the container (root), or ``published`` at a port of 127.0.0.1 (others)."""
    pull: str = "missing"
    """``missing``, or ``never``."""
    secrets_folder: str = ""
    """In memory; below it are an instance's secrets as files, as long as it lives."""
    relabel: str = "no"
    """``yes``: on SELinux, give mounted files the container's label."""
    stop_seconds: str = "0"
    """For a burnt instance to end by itself, before it is killed."""
    socket: str = "auto"
    """Of podman's service, for reading; ``none``: by the command alone."""
    program: str = "podman"

    @property
    def publishes(self) -> bool:
        return self.reach == "published" or (self.reach == "auto" and os.geteuid() != 0)

    @property
    def bridged(self) -> str:
        """Name of the network."""
        name = self.network.partition(":")[0]
        return name if name not in {"", "bridge"} else "podman"

    @property
    def folder(self) -> Path:
        return Path(self.edge_folder) if self.edge_folder else default(self.edge)

    @property
    def secrets_in(self) -> Path:
        return Path(self.secrets_folder) if self.secrets_folder else place() / f"assaymark-secrets-{os.geteuid()}"

    @property
    def kept(self) -> frozenset[str]:
        return frozenset(each.upper().removeprefix("CAP_") for each in self.capabilities.split())

    @property
    def places(self) -> tuple[str, ...]:
        """Paths inside that are memory."""
        return tuple(each.partition(":")[0] for each in self.tmpfs.split())

    @property
    def arguments(self) -> tuple[str, ...]:
        return tuple(shlex.split(self.command))


def read(options: Mapping[str, str]) -> Options:
    """These settings.

    Raises:
        UsageError: when one is missing, unknown or makes no sense.
    """
    try:
        found = msgspec.convert(dict(options), Options)
    except msgspec.ValidationError as error:
        raise UsageError("the options of the driver podman make no sense", why=str(error), advice=_ADVICE) from error
    for wrong in _wrong(found):
        raise UsageError("the options of the driver podman make no sense", why=wrong, advice=_ADVICE)
    split(found.listen)
    return found


def _wrong(said: Options) -> list[str]:
    choices = {
        "edge": ("builtin", "haproxy"), "probe": ("http", "tcp", "none"), "reach": ("auto", "address", "published"),
        "pull": ("missing", "never"),
    }  # fmt: skip
    choices |= dict.fromkeys(("edge_start", "writable", "relabel"), ("yes", "no"))
    found = [f"{name} is {' or '.join(few)}" for name, few in choices.items() if getattr(said, name) not in few]
    found += [f"{name} is a number" for name in ("port", "pids", "stop_seconds") if not _number(getattr(said, name))]
    if not _SIZE.fullmatch(said.memory):
        found.append("memory is a number of bytes, with k, m or g")
    for name in ("probe_seconds", "cpus"):
        value = getattr(said, name)
        if value and not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", value, re.ASCII):
            found.append(f"{name} is a number")
    if not said.probe_path.startswith("/") or not said.probe_path.isascii() or not said.probe_path.isprintable() or " " in said.probe_path:
        found.append("probe_path is a path of a request")
    for name in ("tmpfs", "capabilities", "user", "userns", "network", "ulimits"):
        found += [f"{name} says {each[:50]!r}" for each in getattr(said, name).split() if not _WORD.fullmatch(each) or each.startswith("-")]
    found += [f"tmpfs {each!r} is no path" for each in said.places if not each.startswith("/")]
    found += [f"{name} is one word" for name in ("user", "userns", "network") if " " in getattr(said, name)]
    if said.network.partition(":")[0] in {"host", "none", "container", "ns", "private"}:
        found.append(f"network {said.network!r} gives an instance no address of its own")
    try:
        _ = said.arguments
    except ValueError as error:
        found.append(f"command: {error}")
    return found


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 <= int(text[:10]) < 1 << 31
