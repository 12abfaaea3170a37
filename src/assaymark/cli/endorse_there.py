"""Asks a server for an endorsement by its API, and waits until it has signed.

Guarantees: a token is sent over TLS, or to this very machine, and to no other place (no redirect is followed); it comes from a file or the
environment, never from an argument. Answers are bounded.
"""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from msgspec import Struct

from assaymark.errors import EngineMissing, UsageError

_MOST_BYTES = 8 << 20
_SECONDS = 30
_OWN = frozenset({"127.0.0.1", "::1", "localhost"})


class Asked(Struct, frozen=True):
    server: str
    token_file: Path | None
    digest: str
    wait: int
    wants_bundle: bool


class State(StrEnum):
    ENDORSED = "endorsed"
    WAITING = "waiting"
    REFUSED = "refused"


class Found(Struct, frozen=True):
    state: State
    text: str = ""
    endorsement: str = ""
    bundle: bytes = b""


def ask(asked: Asked) -> Found:
    """What the server says.

    Raises:
        UsageError: when it is not said which server, the token is missing, or the server knows nothing of it.
        EngineMissing: when the server does not answer.
    """
    there = _Server(_address(asked.server), _token(asked.token_file))
    ends = time.monotonic() + asked.wait
    while True:
        status, said = there.call("POST", "/endorsements", {"digest": asked.digest})
        document = _document(said)
        if status == 409:
            return Found(State.REFUSED, str(document.get("detail") or document.get("title") or "it is refused"))
        if status >= 400:
            raise UsageError(
                f"the server answers {status}: {document.get('title', '')}", why=str(document.get("detail", "")),
                advice=str(document.get("advice", "")),
            )  # fmt: skip
        if document.get("state") == "endorsed":
            name = str(document.get("endorsement", ""))
            return Found(State.ENDORSED, "", name, there.bundle(name) if asked.wants_bundle else b"")
        if document.get("state") == "waiting":
            return Found(State.WAITING, f"people have to approve: {there.url}/endorsement-requests/{document.get('request')}")
        if time.monotonic() >= ends:
            return Found(State.WAITING, f"the server has not signed within {asked.wait} seconds; ask again")
        time.sleep(min(1.0, max(0.05, ends - time.monotonic())))


class Bundles:
    """What a server holds about digests. That it says so proves nothing: whoever asks verifies what he is given."""

    def __init__(self, server: str, token_file: Path | None) -> None:
        self._there = _Server(_address(server), _token(token_file))

    def about(self, digest: str) -> bytes:
        """Its endorsements of a digest, a line for each signature; nothing when there is none.

        Raises:
            EngineMissing: when the server does not answer as it should.
        """
        status, said = self._there.call("GET", f"/attestations/{quote(digest, safe=':')}")
        found = _document(said)
        listed = found.get("attestations")
        if status != 200 or not isinstance(listed, list):
            raise EngineMissing(
                f"{self._there.url} answers {status} about {digest}", why=str(found.get("detail", ""))[:300],
                advice="the token needs endorsements:read",
            )  # fmt: skip
        return b"\n".join(json.dumps(each.get("bundle")).encode() for each in listed if isinstance(each, dict))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_words: Any, **_more: Any) -> None:
        return None


class _Server:
    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url, token
        self._opener = urllib.request.build_opener(_NoRedirect())

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, method=method)  # noqa: S310 - the scheme was looked at
        request.add_header("Authorization", f"Bearer {self._token}")
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return int(answer.status), _bounded(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _bounded(error)
        except OSError as error:
            raise EngineMissing(f"{self.url} does not answer", why=str(error), advice="check the address, and try again") from error

    def bundle(self, name: str) -> bytes:
        status, data = self.call("GET", f"/endorsements/{quote(name, safe=':')}/bundle")
        if status != 200:
            raise UsageError(f"the server answers {status} for the bundle", advice="the token needs endorsements:read")
        return data


def _bounded(answer: Any) -> bytes:
    data: bytes = answer.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise EngineMissing("the server's answer is too large", why=f"at most {_MOST_BYTES} bytes are read")
    return data


def _document(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _address(given: str) -> str:
    url = (given or os.environ.get("ASSAYMARK_SERVER", "")).rstrip("/")
    parts = urlsplit(url)
    if not url or not parts.hostname:
        raise UsageError("it is not said which server is asked", advice="give --server https://…, or set ASSAYMARK_SERVER")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN):
        raise UsageError(f"{url} is not asked", why="a token is sent over TLS, or to this machine", advice="write https://…")
    return url


def _token(file: Path | None) -> str:
    if file is not None:
        try:
            text = file.read_text("utf-8")[:4096].strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read", why=str(error)) from error
    else:
        text = os.environ.get("ASSAYMARK_TOKEN", "").strip()
    if not text or not text.isascii() or not text.isprintable():
        raise UsageError("there is no token", advice="set ASSAYMARK_TOKEN, or name a file with --token-file")
    return text
