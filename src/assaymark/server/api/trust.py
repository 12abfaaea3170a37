"""Whom this server believes, its endorsing keys, and what it distributes about both.

Guarantees: every change makes a new version and an entry in the trail, and is published soon after; whose key is believed, or not any
more, stands in the transparency log as well; where a key lies is said by whoever runs the machine and never here; a root takes effect only
with the signatures that it and the one before ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct
from starlette.responses import Response

from assaymark.endorsement import trust as documents
from assaymark.endorsement.distribution import archive
from assaymark.endorsement.trust import Trust, TrustRoot
from assaymark.errors import AssayError, UsageError
from assaymark.model.access import Permission
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Page, Router, Upload
from assaymark.server.problem import ApiError, Told, invalid
from assaymark.server.work import distributing, signers, trusting
from assaymark.server.work.distributing import State
from assaymark.store import distribution, endorsing_keys, log, trail
from assaymark.store import trust as versions
from assaymark.store.endorsing_keys import EndorsingKey
from assaymark.store.trail import Action
from assaymark.store.trust import Draft, Stated, TrustVersion

router = Router("trust")
_READ, _WRITE = Permission.ENDORSEMENTS_READ, Permission.TRUST_WRITE
MOST_ROOTS, MOST_KEYS, MOST_DAYS, MOST_AGE = 200, 16, 1000, 10_000
_LONGEST = 500


class NewTrust(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to hold from now on, in whole."""

    roots: tuple[TrustRoot, ...] = ()
    """Of others; the server's own keys speak for it anyway."""
    max_age_days: Annotated[int, Meta(ge=0, le=MOST_AGE)] = 0
    log_required: bool = False
    comment: Annotated[str, Meta(max_length=_LONGEST)] = ""


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    comment: Annotated[str, Meta(max_length=_LONGEST)] = ""


class NewRoot(Struct, frozen=True, forbid_unknown_fields=True):
    """What the next root is to say."""

    keys: tuple[str, ...] = ()
    """Public keys of its owners, in PEM; empty: those of the present one, and as many of them."""
    threshold: Annotated[int, Meta(ge=1, le=MOST_KEYS)] = 1
    """How many of `keys` have to sign."""
    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 365
    renew_keys: bool = False
    """Let new keys of this server sign what is published, from when the root is adopted."""


class Adopted(Struct, frozen=True):
    version: int


@router.add("GET", "/trust", _READ)
def get_trust(call: Call) -> Trust:
    """The trust document as it stands now: the server's own keys with their ends, and the roots of others."""
    with call.service.database.read() as link:
        return trusting.trust_of(call.service, link)


@router.add("PUT", "/trust", _WRITE)
def set_trust(call: Call, body: NewTrust) -> TrustVersion:
    """Say whose endorsements are believed beside the server's own, from now on."""
    return change(call, lambda _: body)


def change(call: Call, wanted: Callable[[Stated], NewTrust]) -> TrustVersion:
    """The same, told by what stands there in the moment of the change: of two changes at once neither undoes the other.

    Raises:
        ApiError: 400 saying which root cannot be kept, and why.
    """
    call.need(_WRITE, None)
    by, now = rights.by(call), call.service.now()
    with told(), call.service.database.write() as link:
        versions.lock(link)
        call.expect(trusting.trust_of(call.service, link))
        present = signers.stated_now(link)
        body = wanted(present)
        before, after = documents.opened(Trust(present.roots)), _opened(body.roots)
        stated = Stated(body.roots, body.max_age_days, body.log_required)
        number = versions.add(link, Draft(now, by.actor, body.comment, stated, by.person))
        _note(call, link, "trust.changed", str(number), {"roots": ", ".join(root.name for root in body.roots)[:_LONGEST]})
        distributing.wake(call.service, link)
        made = versions.get(link, number)
        log.append(link, trusting.said(before, after, now, by.actor, number))
    assert made is not None  # noqa: S101 - it was made above
    return made


@router.add("GET", "/trust/versions", _READ)
def list_trust_versions(call: Call, after: str | None = None, limit: int = 50) -> Page[TrustVersion]:
    """What was said of whom to believe, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        return page_of(versions.page(link, before=before, limit=limit + 1), limit)


@router.add("GET", "/trust/keys", _READ)
def list_endorsing_keys(call: Call) -> tuple[EndorsingKey, ...]:
    """Public keys that endorse for this server, newest first; the first without an end signs now."""
    with call.service.database.read() as link:
        return tuple(endorsing_keys.every(link))


@router.add("POST", "/trust/keys", _WRITE, status=201)
def rotate_endorsing_key(call: Call, body: Rotation) -> EndorsingKey:
    """Let another key endorse from now on: a new one of the server's own, or the one that lies at `ASSAYMARK_SIGNER` now."""
    call.need(_WRITE, None)
    with told(), call.service.database.write() as link:
        signers.new_key(call.service, link, actor=rights.by(call).actor, comment=body.comment)
        made = endorsing_keys.present(link)
    assert made is not None  # noqa: S101 - it was made above
    return made


@router.add("GET", "/trust/distribution", _READ)
def get_distribution(call: Call) -> State:
    """What is published below /trust/: its end, and the fingerprint of the root to begin with."""
    return distributing.state_of(call.service)


@router.add("POST", "/trust/distribution", _WRITE)
def publish_trust_now(call: Call) -> State:
    """Publish now, also when nothing changed."""
    call.need(_WRITE, None)
    with told():
        distributing.publish(call.service, always=True)
    with call.service.database.write() as link:
        _note(call, link, "trust.published", "", {})
    return distributing.state_of(call.service)


@router.add("POST", "/trust/root/draft", _WRITE)
def draft_trust_root(call: Call, body: NewRoot) -> msgspec.Raw:
    """The next root with these owners, to be signed by them. Nothing is kept but, with `renew_keys`, the keys that wait for it."""
    call.need(_WRITE, None)
    if len(body.keys) > MOST_KEYS:
        raise invalid(f"keys names at most {MOST_KEYS} public keys")
    with told():
        owners = distributing.Owners(body.keys, body.threshold)
        made = distributing.draft_root(call.service, owners, body.days, others=body.renew_keys)
    if body.renew_keys:
        with call.service.database.write() as link:
            _note(call, link, "trust-keys.drafted", "", {})
    return msgspec.Raw(made)


@router.add("PUT", "/trust/root", _WRITE, most_bytes=600_000)
def adopt_trust_root(call: Call, body: Upload) -> Adopted:
    """Let a signed root follow the present one. Where it names no key of this server, the private key of the root here is gone."""
    call.need(_WRITE, None)
    distributing.state_of(call.service)
    with told(), call.service.database.write() as link:
        version = distributing.adopt_root(call.service, link, body.data)
        _note(call, link, "trust-root.adopted", str(version), {})
    return Adopted(version)


@router.add("GET", "/trust/archive", None, public=True, produces="application/x-tar")
def get_trust_archive(call: Call) -> Response:
    """Everything that is distributed, as one tar for a site without a network. What is in it is public and signed."""
    distributing.state_of(call.service)
    with call.service.database.read() as link:
        data = archive.packed(distribution.state(link))
    headers = {"Content-Disposition": 'attachment; filename="trust.tar"', "Cache-Control": "no-cache"}
    return Response(data, 200, headers, media_type="application/x-tar")


def _answer(error: AssayError) -> ApiError | None:
    return ApiError(409, "refused", error.what, detail=error.why, advice=error.advice) if isinstance(error, UsageError) else None


told = partial(Told, _answer)
"""What was wrong with what was given, as an answer."""


def _opened(roots: tuple[TrustRoot, ...]) -> documents.OpenTrust:
    """Roots that can be kept.

    Raises:
        ApiError: 400 saying which cannot, and why.
    """
    names = [root.name for root in roots]
    if len(roots) > MOST_ROOTS or len(set(names)) != len(names):
        raise invalid(f"roots are at most {MOST_ROOTS}, each with a name of its own")
    for root in roots:
        if not root.name.strip() or len(root.name) > 200 or root.name.startswith(trusting.OWN):
            raise invalid(f"{root.name[:80]!r} is no name of a root", f"give it one that does not begin with {trusting.OWN!r}")
        if not root.verifier.strip() or len(root.verifier) > _LONGEST or len(root.keys) > MOST_KEYS:
            raise invalid(f"root {root.name[:80]!r} names no verifier, or more than {MOST_KEYS} keys")
    try:
        return documents.opened(Trust(roots))
    except AssayError as error:
        raise invalid(": ".join(part for part in (error.what, error.why) if part), error.advice) from error


def _note(call: Call, link: sa.Connection, action: str, name: str, details: dict[str, str]) -> None:
    by = rights.by(call)
    done = Action(call.service.now(), by.actor, action, "success", by.person, "trust", name, None, by.origin, details)
    trail.record(link, done)
