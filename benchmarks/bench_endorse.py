"""How many endorsements are signed and verified a second on one core, beside securesystemslib and `@sigstore/verify`?

Ours does all of it: reads the bundle, verifies the signature, reads the statement strictly, and asks subject, verifier, resource, levels,
times, environments and revocations (1,000 of them lie there). The peers verify the signature of a parsed envelope or bundle and no more.
Cases are interleaved; CPU seconds are those of this process, so that neighbours count as little as they can. For `@sigstore/verify` only
wall seconds can be had. Where a peer cannot be had, its row is missing and a line says so.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import measure
from tests.endorsement.approvals import DIGEST, NOW, RESOURCE, endorsed, signer, statement_of, trusting
from tests.endorsement.judges import asked_in, sigstore_js

from assaymark.endorsement import revocation
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.endorsement.statement import PAYLOAD_TYPE
from assaymark.endorsement.verify import Expected, verify

FLOOR = 3_000
"""Verifications a second that the project promises of one core."""
ROUNDS = 7
_REVOKED = revocation.opened(
    Revocation(Target.ENDORSEMENT, f"sha256:{number:064x}", "bad", "2026-11-28T11:30:00Z") for number in range(1_000)
)
_ASKED = Expected(RESOURCE, "production", ("ORG_QUALITY_APPROVED", "SLSA_BUILD_LEVEL_1"), 90)


def cases(kind: str) -> dict[str, Callable[[], object]]:
    """Name -> one time of it."""
    key = signer(kind)
    data, trusted = endorsed(None, key), trusting(key)
    assert verify(data, DIGEST, _ASKED, trusted, _REVOKED, now=NOW).ok
    found: dict[str, Callable[[], object]] = {
        f"verify {kind}": lambda: verify(data, DIGEST, _ASKED, trusted, _REVOKED, now=NOW),
        f"sign {kind}": lambda: endorsed(None, key),
    }
    return found | _securesystemslib(kind, key, data)


def _securesystemslib(kind: str, key: KeySigner, data: bytes) -> dict[str, Callable[[], object]]:
    try:
        from securesystemslib.dsse import Envelope  # noqa: PLC0415 - a peer, which may be missing
        from securesystemslib.signer import CryptoSigner, SSlibKey  # noqa: PLC0415
    except ImportError:
        print("  securesystemslib is missing: no row of it")
        return {}
    made = SSlibKey.from_crypto(key.public.key)
    theirs = SSlibKey(key.public.id, made.keytype, made.scheme, made.keyval)
    private = CryptoSigner(key._private)  # noqa: SLF001 - the same key for both
    text, payload = json.dumps(json.loads(data)["dsseEnvelope"]), statement_of()
    return {
        f"securesystemslib verify {kind}": lambda: Envelope.from_dict(json.loads(text)).verify([theirs], 1),
        f"securesystemslib sign {kind}": lambda: Envelope(payload, PAYLOAD_TYPE, {}).sign(private),
    }


def rates(every: Mapping[str, Callable[[], object]], seconds: float) -> dict[str, dict[str, float]]:
    """Times a second, by CPU and by the clock; the best round, which neighbours disturb least, and the median."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in every}
    for _ in range(ROUNDS):
        for name, once in every.items():
            found[name].append(_rate(once, seconds))
    return {
        name: {
            "per_cpu_second_best": round(max(cpu for cpu, _ in rows)),
            "per_cpu_second_median": round(sorted(cpu for cpu, _ in rows)[len(rows) // 2]),
            "per_second_best": round(max(wall for _, wall in rows)),
        }
        for name, rows in found.items()
    }


def _rate(once: Callable[[], object], seconds: float) -> tuple[float, float]:
    for _ in range(20):
        once()
    number, cpu, start = 0, time.process_time(), time.perf_counter()
    while time.process_time() - cpu < seconds:
        for _ in range(20):
            once()
        number += 20
    return number / (time.process_time() - cpu), number / (time.perf_counter() - start)


def of_sigstore_js(kind: str, rounds: int) -> dict[str, float] | None:
    """Verifications a second by node's clock; None where it cannot be had."""
    folder = sigstore_js()
    if folder is None:
        return None
    key = signer(kind)
    asked: dict[str, Any] = {"bundles": [endorsed(None, key).decode()], "keys": {key.public.id: key.public.pem}, "rounds": rounds}
    best = min(asked_in(folder, **asked)["seconds"] for _ in range(3))
    return {"per_second_best": round(rounds / best)}


def figures(seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """All that could be measured."""
    found = rates({name: once for kind in ("ecdsa-p256", "ed25519") for name, once in cases(kind).items()}, seconds)
    for kind in ("ecdsa-p256", "ed25519"):
        theirs = of_sigstore_js(kind, rounds)
        if theirs is None:
            print("  @sigstore/verify cannot be installed: no row of it")
            break
        found[f"@sigstore/verify {kind}"] = theirs
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=0.4, help="CPU seconds of each round")
    parser.add_argument("--rounds", type=int, default=2_000, help="verifications of @sigstore/verify")
    parser.add_argument("--dry", action="store_true", help="write no result")
    given = parser.parse_args()
    facts = measure.announce("Endorsements: sign and verify")
    found = figures(given.seconds, given.rounds)
    head = ("case", "best per CPU second", "median per CPU second", "best per second")
    measure.table(
        [
            (name, *(row.get(each, "") for each in ("per_cpu_second_best", "per_cpu_second_median", "per_second_best")))
            for name, row in found.items()
        ],
        head,
    )
    if not given.dry:
        measure.write("endorse", facts, {"figures": found})


if __name__ == "__main__":
    main()
