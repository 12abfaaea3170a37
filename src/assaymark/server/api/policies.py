"""Policies of the organisation: what is in force, versions, and their way from a proposal to taking effect.

Guarantees: what is weaker than what is in force takes effect only with a recorded exception and an approver who is not its proposer
(`server.work.activation`); a policy that lives in git is changed there, here it is only read; every step is in the trail.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.errors import AssayError, PolicyInvalid, UsageError
from assaymark.model.access import Permission
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of, viewed
from assaymark.server.api.route import Call, Nothing, Page, Router
from assaymark.server.problem import ApiError, Told, conflict, invalid, not_found
from assaymark.server.work import activation, governing
from assaymark.server.work.activation import Step, Taken, Wanted, Weaker
from assaymark.store import policies
from assaymark.store.policies import Draft, EventRow, PolicyRow, VersionRow
from assaymark.verdict import organisation
from assaymark.verdict.organisation import OrganisationPolicy
from assaymark.verdict.organisation_file import MOST_BYTES, Result, parse_one, tried

router = Router("policies")
_READ, _WRITE = Permission.POLICIES_READ, Permission.POLICIES_WRITE
_BYTES = MOST_BYTES + (64 << 10)
Name = Annotated[str, Meta(description="Name of the policy.")]
Number = Annotated[str, Meta(description="As `metadata.version` of the document says.")]


class Text(Struct, frozen=True, forbid_unknown_fields=True):
    """A document."""

    document: str
    """YAML of one policy."""
    comment: str = ""


class Checked(Struct, frozen=True):
    """What a document would mean."""

    name: str
    version: str
    digest: str
    weakens: tuple[str, ...]
    """In what it is weaker than what is in force: then it needs an exception to take effect."""
    examples: tuple[Result, ...]
    """What its rules' own examples came to."""


class VersionView(Struct, frozen=True):
    """A version."""

    name: str
    version: str
    digest: str
    author: str
    created_at: int
    source: int | None
    """Number of the source in git; null for one that lives on the server."""
    path: str
    commit: str
    in_force: bool
    document: str = ""
    """As it was written; empty in lists."""


class Review(Struct, frozen=True, forbid_unknown_fields=True):
    approves: bool
    comment: str = ""


class Activation(Struct, frozen=True, forbid_unknown_fields=True):
    exception: Wanted | None = None
    """Needed where it is weaker than what is in force."""


class Ending(Struct, frozen=True, forbid_unknown_fields=True):
    comment: str = ""


class Retirement(Struct, frozen=True, forbid_unknown_fields=True):
    exception: Wanted


@router.add("GET", "/policies", _READ)
def list_policies(call: Call, after: str | None = None, limit: int = 50) -> Page[PolicyRow]:
    """Every policy of the organisation, by name, with the version that is in force."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (str,))[0] if after else ""
    with call.service.database.read() as link:
        rows = policies.page(link, call.service.now(), after=start, limit=limit + 1)
    return page_of(rows, limit, "name")


@router.add("GET", "/policies/schema.json", None)
def get_policy_schema(call: Call) -> msgspec.Raw:  # noqa: ARG001 - an operation
    """JSON Schema of a policy's document, for editors."""
    return msgspec.Raw(msgspec.json.encode(organisation.schema()))


@router.add("POST", "/policies/check", _READ, most_bytes=_BYTES)
def check_policy(call: Call, body: Text) -> Checked:
    """Read a document, try its rules' examples, and compare it with what is in force; nothing is kept."""
    policy = read(body.document)
    with call.service.database.read() as link:
        now = call.service.now()
        found = {
            each.text
            for firm in (False, True)
            for each in organisation.weaker(parsed(policies.standing(link, policy.metadata.name, now, firm=firm)), policy)
        }
    return Checked(policy.metadata.name, policy.metadata.version, policy.digest, tuple(sorted(found)), tuple(tried(policy)))


@router.add("POST", "/policies", _WRITE, status=201, most_bytes=_BYTES)
def propose_policy(call: Call, body: Text) -> VersionView:
    """Propose a version; it takes effect when it is activated."""
    call.need(_WRITE, None)
    policy = read(body.document)
    by = rights.by(call)
    draft = Draft(policy.metadata.name, policy.metadata.version, policy.digest, body.document, by.actor, by.person)
    with call.service.database.write() as link, told():
        return _view(call, link, activation.propose(Step(call.service, link, by), policy, draft, comment=body.comment), whole=True)


@router.add("GET", "/policies/{name}", _READ)
def get_policy(call: Call, name: Name) -> VersionView:
    """The version that is in force; the one that was proposed last where none is."""
    with call.service.database.read() as link:
        found = policies.standing(link, name, call.service.now()) or policies.newest(link, name)
        if found is None:
            raise not_found(f"policy {name[:80]}")
        return _view(call, link, found, whole=True)


@router.add("GET", "/policies/{name}/versions", _READ)
def list_policy_versions(call: Call, name: Name, after: str | None = None, limit: int = 50) -> Page[VersionView]:
    """Versions of a policy, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        _some(link, name)
        rows = policies.history(link, name, before=before, limit=limit + 1)
        return viewed(rows, limit, lambda row: _view(call, link, row))


@router.add("GET", "/policies/{name}/versions/{version}", _READ)
def get_policy_version(call: Call, name: Name, version: Number) -> VersionView:
    """A version with its document."""
    with call.service.database.read() as link:
        return _view(call, link, found_version(link, name, version), whole=True)


@router.add("GET", "/policies/{name}/events", _READ)
def list_policy_events(call: Call, name: Name, after: str | None = None, limit: int = 50) -> Page[EventRow]:
    """What was done with a policy, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        _some(link, name)
        rows = policies.events_of(link, name, before=before, limit=limit + 1)
    return page_of(rows, limit)


@router.add("POST", "/policies/{name}/versions/{version}/review", _WRITE, status=204)
def review_policy(call: Call, name: Name, version: Number, body: Review) -> Nothing:
    """Approve of a version that somebody else proposed, or object to it; your last word counts."""
    call.need(_WRITE, None)
    with call.service.database.write() as link, told():
        row = found_version(link, name, version)
        activation.review(Step(call.service, link, rights.by(call)), row, approves=body.approves, comment=body.comment)
    return Nothing()


@router.add("POST", "/policies/{name}/versions/{version}/activate", _WRITE)
def activate_policy(call: Call, name: Name, version: Number, body: Activation) -> VersionView:
    """Let a version take effect, in every judgement from now on."""
    call.need(_WRITE, None)
    with call.service.database.write() as link, told():
        row = found_version(link, name, version)
        activation.activate(Step(call.service, link, rights.by(call)), row, exception=body.exception)
        return _view(call, link, row, whole=True)


@router.add("POST", "/policies/{name}/retirement", _WRITE, status=204)
def propose_retirement(call: Call, name: Name, body: Ending) -> Nothing:
    """Ask that a policy applies no more; somebody else answers."""
    call.need(_WRITE, None)
    with call.service.database.write() as link, told():
        _some(link, name)
        activation.propose_retirement(Step(call.service, link, rights.by(call)), name, body.comment)
    return Nothing()


@router.add("POST", "/policies/{name}/retire", _WRITE, status=204)
def retire_policy(call: Call, name: Name, body: Retirement) -> Nothing:
    """Let a policy apply no more, as somebody else asked, until the last day of the exception."""
    call.need(_WRITE, None)
    with call.service.database.write() as link, told():
        _some(link, name)
        activation.retire(Step(call.service, link, rights.by(call)), name, body.exception)
    return Nothing()


# --- what others use as well -----------------------------------------------------------------------------------------


def _answer(error: AssayError) -> ApiError | None:
    if isinstance(error, Weaker):
        return ApiError(409, "weaker", error.what, detail=error.why, advice=error.advice)
    if isinstance(error, Taken):
        return conflict(f"{error.what}: {error.why}", error.advice)
    if isinstance(error, UsageError) and not isinstance(error, PolicyInvalid):
        return conflict("; ".join(part for part in (error.what, error.why) if part), error.advice)
    return None


told = partial(Told, _answer)
"""What stands in the way of a step, as an answer."""


def read(document: str) -> OrganisationPolicy:
    """The policy of a document.

    Raises:
        ApiError: 400 with the line.
    """
    try:
        return parse_one(document.encode(), "document")
    except PolicyInvalid as error:
        raise invalid(": ".join(part for part in (error.what, error.why) if part), error.advice) from error


def parsed(row: VersionRow | None) -> OrganisationPolicy | None:
    """The policy of a version."""
    return governing.parsed(row.document, f"policy {row.name} {row.version}") if row is not None else None


def found_version(link: sa.Connection, name: str, version: str) -> VersionRow:
    """A version.

    Raises:
        ApiError: 404 when there is none.
    """
    row = policies.version(link, name, version)
    if row is None:
        raise not_found(f"version {version[:80]} of policy {name[:80]}")
    return row


def _some(link: sa.Connection, name: str) -> None:
    if policies.newest(link, name) is None:
        raise not_found(f"policy {name[:80]}")


def _view(call: Call, link: sa.Connection, row: VersionRow, *, whole: bool = False) -> VersionView:
    now = policies.standing(link, row.name, call.service.now())
    return VersionView(
        row.name, row.version, row.digest, row.author, row.created_at, row.source, row.path, row.commit,
        now is not None and now.id == row.id, row.document if whole else "",
    )  # fmt: skip
