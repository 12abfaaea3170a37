"""Publishes whom to believe, what was revoked and what is approved, as a TUF repository of files that anybody may carry.

Guarantees: one state at a time, whole; a state is published within seconds of what changes it (`wake`), and at the latest when half of its
timestamp's day is over; what is named as approved was verified a moment before with the trust and revocations of the same state. The root
is made here with a key of this server, and renewed here before it ends; an administrator takes it off the server by a root that people
signed (`adopt_root`). Other keys sign a state no sooner than a root that names them is adopted, and those before are gone then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.endorsement import keys, revocation, trust
from assaymark.endorsement.approval import stamp
from assaymark.endorsement.distribution import client
from assaymark.endorsement.distribution.client import REVOCATIONS, TRUST, Approved, ApprovedDigest
from assaymark.endorsement.keys import KeySigner, PublicKey
from assaymark.endorsement.revocation import Revocation, Revocations
from assaymark.endorsement.trust import OpenTrust
from assaymark.endorsement.verify import Expected, verify
from assaymark.errors import EngineMissing, UsageError
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.digest import Digest
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.trusting import trust_of
from assaymark.store import distribution, endorsements, revocations
from assaymark.store.distribution import RoleKeyRow
from assaymark.store.endorsements import Filter, Part

KIND = "publish-trust"
EVERYWHERE = "*"
"""Name of the environment that lists what says nothing of where it may run."""
_DAY = 86_400 * SECOND
_STAYS = Instant(7 * _DAY)
"""For which a state that was replaced may still be fetched to its end."""
_ROLES = ("root", "targets", "snapshot", "timestamp")
_RENEWED = 90 * _DAY
"""Before its end a root whose key lies here is followed by one that ends later."""


class Owners(Struct, frozen=True):
    """Who is to own a root."""

    keys: tuple[str, ...] = ()
    """Public keys in PEM; empty: those of the root before, as many of them."""
    threshold: int = 1


class State(Struct, frozen=True):
    """What is published."""

    version: int
    """Of the root."""
    expires_at: Instant
    """When the state ends, if nothing newer comes."""
    root_expires_at: Instant
    fingerprint: str
    """Of the newest root: what people compare when they begin to trust this server."""
    threshold: int
    root_keys: tuple[str, ...]
    is_offline: bool
    """Whether none of the root's private keys lies on this server."""
    files: tuple[str, ...]


def wake(service: Service, link: sa.Connection) -> None:
    """Publish soon: called by whatever changes trust, revocations or endorsements, in its transaction."""
    service.queue.put(link, Job(KIND, {}, key=KIND, lock=KIND, priority=Priority.FEEDBACK, seconds=600))


def publish_trust(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """The job: publishes when something changed, or half a day is over."""
    del arguments, attempt
    publish(service)


def publish(service: Service, *, always: bool = False) -> bool:
    """Publish what changed; False when nothing did and the state is young."""
    with service.database.write() as link:
        distribution.lock(link)
        return _published(service, link, always=always)


def _published(service: Service, link: sa.Connection, *, always: bool) -> bool:
    repository, roots = _tuf()
    now, signers, held = service.now(), _signers(service, link), distribution.state(link)
    root = _renewed(roots, held.get("root.json") or _first_root(roots, signers, now), signers, now)
    before = repository.before_of(held)
    made = repository.publish(root, before, documents(service, link), signers, now)
    young = before.timestamp and repository.expires_at(before.timestamp) - now > _DAY // 2
    if young and not made.changed and held.get("root.json") == root and not always:
        return False
    files = made.files | {"root.json": root, f"{roots.standing(root).version}.root.json": root}
    distribution.put(link, files, now)
    distribution.leave(link, files, now, forget=Instant(now - _STAYS))
    return True


def documents(service: Service, link: sa.Connection) -> dict[str, bytes]:
    """What is distributed, as of now."""
    said = trust_of(service, link)
    entries = revocations.entries(link)
    found = {
        TRUST: msgspec.json.encode(said, order="deterministic"),
        REVOCATIONS: msgspec.json.encode(Revocations(len(entries), entries), order="deterministic"),
    }
    for shown in _approved(service, link, trust.opened(said), entries):
        found[client.target_of(shown.environment)] = client.written(shown)
    return found


def state_of(service: Service) -> State:
    """What is published; published first, where nothing is yet."""
    roots = _tuf()[1]
    with service.database.read() as link:
        held = distribution.state(link)
    if "root.json" not in held:
        publish(service)
    with service.database.read() as link:
        held, own = distribution.state(link), distribution.role_keys(link)
    said, end = roots.standing(held["root.json"]), _tuf()[0].expires_at(held["timestamp.json"])
    here = "root" in own and own["root"].keyid in said.keyids
    names = tuple(sorted(held))
    return State(said.version, end, said.expires_at, said.fingerprint, said.threshold, said.keyids, not here, names)


def draft_root(service: Service, owners: Owners, days: int, *, others: bool = False) -> bytes:
    """The next root, to be signed by its owners, with this server's keys in the other roles.

    With `others` these are new ones: they sign what is published once the root is adopted, and wait until then.

    Raises:
        UsageError: when a key is none, or the threshold can never be met.
        SignatureInvalid: likewise.
    """
    roots = _tuf()[1]
    state_of(service)
    given = tuple(keys.public_key(pem.encode()) for pem in owners.keys)
    with service.database.write() as link:
        distribution.lock(link)
        if others:
            for role in _ROLES[1:]:
                distribution.add_role_key(link, _new_key(service, role), service.now(), waits=True)
        previous = distribution.file(link, "root.json")
        own = distribution.role_keys(link) | (distribution.waiting_keys(link) if others else {})
    assert previous is not None  # noqa: S101 - `state_of` published it
    root = roots.RoleKeys(given, owners.threshold) if given else roots.owners_of(previous)
    said = {"root": root} | {role: roots.RoleKeys((_public(own[role]),)) for role in _ROLES[1:]}
    made: bytes = roots.following(previous, said, service.now(), days=days)
    return made


def adopt_root(service: Service, link: sa.Connection, candidate: bytes) -> int:
    """Let a root that its owners signed follow the present one; gives its version. This server adds its own signature where it may.

    The state is published anew with it, in one: nobody gets a root and a state that other keys signed.

    The private key of the root that lay here is gone afterwards, when the new root does not name it.

    Raises:
        SignatureInvalid: when signatures are missing.
        UsageError: when it does not follow, has ended, or does not name this server's keys for the other roles.
    """
    roots, now = _tuf()[1], service.now()
    distribution.lock(link)
    signers, held = _signers(service, link), distribution.state(link)
    previous = held["root.json"]
    mine = signers.get("root")
    if mine is not None and mine.public.id in roots.standing(previous).keyids:
        candidate = roots.with_previous_signature(candidate, previous, mine)
    roots.check(candidate, previous)
    said = roots.standing(candidate)
    if said.expires_at <= now:
        raise UsageError("this root has ended", advice="make a new draft")
    waiting = distribution.waiting_keys(link)
    others = [role for role in _ROLES[1:] if said.roles[role] != (signers[role].public.id,)]
    strange = [role for role in others if role not in waiting or said.roles[role] != (waiting[role].keyid,)]
    if strange:
        raise UsageError(f"this root names other keys for {', '.join(strange)}", advice="draft it anew: POST /api/v1/trust/root/draft")
    distribution.put(link, {"root.json": candidate, f"{said.version}.root.json": candidate}, now)
    distribution.adopt_waiting(link, others, now)
    if mine is not None and mine.public.id not in said.keyids:
        distribution.drop_private(link, "root", now)
    _published(service, link, always=True)
    return int(said.version)


# --- what is approved --------------------------------------------------------------------------------------------------


def _approved(service: Service, link: sa.Connection, believed: OpenTrust, entries: tuple[Revocation, ...]) -> Iterator[Approved]:
    """Per environment, everything in force that is verified now."""
    now, revoked = service.now(), revocation.opened(entries)
    found: dict[str, list[ApprovedDigest]] = {EVERYWHERE: []}
    general: list[tuple[tuple[str, ...], ApprovedDigest]] = []
    for row, digests in _in_force(link, now):
        said = verify(service.blobs.get(Digest(row.bundle)), digests[0], Expected(), believed, revoked, now=now, logged=lambda _: "")
        if not said.ok:
            continue
        allowed = next((each.root.environments for each in believed.roots if each.root.name == said.root), ())
        for digest in digests:
            one = ApprovedDigest(digest, row.digest, stamp(row.expires_at), row.resource)
            for environment in row.environments:
                if trust.matches(allowed, environment):
                    found.setdefault(environment, []).append(one)
            if not row.environments:
                general.append((allowed, one))
    for environment, listed in found.items():
        more = [one for allowed, one in general if environment == EVERYWHERE or trust.matches(allowed, environment)]
        ordered = sorted([*listed, *more], key=lambda each: (each.digest, each.endorsement))
        yield Approved(environment, tuple(ordered))


def _in_force(link: sa.Connection, now: Instant) -> Iterator[tuple[endorsements.EndorsementRow, tuple[str, ...]]]:
    before: int | None = None
    while True:
        rows, before = endorsements.page(link, None, Filter(valid=True), now, Part(before=before, limit=200))
        digests = endorsements.digests_of(link, [row.id for row in rows])
        yield from ((row, digests[row.id]) for row in rows if digests.get(row.id))
        if before is None:
            return


# --- keys of the roles -------------------------------------------------------------------------------------------------


def _signers(service: Service, link: sa.Connection) -> dict[str, KeySigner]:
    """Role -> its signer, made when it is first needed; the root's is missing when it lies elsewhere."""
    held = distribution.role_keys(link)
    if not held:
        for role in _ROLES:
            distribution.add_role_key(link, _new_key(service, role), service.now())
        held = distribution.role_keys(link)
    return {
        role: keys.private_key(service.vault.open(_name(row.keyid), row.sealed).value)
        for role, row in held.items() if row.sealed is not None
    }  # fmt: skip


def _new_key(service: Service, role: str) -> RoleKeyRow:
    pem, public = keys.new_key("ed25519")
    return RoleKeyRow(0, role, public.id, public.pem, service.vault.seal(_name(public.id), pem.decode("ascii")))


def _renewed(roots: ModuleType, root: bytes, signers: Mapping[str, KeySigner], now: Instant) -> bytes:
    """The root, or one that follows it with the same keys when its end comes near and its key lies here alone."""
    said, mine = roots.standing(root), signers.get("root")
    if said.expires_at - now > _RENEWED or mine is None or said.threshold > 1 or mine.public.id not in said.keyids:
        return root
    kept = {"root": roots.owners_of(root)} | {role: roots.RoleKeys((signers[role].public,)) for role in _ROLES[1:]}
    made: bytes = roots.with_signature(roots.following(root, kept, now), mine)
    return made


def _first_root(roots: ModuleType, signers: Mapping[str, KeySigner], now: Instant) -> bytes:
    draft = roots.first({role: roots.RoleKeys((signers[role].public,)) for role in _ROLES}, now)
    made: bytes = roots.with_signature(draft, signers["root"])
    return made


def _public(row: RoleKeyRow) -> PublicKey:
    return keys.public_key(row.public.encode())


def _name(keyid: str) -> str:
    return f"trust-role-key:{keyid}"


def _tuf() -> tuple[ModuleType, ModuleType]:
    """TUF's library is loaded where something is published, not where a server starts."""
    try:
        from assaymark.endorsement.distribution import repository, roots  # noqa: PLC0415
    except ImportError as error:
        raise EngineMissing("trust cannot be distributed", why=str(error), advice="pip install 'assaymark[trust]'") from error
    return repository, roots
