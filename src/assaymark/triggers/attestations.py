"""Endorsements of a digest, asked from a server over its API. What comes is evidence: whoever asks verifies it."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from msgspec import Struct

from assaymark.endorsement.places import direct
from assaymark.endorsement.places.door import Ask
from assaymark.endorsement.places.gathered import MOST
from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE

_MOST_ANSWER = 16 << 20


class _One(Struct, frozen=True):
    bundle: msgspec.Raw


class _Many(Struct, frozen=True):
    attestations: tuple[_One, ...] = ()


def attestations(server: str, token: str, digest: str, *, seconds: float = direct.SECONDS) -> tuple[bytes, ...]:
    """Bundles about ``<algorithm>:<hex>``; none where the server has none.

    Raises:
        SubjectUnreadable: when the server does not answer, does not let in, or says something else.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    address = f"{server.rstrip('/')}/api/v1/attestations/{quote(digest, safe='')}"
    answer = direct.send(Ask("GET", address, headers, most=_MOST_ANSWER), seconds=seconds)
    if answer.status == 404:
        return ()
    if answer.status != 200:
        raise SubjectUnreadable(f"{server} cannot be asked", why=f"it answers {answer.status}", advice="look at the token")
    try:
        found = msgspec.json.decode(answer.body, type=_Many)
    except UNDECODABLE as error:
        raise SubjectUnreadable(f"{server} answers something else", why=str(error)[:200]) from error
    return tuple(bytes(each.bundle) for each in found.attestations[:MOST])
