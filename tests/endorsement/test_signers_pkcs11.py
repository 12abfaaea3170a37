"""A key on a token: SoftHSM's own library, as a server would use a hardware module."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pkcs11
import pytest
from tests.endorsement.tokens import Tokens, start

from assaymark.endorsement import dsse
from assaymark.endorsement.signers.opening import open_signer
from assaymark.endorsement.signers.pkcs11 import TokenSigner, parse
from assaymark.errors import AssayError, EngineMissing, UsageError

SAID = b"what is signed"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tokens]:
    before = os.environ.get("SOFTHSM2_CONF")
    yield start(tmp_path_factory.mktemp("softhsm"))
    os.environ.pop("SOFTHSM2_CONF", None)
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture(scope="module")
def address(tokens: Tokens) -> str:
    return tokens.make("whole")


@pytest.fixture
def signer(address: str) -> Iterator[TokenSigner]:
    made = open_signer(address)
    assert isinstance(made, TokenSigner)
    yield made
    made.close()


def test_a_token_signs_in_der_what_its_public_key_holds(signer: TokenSigner) -> None:
    signature = signer.sign(SAID)
    assert signature[0] == 0x30
    assert signer.public.holds(signature, SAID)
    assert not signer.public.holds(signature, SAID + b"!")


def test_an_envelope_of_a_token_is_verified_like_any_other(signer: TokenSigner) -> None:
    envelope = dsse.written(dsse.sign("text/plain", SAID, signer))
    assert dsse.verify(envelope, [signer.public]).keyids == (signer.public.id,)


def test_a_session_that_broke_is_opened_anew(signer: TokenSigner) -> None:
    signer._session.close()
    assert signer.public.holds(signer.sign(SAID), SAID)


def test_a_library_that_was_started_over_is_no_hindrance(signer: TokenSigner, tokens: Tokens) -> None:
    pkcs11.lib(tokens.module).reinitialize()
    assert signer.public.holds(signer.sign(SAID), SAID)


def test_a_signer_that_was_closed_opens_again(signer: TokenSigner) -> None:
    signer.close()
    assert signer.public.holds(signer.sign(SAID), SAID)


def test_two_signers_of_one_token_do_not_lock_each_other_out(signer: TokenSigner, address: str) -> None:
    other = open_signer(address)
    assert isinstance(other, TokenSigner)
    assert other.public.id == signer.public.id
    for each in (signer, other, signer):
        assert signer.public.holds(each.sign(SAID), SAID)
    other.close()  # with it the library may log both out
    assert signer.public.holds(signer.sign(SAID), SAID)


def test_threads_take_turns(signer: TokenSigner) -> None:
    with ThreadPoolExecutor(4) as pool:
        texts = [str(each).encode() for each in range(40)]
        assert all(signer.public.holds(made, text) for made, text in zip(pool.map(signer.sign, texts), texts, strict=True))


def test_a_token_that_was_taken_out_is_said(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    made = open_signer(tokens.make("taken"))
    assert isinstance(made, TokenSigner)

    def gone(_: TokenSigner) -> None:
        raise pkcs11.exceptions.TokenNotPresent

    monkeypatch.setattr(TokenSigner, "_open", gone)
    made._session.close()
    with pytest.raises(EngineMissing, match="does not answer"):
        made.sign(SAID)


def test_a_wrong_pin_is_not_tried_twice(tokens: Tokens, address: str, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text("000000")
    pin.chmod(0o600)
    pkcs11.lib(tokens.module).reinitialize()  # whoever is logged in already is not asked again, whatever test it was in
    with pytest.raises(UsageError, match="does not take the PIN") as told:
        open_signer(address.replace(str(tokens.pin_file), str(pin)))
    assert "000000" not in told.value.diagnosis()


def test_a_pin_that_others_can_read_is_not_used(tokens: Tokens, address: str, tmp_path: Path) -> None:
    pin = tmp_path / "pin"
    pin.write_text(tokens.pin)
    pin.chmod(0o640)
    with pytest.raises(UsageError, match="open to others"):
        open_signer(address.replace(str(tokens.pin_file), str(pin)))


def test_the_pin_may_come_from_the_environment(tokens: Tokens, address: str) -> None:
    bare = address.partition("&pin-source")[0]
    assert open_signer(bare, {"ASSAYMARK_SIGNER_PASSPHRASE": tokens.pin}).public.id.startswith("SHA256:")
    with pytest.raises(UsageError, match="no PIN"):
        open_signer(bare, {})


def test_the_library_may_come_from_the_environment(tokens: Tokens, address: str) -> None:
    bare = address.replace(f"module-path={tokens.module}&", "")
    assert open_signer(bare, {"ASSAYMARK_PKCS11_MODULE": tokens.module}).public.pem
    with pytest.raises(UsageError, match="no library"):
        open_signer(bare, {})


def test_halves_that_are_no_pair_are_refused(tokens: Tokens) -> None:
    with pytest.raises(UsageError, match="no pair"):
        open_signer(tokens.make("mixed", public_of="another"))


def test_another_curve_is_refused(tokens: Tokens) -> None:
    with pytest.raises(AssayError, match=r"not used|cannot be used|another kind"):
        open_signer(tokens.make("large", curve="secp384r1"))


@pytest.mark.parametrize(("written", "instead"), [("token=whole", "token=none"), ("object=endorse", "object=none")])
def test_an_address_that_names_nothing_is_said(address: str, written: str, instead: str) -> None:
    with pytest.raises(UsageError, match="does not name one key"):
        open_signer(address.replace(written, instead))


def test_a_library_that_is_none_is_said(address: str, tokens: Tokens, tmp_path: Path) -> None:
    (tmp_path / "none.so").write_bytes(b"no library")
    with pytest.raises(EngineMissing, match="does not answer"):
        open_signer(address.replace(tokens.module, str(tmp_path / "none.so")))


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("pkcs11:token=a", "neither an object nor an id"),
        ("pkcs11:token=a;object=b;object=c", "stands twice"),
        ("pkcs11:token=a;object=%zz", "no attribute"),
        ("pkcs11:token=a;object", "no attribute"),
        ("pkcs11:object=b;slot-id=1", "not known"),
        ("pkcs11:object=b;type=cert", "something else than private"),
        ("pkcs11:object=b?module-name=x", "not known"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, why: str) -> None:
    with pytest.raises(UsageError) as told:
        parse(address)
    assert why in told.value.why


def test_escapes_of_an_address_are_read() -> None:
    said = parse("pkcs11:token=My%20token;id=%01%ff;serial=12?module-path=/x%3Dy.so")
    assert (said.token, said.id, said.serial, said.module) == ("My token", b"\x01\xff", "12", "/x=y.so")


def test_a_pin_in_an_address_is_refused() -> None:
    with pytest.raises(UsageError, match="holds no secret"):
        open_signer("pkcs11:object=b?pin-value=1234")
