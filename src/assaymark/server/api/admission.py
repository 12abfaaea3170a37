"""Gates of clusters: how each stands, what it refused or would have, and the objects by which a cluster decides by itself.

Guarantees: a gate is only tried out until somebody says that it enforces; its token is shown once, and a new one ends the one before; each
change is in the trail. A gate may belong to a team: it is seen by whoever reads endorsements there. Only who may say whom to believe
(trust:write) makes or changes one.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any

import sqlalchemy as sa
from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins
from starlette.responses import Response

from assaymark.deployment.admission import manifest, policy, webhook
from assaymark.deployment.admission.approved import Place, maps, shards_for, shards_of
from assaymark.model.access import Permission, TeamId
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.connecting import checked_name
from assaymark.server.people import credential
from assaymark.server.problem import conflict, invalid, not_found
from assaymark.server.service import Service
from assaymark.server.work.admitting import approved_for
from assaymark.store import admission, trail
from assaymark.store.admission import Draft, GateRow, RefusalRow
from assaymark.store.trail import Action

router = Router("admission")
_READ, _WRITE = Permission.ENDORSEMENTS_READ, Permission.TRUST_WRITE
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PATTERN = re.compile(r"[a-z0-9-]{0,63}\*|[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_MOST = 100
YAML = "application/yaml"


class Manifest(StrEnum):
    """What a cluster is given."""

    POLICY = "policy"
    CONFIGMAPS = "configmaps"
    WEBHOOK = "webhook"
    PLUGIN = "plugin"


class NamespaceOf(Struct, frozen=True, forbid_unknown_fields=True):
    """Which environment a namespace is."""

    namespace: Annotated[str, Meta(max_length=64)]
    """May end in ``*``; the first of a list that fits counts."""
    environment: Annotated[str, Meta(max_length=200)]


class GateView(Struct, frozen=True):
    """A gate."""

    id: int
    name: str
    environment: str
    """Of every namespace that `namespaces` does not name."""
    namespaces: tuple[NamespaceOf, ...]
    exempt: tuple[str, ...]
    """Namespaces that are never asked about, beside kube-system and `home`."""
    home: str
    """Namespace of ours in that cluster."""
    enforces: bool
    """False: it is tried out, and refuses nothing."""
    obeys_break_glass: bool
    """Whether an annotation opens it, which whoever may start a pod can write."""
    team: int | None
    created_at: int
    changed_at: int


class NewGate(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=200)]
    """Of the cluster, as people know it."""
    environment: Annotated[str, Meta(max_length=200)] = ""
    namespaces: tuple[NamespaceOf, ...] = ()
    exempt: tuple[str, ...] = ()
    home: str = "assaymark"
    enforces: bool = False
    obeys_break_glass: bool = False
    team: int | None = None


class GateChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What is left out stays."""

    name: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    environment: Annotated[str, Meta(max_length=200)] | UnsetType = UNSET
    namespaces: tuple[NamespaceOf, ...] | UnsetType = UNSET
    exempt: tuple[str, ...] | UnsetType = UNSET
    home: str | UnsetType = UNSET
    enforces: bool | UnsetType = UNSET
    obeys_break_glass: bool | UnsetType = UNSET


class GateToken(Struct, frozen=True):
    """What the cluster is told; shown this once."""

    id: int
    token: str
    review_url: str
    """For a webhook configuration."""
    image_review_url: str
    """For the ImagePolicyWebhook plugin, with the token as its user's."""


@router.add("GET", "/admission-gates", _READ)
def list_gates(call: Call, after: str | None = None, limit: int = 50) -> Page[GateView]:
    """Gates in the order in which they were made."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        rows = admission.page(link, call.who.teams_with(_READ), after=start, limit=limit + 1)
    return page_of([_view(row) for row in rows], limit)


@router.add("GET", "/admission-gates/{gate}", _READ)
def get_gate(call: Call, gate: int) -> GateView:
    """One gate."""
    with call.service.database.read() as link:
        return _view(visible(call, link, gate))


@router.add("POST", "/admission-gates", _WRITE, status=201)
def create_gate(call: Call, body: NewGate) -> GateToken:
    """Make a gate; answers what to tell the cluster."""
    team = None if body.team is None else TeamId(body.team)
    call.need(_WRITE, team)
    draft = _checked(Draft(
        name=checked_name(body.name), environment=body.environment, namespaces=_pairs(body.namespaces), exempt=body.exempt, home=body.home,
        enforces=body.enforces, obeys_break_glass=body.obeys_break_glass, team=team,
    ))  # fmt: skip
    token = credential.new_secret()
    with call.service.database.write() as link:
        if admission.named(link, draft.name) is not None:
            raise conflict("there is a gate of this name", "choose another name")
        number = admission.add(link, draft, credential.hashed(token), call.service.now())
        _note(call, link, "gate.created", _existing(link, number), _told(draft))
    return _token(call, number, token)


@router.add("PATCH", "/admission-gates/{gate}", _WRITE)
def change_gate(call: Call, gate: int, body: GateChange) -> GateView:
    """Change how a gate stands, e.g. that it enforces from now on."""
    with call.service.database.write() as link:
        row = visible(call, link, gate, _WRITE)
        draft = _checked(Draft(
            name=row.name if body.name is UNSET else checked_name(body.name),
            environment=_or(body.environment, row.environment),
            namespaces=row.namespaces if body.namespaces is UNSET else _pairs(body.namespaces),
            exempt=_or(body.exempt, row.exempt),
            home=_or(body.home, row.home),
            enforces=_or(body.enforces, row.enforces),
            obeys_break_glass=_or(body.obeys_break_glass, row.obeys_break_glass),
            team=row.team,
        ))  # fmt: skip
        other = admission.named(link, draft.name)
        if other is not None and other.id != row.id:
            raise conflict("there is a gate of this name", "choose another name")
        admission.change(link, row.id, draft, call.service.now())
        _note(call, link, "gate.changed", row, _told(draft))
        return _view(_existing(link, row.id))


@router.add("POST", "/admission-gates/{gate}/token", _WRITE)
def renew_gate_token(call: Call, gate: int) -> GateToken:
    """Give a gate another token; the one before opens nothing from now on."""
    token = credential.new_secret()
    with call.service.database.write() as link:
        row = visible(call, link, gate, _WRITE)
        admission.renew(link, row.id, credential.hashed(token), call.service.now())
        _note(call, link, "gate.token-renewed", row, {})
    return _token(call, gate, token)


@router.add("DELETE", "/admission-gates/{gate}", _WRITE, status=204)
def end_gate(call: Call, gate: int) -> Nothing:
    """End a gate: its token opens nothing any more. Take the webhook or policy out of the cluster first: it would be refused everything."""
    with call.service.database.write() as link:
        row = visible(call, link, gate, _WRITE)
        admission.end(link, row.id, call.service.now())
        _note(call, link, "gate.ended", row, {})
    return Nothing()


@router.add("GET", "/admission-gates/{gate}/refusals", _READ)
def list_refusals(call: Call, gate: int, after: str | None = None, limit: int = 50) -> Page[RefusalRow]:
    """What a gate refused, or would have refused while it is tried out: each kind once, the latest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int, int)) if after else None
    with call.service.database.read() as link:
        row = visible(call, link, gate)
        rows = admission.refused(link, row.id, before=(before[0], before[1]) if before else None, limit=limit + 1)
    onward = cursor.encode((rows[limit - 1].last_at, rows[limit - 1].id)) if len(rows) > limit else None
    return Page(tuple(rows[:limit]), next=onward)


@router.add("DELETE", "/admission-gates/{gate}/refusals", _WRITE, status=204)
def forget_refusals(call: Call, gate: int) -> Nothing:
    """Forget what a gate refused, to see what is left after something was mended."""
    with call.service.database.write() as link:
        row = visible(call, link, gate, _WRITE)
        number = admission.forget(link, row.id)
        _note(call, link, "gate.refusals-forgotten", row, {"refusals": str(number)})
    return Nothing()


@router.add("GET", "/admission-gates/{gate}/manifests/{form}", _READ, produces=YAML)
def get_gate_manifest(call: Call, gate: int, form: Manifest, shards: int = 0) -> Response:
    """Objects to apply: `policy` (CEL, with bindings), `configmaps` (approved digests), `webhook`, or `plugin` (ImagePolicyWebhook).

    One policy and its maps per environment of the gate. By how many maps the digests of one are parted is told by `shards` (1, 16, 256), or
    by how many there are. The token is not in them: it is kept as a digest only.
    """
    wanted = shards_of(shards) if shards else ()
    with call.service.database.read() as link:
        row = visible(call, link, gate)
        documents = _documents(call.service, link, row, form, wanted)
    headers = {"Cache-Control": "private, no-store", "Content-Disposition": f'attachment; filename="{form}-{row.id}.yaml"'}
    return Response(manifest.written(documents), 200, headers, media_type=YAML)


def _documents(service: Service, link: sa.Connection, row: GateRow, form: Manifest, shards: tuple[str, ...]) -> list[dict[str, Any]]:
    """As plain values.

    Raises:
        UsageError: when the digests do not fit, or no API server would call this server's address.
    """
    url = service.settings.url
    if form in {Manifest.WEBHOOK, Manifest.PLUGIN}:
        place = Place(row.environment, row.home)
        asking = webhook.Asking(url, place, enforce=row.enforces, exempt=row.exempt)
        if form is Manifest.WEBHOOK:
            return [webhook.configuration(asking)]
        return [webhook.plugin(asking, "/etc/kubernetes/assaymark/kubeconfig.yaml"), webhook.kubeconfig(asking)]
    found: list[dict[str, Any]] = []
    for environment in dict.fromkeys((row.environment, *(each for _, each in row.namespaces))):
        place = Place(environment, row.home)
        approved = approved_for(service, link, environment)
        parts = shards or shards_for(len(approved))
        if form is Manifest.CONFIGMAPS:
            found += maps(place, approved, parts)
            continue
        shape = policy.Shape(
            place, row.enforces, row.exempt, row.namespaces, elsewhere=environment == row.environment, shards=parts, url=url,
        )  # fmt: skip
        found += [policy.policy(shape), *policy.bindings(shape)]
    return found


def visible(call: Call, link: sa.Connection, number: int, permission: Permission = _READ) -> GateRow:
    """The gate, when this is allowed on it.

    Raises:
        ApiError: 404 when it may not be seen, 403 when more is asked than the caller may.
    """
    row = admission.get(link, number)
    if row is None or row.ended_at is not None or not (call.who.may(_READ, row.team) or call.who.may(permission, row.team)):
        raise not_found(f"gate {number}")
    call.need(permission, row.team)
    return row


# --- how -------------------------------------------------------------------------------------------------------------


def _existing(link: sa.Connection, number: int) -> GateRow:
    row = admission.get(link, number)
    assert row is not None  # noqa: S101 - it was written in this transaction
    return row


def _view(row: GateRow) -> GateView:
    values = {name: getattr(row, name) for name in GateView.__struct_fields__}
    return GateView(**values | {"namespaces": tuple(NamespaceOf(*each) for each in row.namespaces)})


def _pairs(given: tuple[NamespaceOf, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((each.namespace, each.environment) for each in given)


def _checked(draft: Draft) -> Draft:
    """Names that a cluster can have, and texts that people can read.

    Raises:
        ApiError: 400 otherwise.
    """
    if len(draft.namespaces) > _MOST or len(draft.exempt) > _MOST:
        raise invalid(f"at most {_MOST} namespaces can be named")
    for pattern, _ in draft.namespaces:
        if not _PATTERN.fullmatch(pattern):
            raise invalid(f"{pattern[:80]!r} is no namespace", "write its name, or its beginning and *")
    for name in (draft.home, *draft.exempt):
        if not _NAMESPACE.fullmatch(name):
            raise invalid(f"{name[:80]!r} is no namespace", "small letters, digits and hyphens")
    if not all(each.isprintable() for each in (draft.environment, *(each for _, each in draft.namespaces))):
        raise invalid("the name of an environment is printable")
    return draft


def _or(new: Any, old: Any) -> Any:
    return old if new is UNSET else new


def _token(call: Call, number: int, token: str) -> GateToken:
    url = call.service.settings.url
    return GateToken(number, token, f"{url}{webhook.REVIEWS}/{token}", f"{url}{webhook.IMAGES}")


def _told(draft: Draft) -> dict[str, str]:
    values = to_builtins(draft)
    return {name: str(values[name]) for name in ("environment", "namespaces", "exempt", "home", "enforces", "obeys_break_glass")}


def _note(call: Call, link: sa.Connection, action: str, row: GateRow, details: dict[str, str]) -> None:
    by = rights.by(call)
    told = {"name": row.name, **details}
    trail.record(link, Action(call.service.now(), by.actor, action, "success", by.person, "gate", str(row.id), row.team, by.origin, told))
