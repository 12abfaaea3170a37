"""What trust costs: signing by each kind of signer, publishing a state, taking it on a site, and reading what is held.

Ratios within one run: each signer beside the bare key of `cryptography`; `held` beside a whole update.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import CryptoSigner
from tests.endorsement.distributed import NOW, Site, begun, take
from tests.endorsement.tokens import PLACES, start

from assaymark.endorsement import keys
from assaymark.endorsement.distribution import archive, client, updating
from assaymark.endorsement.signers.opening import open_signer
from assaymark.endorsement.signers.services import ForeignSigner

SAID = b"x" * 2000


def per_second(run: Callable[[], object], seconds: float = 1.0) -> float:
    count, begun_at = 0, time.perf_counter()
    while time.perf_counter() - begun_at < seconds:
        run()
        count += 1
    return count / (time.perf_counter() - begun_at)


def signers(folder: Path) -> None:
    bare = ec.generate_private_key(ec.SECP256R1())
    base = per_second(lambda: bare.sign(SAID, ec.ECDSA(hashes.SHA256())))
    print(f"{'bare key of cryptography':32}{base:10.0f}/s")
    path = folder / "key.pem"
    path.write_bytes(keys.new_key()[0])
    path.chmod(0o600)
    found = {
        "file:": open_signer(f"file:{path}", {}),
        "stand-in of a service (verified)": ForeignSigner(CryptoSigner.generate_ecdsa(), "stand-in"),
    }
    if any(Path(place).exists() for place in PLACES):
        found["pkcs11: (SoftHSM)"] = open_signer(start(folder).make("bench"))
    else:
        print("NOT MEASURED: SoftHSM is not installed")
    for name, signer in found.items():
        rate = per_second(lambda signer=signer: signer.sign(SAID))  # type: ignore[misc]
        print(f"{name:32}{rate:10.0f}/s  {rate / base:6.2f} of the bare key")


def distribution(folder: Path) -> None:
    site = Site()
    times = {}
    steps: dict[str, Callable[[], object]] = {
        "publish": site.publish,
        "publish again": site.publish,
        "pack": site.packed,
        "unpack": lambda: archive.unpacked(site.packed(), "a"),
    }
    for name, run in steps.items():
        at = time.perf_counter()
        run()
        times[name] = time.perf_counter() - at
    begun(folder, site)
    for name in ("first update", "second update"):
        at = time.perf_counter()
        take(folder, site.files)
        times[name] = time.perf_counter() - at
    rate = per_second(lambda: client.held(folder, NOW))
    proof = per_second(lambda: updating.prove(folder))
    for name, took in times.items():
        print(f"{name:32}{took * 1000:10.1f} ms")
    print(f"{'held':32}{1000 / rate:10.2f} ms")
    print(f"{'verify (every signature)':32}{1000 / proof:10.1f} ms")


def main() -> None:
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "site").mkdir()
        signers(Path(folder))
        distribution(Path(folder) / "site")


if __name__ == "__main__":
    main()
