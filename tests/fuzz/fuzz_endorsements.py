"""What is read of endorsements, trust and revocations, as functions of bytes. The verifier may raise nothing, and approve nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from tests.endorsement.approvals import DIGEST, KEY, NOW, endorsed, signed_raw, statement_of, trusting

from assaymark.endorsement import bundle, revocation, trust
from assaymark.endorsement.asking.bundles import names, split
from assaymark.endorsement.revocation import Revocation, Revocations, Target
from assaymark.endorsement.verify import Expected, verify
from assaymark.errors import AssayError, SignatureInvalid
from assaymark.subjects.manifest import differences

_TRUSTED = trusting()
_GOOD = endorsed()
_ID = verify(_GOOD, DIGEST, Expected(), _TRUSTED, {}, now=NOW).id
_OURS = (AssayError,)
_MANIFEST = b'{"form":"owned","manifest":1}\n{"g":0,"m":"0755","p":".","t":"d","u":0}\n{"l":"x","p":"y","t":"l","u":0,"g":0}\n'


def endorsement_targets() -> Mapping[str, tuple[Callable[[bytes], object], tuple[bytes, ...], tuple[type[BaseException], ...]]]:
    """Name -> (target, seeds, what it may raise)."""
    listed = msgspec.json.encode(Revocations(1, (Revocation(Target.SUBJECT, DIGEST, "bad", "2026-11-28T11:30:00Z"),)))
    lines = _GOOD + b"\n" + endorsed() + b"\n"
    return {
        "endorsement": (_verified, (_GOOD, lines), ()),
        "endorsement signed": (_signed, (statement_of(),), ()),
        "endorsement bundle": (bundle.read, (_GOOD, lines), (SignatureInvalid, ValueError)),
        "endorsement lines": (lambda data: [names(each, (DIGEST,)) for each in split(data)], (_GOOD, lines), ()),
        "trust": (trust.read, (msgspec.json.encode(_TRUSTED.trust),), _OURS),
        "revocations": (revocation.read, (listed,), _OURS),
        "manifest": (lambda data: list(differences(_MANIFEST, data)), (_MANIFEST,), (ValueError,)),
    }


def _verified(data: bytes) -> object:
    held = verify(data, DIGEST, Expected(), _TRUSTED, {}, now=NOW)
    assert not held.ok or held.id == _ID
    return held


def _signed(data: bytes) -> object:
    """Whatever it is, signed by the trusted key: it may be approved, and has to be answered."""
    held = verify(signed_raw(data, KEY), DIGEST, Expected(), _TRUSTED, {}, now=NOW)
    return msgspec.json.encode(held)
