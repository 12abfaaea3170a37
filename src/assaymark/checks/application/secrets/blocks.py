"""Credentials with a structure of their own, some over several lines: private keys, JSON Web Tokens, password hashes, encoded tokens."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

import msgspec

from assaymark.checks.application.secrets import provider_rules
from assaymark.checks.application.secrets.expressions import BASE64_LEADS
from assaymark.checks.application.secrets.hits import Hit, Kind
from assaymark.checks.settings import Secret
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.severity import Confidence, Severity

PEM = Kind(
    "private-key",
    "private-key",
    "A private key stands in the content.",
    Severity.CRITICAL,
    1,
    "Replace the key pair everywhere it is trusted, then keep the new one in a secret store.",
)
PEM_ENCRYPTED = Kind(
    "encrypted-private-key",
    "private-key",
    "A private key stands in the content, under a passphrase.",
    Severity.MEDIUM,
    1,
    "Replace the key pair, or make sure that its passphrase is strong and kept elsewhere.",
)
JWT = Kind("json-web-token", "hardcoded-credential", "A signed JSON Web Token stands in the content.", Severity.MEDIUM, 3)
HASH = Kind(
    "password-hash",
    "password-hash",
    "A password hash stands in the content: it can be guessed offline.",
    Severity.MEDIUM,
    3,
    "Remove it and change the password.",
)

_PEM = re.compile(rb"-----BEGIN (?P<label>[A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)?)-----")
_MAX_PEM = 64 * 1024
_PEM_JOINT = re.compile(rb"(?:\\\\?[nr])?[\"'`]\s*[+.&]?\s*[\"'`]")
"""End of one string literal and beginning of the next; a plus sign alone is a character of Base64."""
_PEM_NOISE = re.compile(rb"\\+[nrt]|[\s\"'`,;|>#*\\]")
_PEM_HEADER = re.compile(rb"(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): ?[^\n\\]*")
_PBES = (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05", b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c")
_PUTTY = re.compile(
    rb"PuTTY-User-Key-File-[23]: \S{3,40}\r?\nEncryption: (?P<cipher>\S{1,40})[\s\S]{0,20000}?Private-Lines: \d{1,3}\r?\n(?P<body>(?:[0-9A-Za-z+/=]{1,80}\r?\n){1,200})"  # noqa: E501
)
_JWT = re.compile(rb"(?<![\w-])eyJ[\w-]{10,2048}\.eyJ[\w-]{8,8192}\.(?P<signature>[\w-]{0,1024})")
_HASH = re.compile(
    rb"\$2[abxy]?\$[0-9]{2}\$[./0-9A-Za-z]{53}|\$(?:1|apr1)\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}|\$5\$(?:rounds=\d{1,9}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43}"
    rb"|\$6\$(?:rounds=\d{1,9}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{86}|\$y\$[./0-9A-Za-z]{1,20}\$[./0-9A-Za-z]{1,86}\$[./0-9A-Za-z]{43}|\$[PH]\$[./0-9A-Za-z]{31}"
    rb"|\$argon2(?:id|i|d)\$v=\d{2}\$m=\d{1,8},t=\d{1,4},p=\d{1,3}\$[0-9A-Za-z+/]{8,86}\$[0-9A-Za-z+/]{16,172}|pbkdf2_sha(?:1|256)\$\d{3,7}\$[^\s$\"']{4,64}\$[0-9A-Za-z+/=]{20,90}"
    rb"|\$pbkdf2(?:-sha(?:1|256|512))?\$\d{2,7}\$[./0-9A-Za-z]{8,86}\$[./0-9A-Za-z]{20,90}|\$(?:scrypt|7)\$[^\s\"']{20,160}|\{S?SHA(?:256|512)?\}[0-9A-Za-z+/]{27,96}={0,2}"
)
_ENCODED = re.compile(rb"[0-9A-Za-z+/]{28,8192}={0,2}")


def find(lead: str, data: bytes) -> Iterator[Hit]:
    """Hits of one layer (`lead` is the part after ``text:``) in a whole text."""
    yield from _LAYERS[lead](data)


def private_keys(data: bytes) -> Iterator[Hit]:
    """PEM blocks (RFC 7468) with private parts, also when written inside a string of a programming language."""
    for match in _PEM.finditer(data):
        closing = data.find(b"-----END " + match.group("label"), match.end(), match.end() + _MAX_PEM)
        end = closing if closing >= 0 else min(len(data), match.end() + 4096)
        raw = data[match.end() : end]
        body = _PEM_NOISE.sub(b"", _PEM_JOINT.sub(b"", _PEM_HEADER.sub(b"", raw))).rstrip(b"-")
        whole = re.match(rb"[0-9A-Za-z+/]*={0,3}", body)
        text = whole.group() if whole else b""
        if len(text) < 60 or (closing < 0 and len(text) < 200) or len(set(text)) < 12:
            continue
        locked = b"ENCRYPTED" in match.group("label") or b"ENCRYPTED" in raw[:200] or _is_locked(text)
        known = _is_key(text, match.group("label"))
        stop = closing if closing >= 0 else match.end() + len(text)
        note = ("validated", "key structure ok" if known else "no key structure")
        kind, confidence = PEM_ENCRYPTED if locked else PEM, Confidence.HIGH if known else Confidence.LOW
        yield Hit(kind, match.start(), stop, Secret(text), confidence, (note,), heading=match.end() - match.start())


def _der(text: bytes) -> bytes:
    """The first bytes of the key; 4 characters make 3 bytes."""
    try:
        return base64.b64decode(text[: min(len(text), 256) // 4 * 4])
    except binascii.Error:
        return b""


def _is_key(text: bytes, label: bytes) -> bool:
    """A DER SEQUENCE whose length fits, an OpenSSH key, or OpenPGP packets: enough to tell a key from an illustration."""
    head = _der(text)
    if b"PGP" in label:
        return bool(head) and bool(head[0] & 0x80)
    if b"OPENSSH" in label:
        return head.startswith(b"openssh-key-v1\0")
    if len(head) < 4 or head[0] != 0x30:
        return b"ENCRYPTED" in label or not head
    size = len(text.rstrip(b"=")) * 3 // 4
    if head[1] < 0x80:
        return abs(head[1] + 2 - size) <= 3
    wide = head[1] & 0x7F
    return 1 <= wide <= 3 and abs(int.from_bytes(head[2 : 2 + wide], "big") + 2 + wide - size) <= 3


def _is_locked(text: bytes) -> bool:
    head = _der(text)
    if head.startswith(b"openssh-key-v1\0"):
        return head[19:23] != b"none"
    return any(oid in head[:40] for oid in _PBES)


def putty_keys(data: bytes) -> Iterator[Hit]:
    for match in _PUTTY.finditer(data):
        locked = match.group("cipher") != b"none"
        value = re.sub(rb"\s", b"", match.group("body"))
        yield Hit(PEM_ENCRYPTED if locked else PEM, match.start("body"), match.end("body") - 1, Secret(value), Confidence.HIGH)


def web_tokens(data: bytes) -> Iterator[Hit]:
    """JSON Web Tokens (RFC 7519). Expiry is a note for people: there is no clock here to compare it with."""
    for match in _JWT.finditer(data):
        head, payload = (_json(part) for part in match.group().split(b".")[:2])
        if "alg" not in head or not payload:
            continue
        illustration = payload.get("sub") == "1234567890" or payload.get("name") == "John Doe"
        unsigned = not match.group("signature") or str(head["alg"]).lower() == "none"
        notes = [("algorithm", str(head["alg"])[:20])]
        if isinstance(payload.get("exp"), int):
            notes.append(("expires", str(payload["exp"])))
        confidence = Confidence.LOW if illustration or unsigned else Confidence.HIGH
        yield Hit(JWT, match.start(), match.end(), Secret(match.group()), confidence, tuple(notes))


def _json(part: bytes) -> dict[str, object]:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)), type=dict[str, object])
    except (*UNDECODABLE, binascii.Error):
        return {}


def hashes(data: bytes) -> Iterator[Hit]:
    """Password hashes in one line."""
    for match in _HASH.finditer(data):
        if len(set(match.group()[8:])) >= 10:
            yield Hit(HASH, match.start(), match.end(), Secret(match.group()), Confidence.MEDIUM)


def encoded_tokens(data: bytes) -> Iterator[Hit]:
    """Tokens of our own rules inside Base64 text, one layer deep."""
    for match in _ENCODED.finditer(data):
        text = match.group()
        try:
            plain = base64.b64decode(text + b"=" * (-len(text) % 4))
        except binascii.Error:
            continue
        for name, prefix in BASE64_LEADS:
            if prefix.encode() not in plain:
                continue
            inner = private_keys(plain) if name == "pem" else provider_rules.find(name, plain)
            for hit in inner:
                yield Hit(hit.kind, match.start(), match.end(), hit.value, hit.confidence, (*hit.notes, ("encoding", "base64")))


_LAYERS: dict[str, Callable[[bytes], Iterator[Hit]]] = {
    "pem": private_keys,
    "putty": putty_keys,
    "jwt": web_tokens,
    "base64": encoded_tokens,
}
