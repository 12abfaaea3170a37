"""Archives over HTTPS, only when they changed.

Guarantees: no address but HTTPS, besides this machine's own loopback (also after a redirect); a bound on size and time; a file is replaced
whole or stays as it was; what the server says is unchanged is not fetched again.
"""

from __future__ import annotations

import ipaddress
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from msgspec import Struct

from assaymark.errors import UsageError

LARGEST = 2 << 30
"""Bytes of one archive; the largest in 2026 has about 250 MB."""
_SECONDS = 60
"""Without a byte; a whole archive may take longer."""
_PIECE = 1 << 20
_REMEMBERED = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}


class Came(StrEnum):
    """What came of asking."""

    FRESH = "fetched"
    SAME = "unchanged"
    ABSENT = "absent"


def permitted(url: str) -> str:
    """The address, if it may be asked.

    Raises:
        UsageError: when it is neither HTTPS nor HTTP to this machine.
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise UsageError("an address with a password in it is not asked", advice="let a proxy on this machine hold the password")
    if parts.scheme == "https" and parts.hostname:
        return url
    if parts.scheme == "http" and parts.hostname and _is_loopback(parts.hostname):
        return url
    raise UsageError(f"{url} is not asked", why="advisories are taken over https only (or http from this machine)", advice="write https://")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Answer(Struct, frozen=True):
    """What a server says, before its body is read."""

    status: int
    headers: Mapping[str, str]
    """Names as they came."""
    pieces: Iterator[bytes]
    length: int | None = None
    """As announced."""

    def header(self, name: str) -> str:
        """In any case of letters; empty without one."""
        return next((value for each, value in self.headers.items() if each.lower() == name.lower()), "")


Ask = Callable[[str, Mapping[str, str]], AbstractContextManager[Answer]]
"""Sends headers to an address, following redirects to permitted ones only. Raises `OSError` or `HTTPException` when there is no answer."""


class _Redirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(  # noqa: PLR0913, PLR0917 - the library's signature
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        permitted(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@contextmanager
def ask_directly(url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
    """By the standard library, through the proxies of the environment: for a person's own machine."""
    request = urllib.request.Request(permitted(url), headers=dict(headers))  # noqa: S310 - the scheme was looked at
    opener = urllib.request.build_opener(_Redirects)
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            yield Answer(answer.status, dict(answer.headers), iter(lambda: answer.read(_PIECE), b""), getattr(answer, "length", None))
    except urllib.error.HTTPError as error:
        with error:
            yield Answer(error.code, dict(error.headers), iter(()))


def fetch(
    url: str, target: Path, *, may_be_absent: bool = False, note: Callable[[str], None] = lambda _: None, ask: Ask = ask_directly
) -> Came:
    """Bring what stands at the address into the file.

    Raises:
        UsageError: when it cannot be had; the file that was there stays.
    """
    marks = target.with_name(target.name + ".marks")
    headers = {"User-Agent": "assaymark", **(_asked_before(marks, url) if target.exists() else {})}
    permitted(url)
    note(url)
    try:
        with ask(url, headers) as answer:
            if answer.status == 304:
                return Came.SAME
            if answer.status in (403, 404, 410) and may_be_absent:
                return Came.ABSENT
            if answer.status != 200:
                raise UsageError(f"{url} answers {answer.status}", advice="look at the address; what was there is kept")
            _keep(answer, target, url)
            seen = {name: value for name in _REMEMBERED if (value := answer.header(name))}
    except (OSError, HTTPException, ValueError) as error:
        raise UsageError(f"{url} cannot be fetched", why=str(error), advice="look at the network; what was there is kept") from error
    _write(marks, json.dumps({"url": url, **seen}).encode())
    return Came.FRESH


def _asked_before(marks: Path, url: str) -> dict[str, str]:
    """Conditions under which the server need not send it again."""
    try:
        seen = json.loads(marks.read_bytes())
    except (OSError, ValueError):
        return {}
    if not isinstance(seen, dict) or seen.get("url") != url:
        return {}
    return {ask: str(seen[name]) for name, ask in _REMEMBERED.items() if name in seen}


def _keep(answer: Answer, target: Path, url: str) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}.draft")
    size = 0
    try:
        with draft.open("wb") as file:
            for piece in answer.pieces:
                size += len(piece)
                if size > LARGEST:
                    raise UsageError(f"{url} sends more than {LARGEST >> 30} GiB", advice="look at the address; what was there is kept")
                file.write(piece)
        if answer.length is not None and size < answer.length:
            raise UsageError(f"{url} broke off after {size} of {answer.length} bytes", advice="run again; what was there is kept")
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    draft.write_bytes(data)
    draft.replace(path)
