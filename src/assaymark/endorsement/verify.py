"""Whether something is approved: one pure function for command line, server, admission and deployer.

It reads no clock, file or network: what to believe, what was revoked, what time it is and the proof of the log are arguments. It never
raises for what a stranger wrote: each refusal names its reason (`Refusal`), in the order of the checks. What is no signed statement of a
trusted key is refused at once, and nothing in it is looked at; of a signed one every claim is looked at, so that all reasons are said.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from enum import StrEnum

from msgspec import Struct

from assaymark.endorsement import approval, bundle, dsse, revocation, statement, strict_json, trust
from assaymark.endorsement.approval import PASSED, PREDICATE, Approval, implied
from assaymark.endorsement.keys import PublicKey
from assaymark.endorsement.revocation import OpenRevocations, Target
from assaymark.endorsement.statement import PAYLOAD_TYPE, Statement
from assaymark.endorsement.trust import OpenRoot, OpenTrust
from assaymark.errors import SignatureInvalid
from assaymark.model.assessment import SECOND, Instant

SKEW = Instant(300 * SECOND)
"""By which clocks may differ."""
_DAY = 86_400 * SECOND
_DIGEST = re.compile(
    "sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}|git(?:Commit|Tree|Tag|Blob):(?:[0-9a-f]{40}|[0-9a-f]{64})", re.ASCII
)
"""What is believed to name one thing: a statement may list weaker digests too, by which somebody could bring another thing."""


class Refusal(StrEnum):
    """Why something is not approved."""

    TOO_LARGE = "too-large"
    MALFORMED = "malformed"
    DUPLICATE_NAME = "duplicate-name"
    PAYLOAD_TYPE = "wrong-payload-type"
    UNTRUSTED = "no-trusted-signature"
    NOT_A_STATEMENT = "not-a-statement"
    PREDICATE_TYPE = "wrong-predicate-type"
    SUBJECT = "wrong-subject"
    VERIFIER = "wrong-verifier"
    THRESHOLD = "too-few-signatures"
    KEY_TIME = "key-not-valid-then"
    RESOURCE = "wrong-resource"
    RESULT = "not-passed"
    LEVEL = "level-missing"
    LEVEL_TRUST = "level-not-trusted"
    ENVIRONMENT = "wrong-environment"
    PLATFORM = "platform-not-judged"
    FUTURE = "not-yet-valid"
    EXPIRED = "expired"
    TOO_OLD = "too-old"
    REVOKED = "revoked"
    NOT_LOGGED = "not-logged"
    STALE_TRUST = "trust-is-stale"
    """Said by whoever keeps the trust document, before anything is verified with it."""
    ABSENT = "no-endorsement"
    """Likewise: there is none for this digest."""


class Refused(Struct, frozen=True):
    reason: Refusal
    text: str


class Expected(Struct, frozen=True):
    """What is asked beside that it is approved; what is empty is not asked."""

    resource: str = ""
    """Exact, as ``oci://…``, ``git+https://…``, ``pkg:…``."""
    environment: str = ""
    levels: tuple[str, ...] = ()
    max_age_days: int = 0
    platform: str = ""
    """Of an image for several, as ``linux/arm64``: that this one was judged."""


class Verification(Struct, frozen=True):
    """The answer."""

    ok: bool
    refused: tuple[Refused, ...]
    id: str = ""
    """Digest of the statement: the endorsement's name wherever it is spoken of."""
    keyids: tuple[str, ...] = ()
    root: str = ""
    """Name of the trust root that vouches for it."""
    approval: Approval | None = None
    """None until a trusted key's signature held."""
    subjects: tuple[statement.Named, ...] = ()
    expires_at: Instant | None = None
    unjudged: tuple[str, ...] = ()
    """Platforms of which nothing is known, though this digest names them too: it is an index of several."""


Logged = Callable[[str], str]
"""Given the endorsement's id: why the log's proof does not show it, or nothing when it does."""


class _RefusedError(Exception):
    def __init__(self, reason: Refusal, text: str) -> None:
        super().__init__(text)
        self.refused = Refused(reason, text)


def verify(  # noqa: PLR0913 - all that the answer depends on, and nothing else
    data: bytes,
    digest: str,
    expected: Expected,
    trusted: OpenTrust,
    revoked: OpenRevocations,
    *,
    now: Instant,
    logged: Logged | None = None,
) -> Verification:
    """Whether these bytes approve what has this digest (``<algorithm>:<hex>`` in in-toto's names: ``sha256``, ``gitCommit``, …)."""
    try:
        payload, signed = _signed(data, trusted)
        said = _said(payload)
        claims = _claims(said)
    except _RefusedError as error:
        return Verification(ok=False, refused=(error.refused,))
    name = "sha256:" + hashlib.sha256(payload).hexdigest()
    counting = [key for key in signed if revocation.first(revoked, [(Target.KEY, key.id)], claims.verified_at) is None]
    root, refused = _root(trusted, counting or signed, claims, expected)
    found = [*_about(said, digest), *refused, *_claimed(claims, expected, trusted, now=now)]
    covered = revocation.first(revoked, _names(name, said, [] if counting else signed, claims), claims.verified_at)
    if covered is not None:
        found.append(Refused(Refusal.REVOKED, f"{covered.target} {covered.name[:200]} was revoked at {covered.at}: {covered.reason[:500]}"))
    found += _in_log(trusted, name, logged)
    keyids = tuple(key.id for key in signed)
    return Verification(
        ok=not found,
        refused=tuple(found),
        id=name,
        keyids=keyids,
        root=root.root.name if root is not None else "",
        approval=claims,
        subjects=said.subject,
        expires_at=claims.expires_at,
        unjudged=_unjudged(said, claims, digest),
    )


# --- who signed what -------------------------------------------------------------------------------------------------


def _signed(data: bytes, trusted: OpenTrust) -> tuple[bytes, list[PublicKey]]:
    if len(data) > bundle.MOST_BYTES:
        raise _RefusedError(Refusal.TOO_LARGE, f"it has {len(data)} bytes, at most {bundle.MOST_BYTES} are read")
    try:
        envelope = bundle.read(data)
        payload = dsse.payload_of(envelope)
        if envelope.payload_type != PAYLOAD_TYPE:
            raise _RefusedError(Refusal.PAYLOAD_TYPE, f"its payload is {envelope.payload_type[:100]!r}, expected {PAYLOAD_TYPE}")
        signed = dsse.signed_by(envelope, payload, trusted.keys)
    except strict_json.NameTwiceError as error:
        raise _RefusedError(Refusal.DUPLICATE_NAME, str(error)) from error
    except SignatureInvalid as error:
        raise _RefusedError(Refusal.MALFORMED, f"{error.what}: {error.why}") from error
    if not signed:
        raise _RefusedError(Refusal.UNTRUSTED, "no key of the trust document signed it, or it was changed after it was signed")
    return payload, signed


def _said(payload: bytes) -> Statement:
    try:
        said = statement.parsed(payload)
    except strict_json.NameTwiceError as error:
        raise _RefusedError(Refusal.DUPLICATE_NAME, str(error)) from error
    except strict_json.NotStrictError as error:
        raise _RefusedError(Refusal.NOT_A_STATEMENT, str(error)[:500]) from error
    if said.predicate_type != PREDICATE:
        raise _RefusedError(Refusal.PREDICATE_TYPE, f"it says {said.predicate_type[:100]!r}, expected {PREDICATE}")
    return said


def _claims(said: Statement) -> Approval:
    try:
        return approval.read(said)
    except strict_json.NotStrictError as error:
        raise _RefusedError(Refusal.MALFORMED, f"its predicate is no approval: {str(error)[:500]}") from error


# --- what it says ----------------------------------------------------------------------------------------------------


def _about(said: Statement, digest: str) -> Iterator[Refused]:
    kind, _, value = digest.partition(":")
    if not _DIGEST.fullmatch(digest):
        yield Refused(Refusal.SUBJECT, f"{digest[:200]!r} is no digest that names one thing: sha256, sha384, sha512, gitCommit, gitTree, …")
    elif not any(each.digest.get(kind) == value for each in said.subject):
        names = ", ".join(each.name[:100] for each in said.subject[:3])
        yield Refused(Refusal.SUBJECT, f"it is about {names}, not about {digest[:200]}")


def _root(trusted: OpenTrust, signed: list[PublicKey], claims: Approval, expected: Expected) -> tuple[OpenRoot | None, tuple[Refused, ...]]:
    """The root that vouches for it, or what speaks against the nearest."""
    mine = [root for root in trusted.roots if root.root.verifier == claims.verifier.id and any(key in root.keys for key in signed)]
    if not mine:
        return None, (Refused(Refusal.VERIFIER, f"its key does not speak for the verifier {claims.verifier.id[:200]!r}"),)
    tried = [(root, tuple(_against(root, signed, claims, expected))) for root in mine]
    return min(tried, key=lambda each: len(each[1]))


def _against(root: OpenRoot, signed: list[PublicKey], claims: Approval, expected: Expected) -> Iterator[Refused]:
    number = sum(key in root.keys for key in signed)
    if number < root.root.threshold:
        yield Refused(Refusal.THRESHOLD, f"{number} of the {root.root.threshold} keys that {root.root.name!r} asks for signed it")
    at = claims.verified_at
    if (root.since is not None and at < root.since) or (root.until is not None and at > root.until):
        yield Refused(Refusal.KEY_TIME, f"{root.root.name!r} is not trusted for what was verified at {claims.time_verified}")
    if not trust.matches(root.root.resources, claims.resource_uri):
        yield Refused(Refusal.RESOURCE, f"{root.root.name!r} does not speak for {claims.resource_uri[:200]}")
    if root.levels is not None:
        beyond = [each for each in claims.verified_levels if each not in root.levels]
        if beyond:
            yield Refused(Refusal.LEVEL_TRUST, f"{root.root.name!r} may not give {', '.join(beyond)[:200]}")
    if expected.environment and not trust.matches(root.root.environments, expected.environment):
        yield Refused(Refusal.ENVIRONMENT, f"{root.root.name!r} does not speak for the environment {expected.environment[:100]!r}")


def _claimed(claims: Approval, expected: Expected, trusted: OpenTrust, *, now: Instant) -> Iterator[Refused]:
    if claims.verification_result != PASSED:
        yield Refused(Refusal.RESULT, f"its result is {claims.verification_result[:50]!r}")
    if expected.resource and claims.resource_uri != expected.resource:
        yield Refused(Refusal.RESOURCE, f"it is about {claims.resource_uri[:200]}, not about {expected.resource[:200]}")
    missing = [each for each in expected.levels if each not in implied(claims.verified_levels)]
    if missing:
        yield Refused(Refusal.LEVEL, f"it lacks {', '.join(missing)[:200]}")
    allowed = claims.extension.environments
    if expected.environment and allowed and not trust.matches(allowed, expected.environment):
        yield Refused(Refusal.ENVIRONMENT, f"it is approved for {', '.join(allowed)[:200]}, not for {expected.environment[:100]!r}")
    if expected.platform and not _is_judged(expected.platform, claims):
        others = ", ".join(claims.extension.platforms)[:200] or "another platform"
        yield Refused(Refusal.PLATFORM, f"it was judged for {others}, and nothing is known of {expected.platform[:100]!r}")
    if claims.verified_at > now + SKEW:
        yield Refused(Refusal.FUTURE, f"it was verified at {claims.time_verified}, which is yet to come")
    if now >= claims.expires_at:
        yield Refused(Refusal.EXPIRED, f"it ended at {claims.extension.expires}; have it judged again")
    ages = [days for days in (expected.max_age_days, trusted.trust.max_age_days) if days]
    if ages and now - claims.verified_at > min(ages) * _DAY:
        yield Refused(Refusal.TOO_OLD, f"it was verified at {claims.time_verified}, more than {min(ages)} days ago")


def _is_judged(platform: str, claims: Approval) -> bool:
    """Of what is not one of several platforms, all of it was. A variant may be left out: ``linux/arm64`` is ``linux/arm64/v8`` too."""
    mine = claims.extension.platforms
    several = mine or claims.extension.platforms_unjudged
    return not several or any(f"{each}/".startswith(f"{platform}/") for each in mine)


def _unjudged(said: Statement, claims: Approval, digest: str) -> tuple[str, ...]:
    """The first subject is the whole; those after it are of the platform that was judged."""
    kind, _, value = digest.partition(":")
    is_whole = bool(said.subject) and said.subject[0].digest.get(kind) == value
    return claims.extension.platforms_unjudged if is_whole else ()


def _names(name: str, said: Statement, keys: list[PublicKey], claims: Approval) -> Iterator[tuple[Target, str]]:
    """What revokes it. Of keys only where every one that signed it is revoked: otherwise that one does not count (threshold)."""
    yield Target.ENDORSEMENT, name
    for each in said.subject:
        for kind, value in each.digest.items():
            yield Target.SUBJECT, f"{kind}:{value}"
    for key in keys:
        yield Target.KEY, key.id
    for part, version in claims.verifier.version.items():
        yield Target.ENGINE, f"{part}@{version}"
    for component in (*claims.extension.lineage, *claims.extension.packages):
        yield Target.COMPONENT, component
    for kind, value in claims.policy.digest.items():
        yield Target.POLICY, f"{kind}:{value}"


def _in_log(trusted: OpenTrust, name: str, logged: Logged | None) -> Iterator[Refused]:
    log = trusted.trust.log
    if logged is None:
        if log is not None and log.required:
            yield Refused(Refusal.NOT_LOGGED, f"no proof that it stands in the log {log.origin[:100]!r} was given")
        return
    problem = logged(name)
    if problem:
        yield Refused(Refusal.NOT_LOGGED, problem[:500])
