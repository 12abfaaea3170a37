"""TUF's root: which keys speak for which role. Its own keys may lie far from any server; then people sign it on their own machines.

The way of a root: a draft (`first`, `following`), signed by one after the other (`with_signature`), and accepted (`check`) when enough of
its own keys and enough of the keys of the one before have signed it. Knows no clock: what time it is is an argument.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping

from msgspec import Struct
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Role, Root
from tuf.api.serialization.json import JSONSerializer

from assaymark.endorsement.distribution.tuf_keys import Signing, key_of
from assaymark.endorsement.keys import PublicKey, Signer, of_key
from assaymark.errors import AssayError, SignatureInvalid, UsageError
from assaymark.model.assessment import SECOND, Instant

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
ONLINE = (TARGETS, SNAPSHOT, TIMESTAMP)
DAYS = 365
MOST_BYTES = 500_000
"""As clients read."""


class RoleKeys(Struct, frozen=True):
    """Who speaks for a role."""

    keys: tuple[PublicKey, ...]
    threshold: int = 1


class Standing(Struct, frozen=True):
    """What a root says, and how far it is signed."""

    version: int
    expires_at: Instant
    fingerprint: str
    """SHA-256 of its bytes: what people compare."""
    threshold: int
    keyids: tuple[str, ...]
    """Of its own keys, as SSH names them."""
    signed: tuple[str, ...]
    """Of these, who signed."""
    roles: dict[str, tuple[str, ...]]
    """Role -> ids of the keys that speak for it."""


def first(roles: Mapping[str, RoleKeys], now: Instant, *, days: int = DAYS) -> bytes:
    """The first root, not signed yet.

    Raises:
        UsageError: when a threshold can never be met.
    """
    return _draft(roles, 1, now, days)


def following(previous: bytes, roles: Mapping[str, RoleKeys], now: Instant, *, days: int = DAYS) -> bytes:
    """The root after another one, not signed yet.

    Raises:
        UsageError: when a threshold can never be met, or the one before is none.
    """
    return _draft(roles, read(previous).signed.version + 1, now, days)


def _draft(roles: Mapping[str, RoleKeys], version: int, now: Instant, days: int) -> bytes:
    root = Root(version=version, expires=at(now, days), consistent_snapshot=True, roles={name: Role([], 1) for name in (ROOT, *ONLINE)})
    for name in (ROOT, *ONLINE):
        said = roles[name]
        if not 1 <= said.threshold <= len({key.id for key in said.keys}):
            raise UsageError(
                f"{name} can never be met", why=f"it asks for {said.threshold} of {len(said.keys)} different keys",
                advice="ask for at least one, and at most as many as there are keys",
            )  # fmt: skip
        for key in said.keys:
            root.add_key(key_of(key), name)
        root.roles[name].threshold = said.threshold
    return Metadata(root).to_bytes(serializer())


def with_signature(root: bytes, signer: Signer) -> bytes:
    """The same with one more signature.

    Raises:
        UsageError: when the signer's key has no say in it.
    """
    found = read(root)
    mine = Signing(signer)
    if mine.public_key.keyid not in found.signed.keys:
        raise UsageError(
            f"the key {signer.public.id} has no say in this root", advice="sign with one that it names, or with one of the root before"
        )
    return _signed(found, mine)


def with_previous_signature(root: bytes, previous: bytes, signer: Signer) -> bytes:
    """The same with one more signature, by a key of the root before.

    Raises:
        UsageError: when it is no key of that root.
    """
    mine = Signing(signer)
    if mine.public_key.keyid not in read(previous).signed.roles[ROOT].keyids:
        raise UsageError(f"the key {signer.public.id} has no say in the root before", advice="sign with one that it names")
    return _signed(read(root), mine)


def _signed(found: Metadata[Root], mine: Signing) -> bytes:
    found.sign(mine, append=True)
    return found.to_bytes(serializer())


def check(root: bytes, previous: bytes | None) -> None:
    """Raise unless it may follow: signed by enough of its own keys, and of those of the root before.

    Raises:
        SignatureInvalid: when signatures are missing; `why` says how many and whose.
        UsageError: when it is no root, or not the next one.
    """
    found = read(root)
    before = read(previous).signed if previous is not None else None
    try:
        result = found.signed.get_root_verification_result(before, found.signed_bytes, found.signatures)
    except ValueError as error:
        raise UsageError("this root does not follow the present one", why=str(error), advice="make a new draft") from error
    if before is None and found.signed.version != 1:
        raise UsageError("the first root has the version 1", why=f"this one has {found.signed.version}")
    missing = [
        f"{each.missing} of {name}" for name, each in (("its own keys", result.first), ("the root before", result.second)) if not each
    ]
    if missing:
        names = ", ".join(sorted(_name(key) for key in result.unsigned.values()))
        raise SignatureInvalid(
            "signatures are missing under the root", why=f"{' and '.join(missing)}; not signed by {names}",
            advice="sign it with `assay trust root sign`",
        )  # fmt: skip


def standing(root: bytes) -> Standing:
    """What it says.

    Raises:
        UsageError: when it is no root.
    """
    found = read(root)
    role = found.signed.roles[ROOT]
    result = found.signed.get_verification_result(ROOT, found.signed_bytes, found.signatures)
    return Standing(
        found.signed.version, Instant(int(found.signed.expires.timestamp()) * SECOND), fingerprint(root), role.threshold,
        _named(found.signed, role.keyids), _named(found.signed, result.signed),
        {name: _named(found.signed, found.signed.roles[name].keyids) for name in ONLINE},
    )  # fmt: skip


def owners_of(root: bytes) -> RoleKeys:
    """Whose root it is, and how many of them have to sign.

    Raises:
        UsageError: when it is no root, or names a key of a kind that is not read here.
    """
    return RoleKeys(keys_of(root, ROOT), read(root).signed.roles[ROOT].threshold)


def keys_of(root: bytes, role: str) -> tuple[PublicKey, ...]:
    """The keys of a role."""
    signed = read(root).signed
    return tuple(_ours(signed.keys[each]) for each in signed.roles[role].keyids)


def fingerprint(root: bytes) -> str:
    """What people compare when they begin to trust."""
    return "sha256:" + hashlib.sha256(root).hexdigest()


def read(data: bytes) -> Metadata[Root]:
    """A root of which nothing is believed yet.

    Raises:
        UsageError: when it is none.
    """
    if len(data) > MOST_BYTES:
        raise UsageError("this is no root", why=f"it has {len(data)} bytes, at most {MOST_BYTES} are read")
    try:
        found = Metadata[Root].from_bytes(data)
    except (RepositoryError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError("this is no root", why=str(error)[:300], advice="give the answer of POST /api/v1/trust/root/draft") from error
    if not isinstance(found.signed, Root):
        raise UsageError("this is no root", why=f"its type is {found.signed.type[:50]!r}")
    return found


def at(now: Instant, days: float) -> dt.datetime:
    """So many days later, to the second, as TUF writes it."""
    return dt.datetime.fromtimestamp(now // SECOND, dt.UTC) + dt.timedelta(days=days)


def serializer() -> JSONSerializer:
    return JSONSerializer(compact=True)


def _ours(key: object) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    scheme, public = getattr(key, "scheme", ""), str(getattr(key, "keyval", {}).get("public", ""))
    if scheme == "ed25519":
        return of_key(Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)))
    return of_key(load_pem_public_key(public.encode()))


def _named(root: Root, keyids: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(_name(root.keys[each]) for each in keyids))


def _name(key: object) -> str:
    """As SSH names it; TUF's own id for a kind that is not ours."""
    try:
        return _ours(key).id
    except (AssayError, ValueError):
        return str(getattr(key, "keyid", ""))
