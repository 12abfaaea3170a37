"""A key on a token that speaks PKCS#11 (an HSM, a smart card, SoftHSM), by its RFC 7512 address.

    pkcs11:token=assay;object=endorse?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/assaymark/pin

Guarantees: the private key never leaves the token; what the token signs is tried with the public key before it is used, once when it is
opened; r and s side by side, as tokens write them, become DER; a session that broke is opened anew, once per signature, with the library
started over when a new session is not enough. Two threads take turns. Only ECDSA over P-256, which every token knows.
A token asks a process for its PIN once: a second signer of the same token is let in by the first one's (PKCS#11, section 5.6).

The PIN is the content of the file that ``pin-source`` names, or what the environment gives as a passphrase; ``pin-value`` is refused,
because addresses are shown. The library is the one of ``module-path``, or of ``ASSAYMARK_PKCS11_MODULE``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from msgspec import Struct

from assaymark.endorsement import keys
from assaymark.endorsement.keys import PublicKey
from assaymark.endorsement.signers import secret_file
from assaymark.errors import EngineMissing, UsageError

MODULE = "ASSAYMARK_PKCS11_MODULE"
_PATH = frozenset({"token", "serial", "manufacturer", "model", "object", "id", "type"})
_QUERY = frozenset({"module-path", "pin-source"})
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HALF = 32


class Token(Struct, frozen=True):
    """What an address says."""

    token: str = ""
    serial: str = ""
    manufacturer: str = ""
    model: str = ""
    object: str = ""
    id: bytes = b""
    module: str = ""
    pin_source: str = ""


def parse(address: str) -> Token:
    """An address (RFC 7512, section 2.3).

    Raises:
        UsageError: when it is none, or names no key.
    """
    path, _, query = address.removeprefix("pkcs11:").partition("?")
    attributes = _pairs(path, ";", _PATH, address) | _pairs(query, "&", _QUERY, address)
    if attributes.get("type", "private") != "private":
        raise _no(address, "type is something else than private")
    if not ("object" in attributes or "id" in attributes):
        raise _no(address, "it names neither an object nor an id")
    text = {name: unquote(value) for name, value in attributes.items() if name != "id"}
    return Token(
        text.get("token", ""), text.get("serial", ""), text.get("manufacturer", ""), text.get("model", ""), text.get("object", ""),
        unquote_to_bytes(attributes.get("id", "")), text.get("module-path", ""), text.get("pin-source", ""),
    )  # fmt: skip


def _pairs(text: str, between: str, known: frozenset[str], address: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in text.split(between) if text else ():
        name, sign, value = each.partition("=")
        if not sign or not value or _BROKEN_ESCAPE.search(value):
            raise _no(address, f"{each[:60]!r} is no attribute")
        if name in found or name not in known:
            raise _no(address, f"{name[:60]!r} stands twice" if name in found else f"{name[:60]!r} is not known here")
        found[name] = value
    return found


def _no(address: str, why: str) -> UsageError:
    return UsageError(
        f"{address[:200]!r} names no key on a token", why=why, advice="write it as pkcs11:token=…;object=…?module-path=…&pin-source=file:…"
    )


def open_token(address: str, environment: Mapping[str, str]) -> TokenSigner:
    """The signer, tried once.

    Raises:
        UsageError: when the address or the key makes no sense.
        EngineMissing: when the library is not installed, or the token does not answer.
    """
    said = parse(address)
    module = said.module or environment.get(MODULE, "")
    if not Path(module).is_absolute():
        raise UsageError(f"no library for {address[:200]!r}", advice=f"name it with module-path=/… or {MODULE}")
    try:
        import pkcs11  # noqa: PLC0415, F401 - a library of an extra
    except ImportError as error:
        raise EngineMissing("tokens cannot be opened", why=str(error), advice="pip install 'assaymark[pkcs11]'") from error
    return TokenSigner(said, module, _pin(said, environment))


def _pin(said: Token, environment: Mapping[str, str]) -> str:
    if said.pin_source:
        path = Path(said.pin_source.removeprefix("file:").removeprefix("//"))
        if not path.is_absolute():
            raise UsageError(f"pin-source={said.pin_source[:100]!r} names no file", advice="write it as pin-source=file:/path")
        return secret_file.line(path, "the PIN")
    from assaymark.endorsement.signers.opening import PASSPHRASE_FILE, passphrase  # noqa: PLC0415 - which opens this

    given = passphrase(environment)
    if given is None:
        raise UsageError("no PIN for the token", advice=f"name a file with pin-source=file:/path or {PASSPHRASE_FILE}")
    return given.decode()


class TokenSigner:
    """Signs on the token."""

    def __init__(self, said: Token, module: str, pin: str) -> None:
        self._said, self._module, self._pin = said, module, pin
        self._lock = threading.Lock()
        self._session: Any = None
        self._private: Any = None
        self._process = os.getpid()
        with self._lock, _told(module):
            self._open()
            self._public = self._find_public()
            self._try()

    @property
    def public(self) -> PublicKey:
        return self._public

    def sign(self, data: bytes) -> bytes:
        """DER.

        Raises:
            EngineMissing: when the token does not answer, also after it was opened anew.
        """
        import pkcs11  # noqa: PLC0415

        with self._lock, _told(self._module):
            if self._process != os.getpid():  # sessions are not inherited (PKCS#11, section 5.6)
                self._start_over()
            try:
                return self._sign(data)
            except pkcs11.PKCS11Error:
                pass
            self._close()
            try:
                self._open()
                return self._sign(data)
            except (pkcs11.PinIncorrect, pkcs11.PinLocked):
                raise  # a third try could lock the token
            except pkcs11.PKCS11Error:
                self._start_over()
                return self._sign(data)

    def close(self) -> None:
        """Give the session back."""
        with self._lock:
            self._close()

    def _sign(self, data: bytes) -> bytes:
        import pkcs11  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature  # noqa: PLC0415

        if self._private is None:
            raise pkcs11.SessionClosed
        raw = bytes(self._private.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA))
        if len(raw) != 2 * _HALF:
            raise UsageError(
                "the key on the token is of another kind", why=f"it signs with {len(raw)} bytes", advice="use ECDSA over P-256"
            )
        return encode_dss_signature(int.from_bytes(raw[:_HALF], "big"), int.from_bytes(raw[_HALF:], "big"))

    def _open(self) -> None:
        import pkcs11  # noqa: PLC0415

        said = self._said
        wanted: dict[str, Any] = {
            name: value for name, value in (("token_label", said.token), ("token_serial", said.serial.encode())) if value
        }
        tokens = [
            each for each in pkcs11.lib(self._module).get_tokens(token_flags=pkcs11.TokenFlag.TOKEN_INITIALIZED, **wanted)
            if said.manufacturer in ("", each.manufacturer_id) and said.model in ("", each.model)
        ]  # fmt: skip
        if len(tokens) != 1:
            raise pkcs11.NoSuchToken if not tokens else pkcs11.MultipleTokensReturned
        try:
            self._session = tokens[0].open(user_pin=self._pin)
        except pkcs11.UserAlreadyLoggedIn:  # another signer of this process is: that counts for all sessions (PKCS#11, section 5.6)
            self._session = tokens[0].open()
        self._private = self._session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, key_type=pkcs11.KeyType.EC, **self._named())

    def _named(self) -> dict[str, Any]:
        return {name: value for name, value in (("label", self._said.object), ("id", self._said.id)) if value}

    def _find_public(self) -> PublicKey:
        import pkcs11  # noqa: PLC0415
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415
        from pkcs11.util.ec import encode_ec_public_key  # noqa: PLC0415

        key = self._session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, key_type=pkcs11.KeyType.EC, **self._named())
        try:
            return keys.of_key(load_der_public_key(encode_ec_public_key(key)))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise UsageError("the key on the token cannot be used", why=str(error), advice="use ECDSA over P-256") from error

    def _try(self) -> None:
        """The two halves belong together: whoever put them there may have erred."""
        text = b"assaymark: is this the key? " + secrets.token_bytes(32)
        if not self._public.holds(self._sign(text), text):
            raise UsageError(
                "the private and the public key on the token are no pair", advice="give both the same label and id, and nothing else"
            )

    def _start_over(self) -> None:
        import pkcs11  # noqa: PLC0415

        self._session = self._private = None
        pkcs11.lib(self._module).reinitialize()
        self._process = os.getpid()
        self._open()

    def _close(self) -> None:
        import pkcs11  # noqa: PLC0415

        session, self._session, self._private = self._session, None, None
        if session is not None:
            with contextlib.suppress(pkcs11.PKCS11Error):
                session.close()


@contextlib.contextmanager
def _told(module: str) -> Iterator[None]:
    """What the library says, as our errors; it never holds the PIN."""
    import pkcs11  # noqa: PLC0415

    try:
        yield
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked, pkcs11.PinExpired) as error:
        raise UsageError("the token does not take the PIN", why=type(error).__name__, advice="look at the file of pin-source") from error
    except (pkcs11.NoSuchKey, pkcs11.MultipleObjectsReturned, pkcs11.NoSuchToken, pkcs11.MultipleTokensReturned) as error:
        raise UsageError("the address does not name one key", why=type(error).__name__, advice="name token, object and id") from error
    except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
        why = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise EngineMissing("the token does not answer", why=why[:300], advice=f"look at the token, and at the library {module}") from error
