"""Asks a server about components by its API.

Guarantees: a token is sent over TLS, or to this very machine, and to no other place (no redirect is followed); it comes from a file or the
environment, never from an argument. Answers are bounded. Nothing of a lock file leaves but names and versions of packages.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from assaymark.errors import EngineMissing, UsageError

_MOST_BYTES = 16 << 20
_SECONDS = 30
_OWN = frozenset({"127.0.0.1", "::1", "localhost"})
AT_ONCE = 1_000


class Server(Struct, frozen=True):
    """Where it is, and the token that opens it."""

    url: str
    token: str

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """The document of an answer.

        Raises:
            UsageError: when the server refuses.
            EngineMissing: when it does not answer.
        """
        given = {name: value for name, value in query.items() if value}
        return self._call("GET", path + (f"?{urlencode(given)}" if given else ""), None)

    def check(self, purls: list[str], subject: int | None) -> list[dict[str, Any]]:
        """How each of these packages stands, in their order."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(purls), AT_ONCE):
            asked: dict[str, Any] = {"components": [{"purl": each} for each in purls[start : start + AT_ONCE]]}
            answer = self._call("POST", "/approved/check", asked if subject is None else {**asked, "subject": subject})
            rows = answer.get("components")
            if not isinstance(rows, list) or len(rows) != len(asked["components"]):
                raise EngineMissing(
                    "the server's answer is none", why="it does not answer what was asked", advice="are both of one release?"
                )
            found += rows
        return found

    def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, method=method)  # noqa: S310 - the scheme was looked at
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.build_opener(_NoRedirect()).open(request, timeout=_SECONDS) as answer:
                return _document(answer)
        except urllib.error.HTTPError as error:
            with error:
                said = _document(error)
            why, advice = str(said.get("detail", "")), str(said.get("advice", ""))
            raise UsageError(f"the server answers {error.code}: {said.get('title', '')}", why=why, advice=advice) from error
        except OSError as error:
            raise EngineMissing(f"{self.url} does not answer", why=str(error), advice="check the address, and try again") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_words: Any, **_more: Any) -> None:
        return None


def _document(answer: Any) -> dict[str, Any]:
    data: bytes = answer.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise EngineMissing("the server's answer is too large", why=f"at most {_MOST_BYTES} bytes are read")
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def server_at(given: str, token_file: Path | None) -> Server:
    """The server that is meant.

    Raises:
        UsageError: when it is not said which, or how to get in.
    """
    url = (given or os.environ.get("ASSAYMARK_SERVER", "")).rstrip("/")
    parts = urlsplit(url)
    if not url or not parts.hostname:
        raise UsageError("it is not said which server is asked", advice="give --server https://…, or set ASSAYMARK_SERVER")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN):
        raise UsageError(f"{url} is not asked", why="a token is sent over TLS, or to this machine", advice="write https://…")
    return Server(url, _token(token_file))


def _token(file: Path | None) -> str:
    if file is None:
        token = os.environ.get("ASSAYMARK_TOKEN", "")
    else:
        try:
            token = file.read_text("ascii", errors="strict")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read", why=str(error), advice="name the file that holds the token") from error
    if not token.strip() or not token.strip().isprintable():
        raise UsageError("there is no token", advice="set ASSAYMARK_TOKEN, or give --token-file; it needs endorsements:read")
    return token.strip()
