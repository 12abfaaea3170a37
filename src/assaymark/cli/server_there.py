"""A server that a command asks by its API.

Guarantees: a token is sent over TLS, or to this very machine, and to no other place (no redirect is followed); it comes from a file or the
environment, never from an argument. Answers are bounded, and a server's words are printed without letters that steer a terminal.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from assaymark.errors import EngineMissing, UsageError

_MOST_BYTES = 16 << 20
_MOST_TOKEN = 4096
_SECONDS = 60
_NOTHING = 204
_WHOSE = "is this its address, or that of a proxy?"
_OWN = frozenset({"127.0.0.1", "::1", "localhost"})


class Server(Struct, frozen=True):
    """Where it is, and the token that opens it."""

    url: str
    token: str

    def call(self, method: str, path: str, body: Any = None, seconds: float = _SECONDS, *, most: int = _MOST_BYTES) -> tuple[int, bytes]:
        """Status and body of an answer, whatever it is.

        Raises:
            EngineMissing: when it does not answer, or without end.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/api/v1{path}", data, method=method)  # noqa: S310 - the scheme was looked at
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.build_opener(_NoRedirect()).open(request, timeout=seconds) as answer:
                return int(answer.status), _bounded(answer, most)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _bounded(error, _MOST_BYTES)
        except (OSError, HTTPException) as error:
            why = str(getattr(error, "reason", None) or error) or type(error).__name__
            raise EngineMissing(f"{self.url} does not answer", why=plain(why)[:300], advice="check the address, and try again") from error

    def asked(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """The document of an answer.

        Raises:
            UsageError: when the server refuses.
            EngineMissing: when it does not answer.
        """
        status, data = self.call(method, path, body)
        return self.said(status, data)

    def said(self, status: int, data: bytes) -> dict[str, Any]:
        """The document of an answer that `call` gave. What is none is no answer: a portal in between says 200 to everything.

        Raises:
            UsageError: when the server refuses.
            EngineMissing: when this is nothing that its API says.
        """
        if not 200 <= status < 300:
            raise refused(status, data)
        found = document(data)
        if not found and not (status == _NOTHING and not data):
            raise strange(self.url)
        return found


def server_at(given: str, token_file: Path | None) -> Server:
    """The server that is meant.

    Raises:
        UsageError: when it is not said which, or how to get in.
    """
    url = (given or os.environ.get("ASSAYMARK_SERVER", "")).rstrip("/")
    parts = urlsplit(url)
    if not url or not parts.hostname or parts.username:
        raise UsageError("it is not said which server is asked", advice="give --server https://…, or set ASSAYMARK_SERVER")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN):
        raise UsageError(f"{url} is not asked", why="a token is sent over TLS, or to this machine", advice="write https://…")
    return Server(url, _token(token_file))


def document(data: bytes) -> dict[str, Any]:
    """An answer as an object; empty where it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def refused(status: int, data: bytes) -> UsageError:
    """A refusal in the server's words."""
    said = document(data)
    title, why, advice = (plain(str(said.get(name) or "")) for name in ("title", "detail", "advice"))
    if not title:
        return UsageError(f"the server answers {status}", why="it says nothing more", advice=_WHOSE)
    return UsageError(f"the server answers {status}: {title}", why=why, advice=advice)


def strange(url: str) -> EngineMissing:
    """Why an answer is not taken for one."""
    return EngineMissing(f"{url} answers something else than Assaymark does", advice=_WHOSE)


def plain(text: str) -> str:
    """Names are strangers' words: nothing in them moves the cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_words: Any, **_more: Any) -> None:
        return None


def _bounded(answer: Any, most: int) -> bytes:
    data: bytes = answer.read(most + 1)
    if len(data) > most:
        raise EngineMissing("the server's answer is too large", why=f"at most {most} bytes are read")
    if getattr(answer, "length", None):  # `http.client` cuts in silence when it is asked for a number of bytes
        raise EngineMissing("the server's answer was cut short", why=f"{answer.length} bytes are missing", advice="try again")
    return data


def _token(file: Path | None) -> str:
    if file is None:
        text = os.environ.get("ASSAYMARK_TOKEN", "").strip()
    else:
        from assaymark.subjects.given import read_given

        text = read_given(file, _MOST_TOKEN, "name the file that holds the token").decode("utf-8", "replace").strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError("there is no token", advice="set ASSAYMARK_TOKEN, or name a file with --token-file")
    return text
