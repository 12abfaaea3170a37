"""Every address that the server goes to on somebody else's word passes here: git, forges, registries, webhooks.

Guarantees
* only ``https``, ``http``, ``ssh`` (also as ``user@host:path``) and ``file`` inside folders that the administrator named; no program, no
  option, no credential in it;
* after its name was resolved, every address of a host is public or in a network that the administrator named, else it is refused;
* whoever connects, connects to an address that was checked and to no other, so that a second answer of the name service changes nothing;
* `client` follows no redirect by itself, and one that is followed is checked again; answers end at a size and a time; no proxy, no
  credentials from the environment, no compression (a small answer could unpack without end).

Ports: 22, 80, 443 and everything from 1024 up; others below belong to services that speak neither HTTP nor SSH.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpcore2
import httpx2
from msgspec import Struct
from msgspec.structs import replace

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.server.addresses import Address, host_name, is_allowed, literal
from assaymark.server.settings import Settings

WEB = frozenset({"https", "http"})
GIT = WEB | {"ssh", "file"}
MOST_BYTES = 16 << 20
"""Largest answer that `client` reads."""
SECONDS = 30.0
"""Longest time from a request of `client` to the end of its answer."""
_CONNECT_SECONDS = 10.0
_LONGEST = 2048
_PORTS = {"https": 443, "http": 80, "ssh": 22}
_LOW_PORTS = frozenset({22, 80, 443})
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")
_SCP = re.compile(r"(?:(?P<user>[^@/:\[\]]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@/:\[\]]+):(?P<path>[^:].*)\Z")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f\\\"'`<>^{|}]|[^\x00-\x7f]")

LookUp = Callable[[str, int], Sequence[Address]]


class Destination(Struct, frozen=True):
    """An address that may be gone to."""

    url: str
    scheme: str
    host: str
    port: int
    path: str
    user: str = ""
    """Of ssh only."""
    addresses: tuple[str, ...] = ()
    """All that the host has, each of them checked; empty for files."""


def checked_url(text: str, settings: Settings, *, schemes: frozenset[str] = GIT) -> str:
    """The address in its one form, when the server may go there now.

    Raises:
        UsageError: when it may not.
        SubjectUnreadable: when its host cannot be found.
    """
    return destination(text, settings, schemes=schemes).url


def destination(text: str, settings: Settings, *, schemes: frozenset[str] = GIT, look_up: LookUp | None = None) -> Destination:
    """The address with everything that is needed to go there and nowhere else.

    Raises:
        UsageError: when the server may not.
        SubjectUnreadable: when its host cannot be found.
    """
    found = parse(text, schemes)
    if found.scheme == "file":
        return replace(found, path=_inside(found.path, settings))
    addresses = allowed_addresses(found.host, found.port, settings.private_networks, look_up or resolve)
    return replace(found, addresses=tuple(str(each) for each in addresses))


def parse(text: str, schemes: frozenset[str] = GIT) -> Destination:
    """What is written, without asking anybody.

    Raises:
        UsageError: when it is no address that could be allowed.
    """
    shown = without_credentials(text)
    if not text or len(text) > _LONGEST or text.startswith("-"):
        raise UsageError(f"{shown!r} is no address", advice="write it as https://host/path")
    if _NOT_IN_URLS.search(text):
        raise UsageError(f"{shown!r} is no address", why="it holds a sign that no address has", advice="write such signs as %20")
    scheme, sign, _ = text.partition("://")
    if not sign:
        return _scp(text, shown, schemes)
    scheme = scheme.lower()
    if scheme not in schemes:
        raise UsageError(f"{shown!r} cannot be gone to", why=f"it is neither of {', '.join(sorted(schemes))}")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"{shown!r} is no address", why=str(error), advice="write it as https://host/path") from error
    if parts.fragment or "#" in text:
        raise UsageError(f"{shown!r} is no address of a server", advice="leave out what stands behind #")
    if scheme == "file":
        return _file(parts, shown)
    if parts.password is not None or (parts.username is not None and scheme != "ssh"):
        raise UsageError(
            f"{shown!r} holds a credential", why="addresses are shown and logged", advice="leave it out, and give the connection a token"
        )
    host = host_name(parts.hostname or "")
    chosen = _PORTS[scheme] if port is None else _port(port, shown)
    return _remote(scheme, host, chosen, parts)


def without_credentials(text: str) -> str:
    """The text for messages: at most 200 signs, and nothing of what stands before an @."""
    return re.sub(r"(?<=://)[^/@]*(?:@[^/@]*)*@", "…@", text)[:200]


def allowed_addresses(host: str, port: int, private_networks: Sequence[str], look_up: LookUp) -> tuple[Address, ...]:
    """Every address of a host.

    Raises:
        UsageError: when one of them may not be gone to: a host that is partly inside is taken for an attack.
        SubjectUnreadable: when it has none.
    """
    written = literal(host)
    found = tuple(dict.fromkeys([written] if written is not None else look_up(host, port)))
    if not found:
        raise _lost(host, "it has no address")
    for each in found:
        if not is_allowed(each, private_networks):
            raise UsageError(
                f"{host} may not be gone to",
                why=f"its address {each} is private to this machine or network",
                advice="if this is meant, the administrator adds its network to ASSAYMARK_PRIVATE_NETWORKS",
            )
    return found


def resolve(host: str, port: int) -> Sequence[Address]:
    """What the name service says now.

    Raises:
        SubjectUnreadable: when it knows no such name.
    """
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise _lost(host, getattr(error, "strerror", None) or "the name service does not answer") from error
    addresses = (literal(str(row[4][0])) for row in rows)  # a scope behind % makes it none: link-local, which nobody means
    return [each for each in addresses if each is not None]


def _lost(host: str, why: str) -> SubjectUnreadable:
    return SubjectUnreadable(
        f"{host} cannot be found", why=why, advice="look at the address, and whether this machine reaches a name server"
    )


def _remote(scheme: str, host: str, port: int, parts: SplitResult) -> Destination:
    user = parts.username or ""
    if user and not _USER.match(user):
        raise UsageError(f"{user[:100]!r} is no user's name")
    shown = f"[{host}]" if ":" in host else host
    place = shown if port == _PORTS[scheme] else f"{shown}:{port}"
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else ""
    if scheme == "ssh" and (path == "/" or path.startswith("/-") or query):
        raise UsageError(f"ssh://{place}{path} names no repository")
    return Destination(f"{scheme}://{f'{user}@' if user else ''}{place}{path}{query}", scheme, host, port, path, user)


def _scp(text: str, shown: str, schemes: frozenset[str]) -> Destination:
    found = _SCP.match(text)
    if found is None or "ssh" not in schemes or not (found["user"] or "." in found["host"]):
        raise UsageError(f"{shown!r} is no address of a server", advice="write it as https://host/path")
    host, user, path = host_name(found["host"]), found["user"] or "", found["path"]
    if path.startswith(("-", "//")) or (user and not _USER.match(user)):
        raise UsageError(f"{shown!r} is no address of a repository", advice="write it as git@host:group/project.git")
    shown_host = f"[{host}]" if ":" in host else host
    return Destination(f"{user}@{shown_host}:{path}" if user else f"{shown_host}:{path}", "ssh", host, 22, path, user)


def _port(port: int, shown: str) -> int:
    if port in _LOW_PORTS or port >= 1024:
        return port
    raise UsageError(
        f"{shown!r} may not be gone to", why=f"port {port} belongs to another kind of service", advice="use 22, 80, 443 or ≥ 1024"
    )


def _file(parts: SplitResult, shown: str) -> Destination:
    if parts.netloc or parts.query or not parts.path.startswith("/") or "%" in parts.path:
        raise UsageError(f"{shown!r} names no folder of this machine", advice="write it as file:///srv/git/project.git")
    path = os.path.normpath(parts.path)
    return Destination(f"file://{path}", "file", "", 0, path)


def _inside(path: str, settings: Settings) -> str:
    """Links are followed before it is decided: what counts is where the files are."""
    real = Path(path).resolve()
    if any(real.is_relative_to(Path(folder).resolve()) for folder in settings.local_repositories):
        return str(real)
    raise UsageError(
        f"{path} may not be read",
        why="it lies in no folder that is allowed for repositories",
        advice="the administrator adds its folder to ASSAYMARK_LOCAL_REPOSITORIES",
    )


# --- requests ----------------------------------------------------------------------------------------------------------


def client(
    settings: Settings, *, seconds: float = SECONDS, most_bytes: int = MOST_BYTES, look_up: LookUp | None = None, **more: Any
) -> httpx2.Client:
    """A client that keeps the promises of this module; close it after use. `more` goes to `httpx2.Client` (headers, base_url).

    Its calls raise `httpx2.HTTPError` for what the network does, and for what is refused here `UsageError` or `SubjectUnreadable`.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "assaymark", **more.pop("headers", {})}
    return httpx2.Client(
        transport=_Guarded(settings, _Bounds(seconds, most_bytes), look_up or resolve),
        timeout=httpx2.Timeout(min(seconds, _CONNECT_SECONDS)),
        follow_redirects=False,
        max_redirects=5,
        trust_env=False,
        headers=headers,
        **more,
    )


class _Bounds(Struct, frozen=True):
    seconds: float
    most_bytes: int


class _Guarded(httpx2.HTTPTransport):
    def __init__(self, settings: Settings, bounds: _Bounds, look_up: LookUp) -> None:
        trust = ssl.create_default_context()
        super().__init__(verify=trust, trust_env=False)
        self._bounds = bounds
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trust, max_connections=8, keepalive_expiry=30.0, network_backend=_Checked(settings.private_networks, look_up)
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        parse(str(request.url), WEB)
        ends = time.monotonic() + self._bounds.seconds
        response = super().handle_request(request)
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            response.close()
            raise SubjectUnreadable(f"{request.url.host} answered in a form that was not asked for", why="its answer is compressed")
        assert isinstance(response.stream, httpx2.SyncByteStream)  # noqa: S101 - of a transport that is not asynchronous
        response.stream = _Bounded(response.stream, request.url.host, self._bounds.most_bytes, ends)
        return response


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, host: str, most_bytes: int, ends: float) -> None:
        self._stream, self._host, self._most, self._ends = stream, host, most_bytes, ends

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for chunk in self._stream:
            size += len(chunk)
            if size > self._most:
                raise SubjectUnreadable(f"{self._host} answered with too much", why=f"more than {self._most} bytes")
            if time.monotonic() > self._ends:
                raise SubjectUnreadable(f"{self._host} took too long to answer", advice="try again")
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _Checked(httpcore2.NetworkBackend):
    """Resolves, checks, and connects to what it checked."""

    def __init__(self, private_networks: Sequence[str], look_up: LookUp) -> None:
        self._inner = httpcore2.SyncBackend()
        self._private, self._look_up = private_networks, look_up

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception | None = None
        for address in allowed_addresses(host_name(host), port, self._private, self._look_up):
            try:
                return self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        assert failure is not None  # noqa: S101 - there is at least one address
        raise failure

    def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> Any:
        raise UsageError(f"{path} is no server of the network")
