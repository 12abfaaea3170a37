"""The driver's settings, as the terms give them: words, each with the strict one as its default; one not known is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

from assaymark.errors import EngineMissing, UsageError

_ADVICE = "see docs/how-to/phoenix-rootfs.md"
_USER = re.compile(r"\d{1,10}:\d{1,10}", re.ASCII)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_SIZE = re.compile(r"([1-9][0-9]*)([kmg]?)", re.ASCII)
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_MOST_PORT = (1 << 16) - 1
_LONGEST = 3600.0
NOBODY = "65534:65534"


class Runtime(StrEnum):
    """By what a tree is run."""

    BUBBLEWRAP = "bubblewrap"
    RUNC = "runc"


PROGRAMS = {Runtime.BUBBLEWRAP: ("bwrap", "bubblewrap"), Runtime.RUNC: ("runc", "runc")}
"""Program, and Debian's package."""


class _Words(Struct, frozen=True, forbid_unknown_fields=True):
    """As they stand in the terms."""

    command: str
    runtime: Runtime = Runtime.BUBBLEWRAP
    state: str = "/var/lib/assaymark/rootfs"
    user: str = ""
    folder: str = "/"
    network: str = "host"
    ports: str = "20000-20999"
    port_variable: str = "PORT"
    data: str = ""
    tmpfs: str = "/tmp"  # noqa: S108 - inside, and its own
    secrets: str = "/run/secrets"
    probe: str = ""
    probe_path: str = "/"
    probe_seconds: str = "2"
    stop_seconds: str = "5"
    memory: str = "256m"
    pids: str = "128"
    listen: str = ""
    mode: str = "http"
    edge: str = ""
    edge_folder: str = ""
    edge_start: str = "yes"


class Options(Struct, frozen=True):
    """Settings of one pair."""

    command: tuple[str, ...]
    """In the tree; ``{port}`` in it is the instance's own."""
    runtime: Runtime
    state: str
    user: int
    group: int
    folder: str
    """Where it starts, inside."""
    ports: range
    """Empty: the instance has no network."""
    port_variable: str
    data: Mapping[str, str]
    """Path inside to folder outside, which may be written."""
    tmpfs: tuple[str, ...]
    secrets: str
    probe: str
    """``http``, ``tcp`` or ``none`` (it runs)."""
    probe_path: str
    probe_seconds: float
    stop_seconds: float
    """Between asking it to end and killing it."""
    memory: int
    """Bytes; with runc."""
    pids: int
    """With runc."""
    listen: str
    """``host:port`` of the edge; empty: traffic goes by the table of addresses alone."""
    mode: str
    edge: str
    """``builtin``, ``haproxy`` or ``none``."""
    edge_folder: str
    edge_start: bool

    @property
    def has_port(self) -> bool:
        return bool(self.ports)


def read(options: Mapping[str, str]) -> Options:
    """The settings.

    Raises:
        UsageError: when one is missing or makes no sense.
        EngineMissing: when the runtime is not installed.
    """
    try:
        words = msgspec.convert(dict(options), _Words)
    except msgspec.ValidationError as error:
        raise UsageError("the options of the driver rootfs make no sense", why=str(error)[:300], advice=_ADVICE) from error
    user, group = _user(words.user)
    program, package = PROGRAMS[words.runtime]
    if shutil.which(program) is None:
        raise EngineMissing(f"{program} is not installed", why=f"runtime is {words.runtime}", advice=f"apt-get install {package}")
    _must(words.runtime is Runtime.BUBBLEWRAP or os.geteuid() == 0, "runtime is runc, and this is not root", "use bubblewrap")
    ports = _ports(words)
    probe = words.probe or ("tcp" if ports else "none")
    _must(probe in {"http", "tcp", "none"} and (ports or probe == "none"), f"probe is {probe!r}", "http, tcp or none; none without network")
    edge = words.edge or ("builtin" if words.listen else "none")
    _must(edge in {"builtin", "haproxy", "none"}, f"edge is {edge!r}", "builtin, haproxy or none")
    _must((edge == "none") is not bool(words.listen), f"edge is {edge}, listen is {words.listen!r}", "an edge listens at listen")
    _must(edge == "none" or ports, "an edge needs instances with ports", 'network = "host"')
    _must(words.mode in {"http", "tcp"}, f"mode is {words.mode!r}", "http or tcp")
    _must(words.edge_start in {"yes", "no"}, f"edge_start is {words.edge_start!r}", "yes or no")
    _must(
        words.probe_path.startswith("/") and words.probe_path.isprintable() and " " not in words.probe_path, "probe_path is none", "/path"
    )
    _must(_NAME.fullmatch(words.port_variable), f"port_variable is {words.port_variable!r}", "a name of a variable")
    tmpfs = tuple(_inside("tmpfs", each) for each in words.tmpfs.split())
    return Options(
        command=_command(words.command), runtime=words.runtime, state=_absolute("state", words.state), user=user, group=group,
        folder=_inside("folder", words.folder), ports=ports, port_variable=words.port_variable, data=_data(words.data), tmpfs=tmpfs,
        secrets=_inside("secrets", words.secrets), probe=probe, probe_path=words.probe_path,
        probe_seconds=_seconds("probe_seconds", words.probe_seconds), stop_seconds=_seconds("stop_seconds", words.stop_seconds),
        memory=_size(words.memory), pids=_count(words.pids), listen=words.listen, mode=words.mode, edge=edge,
        edge_folder=words.edge_folder or f"{words.state}/edge", edge_start=words.edge_start == "yes",
    )  # fmt: skip


def _command(text: str) -> tuple[str, ...]:
    try:
        found = msgspec.convert(json.loads(text), tuple[str, ...])
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError(
            "command is no list of words", why=str(error)[:300], advice='command = \'["/bin/run", "--port", "{port}"]\''
        ) from error
    good = found and found[0].startswith("/") and not any("\0" in word for word in found)
    _must(good, f"command is {text[:100]!r}", "its first word is an absolute path in the tree")
    return found


def _user(text: str) -> tuple[int, int]:
    own = os.geteuid()
    if own:
        _must(not text, "user is given, and this is not root", "leave user out: it runs as whoever deploys")
        return own, os.getegid()
    _must(not text or _USER.fullmatch(text), f"user is {text!r}", "two numbers, as 1000:1000")
    user, _, group = (text or NOBODY).partition(":")
    return int(user), int(group)


def _ports(words: _Words) -> range:
    _must(words.network in {"host", "none"}, f"network is {words.network!r}", "host or none")
    if words.network == "none":
        return range(0)
    found = _RANGE.fullmatch(words.ports)
    _must(found, f"ports is {words.ports!r}", "write it as 20000-20999")
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    _must(0 < first <= last <= _MOST_PORT, f"ports is {words.ports!r}", "between 1 and 65535, and rising")
    return range(first, last + 1)


def _data(text: str) -> Mapping[str, str]:
    """``/outside:/inside``, a word each."""
    found: dict[str, str] = {}
    for word in text.split():
        outside, colon, inside = word.partition(":")
        _must(colon, f"data is {word!r}", "write it as /outside:/inside")
        found[_inside("data", inside)] = _absolute("data", outside)
    return found


def _absolute(name: str, path: str) -> str:
    parts = path.split("/")
    _must(
        path.startswith("/") and "\0" not in path and not {".", ".."} & set(parts),
        f"{name} is {path!r}",
        "an absolute path without . and ..",
    )
    return path


def _inside(name: str, path: str) -> str:
    return "/" + "/".join(part for part in _absolute(name, path).split("/") if part)


def _seconds(name: str, text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    _must(0 < found <= _LONGEST, f"{name} is {text!r}", "seconds, more than 0 and at most an hour")
    return found


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    _must(found, f"memory is {text!r}", "write it as 256m")
    return int(found[1]) * _UNITS[found[2]] if found else 0


def _count(text: str) -> int:
    _must(text.isascii() and text.isdigit() and 0 < int(text) < 1 << 22, f"pids is {text!r}", "a number")
    return int(text)


def _must(good: object, what: str, advice: str) -> None:
    if not good:
        raise UsageError(f"the options of the driver rootfs make no sense: {what}", why=advice, advice=_ADVICE)
