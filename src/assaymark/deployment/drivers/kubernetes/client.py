"""A cluster's API, asked over HTTPS with what the standard library has.

Guarantees: the server's certificate is checked against the cluster's own authority; no redirect is followed and no proxy is used, so that a
token goes to the cluster and nowhere else; an answer is bounded in size and time; what may pass (a busy server, a connection that broke)
is tried again a few times, which is safe since every change that this driver makes sets values and adds nothing up. What the server says is
in the error, without letters that steer a terminal; no token, and no body that was sent, is.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode

from msgspec import Struct

from assaymark.deployment.drivers.driver import DriverFailed

MOST_BYTES = 32 << 20
SECONDS = 30.0
PAGE = 500
MOST_PAGES = 200
_TRIES = 5
_LONGEST_WAIT = 10.0
_MAY_PASS = frozenset({429, 500, 502, 503, 504})

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON = "application/json"


class Call(Struct, frozen=True):
    """One request."""

    method: str
    path: str
    """With its query."""
    body: bytes = b""
    content_type: str = ""


class Answer(Struct, frozen=True):
    status: int
    body: bytes
    retry_after: float = 0.0


class Transport(Protocol):
    """Brings a request to the cluster.

    Raises:
        OSError, http.client.HTTPException: when it could not.
    """

    def __call__(self, call: Call) -> Answer: ...


class Refused(DriverFailed):
    """The API server said no."""

    def __init__(self, status: int, what: str, why: str) -> None:
        super().__init__(what, why=why, advice=_ADVICE.get(status, ""))
        self.status = status


_ADVICE = {
    401: "renew the credentials of the kubeconfig",
    403: "give the deployer's account the role of docs/how-to/phoenix-kubernetes.md",
}


class Api:
    """What the driver asks; each answer is an object."""

    def __init__(self, send: Transport, sleep: Callable[[float], None] = time.sleep) -> None:
        self._send, self._sleep = send, sleep

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._asked(Call("GET", _with(path, query)))

    def once(self, path: str) -> None:
        """One try: what answers behind the API server may be ill, and that is the answer.

        Raises:
            DriverFailed: when it does not answer, or with an error.
        """
        self._asked(Call("GET", path), tries=1)

    def patch(self, path: str, body: Any, kind: str = STRATEGIC, *, rehearse: bool = False) -> dict[str, Any]:
        """`rehearse`: the server does everything but keep it."""
        return self._asked(Call("PATCH", _with(path, _writing(rehearse=rehearse)), _json(body), kind))

    def post(self, path: str, body: Any, *, rehearse: bool = False) -> dict[str, Any]:
        return self._asked(Call("POST", _with(path, _writing(rehearse=rehearse)), _json(body), JSON))

    def delete(self, path: str, body: Any = None) -> None:
        """It is gone, or going; also when it was not there, or another is in its place by now."""
        try:
            self._asked(Call("DELETE", path, b"" if body is None else _json(body), "" if body is None else JSON))
        except Refused as error:
            if error.status not in (404, 409):
                raise

    def every(self, path: str, **query: str) -> list[dict[str, Any]]:
        """All items of a list, page by page.

        Raises:
            DriverFailed: also when there is no end of it: a list with a hole would say that something does not run.
        """
        items: list[dict[str, Any]] = []
        given = {**query, "limit": str(PAGE)}
        for _ in range(MOST_PAGES):
            page = self.get(path, **given)
            items += [each for each in page.get("items") or () if isinstance(each, dict)]
            following = (page.get("metadata") or {}).get("continue")
            if not following:
                return items
            given["continue"] = str(following)
        raise DriverFailed(f"the list at {path} has no end", why=f"at most {MOST_PAGES * PAGE} are read")

    def _asked(self, call: Call, tries: int = _TRIES) -> dict[str, Any]:
        answer = self._answered(call, tries)
        found = _object(answer.body)
        if 200 <= answer.status < 300:
            return found
        said = plain(str(found.get("message") or found.get("reason") or answer.body[:200].decode("utf-8", "replace")))
        raise Refused(answer.status, f"the cluster answers {answer.status} to {call.method} {call.path.partition('?')[0]}", said)

    def _answered(self, call: Call, tries: int) -> Answer:
        for number in range(tries):
            last = number == tries - 1
            pause = 0.2 * 4**number
            try:
                answer = self._send(call)
            except ssl.SSLCertVerificationError as error:
                raise DriverFailed(
                    "the cluster's certificate is not the one that the kubeconfig asks for", why=str(error), advice="renew the kubeconfig"
                ) from error
            except (OSError, http.client.HTTPException) as error:
                if last:
                    raise DriverFailed(
                        f"the cluster does not answer {call.method} {call.path.partition('?')[0]}", why=str(error)
                    ) from error
            else:
                if answer.status not in _MAY_PASS or last:
                    return answer
                pause = max(pause, answer.retry_after)
            self._sleep(min(pause, _LONGEST_WAIT))
        raise AssertionError  # pragma: no cover - the last try returns or raises


class Place(Struct, frozen=True):
    """Where a cluster is and how to be let in."""

    host: str
    port: int
    context: ssl.SSLContext
    bearer: Callable[[], str]
    """The token as it is now; empty where a certificate says who asks."""
    prefix: str = ""
    name: str = ""
    """In its certificate, where that is not the host."""


def over_https(place: Place, seconds: float = SECONDS) -> Transport:
    """A connection for each request: a deployer asks once a second at most, and an old connection may be a dead one."""

    def send(call: Call) -> Answer:
        headers = {"Accept": JSON, "User-Agent": "assaymark"}
        if call.content_type:
            headers["Content-Type"] = call.content_type
        if token := place.bearer():
            headers["Authorization"] = f"Bearer {token}"
        link = _Connection(place, seconds)
        try:
            link.request(call.method, place.prefix + call.path, call.body or None, headers)
            with link.getresponse() as response:
                body = response.read(MOST_BYTES + 1)
                if len(body) > MOST_BYTES:
                    raise DriverFailed("the cluster's answer is too large", why=f"at most {MOST_BYTES} bytes are read")
                return Answer(response.status, body, _seconds(response.getheader("Retry-After", "")))
        finally:
            link.close()

    return send


class _Connection(http.client.HTTPSConnection):
    def __init__(self, place: Place, seconds: float) -> None:
        super().__init__(place.host, place.port, timeout=seconds, context=place.context)
        self._place, self._patience = place, seconds

    def connect(self) -> None:
        raw = socket.create_connection((self._place.host, self._place.port), self._patience)
        try:
            self.sock = self._place.context.wrap_socket(raw, server_hostname=self._place.name or self._place.host)
        except BaseException:
            raw.close()
            raise


def plain(text: str, most: int = 500) -> str:
    """A stranger's words on one line."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:most]).strip()


def _with(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _writing(*, rehearse: bool) -> dict[str, str]:
    """Who changed what is kept by the server under this name; a field that it does not know is an error and not dropped."""
    return {"fieldManager": "assaymark", "fieldValidation": "Strict", **({"dryRun": "All"} if rehearse else {})}


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":"), sort_keys=True).encode()


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 0.0
