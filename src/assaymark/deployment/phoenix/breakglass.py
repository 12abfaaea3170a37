"""Break-glass: a signed order of a person by which one digest may run as one pair for some hours, although nothing approves it.

Form: an in-toto statement in a DSSE envelope, as endorsements are, with a predicate of its own, so that an order is never taken for an
endorsement nor the other way round. It names digest, environment and component exactly; there is no order for everything.

Guarantees: an order holds when a key that the terms name signed it, or enough keys of a trust root that has the level ``ORG_BREAKGLASS``
by name (``*`` does not suffice) and speaks for the environment; for at most as long as the terms allow; not before it was issued and not
after it ends. A revocation of the key, or of the order by its id, ends it. Where the trust is too old to be believed or cannot be
read, keys of the terms still count: this is what the glass is for; revocations are not known then.

Orders lie in a folder of the pair's journal (``orders/``); whoever may write there adds nothing by it without a key.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.drivers.naming import label
from assaymark.deployment.phoenix.terms import Breakglass
from assaymark.endorsement import bundle, dsse, keys, revocation, statement, strict_json, trust
from assaymark.endorsement.approval import instant, stamp
from assaymark.endorsement.asking.believed import Believed
from assaymark.endorsement.asking.bundles import read_file
from assaymark.endorsement.keys import PublicKey, Signer
from assaymark.endorsement.revocation import Target
from assaymark.endorsement.statement import PAYLOAD_TYPE, Named, Statement
from assaymark.endorsement.verify import SKEW
from assaymark.errors import SignatureInvalid, UsageError
from assaymark.model.assessment import SECOND, Instant

PREDICATE = "https://assaymark.dev/breakglass/v1"
LEVEL = "ORG_BREAKGLASS"
FOLDER = "orders"
ENDING = ".breakglass.json"
_ENDED = ".ended"
"""Behind the name of an order that somebody ended at this deployer: it does not come back under any name."""
_MOST_BYTES = 1 << 20
_MOST_ORDERS = 1000
_MOST_REASON = 1000
_HOUR = 3600 * SECOND


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """The predicate."""

    environment: str
    component: str
    actor: str
    """Who orders it, in words of the installation."""
    reason: str
    issued: str
    """RFC 3339."""
    expires: str


class Wanted(Struct, frozen=True):
    """What somebody wants to let run."""

    digest: str
    pair: Pair


class Order(Struct, frozen=True):
    """One that holds."""

    id: str
    """Digest of its statement."""
    digest: str
    pair: Pair
    actor: str
    reason: str
    issued: Instant
    until: Instant
    keyids: tuple[str, ...]


class Held(Struct, frozen=True):
    """What was found for a digest."""

    order: Order | None
    refused: tuple[str, ...] = ()
    """Why orders that name the digest do not hold."""


class _RefusedError(Exception):
    pass


def written(wanted: Wanted, said: Said, *signers: Signer) -> bytes:
    """An order, signed.

    Raises:
        UsageError: when it has no reason or actor, ends before it begins, or is about no image by its digest.
    """
    kind, _, value = wanted.digest.partition(":")
    if kind != "sha256" or len(value) != 64 or not all(letter in "0123456789abcdef" for letter in value):
        raise UsageError(f"{wanted.digest[:100]!r} is no digest of what runs", advice="write it as sha256:<64 hex digits>")
    if not said.reason.strip() or not said.actor.strip():
        raise UsageError("an order says who and why", advice="give --reason, and --actor where your login says nothing")
    if len(said.reason) > _MOST_REASON:
        raise UsageError("the reason is too long", why=f"at most {_MOST_REASON} characters are kept")
    if instant(said.expires) <= instant(said.issued):
        raise UsageError("the order ends before it begins")
    about = Statement((Named(str(wanted.pair), {kind: value}),), PREDICATE, said)
    return bundle.written(dsse.sign(PAYLOAD_TYPE, statement.written(about), *signers))


def verified(data: bytes, wanted: Wanted, terms: Breakglass, believed: Believed, now: Instant) -> Order:
    """The order, when it holds now.

    Raises:
        SignatureInvalid: when it does not; `why` says why.
        UsageError: when a key that the terms name cannot be read.
    """
    trusted = _trusted(terms, believed)
    try:
        return _verified(data, wanted, (terms, trusted, believed), now)
    except _RefusedError as error:
        raise SignatureInvalid("this break-glass order does not hold", why=str(error)) from error


def find(folder: Path, wanted: Wanted, terms: Breakglass, believed: Believed, now: Instant) -> Held:
    """The order in this folder that holds longest, or why those about the digest do not.

    Raises:
        UsageError: when the folder or a key that the terms name cannot be read.
    """
    refused: list[str] = []
    best: Order | None = None
    for path, data in orders_in(folder):
        if wanted.digest not in _subjects(data):
            continue
        try:
            order = verified(data, wanted, terms, believed, now)
        except SignatureInvalid as error:
            refused.append(f"break-glass order {path.name[:20]}: {error.why}")
            continue
        if _is_ended(folder, order.id):
            refused.append(f"break-glass order {order.id[:20]} was ended here")
            continue
        if best is None or order.until > best.until:
            best = order
    return Held(best, () if best else tuple(refused))


def keep(folder: Path, data: bytes, order: Order) -> Path:
    """Lay an order that holds into the pair's folder, where a resumed deployer finds it again.

    Raises:
        UsageError: when it cannot be written.
    """
    path = folder / f"{order.id.partition(':')[2]}{ENDING}"
    if _is_ended(folder, order.id):
        raise UsageError(f"break-glass order {order.id} was ended here", advice="have another one signed, if it is needed again")
    draft = folder / f".{path.name}-{os.getpid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written", why=error.strerror or str(error)) from error
    return path


def orders_in(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """What lies there, verified or not.

    Raises:
        UsageError: when it cannot be read, or there are too many.
    """
    if not folder.is_dir():
        return
    paths = sorted(path for path in folder.iterdir() if path.name.endswith(ENDING) and path.is_file())
    if len(paths) > _MOST_ORDERS:
        raise UsageError(f"{folder} holds {len(paths)} orders", why=f"at most {_MOST_ORDERS} are tried", advice="take out those that ended")
    for path in paths:
        yield path, read_file(path)


def _subjects(data: bytes) -> frozenset[str]:
    """Digests that it names, as it says itself."""
    try:
        said = statement.parsed(dsse.payload_of(bundle.read(data)))
    except (SignatureInvalid, ValueError):
        return frozenset()
    return frozenset(f"{kind}:{value}" for each in said.subject for kind, value in each.digest.items())


_Rules = tuple[Breakglass, tuple[tuple[PublicKey, ...], Sequence[trust.OpenRoot]], Believed]


def _verified(data: bytes, wanted: Wanted, rules: _Rules, now: Instant) -> Order:
    terms, (named, roots), believed = rules
    payload, signed = _signed(data, (*named, *(key for root in roots for key in root.keys)))
    said = _said(payload, wanted)
    issued, until = instant(said.issued), instant(said.expires)
    name = "sha256:" + hashlib.sha256(payload).hexdigest()
    if revocation.first(believed.revocations, [(Target.ENDORSEMENT, name)], issued) is not None:
        raise _RefusedError("it was revoked")
    counting = [key for key in signed if revocation.first(believed.revocations, [(Target.KEY, key.id)], issued) is None]
    if not any(key in named for key in counting) and not any(_enough(root, counting, issued, wanted.pair) for root in roots):
        raise _RefusedError(
            "no key that may order it signed it" if not signed else "its keys are revoked, too few, or may not order it in this environment"
        )
    if until - issued > terms.most_hours * _HOUR:
        raise _RefusedError(f"it holds from {said.issued} to {said.expires}, and the terms allow {terms.most_hours} hours")
    if issued > now + SKEW:
        raise _RefusedError(f"it was issued at {said.issued}, which is yet to come")
    if now >= until:
        raise _RefusedError(f"it ended at {said.expires}")
    return Order(name, wanted.digest, wanted.pair, said.actor, said.reason, issued, until, tuple(key.id for key in counting))


def _trusted(terms: Breakglass, believed: Believed) -> tuple[tuple[PublicKey, ...], tuple[trust.OpenRoot, ...]]:
    named = tuple(keys.public_key(read_file(Path(path))) for path in terms.keys)
    roots = () if believed.refused is not None else tuple(root for root in believed.trust.roots if LEVEL in root.root.levels)
    return named, roots


def _signed(data: bytes, trusted: Sequence[PublicKey]) -> tuple[bytes, list[PublicKey]]:
    if len(data) > _MOST_BYTES:
        raise _RefusedError(f"it has {len(data)} bytes, at most {_MOST_BYTES} are read")
    try:
        envelope = bundle.read(data)
        payload = dsse.payload_of(envelope)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise _RefusedError(f"its payload is {envelope.payload_type[:100]!r}")
        return payload, dsse.signed_by(envelope, payload, trusted)
    except (SignatureInvalid, strict_json.NotStrictError) as error:
        raise _RefusedError(str(error)) from error


def _said(payload: bytes, wanted: Wanted) -> Said:
    try:
        about = statement.parsed(payload)
        if about.predicate_type != PREDICATE:
            raise _RefusedError(f"it says {about.predicate_type[:100]!r}, which is no order")
        said = msgspec.convert(about.predicate, Said)
        instant(said.issued), instant(said.expires)
    except (strict_json.NotStrictError, msgspec.ValidationError, ValueError) as error:
        raise _RefusedError(str(error)[:300]) from error
    kind, _, value = wanted.digest.partition(":")
    if len(about.subject) != 1 or about.subject[0].digest != {kind: value}:
        raise _RefusedError(f"it is not about {wanted.digest}")
    if Pair(said.environment, said.component) != wanted.pair:
        raise _RefusedError(f"it is for {said.environment[:100]}/{said.component[:100]}, not for {wanted.pair}")
    return said


def _enough(root: trust.OpenRoot, signed: Sequence[PublicKey], issued: Instant, pair: Pair) -> bool:
    in_time = (root.since is None or issued >= root.since) and (root.until is None or issued <= root.until)
    speaks = trust.matches(root.root.environments, pair.environment)
    return in_time and speaks and sum(key in root.keys for key in signed) >= root.root.threshold


def shown(order: Order) -> str:
    """In one line, for people."""
    return f"BREAK-GLASS by {order.actor} until {stamp(order.until)}: {order.reason}"


class Row(Struct, frozen=True):
    """An order that was given to a deployer."""

    environment: str
    component: str
    id: str
    holds: bool
    digest: str = ""
    actor: str = ""
    reason: str = ""
    until: Instant = Instant(0)
    problem: str = ""
    """Why it does not hold."""


def listed(state: Path, pair: Pair, terms: Breakglass, believed: Believed, now: Instant) -> list[Row]:
    """All orders of a pair, whether they hold or not.

    Raises:
        UsageError: when the folder or a key cannot be read.
    """
    found = []
    for path, data in orders_in(state / label(pair) / FOLDER):
        name = f"sha256:{path.name.removesuffix(ENDING)}"
        digest = min(_subjects(data), default="")
        try:
            order = verified(data, Wanted(digest, pair), terms, believed, now)
        except SignatureInvalid as error:
            found.append(Row(pair.environment, pair.component, name, holds=False, digest=digest, problem=error.why))
        else:
            who = (order.digest, order.actor, order.reason, order.until)
            found.append(Row(pair.environment, pair.component, order.id, True, *who))
    return found


def row_in_words(row: Row) -> str:
    """In one line, for people."""
    if row.holds:
        return f"BREAK-GLASS {row.id} lets {row.digest} run until {stamp(row.until)}, by {row.actor}: {row.reason}"
    return f"{row.id} does not hold: {row.problem}"


def ended(folder: Path, beginning: str) -> str:
    """End an order at this deployer for good; gives its id.

    Raises:
        UsageError: when none or several begin so.
    """
    hexadecimal = beginning.removeprefix("sha256:")
    found = [path for path, _ in orders_in(folder) if hexadecimal and path.name.startswith(hexadecimal)]
    if len(found) != 1:
        raise UsageError(f"{len(found)} orders begin {beginning[:80]!r}", advice="see `assay breakglass show`")
    found[0].rename(found[0].with_name(found[0].name + _ENDED))
    return f"sha256:{found[0].name.removesuffix(ENDING)}"


def _is_ended(folder: Path, name: str) -> bool:
    return (folder / f"{name.partition(':')[2]}{ENDING}{_ENDED}").exists()
