"""Asks a server for an endorsement by its API, and waits until it has signed."""

from __future__ import annotations

import json
import time
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from assaymark.cli.server_there import Server, document, plain, server_at, strange
from assaymark.errors import EngineMissing, UsageError


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
    there = server_at(asked.server, asked.token_file)
    ends = time.monotonic() + asked.wait
    while True:
        status, data = there.call("POST", "/endorsements", {"digest": asked.digest})
        if status == 409:
            why = document(data)
            return Found(State.REFUSED, plain(str(why.get("detail") or why.get("title") or "it is refused")))
        said = there.said(status, data)
        if said.get("state") == "endorsed":
            name = str(said.get("endorsement", ""))
            return Found(State.ENDORSED, "", name, _bundle(there, name) if asked.wants_bundle else b"")
        if said.get("state") == "waiting":
            return Found(State.WAITING, f"people have to approve: {there.url}/endorsement-requests/{said.get('request')}")
        if time.monotonic() >= ends:
            return Found(State.WAITING, f"the server has not signed within {asked.wait} seconds; ask again")
        time.sleep(min(1.0, max(0.05, ends - time.monotonic())))


class Bundles:
    """What a server holds about digests. That it says so proves nothing: whoever asks verifies what he is given."""

    def __init__(self, server: str, token_file: Path | None) -> None:
        self._there = server_at(server, token_file)

    def about(self, digest: str) -> bytes:
        """Its endorsements of a digest, a line for each signature; nothing when there is none.

        Raises:
            EngineMissing: when the server does not answer as it should.
        """
        status, said = self._there.call("GET", f"/attestations/{quote(digest, safe=':')}")
        found = document(said)
        listed = found.get("attestations")
        if status == 200 and not isinstance(listed, list):
            raise strange(self._there.url)
        if status != 200 or not isinstance(listed, list):
            raise EngineMissing(
                f"{self._there.url} answers {status} about {digest}", why=plain(str(found.get("detail", "")))[:300],
                advice="the token needs endorsements:read",
            )  # fmt: skip
        return b"\n".join(json.dumps(each.get("bundle")).encode() for each in listed if isinstance(each, dict))


def _bundle(there: Server, name: str) -> bytes:
    status, data = there.call("GET", f"/endorsements/{quote(name, safe=':')}/bundle")
    if status != 200:
        raise UsageError(f"the server answers {status} for the bundle", advice="the token needs endorsements:read")
    return data
