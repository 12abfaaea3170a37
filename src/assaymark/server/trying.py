"""Ask a forge or registry whether it answers and takes a connection's token: one small request that changes nothing there.

Guarantees: goes only where `outgoing` lets it; the token is sent to the connection's own API and nowhere else; what came back is not shown,
only what its status means.
"""

from __future__ import annotations

import base64

import httpx2

from assaymark.errors import AssayError
from assaymark.server import outgoing
from assaymark.server.settings import Settings
from assaymark.store.connections import ConnectionRow
from assaymark.triggers.discovery.forges import LISTINGS

_SECONDS = 10.0
_MOST_BYTES = 1 << 20
_CLOUD = "https://api.bitbucket.org/2.0"


def ask(settings: Settings, row: ConnectionRow, token: str) -> tuple[bool, int, str]:
    """Whether it works, the status of the answer (0 for none), and what that means."""
    address = _address(row)
    if not address:
        return False, 0, f"a connection of kind {row.kind} has nothing that could be asked: register a repository by it"
    try:
        with outgoing.client(settings, seconds=_SECONDS, most_bytes=_MOST_BYTES) as web:
            status = web.get(address, headers=_headers(row, token)).status_code
    except httpx2.HTTPError as error:
        return False, 0, f"it does not answer: {type(error).__name__}; look at its address, and whether the server may go there"
    except AssayError as error:
        return False, 0, f"{error.what}: {error.why}" if error.why else error.what
    return _meaning(row, status, has_token=bool(token))


def _address(row: ConnectionRow) -> str:
    paths = {"github": "/rate_limit", "gitlab": "/version", "gitea": "/version"}
    if row.kind == "bitbucket":
        return f"{row.api_url}/user" if row.api_url == _CLOUD else f"{row.api_url}/application-properties"
    if row.kind == "registry":
        return f"{row.web_url}/v2/"
    return f"{row.api_url}{paths[row.kind]}" if row.kind in paths and row.api_url else ""


def _headers(row: ConnectionRow, token: str) -> dict[str, str]:
    if not token:
        return {}
    if row.kind == "registry":
        pair = f"{row.options.get('username', '')}:{token}".encode()
        return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}
    return dict(LISTINGS[row.kind].headers(token)) if row.kind in LISTINGS else {}


def _meaning(row: ConnectionRow, status: int, *, has_token: bool) -> tuple[bool, int, str]:
    if status < 300:
        return True, status, "it answers" + (" and takes the token" if has_token else "; there is no token")
    if status in {401, 403}:
        if row.kind == "registry" and not has_token:
            return True, status, "it answers, and asks for a token"
        return False, status, "it answers, but does not take the token: enter another" if has_token else "it answers, and asks for a token"
    if status == 404:
        return False, status, "something answers, but not what is expected there: look at the address of its API"
    if 300 <= status < 400:
        return False, status, "it leads elsewhere: enter the address to which it leads"
    return False, status, f"it answers with {status}: try later, or look at its own state"
