"""Where a request comes from, as far as it can be believed: its address behind proxies, the name it asked for, the page that sent it.

Guarantees: ``X-Forwarded-For`` and ``X-Forwarded-Proto`` count only from configured proxies, and only as far as the chain of them reaches;
``X-Forwarded-Host`` counts never. A request that changes something and was sent by a browser for a page of another site is refused, by
``Sec-Fetch-Site`` and, for browsers without it, ``Origin``; programs send neither. No token in forms is needed for that.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from msgspec import Struct

from assaymark.server.problem import ApiError
from assaymark.server.settings import Settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_SAME = frozenset({"same-origin", "none"})
_MOST_HOPS = 16


class Seen(Struct, frozen=True):
    """What the connection says, corrected by trusted proxies."""

    address: str
    scheme: str


class Headers:
    """Header fields of an ASGI scope by name."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._all: dict[bytes, list[bytes]] = {}
        for name, value in raw:
            self._all.setdefault(name.lower(), []).append(value)

    def one(self, name: bytes) -> str | None:
        """The value; None when it is not there; of several, all of them, which no rule here takes for one."""
        values = self._all.get(name)
        return None if values is None else b", ".join(values).decode("latin-1").strip()


def seen_through(headers: Headers, peer: str, scheme: str, proxies: tuple[str, ...]) -> Seen:
    """The address nearest to us that is no proxy of ours."""
    if not _is_in(peer, proxies):
        return Seen(peer, scheme)
    hops = [hop.strip() for hop in (headers.one(b"x-forwarded-for") or "").split(",")][-_MOST_HOPS:]
    address = peer
    for hop in reversed(hops):
        plain = _address(hop)
        if plain is None:
            break
        address = plain
        if not _is_in(plain, proxies):
            break
    told = headers.one(b"x-forwarded-proto")
    return Seen(address, told if told in {"http", "https"} else scheme)


def check_host(headers: Headers, settings: Settings) -> None:
    """Raise unless the request asked for this server by its name, so that no answer is made of a name that the caller chose."""
    host = headers.one(b"host") or ""
    name = _host(host)
    if name is None or name not in LOOPBACK | {settings.hostname.lower()}:
        raise ApiError(
            400, "wrong-host", "this server has another name", detail=f"the request asked for {host[:100]!r}",
            advice="set ASSAYMARK_URL to the address that people use",
        )  # fmt: skip


def check_site(method: str, scheme: str, headers: Headers, settings: Settings) -> None:
    """Raise for a change that a page of another site asked for."""
    if method in SAFE or (headers.one(b"authorization") or "").lower().startswith("bearer "):
        return  # a page of another site cannot send that header: this server answers no preflight
    site = headers.one(b"sec-fetch-site")
    if site is not None:
        if site in _SAME:
            return
    else:
        origin = headers.one(b"origin")
        if origin is None or origin in _own_origins(scheme, headers.one(b"host") or "", settings):
            return
    raise ApiError(
        403, "cross-site", "the request comes from a page of another site",
        advice="use the pages of this server, or a token in `Authorization: Bearer`",
    )  # fmt: skip


def _own_origins(scheme: str, host: str, settings: Settings) -> set[str]:
    """Of the public address, and of loopback for whoever sits at the machine."""
    return {_origin(settings.url)} | ({_origin(f"{scheme}://{host}")} if _host(host) in LOOPBACK else set())


def _origin(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "?"
    default = {"http": 80, "https": 443}.get(parts.scheme)
    name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{name}" + ("" if port in (None, default) else f":{port}")


def _host(text: str) -> str | None:
    """The name in ``Host``; None when it is more than a name and a port."""
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        return name.lower() if bracket and _is_port(rest) else None
    name, colon, port = text.partition(":")
    return name.lower() if _is_port(colon + port) else None


def _is_port(text: str) -> bool:
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6)


def _address(text: str) -> str | None:
    """An address with or without a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _is_in(address: str, networks: tuple[str, ...]) -> bool:
    if not networks:
        return False
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(network) for network in networks)
