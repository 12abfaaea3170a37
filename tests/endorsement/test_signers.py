"""Keys in files and in services: opened by address, with secrets that nobody else can read."""

from __future__ import annotations

import inspect
import os
from pathlib import Path
from typing import Any

import pytest
import securesystemslib.signer as foreign
from msgspec import Struct
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey

from assaymark.endorsement import keys
from assaymark.endorsement.signers import services
from assaymark.endorsement.signers.opening import open_signer
from assaymark.endorsement.signers.services import CLASSES, ForeignSigner
from assaymark.errors import EngineMissing, UsageError

SAID = b"what is signed"


def key_file(folder: Path, kind: str = "ecdsa-p256", secret: bytes | None = None, mode: int = 0o600) -> Path:
    path = folder / "key.pem"
    path.write_bytes(keys.new_key(kind, secret)[0])
    path.chmod(mode)
    return path


@pytest.mark.parametrize("kind", ["ecdsa-p256", "ed25519"])
def test_a_key_in_a_file_signs(tmp_path: Path, kind: str) -> None:
    signer = open_signer(f"file:{key_file(tmp_path, kind)}", {})
    assert signer.public.holds(signer.sign(SAID), SAID)


def test_a_passphrase_comes_from_a_file_or_the_environment(tmp_path: Path) -> None:
    secret = os.urandom(8).hex()
    path = key_file(tmp_path, secret=secret.encode())
    (tmp_path / "pass").write_text(secret + "\n")
    (tmp_path / "pass").chmod(0o600)
    by_file, by_name = "ASSAYMARK_SIGNER_PASSPHRASE_FILE", "ASSAYMARK_SIGNER_PASSPHRASE"
    assert (
        open_signer(f"file:{path}", {by_file: str(tmp_path / "pass")}).public.id == open_signer(f"file:{path}", {by_name: secret}).public.id
    )
    with pytest.raises(UsageError, match="cannot be read"):
        open_signer(f"file:{path}", {})
    with pytest.raises(UsageError, match="both given"):
        open_signer(f"file:{path}", {by_file: str(tmp_path / "pass"), by_name: secret})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    with pytest.raises(UsageError, match="open to others"):
        open_signer(f"file:{key_file(tmp_path, mode=mode)}", {})


def test_a_link_to_a_key_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(key_file(tmp_path))
    with pytest.raises(UsageError, match="cannot be read"):
        open_signer(f"file:{tmp_path / 'link'}", {})


def test_a_pipe_is_no_key(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(UsageError, match="is no file"):
        open_signer(f"file:{tmp_path / 'pipe'}", {})


@pytest.mark.parametrize("address", ["", "own:", "file:", "file:key.pem", "http://x", "gpg:1", "pkcs11:object=a?pin-value=1", "file:/a\nb"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        open_signer(address, {})


# --- services: a stand-in with securesystemslib's interface ------------------------------------------------------------


class Raw(Struct):
    """As some services do: r and s side by side."""

    inner: CryptoSigner

    @property
    def public_key(self) -> Any:
        return self.inner.public_key

    def sign(self, payload: bytes) -> Signature:
        from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature  # noqa: PLC0415

        made = self.inner.sign(payload)
        halves = decode_dss_signature(bytes.fromhex(made.signature))
        return Signature(made.keyid, b"".join(each.to_bytes(32, "big") for each in halves).hex())


class Silent(Raw):
    def sign(self, payload: bytes) -> Signature:
        raise RuntimeError("the secret of the service")


class Wrong(Raw):
    def sign(self, payload: bytes) -> Signature:
        return self.inner.sign(payload + b"!")


@pytest.mark.parametrize("inner", [CryptoSigner.generate_ecdsa(), CryptoSigner.generate_ed25519(), Raw(CryptoSigner.generate_ecdsa())])
def test_whoever_has_the_interface_signs(inner: Any) -> None:
    signer = ForeignSigner(inner, "stand-in")
    for _ in range(20):
        assert signer.public.holds(signer.sign(SAID), SAID)


def test_a_service_that_does_not_answer_is_said_without_its_words() -> None:
    with pytest.raises(EngineMissing, match="does not answer") as told:
        ForeignSigner(Silent(CryptoSigner.generate_ecdsa()), "stand-in").sign(SAID)
    assert "secret" not in told.value.diagnosis()


def test_a_signature_that_does_not_hold_is_not_given_on() -> None:
    with pytest.raises(EngineMissing, match="does not hold"):
        ForeignSigner(Wrong(CryptoSigner.generate_ecdsa()), "stand-in").sign(SAID)


def test_a_kind_of_key_that_is_not_ours_is_refused() -> None:
    with pytest.raises(UsageError, match="not used"):
        services.public_of(CryptoSigner.generate_rsa().public_key)


@pytest.mark.parametrize(("scheme", "arguments"), [("awskms", 2), ("gcpkms", 1), ("azurekms", 2), ("hashivault", 1)])
def test_securesystemslibs_classes_have_the_signatures_that_are_used(scheme: str, arguments: int) -> None:
    kind = getattr(foreign, CLASSES[scheme])
    inspect.signature(kind.import_).bind(*["x"] * arguments)
    inspect.signature(kind.from_priv_key_uri).bind("uri", "key")
    inspect.signature(kind.sign).bind(None, b"payload")
    assert isinstance(kind.public_key, property)
    assert {"scheme", "keyval"} <= set(vars(SSlibKey("a", "ecdsa", "ecdsa-sha2-nistp256", {"public": "p"})))


def test_a_service_is_opened_through_its_class(monkeypatch: pytest.MonkeyPatch) -> None:
    inner, asked = CryptoSigner.generate_ecdsa(), []

    class Standing:
        @classmethod
        def import_(cls, *words: str) -> tuple[str, Any]:
            asked.append(words)
            return "hv:endorse/3", inner.public_key

        @classmethod
        def from_priv_key_uri(cls, uri: str, public: Any) -> Any:
            assert public is inner.public_key
            asked.append((uri,))
            return inner

    monkeypatch.setattr(foreign, "VaultSigner", Standing)
    signer = open_signer("hashivault:endorse/3", {})
    assert signer.public.holds(signer.sign(SAID), SAID)
    assert asked == [("endorse",), ("hv:endorse/3",)]
    with pytest.raises(UsageError, match="newest version"):
        open_signer("hashivault:endorse/2", {})


def test_a_service_whose_library_is_missing_says_so() -> None:
    with pytest.raises(EngineMissing, match="does not answer"):
        open_signer("gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1", {})
