"""A job of a CI system changes the token that its issuer signed for it (GitHub Actions, GitLab) for one of ours that lasts minutes: no
secret has to lie at the CI system.

Guarantees: only issuers that an administrator trusts are asked; signature, audience, time and every condition must fit; the same token is
changed once; what is given never allows more than the person in whose name the trust was made, in the trust's team and scopes.
"""

from __future__ import annotations

import base64
import re

import msgspec
import sqlalchemy as sa
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry
from msgspec import Struct
from starlette.requests import Request

from assaymark.errors import UsageError
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.people import accounts, credential, issuer, tokens
from assaymark.server.people import provider as settings
from assaymark.server.people.accounts import By
from assaymark.server.people.issuer import LEEWAY, LONGEST_TOKEN
from assaymark.server.people.provider import Trust
from assaymark.server.people.session import origin
from assaymark.server.people.sign_in import count, network
from assaymark.server.people.tokens import Made, Wish
from assaymark.server.problem import ApiError
from assaymark.server.service import Service
from assaymark.store import invitations, people
from assaymark.store.attempts import Limit
from assaymark.store.invitations import Invitation, Purpose

_MOST = 600
"""Exchanges of one address in a quarter of an hour: runners stand behind one address."""
_QUARTER = 900 * SECOND
_SHOWN = ("sub", "repository", "project_path", "ref", "workflow_ref", "run_id", "pipeline_id", "job_id")


class _Issued(Struct, frozen=True):
    iss: str


def exchange(service: Service, request: Request, text: str, name: str = "") -> Made:
    """A token of ours for one of a trusted issuer, under the trust of that name or the first that fits.

    Raises:
        ApiError: 401 when no trust fits.
    """
    count(service, request, "", (Limit(f"exchange:{network(origin(request))}", _MOST, _QUARTER),))
    try:
        said_by = _said_by(text)
        with service.database.read() as connection:
            known = settings.trusts(connection)
        fitting = _of_issuer(known, said_by, name)
        claims = issuer.verified(service, said_by, text).claims
        chosen = _chosen(service, fitting, claims)
        return _made(service, request, chosen, fitting[chosen], claims, text)
    except UsageError as error:
        _note_refusal(service, request, error)
        raise ApiError(401, "exchange", error.what, detail=error.why, advice=error.advice) from error


def _of_issuer(known: dict[str, Trust], said_by: str, name: str) -> dict[str, Trust]:
    fitting = {key: trust for key, trust in known.items() if trust.issuer == said_by and name in ("", key)}
    if not fitting:
        raise UsageError("nobody here trusts this issuer", why=said_by[:200])
    return fitting


def _said_by(text: str) -> str:
    """Who says that he signed it: decides only whose keys are tried, of those that are trusted."""
    parts = text.split(".")
    if len(parts) != 3 or len(text) > LONGEST_TOKEN:
        raise UsageError("this is no JSON Web Token")
    try:
        return msgspec.json.decode(_decoded(parts[1]), type=_Issued).iss
    except (*UNDECODABLE, ValueError) as error:
        raise UsageError("this is no JSON Web Token") from error


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _chosen(service: Service, trusts: dict[str, Trust], claims: dict[str, object]) -> str:
    why = ""
    for name, trust in trusts.items():
        try:
            _check_claims(service, trust, claims)
        except UsageError as error:
            why = why or f"{name}: {error.what}"
        else:
            return name
    raise UsageError("no trust fits this job", why=why, advice="compare the job's claims with the trust's conditions")


def _check_claims(service: Service, trust: Trust, claims: dict[str, object]) -> None:
    registry = JWTClaimsRegistry(
        now=service.now() // SECOND,
        leeway=LEEWAY,
        iss={"essential": True, "value": trust.issuer},
        aud={"essential": True, "value": trust.audience},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise UsageError(str(error)[:200]) from error
    for claim, wanted in trust.conditions.items():
        if not fits(wanted, claims.get(claim)):
            raise UsageError(f"the claim {claim} is not as it must be")


def fits(wanted: str, value: object) -> bool:
    """Whether a claim is as a condition says; truth values and numbers are compared as JSON writes them."""
    if isinstance(value, bool | int):
        value = msgspec.json.encode(value).decode()
    if not isinstance(value, str):
        return False
    parts = re.split(r"(\*\*|\*)", wanted)
    pattern = "".join({"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(pattern, value, re.DOTALL) is not None


def _made(  # noqa: PLR0913, PLR0917 - what was found out
    service: Service, request: Request, name: str, trust: Trust, claims: dict[str, object], text: str
) -> Made:
    now = service.now()
    with service.database.write() as connection:
        _use_up(connection, trust, claims, text, now=now)
        person = people.get(connection, trust.person)
        if person is None or person.disabled_at is not None:
            raise UsageError("the account of this trust is closed")
        details = {"trust": name} | {key: str(claims[key])[:200] for key in _SHOWN if key in claims}
        wish = Wish(trust.person, f"trust {name}", frozenset(trust.scopes), trust.team, trust.minutes * 60 * SECOND, details)
        return tokens.make(connection, wish, By(f"trust {name}", None, origin(request)), at=now)


def _use_up(connection: sa.Connection, trust: Trust, claims: dict[str, object], text: str, *, now: Instant) -> None:
    # The signature's spelling is not fixed (ECDSA, base64), so without `jti` it is what is signed that counts.
    unique = claims["jti"] if isinstance(claims.get("jti"), str) else text.rpartition(".")[0]
    ends = claims["exp"]
    assert isinstance(ends, int | float)  # noqa: S101 - it was validated
    lasts = Instant(int(ends + LEEWAY + 1) * SECOND)
    row = Invitation(Purpose.EXCHANGED, None, "{}", now, lasts)
    if not invitations.put_once(connection, credential.hashed(f"{trust.issuer} {unique}"), row):
        raise UsageError("this token was changed before", advice="ask the issuer for another one")


def _note_refusal(service: Service, request: Request, error: UsageError) -> None:
    details = {"because": error.what[:200], "why": error.why[:200]}
    with service.database.write() as connection:
        by = By("nobody", None, origin(request))
        accounts.note(connection, by, "token.created", None, at=service.now(), outcome="refused", details=details)
