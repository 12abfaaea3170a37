"""Tokens for programs."""

from __future__ import annotations

from msgspec import Struct

from assaymark.model.access import Permission, PersonId, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.people import tokens as making
from assaymark.server.people import workload
from assaymark.server.people.tokens import Made, Wish
from assaymark.server.problem import ApiError, not_found
from assaymark.store import people, teams, tokens

router = Router("tokens")
_DAY = 86400 * SECOND


class TokenView(Struct, frozen=True):
    """A token, but for the token itself."""

    id: int
    name: str
    hint: str
    """Its first letters."""
    scopes: tuple[str, ...]
    team: int | None
    created_at: Instant
    expires_at: Instant
    revoked_at: Instant | None
    used_at: Instant | None


@router.add("GET", "/tokens", None)
def list_tokens(call: Call, person: int | None = None, after: str | None = None, limit: int = 50) -> Page[TokenView]:
    """Your tokens, newest first; somebody else's need people:write everywhere."""
    whose = rights.whose(call, person)
    before = cursor.decode(after, (int,))[0] if after else None
    limit = rights.limited(limit)
    with call.service.database.read() as connection:
        rows = tokens.page(connection, whose, before=before, limit=limit + 1)
    views = tuple(
        TokenView(
            row.id,
            row.name,
            row.hint,
            tuple(sorted(row.scopes)),
            row.team,
            row.created_at,
            row.expires_at,
            row.revoked_at,
            row.used_at,
        )
        for row in rows[:limit]
    )
    return Page(views, next=cursor.encode((views[-1].id,)) if len(rows) > limit else None)


class TokenWish(Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    scopes: tuple[Permission, ...]
    days: int
    """1 to 366."""
    team: int | None = None
    """The only team in which it is to do anything; every team of yours without it."""
    person: int | None = None
    """For whom; for you without it."""


@router.add("POST", "/tokens", None, status=201)
def create_token(call: Call, body: TokenWish) -> Made:
    """Make a token, which is shown this once. Needs a session: a token that leaked makes no others."""
    rights.need_session(call)
    team = None if body.team is None else TeamId(body.team)
    whose = call.who.person if body.person is None else PersonId(body.person)
    with call.service.database.write() as connection:
        if team is not None and teams.get(connection, team) is None:
            raise not_found("this team")
        if whose == call.who.person:
            _need_scopes(call, body.scopes, team)
        else:
            call.need(Permission.PEOPLE_WRITE, None)
            if people.get(connection, whose) is None:
                raise not_found("this person")
            rights.need_cover(call, teams.grants_of(connection, whose))
        wish = Wish(whose, body.name, frozenset(body.scopes), team, body.days * _DAY)
        return making.make(connection, wish, rights.by(call), at=call.service.now())


def _need_scopes(call: Call, scopes: tuple[Permission, ...], team: TeamId | None) -> None:
    for scope in scopes:
        if not (call.who.may_somewhere(scope) if team is None else call.who.may(scope, team)):
            raise ApiError(
                403, "more-than-yours", f"you may not {scope} there", advice="leave it out: a token never allows more than its owner has"
            )


@router.add("DELETE", "/tokens/{token}", None, status=204)
def revoke_token(call: Call, token: int) -> Nothing:
    """Revoke a token of yours (a token may revoke itself); somebody else's needs people:write everywhere."""
    with call.service.database.write() as connection:
        row = tokens.get(connection, token)
        if row is None or not (row.id == call.who.token or rights.is_his(call, row.person)):
            raise not_found("this token")
        making.end(connection, row, rights.by(call), at=call.service.now())
    return Nothing()


class Exchange(Struct, frozen=True, forbid_unknown_fields=True):
    token: str
    """The ID token that the CI system made for the job."""
    trust: str = ""
    """Name of the trust; without it the first that fits."""


@router.add("POST", "/tokens/exchange", None, public=True, status=201, most_bytes=32 << 10)
def exchange_token(call: Call, body: Exchange) -> Made:
    """Change the ID token of a CI job for a token that lasts minutes."""
    return workload.exchange(call.service, call.request, body.token, body.trust)
