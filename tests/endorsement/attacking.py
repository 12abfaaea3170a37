"""How attacks on the verifier are written down: bytes, what is asked of them, and for what they have to be refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from tests.endorsement.approvals import (
    DIGEST,
    NOW,
    RESOURCE,
    endorsed,
    signed_raw,
    signer,
    statement_of,
    trusting,
)

from assaymark.endorsement import revocation
from assaymark.endorsement.revocation import Revocation
from assaymark.endorsement.trust import OpenTrust
from assaymark.endorsement.verify import Expected, Refusal, Verification, verify
from assaymark.model.assessment import Instant

ASKED = Expected(RESOURCE, "production", ("ORG_QUALITY_APPROVED", "SLSA_BUILD_LEVEL_1"))
ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
"""Of P-256 (SEC 2, section 2.4.2)."""
OTHER = signer()


class Attack(Struct, frozen=True):
    """What is brought, and why it has to be refused."""

    refusals: frozenset[Refusal]
    data: bytes
    digest: str = DIGEST
    expected: Expected = ASKED
    trusted: OpenTrust = trusting()
    revoked: tuple[Revocation, ...] = ()
    now: Instant = NOW

    def tried(self) -> Verification:
        return verify(self.data, self.digest, self.expected, self.trusted, revocation.opened(self.revoked), now=self.now)


ATTACKS: dict[str, Callable[[], Attack]] = {}


def attack(make: Callable[[], Attack]) -> Callable[[], Attack]:
    ATTACKS[make.__name__.replace("_", " ")] = make
    return make


def refused(*reasons: Refusal, data: bytes, **more: Any) -> Attack:
    return Attack(frozenset(reasons), data, **more)


def claiming(*reasons: Refusal, **claimed: Any) -> Attack:
    """Signed by the trusted key, and yet nothing to approve by."""
    return refused(*reasons, data=signed_raw(predicate(**claimed)))


def envelope(data: bytes | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(data or endorsed())
    return found


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def with_envelope(**changes: Any) -> bytes:
    made = envelope()
    return dumped({**made, "dsseEnvelope": {**made["dsseEnvelope"], **changes}})


def with_signature(sig: bytes | str, **more: Any) -> bytes:
    text = sig if isinstance(sig, str) else base64.b64encode(sig).decode()
    return with_envelope(signatures=[{"sig": text, **more}])


def predicate(**changes: Any) -> bytes:
    """The statement with other members in its predicate; None takes one away."""
    said = json.loads(statement_of())
    for name, value in changes.items():
        if value is None:
            del said["predicate"][name]
        else:
            said["predicate"][name] = value
    return dumped(said)


def signature() -> bytes:
    return base64.b64decode(envelope()["dsseEnvelope"]["signatures"][0]["sig"])


def payload() -> bytes:
    return base64.b64decode(envelope()["dsseEnvelope"]["payload"])
