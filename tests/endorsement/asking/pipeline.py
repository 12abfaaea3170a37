"""A pipeline: a key, a trust folder, things that are endorsed, and `assay verify` in this process."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner
from msgspec.structs import replace
from tests.endorsement.approvals import VERIFIER, claims, endorsed_as, signer

from assaymark.cli.verify import command
from assaymark.endorsement import trust
from assaymark.endorsement.approval import Approval, stamp
from assaymark.endorsement.keys import KeySigner
from assaymark.endorsement.revocation import Revocation, Revocations
from assaymark.endorsement.trust import LogTrust, Trust, TrustRoot
from assaymark.errors import AssayError
from assaymark.model.assessment import SECOND, Instant

DAY = 86_400


def at(seconds: float) -> str:
    """A time from now, as it is written."""
    return stamp(Instant(time.time_ns() // 1_000 + int(seconds * SECOND)))


class Pipeline:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key: KeySigner = signer()
        self.trust = folder / "trust"
        self.trust.mkdir(parents=True)
        self.believe()
        self.revoke()

    def believe(self, log: LogTrust | None = None, **of_root: Any) -> None:
        root = replace(TrustRoot("server", VERIFIER, (self.key.public.pem,)), **of_root)
        document = Trust((root,), number=7, log=log)
        trust.opened(document)
        (self.trust / "trust.json").write_bytes(msgspec.json.encode(document))

    def revoke(self, *entries: Revocation) -> None:
        (self.trust / "revocations.json").write_bytes(msgspec.json.encode(Revocations(1, entries)))

    def claim(self, **other: Any) -> Approval:
        made = claims(time_verified=at(-3600))
        return replace(made, **{"extension": replace(made.extension, expires=at(30 * DAY)), **other})

    def endorsed(self, *digests: dict[str, str], **other: Any) -> bytes:
        return endorsed_as(self.claim(**other), digests or ({"sha256": "0" * 64},), self.key)

    def file(self, name: str, data: bytes = b"content", *, bundle: bool = True, **other: Any) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        if bundle:
            beside = path.with_name(path.name + ".sigstore.json")
            beside.write_bytes(self.endorsed({"sha256": hashlib.sha256(data).hexdigest()}, **other))
        return path

    def run(self, *words: str | Path, trusting: bool = True) -> tuple[int, str]:
        """Exit code and what was printed; an error of ours is its code and its words."""
        given = [str(word) for word in words] + (["--trust", str(self.trust)] if trusting else [])
        ran = CliRunner().invoke(command, given, standalone_mode=False)
        if isinstance(ran.exception, AssayError):
            return ran.exception.exit_code, ran.exception.diagnosis()
        if ran.exception is not None:
            raise ran.exception
        return ran.return_value, ran.stdout

    def answer(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        code, said = self.run(*words, "--format", "json")
        found: dict[str, Any] = msgspec.json.decode(said)
        return code, found
