"""Weaknesses of running services: known by service, operation and parameter, never by a value that a scan put in."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from assaymark.server.imports.speech import line_of

_NUMBER = re.compile(r"(?<=/)(?:\d+|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{24,64})(?=/|$)")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LONGEST = 300


def service_of(url: str) -> str:
    """Scheme, host and port, the port only where it is not the scheme's."""
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        port = parts.port
    except ValueError:
        return line_of(url.partition("?")[0], _LONGEST)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    own = f":{port}" if port and port != _PORTS.get(parts.scheme) else ""
    return line_of(f"{parts.scheme}://{host}{own}" if parts.scheme else f"{host}{own}", _LONGEST)


def operation_of(method: str, url: str) -> str:
    """Method and path; numbers and ids in it stand for any, so that two users' pages are one operation."""
    try:
        path = urlsplit(url if "://" in url else f"//{url}").path
    except ValueError:
        path = ""
    shown = _NUMBER.sub("{id}", unquote(path, errors="replace")) or "/"
    return line_of(f"{method.upper()} {shown}".strip(), _LONGEST)
