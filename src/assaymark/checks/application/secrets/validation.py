"""What a token says of itself without asking anybody: checksums, account numbers, dates, structure.

Pure functions of bytes. A passed test raises confidence, a failed one lowers it; nothing here talks to a provider.
"""

from __future__ import annotations

import base64
import binascii
import math
import string
from collections import Counter

from msgspec import Struct

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BASE62_SWAPPED = string.digits + string.ascii_lowercase + string.ascii_uppercase


class Opinion(Struct, frozen=True):
    """Result of one offline test."""

    passed: bool | None
    """None when the test can neither confirm nor refute."""
    notes: tuple[tuple[str, str], ...] = ()


_UNDECIDED = Opinion(None)


def entropy(value: bytes | str) -> float:
    """Shannon entropy in bits per character."""
    if not value:
        return 0.0
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())


def base62_crc32(payload: bytes) -> str:
    """CRC-32 as six base-62 digits, the ending that GitHub and npm give their tokens."""
    return _in_base(binascii.crc32(payload), _BASE62)


def _in_base(number: int, digits: str) -> str:
    out = ""
    while number:
        number, rest = divmod(number, 62)
        out = digits[rest] + out
    return out.rjust(6, "0")


def _crc32_base62(value: bytes) -> Opinion:
    payload, ending = value[4:-6], value[-6:].decode("latin-1")
    crc = binascii.crc32(payload)
    passed = ending in (_in_base(crc, _BASE62), _in_base(crc, _BASE62_SWAPPED))
    return Opinion(passed, (("validated", "checksum ok" if passed else "checksum wrong"),))


def _grafana(value: bytes) -> Opinion:
    head, _, ending = value.rpartition(b"_")
    crc = binascii.crc32(head)
    passed = ending.decode("latin-1") in (crc.to_bytes(4, "little").hex(), crc.to_bytes(4, "big").hex())
    return Opinion(passed, (("validated", "checksum ok" if passed else "checksum wrong"),))


def _aws_account(value: bytes) -> Opinion:
    """Account number of key ids issued since 2019 (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html)."""
    if value.endswith(b"EXAMPLE"):
        return Opinion(passed=False, notes=(("validated", "documentation example"),))
    packed = int.from_bytes(base64.b32decode(value[4:])[:6], "big")
    account = (packed & 0x7FFFFFFFFF80) >> 7
    if account > 999_999_999_999:
        return _UNDECIDED
    return Opinion(None, (("aws-account", f"{account:012d}"),))


def _aws_secret(value: bytes) -> Opinion:
    if b"EXAMPLE" in value:
        return Opinion(passed=False, notes=(("validated", "documentation example"),))
    text = value.decode("latin-1")
    mixed = any(c.isupper() for c in text) and any(c.islower() for c in text) and any(c.isdigit() for c in text)
    hexadecimal = not set(text.lower()) - set("0123456789abcdef")
    return Opinion(False) if hexadecimal or not mixed or text.count("/") > 6 else _UNDECIDED


def _nkey(value: bytes) -> Opinion:
    """CRC-16 (XMODEM) over the decoded seed, little-endian at its end (https://github.com/nats-io/nkeys)."""
    try:
        raw = base64.b32decode(value + b"=" * (-len(value) % 8))
    except binascii.Error:
        return Opinion(passed=False)
    passed = binascii.crc_hqx(raw[:-2], 0) == int.from_bytes(raw[-2:], "little")
    return Opinion(passed, (("validated", "checksum ok" if passed else "checksum wrong"),))


_TESTS = {
    "crc32-base62": _crc32_base62,
    "grafana-crc32": _grafana,
    "aws-account": _aws_account,
    "aws-secret": _aws_secret,
    "nkey-crc16": _nkey,
}
CHECKSUMS = frozenset(_TESTS)


def judge(test: str, value: bytes) -> Opinion:
    """The named test's opinion of a value; no opinion without a test."""
    return _TESTS[test](value) if test else _UNDECIDED


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit)
        if place % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0
