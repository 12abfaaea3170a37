"""Asks a server to revoke, by its API.

Guarantees: a token is sent over TLS, or to this very machine, and nowhere else (no redirect is followed); it comes from a file or the
environment, never from an argument. Answers are bounded.
"""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from assaymark.errors import EngineMissing, UsageError

_MOST_BYTES = 8 << 20
_SECONDS = 60
_OWN = frozenset({"127.0.0.1", "::1", "localhost"})


class Order(Struct, frozen=True):
    """What is asked of which server."""

    server: str
    token_file: Path | None
    aim: dict[str, str]


def preview(order: Order) -> str:
    """What it would hit, in words.

    Raises:
        UsageError: when the server refuses.
        EngineMissing: when it does not answer.
    """
    found = _call(order, "/revocations/preview", order.aim)
    more = " or more" if found.get("at_least") else ""
    lines = [
        f"it would withdraw {found.get('endorsements', 0)}{more} endorsements" + (" (revoked already)" if found.get("revoked") else "")
    ]
    for each in found.get("first", ()):
        about, other = each["endorsement"], each.get("instead")
        lines.append(f"  {about['resource']} {about['head']}, use instead: {other['head'] if other else 'nothing is approved'}")
    lines += [f"  runs in {each['name']} ({each['team_name'] or 'no team'}): {each['digest']}" for each in found.get("runs", ())]
    return "\n".join(_plain(line) for line in lines)


def revoke(order: Order, reason: str) -> str:
    """Revoke it; what became of that, in words.

    Raises:
        UsageError: when the server refuses.
        EngineMissing: when it does not answer.
    """
    made = _call(order, "/revocations", {**order.aim, "reason": reason})
    more = ", more follow" if made.get("more") else ""
    again = "" if made.get("fresh") else " (it was revoked before)"
    return f"revocation {made.get('id')}: {made.get('withdrawn', 0)} endorsements withdrawn{more}{again}"


def _plain(line: str) -> str:
    """Names are strangers' words: nothing in them moves the cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in line)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_words: Any, **_more: Any) -> None:
        return None


def _call(order: Order, path: str, body: dict[str, str]) -> dict[str, Any]:
    url = _address(order.server)
    data = json.dumps({name: text for name, text in body.items() if text}).encode()
    request = urllib.request.Request(f"{url}/api/v1{path}", data, method="POST")  # noqa: S310 - the scheme was looked at
    request.add_header("Authorization", f"Bearer {_token(order.token_file)}")
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.build_opener(_NoRedirect()).open(request, timeout=_SECONDS) as answer:
            return _document(answer.read(_MOST_BYTES + 1))
    except urllib.error.HTTPError as error:
        with error:
            said = _document(error.read(_MOST_BYTES + 1))
        title, why, advice = (str(said.get(name, "")) for name in ("title", "detail", "advice"))
        raise UsageError(_plain(f"the server answers {error.code}: {title}"), why=_plain(why), advice=_plain(advice)) from error
    except OSError as error:
        raise EngineMissing(f"{url} does not answer", why=str(error), advice="check the address, and try again") from error


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > _MOST_BYTES:
        raise EngineMissing("the server's answer is too large", why=f"at most {_MOST_BYTES} bytes are read")
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
    try:
        text = file.read_text("utf-8")[:4096].strip() if file is not None else os.environ.get("ASSAYMARK_TOKEN", "").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read", why=str(error)) from error
    if not text or not text.isascii() or not text.isprintable():
        raise UsageError("the token is missing", advice="give --token-file, or set ASSAYMARK_TOKEN")
    return text
