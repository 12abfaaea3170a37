"""Whether a message comes from who holds the secret. Over raw bytes, in constant time, against every secret that is valid now."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable

from assaymark.checks.settings import Secret
from assaymark.triggers.webhooks.delivery import Message, SignatureWrong

TOLERANCE_SECONDS = 300
"""How old or how far ahead a signature with a time may be: what Standard Webhooks recommends."""
_WHSEC = b"whsec_"


def need_hex(message: Message, *names: str, prefix: str = "") -> None:
    """One of the headers holds the HMAC-SHA256 of the body in hex.

    Raises:
        SignatureWrong: otherwise.
    """
    given = message.header(*names)
    if not given:
        raise _missing(names[0])
    if not given.startswith(prefix):
        raise _wrong(names[0])
    _need(message, names[0], given.removeprefix(prefix), lambda key: hmac.new(key, message.body, hashlib.sha256).hexdigest())


def need_token(message: Message, given: str, name: str) -> None:
    """The secret itself came along.

    Raises:
        SignatureWrong: when it is another.
    """
    if not given:
        raise _missing(name)
    _need(message, name, given, lambda key: key.decode("utf-8", "surrogateescape"))


def need_standard(message: Message) -> None:
    """Standard Webhooks: ``v1,<base64>`` over ``id.timestamp.body``, several of them while a key is replaced.

    Raises:
        SignatureWrong: when none is right, or all are of another time.
    """
    number, stamp = message.header("webhook-id"), message.header("webhook-timestamp")
    if not number or not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:
        raise SignatureWrong("webhook-id or webhook-timestamp is missing or wrong", advice="send them as Standard Webhooks says")
    if abs(message.now - int(stamp)) > TOLERANCE_SECONDS:
        raise SignatureWrong(
            "the signature is of another time", why=f"it is off by more than {TOLERANCE_SECONDS} s", advice="check both clocks"
        )
    signed = f"{number}.{stamp}.".encode() + message.body
    given = [part.removeprefix("v1,") for part in message.header("webhook-signature").split(" ")[:16] if part.startswith("v1,")]
    right = False
    for secret in message.secrets:
        expected = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()
        for each in given:
            right |= _same(each, expected)
    if not right:
        raise _wrong("webhook-signature")


def _key(secret: Secret) -> bytes:
    """What stands behind ``whsec_`` is base64; anything else is the key itself."""
    if not secret.value.startswith(_WHSEC):
        return secret.value
    try:
        return base64.b64decode(secret.value.removeprefix(_WHSEC), validate=True)
    except binascii.Error:
        return secret.value


def _need(message: Message, name: str, given: str, expected: Callable[[bytes], str]) -> None:
    right = False
    for secret in message.secrets:  # all of them, so that the time tells nothing
        right |= bool(secret.value) and _same(given, expected(secret.value))
    if not right:
        raise _wrong(name)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode("utf-8", "surrogateescape"))


def _missing(name: str) -> SignatureWrong:
    return SignatureWrong(f"{name} is missing", why="the delivery is not signed", advice="enter the connection's secret in the webhook")


def _wrong(name: str) -> SignatureWrong:
    return SignatureWrong(f"{name} is wrong", advice="enter the connection's present secret in the webhook")
