"""Coming in by identity providers, and identities of accounts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import RedirectResponse, Response

from assaymark.errors import SubjectUnreadable
from assaymark.model.assessment import Instant
from assaymark.server.api import rights
from assaymark.server.api.route import Call, Nothing, Router
from assaymark.server.people import accounts, oidc, passkey
from assaymark.server.people import provider as settings
from assaymark.server.people.oidc import Answer, Door
from assaymark.server.problem import ApiError, not_found
from assaymark.store import federation, people

router = Router("sign-in")


class ProviderWay(Struct, frozen=True):
    name: str
    title: str
    start: str
    """Where to send the browser."""


class Ways(Struct, frozen=True):
    """How one comes in here."""

    set_up: bool
    """Whether somebody is here: until then only the link that `assay serve` printed works."""
    passkeys: bool
    providers: tuple[ProviderWay, ...]


@router.add("GET", "/sign-in", None, public=True)
def ways_in(call: Call) -> Ways:
    """Which ways of signing in there are."""
    with call.service.database.read() as connection:
        found = settings.providers(connection)
        somebody = people.anybody(connection)
    url = call.service.settings.url
    listed = tuple(ProviderWay(name, each.title, f"{url}/api/v1/oidc/{name}/start") for name, each in found.items())
    return Ways(somebody, passkey.are_possible(call.service.settings), listed)


@router.add("GET", "/oidc/{name}/start", None, public=True, status=303)
def start_oidc(call: Call, name: str, to: Annotated[str, Meta(description="Path of this server to come back to.")] = "/") -> Response:
    """Send the browser to an identity provider; `to` is a path of this server to come back to."""
    with _told_to_browsers(call) as said:
        said.append(oidc.begin(call.service, call.request, _door(call, name), to=to))
    return RedirectResponse(said[0], 303)


class Link(Struct, frozen=True):
    address: str


@router.add("POST", "/oidc/{name}/link", None)
def link_identity(call: Call, name: str) -> Link:
    """Where to send the browser so that the identity there becomes one of your account; the session must be fresh."""
    rights.need_recent(call)
    return Link(oidc.begin(call.service, call.request, _door(call, name), to="/", person=call.who.person))


@router.add("GET", "/oidc/{name}/callback", None, public=True, status=303)
def finish_oidc(  # noqa: PLR0913, PLR0917 - parameters of the answer
    call: Call,
    name: str,
    code: Annotated[str, Meta(description="What the provider gives for the ID token.")] = "",
    state: Annotated[str, Meta(description="Which sign-in is answered.")] = "",
    iss: Annotated[str, Meta(description="Which provider answers (RFC 9207).")] = "",
    error: Annotated[str, Meta(description="Why the provider did not let somebody in.")] = "",
) -> Response:
    """Where the identity provider sends the browser back to; the session comes as a cookie."""
    with _told_to_browsers(call) as said:
        _, to = oidc.finish(call.service, call.request, _door(call, name), Answer(code, state, iss, error))
        said.append(call.service.settings.url + to)
    return RedirectResponse(said[0], 303)


@contextmanager
def _told_to_browsers(call: Call) -> Iterator[list[str]]:
    """Where to go next; for a browser (who asks for HTML) that went wrong, the sign-in page, which says in words of ours what did."""
    said: list[str] = []
    try:
        yield said
    except (ApiError, SubjectUnreadable) as error:
        if "text/html" not in call.request.headers.get("accept", ""):
            raise
        code = error.code if isinstance(error, ApiError) else "provider"
        said[:] = [f"{call.service.settings.url}/sign-in?problem={code}"]


def _door(call: Call, name: str) -> Door:
    with call.service.database.read() as connection:
        found = settings.provider(connection, name)
    if found is None:
        raise not_found("this provider")
    return Door(name, found)


class IdentityView(Struct, frozen=True):
    id: int
    issuer: str
    created_at: Instant


@router.add("GET", "/identities", None)
def list_identities(call: Call, person: int | None = None) -> tuple[IdentityView, ...]:
    """Identities of your account; somebody else's need people:write everywhere."""
    whose = rights.whose(call, person)
    with call.service.database.read() as connection:
        return tuple(IdentityView(row.id, row.issuer, row.created_at) for row in federation.of_person(connection, whose))


@router.add("DELETE", "/identities/{identity}", None, status=204)
def unlink_identity(call: Call, identity: int) -> Nothing:
    """Take an identity off your account; somebody else's needs people:write everywhere."""
    with call.service.database.write() as connection:
        row = federation.get(connection, identity)
        if row is None or not rights.is_his(call, row.person):
            raise not_found("this identity")
        federation.unlink(connection, row.id)
        details = {"issuer": row.issuer}
        accounts.note(connection, rights.by(call), "identity.unlinked", row.person, at=call.service.now(), details=details)
    return Nothing()
