"""Identity providers, what their groups give, and issuers whose workloads get tokens."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import Grant, Permission, PersonId, Role, TeamId
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Created, Nothing, Page, Router
from assaymark.server.people import issuer, oidc
from assaymark.server.people import provider as settings
from assaymark.server.people.provider import Provider, Trust
from assaymark.server.problem import invalid, not_found
from assaymark.store import people, teams, trail
from assaymark.store.teams import MappingRow
from assaymark.store.trail import Action

router = Router("providers")


class ProviderView(Struct, frozen=True):
    """A provider, but for its secret."""

    name: str
    title: str
    issuer: str
    client_id: str
    scopes: tuple[str, ...]
    login_claim: str
    groups_claim: str
    domains: tuple[str, ...]
    groups: tuple[str, ...]
    has_secret: bool
    redirect_uri: str
    """Register this at the provider."""


@router.add("GET", "/providers", Permission.SETTINGS_WRITE)
def list_providers(call: Call) -> tuple[ProviderView, ...]:
    """Identity providers."""
    call.need(Permission.SETTINGS_WRITE, None)
    with call.service.database.read() as connection:
        return tuple(_view(call, name, each) for name, each in settings.providers(connection).items())


def _view(call: Call, name: str, value: Provider) -> ProviderView:
    return ProviderView(
        name=name,
        title=value.title,
        issuer=value.issuer,
        client_id=value.client_id,
        scopes=value.scopes,
        login_claim=value.login_claim,
        groups_claim=value.groups_claim,
        domains=value.domains,
        groups=value.groups,
        has_secret=bool(value.sealed),
        redirect_uri=oidc.back_address(call.service, name),
    )


class ProviderDocument(Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    issuer: str
    client_id: str
    client_secret: str | None = None
    """Sealed, and never shown again; without it the one before stays."""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    login_claim: str = "preferred_username"
    groups_claim: str = "groups"
    domains: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@router.add("PUT", "/providers/{name}", Permission.SETTINGS_WRITE)
def put_provider(call: Call, name: str, body: ProviderDocument) -> ProviderView:
    """Set an identity provider; it is asked at once who it is. Its groups give roles only by mappings."""
    call.need(Permission.SETTINGS_WRITE, None)
    settings.check_name(name)
    fields = {each: getattr(body, each) for each in body.__struct_fields__ if each != "client_secret"}
    wanted = Provider(**fields)
    settings.check_provider(wanted)
    issuer.asked_metadata(call.service, wanted.issuer)
    with call.service.database.write() as connection:
        before = settings.provider(connection, name)
        if body.client_secret is None and before is not None and before.issuer == wanted.issuer:
            sealed = before.sealed
        else:
            sealed = settings.seal(call.service, name, body.client_secret or "")
        made = msgspec.structs.replace(wanted, sealed=sealed)
        settings.put_provider(connection, name, made, at=call.service.now())
        _note(call, connection, "provider.set", "provider", name, {"issuer": made.issuer, "client": made.client_id})
    return _view(call, name, made)


@router.add("DELETE", "/providers/{name}", Permission.SETTINGS_WRITE, status=204)
def remove_provider(call: Call, name: str) -> Nothing:
    """Remove an identity provider; accounts that came by it stay, roles that its groups gave end now."""
    call.need(Permission.SETTINGS_WRITE, None)
    with call.service.database.write() as connection:
        found = settings.provider(connection, name)
        if found is None:
            raise not_found("this provider")
        settings.remove_provider(connection, name)
        teams.lock(connection)
        teams.take_from(connection, found.issuer)
        _note(call, connection, "provider.removed", "provider", name, {"issuer": found.issuer})
    return Nothing()


def _note(  # noqa: PLR0913, PLR0917 - what an entry says
    call: Call, connection: sa.Connection, action: str, kind: str, name: str, details: dict[str, str], team: TeamId | None = None
) -> None:
    by = rights.by(call)
    trail.record(connection, Action(call.service.now(), by.actor, action, "success", by.person, kind, name, team, by.origin, details))


# --- groups ----------------------------------------------------------------------------------------------------------


@router.add("GET", "/group-mappings", Permission.PEOPLE_READ)
def list_mappings(call: Call, after: str | None = None, limit: int = 50) -> Page[MappingRow]:
    """Which roles groups give, in teams of which you may see people."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    visible = call.who.teams_with(Permission.PEOPLE_READ)
    with call.service.database.read() as connection:
        rows = teams.mappings(connection, after=start, limit=limit + 1, teams=visible)
    return page_of(rows, limit)


class NewMapping(Struct, frozen=True, forbid_unknown_fields=True):
    provider: str
    group: str
    role: Role
    team: int | None = None


@router.add("POST", "/group-mappings", Permission.PEOPLE_WRITE, status=201)
def map_group(call: Call, body: NewMapping) -> Created:
    """Let a group of a provider give a role, from each member's next sign-in on; you need people:write there and what the role allows."""
    grant = Grant(body.role, None if body.team is None else TeamId(body.team))
    call.need(Permission.PEOPLE_WRITE, grant.team)
    rights.need_cover(call, (grant,))
    if not body.group or len(body.group) > 500:
        raise invalid("group is a name of at most 500 letters")
    with call.service.database.write() as connection:
        found = settings.provider(connection, body.provider)
        if found is None:
            raise not_found("this provider")
        if grant.team is not None and teams.get(connection, grant.team) is None:
            raise not_found("this team")
        made = teams.map_group(connection, MappingRow(0, found.issuer, body.group, grant.team, grant.role), at=call.service.now())
        details = {"issuer": found.issuer, "group": body.group, "role": grant.role.value}
        _note(call, connection, "group.mapped", "mapping", str(made), details, grant.team)
    return Created(made)


@router.add("DELETE", "/group-mappings/{mapping}", Permission.PEOPLE_WRITE, status=204)
def unmap_group(call: Call, mapping: int) -> Nothing:
    """End a mapping; what it gave ends at each member's next sign-in."""
    with call.service.database.write() as connection:
        row = teams.mapping(connection, mapping)
        if row is None or not call.who.may(Permission.PEOPLE_WRITE, row.team):
            raise not_found("this mapping")
        teams.unmap(connection, row.id)
        _note(call, connection, "group.unmapped", "mapping", str(row.id), {"group": row.group, "role": row.role.value}, row.team)
    return Nothing()


# --- workloads -------------------------------------------------------------------------------------------------------


class TrustView(Struct, frozen=True):
    name: str
    trust: Trust


@router.add("GET", "/trusts", Permission.SETTINGS_WRITE)
def list_trusts(call: Call) -> tuple[TrustView, ...]:
    """Issuers whose workloads get tokens, and under which conditions."""
    call.need(Permission.SETTINGS_WRITE, None)
    with call.service.database.read() as connection:
        return tuple(TrustView(name, each) for name, each in settings.trusts(connection).items())


@router.add("PUT", "/trusts/{name}", Permission.SETTINGS_WRITE)
def put_trust(call: Call, name: str, body: Trust) -> TrustView:
    """Trust an issuer's workloads that fit the conditions; you need yourself all that the named person may."""
    call.need(Permission.SETTINGS_WRITE, None)
    settings.check_trust(body)
    settings.check_name(name)
    with call.service.database.write() as connection:
        if people.get(connection, PersonId(body.person)) is None:
            raise not_found("this person")
        rights.need_cover(call, teams.grants_of(connection, body.person))
        if body.team is not None and teams.get(connection, body.team) is None:
            raise not_found("this team")
        settings.put_trust(connection, name, body, at=call.service.now())
        details = {"issuer": body.issuer, "audience": body.audience, "person": str(body.person)}
        details |= {f"condition {claim}": value[:200] for claim, value in body.conditions.items()}
        _note(call, connection, "trust.set", "trust", name, details, body.team)
    return TrustView(name, body)


@router.add("DELETE", "/trusts/{name}", Permission.SETTINGS_WRITE, status=204)
def remove_trust(call: Call, name: str) -> Nothing:
    """Trust no more; tokens that were given last out their minutes."""
    call.need(Permission.SETTINGS_WRITE, None)
    with call.service.database.write() as connection:
        if not settings.remove_trust(connection, name):
            raise not_found("this trust")
        _note(call, connection, "trust.removed", "trust", name, {})
    return Nothing()
