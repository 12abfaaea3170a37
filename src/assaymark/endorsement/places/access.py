"""How a registry's challenge is answered (distribution: token authentication; RFC 7617). Pure: says what to ask, and reads the answer.

Guarantees: a credential goes to the registry itself, or to a token service of its own site over a scheme that is as safe; nothing else
that a challenge says is followed.
"""

from __future__ import annotations

import base64
import re
from urllib.parse import urlencode, urlsplit

from assaymark.endorsement.places.door import Ask, Said
from assaymark.endorsement.places.reference import Reference
from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE

PULL, PUSH = "pull", "pull,push"
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_LONGEST = 2_000
_MOST_TOKEN = 64 << 10


def basic(credential: str) -> str:
    """The header's value for ``user:password``; empty for nobody."""
    return "Basic " + base64.b64encode(credential.encode()).decode("ascii") if credential else ""


def token_request(challenge: str, image: Reference, credential: str, actions: str) -> Ask | None:
    """What to ask the token service; None when the challenge is for the credential itself, or leads where it must not.

    Raises:
        UsageError: when the challenge leads elsewhere.
    """
    kind, _, rest = challenge[:_LONGEST].partition(" ")
    if kind.lower() != "bearer":
        return None
    words = dict(_CHALLENGE.findall(rest))
    realm = urlsplit(words.get("realm", ""))
    if realm.scheme not in ({"https", "http"} if image.plain else {"https"}) or not realm.hostname or realm.username:
        raise UsageError(f"{image.host} sends its callers to {words.get('realm', '')[:200]!r} for a token", why="that is no safe address")
    query = urlencode({"service": words.get("service", ""), "scope": f"repository:{image.name}:{actions}"})
    headers = {"Authorization": basic(credential)} if credential and same_site(realm.hostname, image.host) else {}
    base = realm._replace(fragment="").geturl()
    return Ask("GET", f"{base}{'&' if realm.query else '?'}{query}", headers, most=_MOST_TOKEN)


def token_of(answer: Said) -> str:
    """The header's value; empty when none was given."""
    import msgspec  # noqa: PLC0415 - only after a challenge

    try:
        said = msgspec.json.decode(answer.body, type=dict[str, object]) if answer.status == 200 else {}
    except UNDECODABLE:
        return ""
    token = said.get("token") or said.get("access_token")
    return f"Bearer {token}" if isinstance(token, str) and token.isascii() and token.isprintable() and token else ""


def same_site(one: str, other: str) -> bool:
    """Whether the last two labels are the same, as with ``auth.docker.io`` and ``registry-1.docker.io``; addresses only if equal."""
    host = other if other.endswith("]") else (other.rpartition(":")[0] or other)
    host = host.strip("[]")
    if one == host:
        return True
    ends = [name.rsplit(".", 2)[-2:] for name in (one, host)]
    return ends[0] == ends[1] and len(ends[0]) == 2 and not ends[0][1].isdecimal()
