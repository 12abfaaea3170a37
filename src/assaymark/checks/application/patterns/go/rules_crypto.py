"""Hashes, ciphers, random numbers, TLS, tokens, host keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.go.looks import field_set, function_text, of_type, speech_of, statement_of
from assaymark.checks.application.patterns.rules import LEAST, LESS, SURE, Hit, Place, Rule, argument, called, looked, text_of
from assaymark.checks.application.patterns.shapes import Called, Gathered

if TYPE_CHECKING:
    from tree_sitter import Node

_SECRET_USE = re.compile(
    r"pass(?:word|wd|phrase)?\b|passw|pwd|secret|token|signature|\bsign|credential|otp\b|apikey|api_key", re.IGNORECASE
)
_HARMLESS_USE = re.compile(r"etag|checksum|cache|fingerprint|\bkey\b|gravatar|uuid|shard|bucket|dedup|\bid\b", re.IGNORECASE)
_RANDOM_USE = re.compile(
    r"token|secret|passw|pwd|otp\b|nonce|salt|csrf|xsrf|api_?key|session_?id|rememberme|cookie|\biv\b|private_?key|captcha|pin\b|credential",
    re.IGNORECASE,
)
_RANDOM = tuple(f"math/rand.{name}" for name in ("Int", "Intn", "IntN", "Int31", "Int31n", "Int32", "Int32N", "Int63", "Int63n", "Int64",
                "Int64N", "Uint32", "Uint64", "Float64", "Float32", "Read", "Perm", "N", "Shuffle", "New"))  # fmt: skip
_WEAK_SUITES = re.compile(r"TLS_(?:\w*RC4\w*|\w*3DES\w*|RSA_WITH_\w+|\w+_CBC_SHA256)$")


def _hash(place: Place, call: Called) -> bool | int | None:
    """Sure where names tell that a secret is hashed, least where nothing tells of one."""
    text = statement_of(place, call.node)
    if _SECRET_USE.search(text):
        return SURE
    return LESS if _SECRET_USE.search(function_text(place, call.node)[:2_000]) and not _HARMLESS_USE.search(text) else LEAST


def _always(place: Place, call: Called) -> bool | int | None:
    del place, call
    return SURE


def _constant_nonce(place: Place, call: Called) -> bool | int | None:
    """A nonce or vector that is constant text or zeros in the function."""
    at = 1
    if len(call.args) <= at or (call.name in ("Seal", "Open") and len(call.args) != 4):
        return None
    node = call.args[at]
    if _is_filled(place, call, node):
        return None
    shape = place.flow.resolved(node)
    if place.flow.value(node).text is not None:
        return SURE
    if isinstance(shape, Gathered):
        return SURE if shape.parts and all(text_of(place, part) is not None for part in shape.parts) else None
    return SURE if isinstance(shape, Called) and shape.path == "make" else None


def _is_filled(place: Place, call: Called, node: Node) -> bool:
    """True when the variable goes somewhere that may fill it: into a call of its own, or behind a pointer."""
    written = place.speech.text.of(node)
    name = re.match(r"\w+", written)
    if name is None:
        return not written.startswith(("[]byte", "[", "("))
    before = function_text(place, call.node).partition(place.speech.text.of(call.node))[0]
    return bool(re.search(rf"\w\([^()\n]*(?<!\w){name[0]}\b[^()\n]*\)|&{name[0]}\b|\b{name[0]}\[[^\]\n]*\]\s*[\^|+]?=", before)) and name[
        0
    ] not in ("byte", "append")


def _random(place: Place, call: Called) -> bool | int | None:
    """Guessable numbers; sure where a name tells that they are a secret."""
    text = statement_of(place, call.node)
    if _RANDOM_USE.search(text):
        return SURE
    around_it = function_text(place, call.node).partition("{")[0]
    return SURE if _RANDOM_USE.search(around_it) else LEAST


def _key_size(place: Place, call: Called) -> bool | int | None:
    at = 2 if call.name == "GenerateMultiPrimeKey" else 1
    text = argument(place, at)
    return SURE if text is not None and text.isdigit() and int(text) < 2_048 else None


def _cost(place: Place, call: Called) -> bool | int | None:
    written = place.speech.text.of(call.args[1]) if len(call.args) > 1 else ""
    text = argument(place, 1) or ""
    return SURE if written.endswith("bcrypt.MinCost") or (text.isdigit() and int(text) < 10) else None


def _rounds(place: Place, call: Called) -> bool | int | None:
    at = 3 if call.path.startswith("crypto/") else 2
    text = (argument(place, at) or "").replace("_", "")
    return SURE if text.isdigit() and int(text) < 10_000 else None


def _unverified(place: Place) -> Iterator[Hit]:
    for setting, value in field_set(place):
        if text_of(place, value) != "true":
            continue
        checked = re.search(r"VerifyPeerCertificate|VerifyConnection", function_text(place, setting))
        yield Hit(setting, LEAST if checked or _is_asked_for(place, setting) else SURE)


def _is_asked_for(place: Place, setting: Node) -> bool:
    """True where somebody asked for it by a flag or a directive, as in ``if insecure {`` or ``case "skip_verify":``."""
    branch = setting.parent
    for _ in range(12):
        if branch is None or branch.type in ("function_declaration", "method_declaration"):
            return False
        if branch.type in ("if_statement", "expression_case"):
            test = branch.child_by_field_name("condition") or branch.child_by_field_name("value")
            if test is not None and re.search(r"insecure|skip|verify|unsafe|trust", place.speech.text.of(test), re.IGNORECASE):
                return True
        branch = branch.parent
    return False


def _old_tls(place: Place) -> Iterator[Hit]:
    """``MinVersion`` below 1.2; ``MaxVersion`` as well."""
    for setting, value in field_set(place):
        written = place.speech.text.of(value)
        shape = place.flow.resolved(value)
        path = shape.path if isinstance(shape, Called) else written
        text = text_of(place, value) or ""
        if "tls" not in f"{of_type(place)} {path}".lower():
            continue
        if re.search(r"Version(?:SSL30|TLS10|TLS11)$", path) or text.lower() in ("0x0300", "0x0301", "0x0302", "769", "770", "768"):
            yield Hit(setting)


def _weak_suites(place: Place) -> Iterator[Hit]:
    for setting, value in field_set(place):
        shape = place.flow.resolved(value)
        parts = shape.parts if isinstance(shape, Gathered) else ()
        names = [speech_of(place).text.of(part).rpartition(".")[2] for part in parts]
        if any(_WEAK_SUITES.fullmatch(name) for name in names):
            yield Hit(setting)


def _own_host_key(place: Place) -> Iterator[Hit]:
    """``HostKeyCallback`` with a function that always says yes."""
    for setting, value in field_set(place):
        if re.search(r"\{\s*return\s+nil\s*;?\s*\}$", place.speech.text.of(value)):
            yield Hit(setting)


def _no_signature(place: Place) -> Iterator[Hit]:
    node = place.leaf.parent
    path = speech_of(place).path(node) if node is not None else ""
    if "jwt" in path and node is not None and place.leaf.text in (b"UnsafeAllowNoneSignatureType", b"SigningMethodNone"):
        yield Hit(node)


def _unverified_token(place: Place, call: Called) -> bool | int | None:
    """Read before the signature is checked is common to find the key; sure where nothing in the file checks."""
    if not re.search(r"jwt|jose|Parser|JSONWebToken", call.path):
        return None
    content = place.speech.text.content
    checks = re.search(rb"\.(?:ParseWithClaims|Parse|Verify|VerifySignature|ValidateToken|Claims)\(", content.replace(b"url.Parse(", b""))
    verified = re.search(r"[vV]erif|[vV]alidat|[sS]ignature", function_text(place, call.node))
    return LEAST if checks or verified else SURE


_NEW_HASH = "Use SHA-256; for passwords `bcrypt.GenerateFromPassword` or Argon2."

RULES: tuple[Rule, ...] = (
    called(
        "weak-hash",
        (
            *(f"crypto/{kind}.{name}" for kind in ("md5", "sha1") for name in ("New", "Sum")),
            *(f"golang.org/x/crypto/{kind}.New" for kind in ("md4", "ripemd160")),
        ),
        _hash,
        message="A hash that no longer resists attack is used.",
        advice=_NEW_HASH,
    ),
    called(
        "weak-cipher",
        (
            "crypto/des.NewCipher",
            "crypto/des.NewTripleDESCipher",
            "crypto/rc4.NewCipher",
            *(f"golang.org/x/crypto/{kind}.NewCipher" for kind in ("blowfish", "cast5", "tea", "xtea")),
        ),
        _always,
        message="A cipher that no longer resists attack is used.",
        advice="Use AES with GCM: `cipher.NewGCM` with a random nonce for each message.",
    ),
    called(
        "constant-iv",
        ("*.Seal", "crypto/cipher.NewCBCEncrypter", "crypto/cipher.NewCTR", "crypto/cipher.NewOFB", "crypto/cipher.NewCFBEncrypter"),
        _constant_nonce,
        message="The same nonce is used for every message.",
        advice="Fill it with `rand.Read` of crypto/rand for each message and send it along.",
    ),
    called(
        "guessable-random",
        _RANDOM,
        _random,
        message="Random numbers that can be foreseen are used.",
        advice="Use `crypto/rand` (`rand.Text`, `rand.Read`, `rand.Int`) for whatever must not be guessed.",
    ),
    called(
        "short-key",
        ("crypto/rsa.GenerateKey", "crypto/rsa.GenerateMultiPrimeKey"),
        _key_size,
        message="The key is too short for its algorithm.",
        advice="Use at least 3072 bits for RSA, or Ed25519.",
    ),
    called(
        "cheap-password-hash",
        ("*bcrypt.GenerateFromPassword",),
        _cost,
        message="A password is hashed with so little work that it can be guessed.",
        advice="Use `bcrypt.DefaultCost` or more.",
    ),
    called(
        "few-iterations",
        ("*pbkdf2.Key",),
        _rounds,
        message="A key is derived with so few rounds that the password can be guessed.",
        advice="Use at least 600000 rounds of PBKDF2 with SHA-256.",
    ),
    looked(
        "tls-unverified",
        ("InsecureSkipVerify",),
        _unverified,
        message="The certificate of the other side is not checked.",
        advice="Remove `InsecureSkipVerify`; give a private authority as `RootCAs`.",
    ),
    looked(
        "old-tls",
        ("MinVersion", "MaxVersion"),
        _old_tls,
        message="A version of TLS that no longer resists attack is allowed.",
        advice="Set `MinVersion: tls.VersionTLS12` or higher.",
    ),
    looked(
        "weak-tls-suites",
        ("CipherSuites",),
        _weak_suites,
        message="A suite of TLS that no longer resists attack is allowed.",
        advice="Leave `CipherSuites` out; the default holds only what is good.",
    ),
    called(
        "host-key-any",
        ("*ssh.InsecureIgnoreHostKey",),
        _always,
        message="Any host key is accepted.",
        advice="Use `knownhosts.New` or `ssh.FixedHostKey`.",
    ),
    looked(
        "host-key-callback",
        ("HostKeyCallback",),
        _own_host_key,
        message="Any host key is accepted.",
        advice="Use `knownhosts.New` or `ssh.FixedHostKey`.",
    ),
    looked(
        "jwt-unsigned",
        ("UnsafeAllowNoneSignatureType", "SigningMethodNone"),
        _no_signature,
        message="Tokens without a signature are accepted or made.",
        advice="Sign with a key, and name the expected method in `jwt.WithValidMethods`.",
    ),
    called(
        "jwt-unverified",
        ("*.ParseUnverified", "*.UnsafeClaimsWithoutVerification", "*jwt.ParseInsecure"),
        _unverified_token,
        message="A token is read without checking its signature.",
        advice="Call `ParseWithClaims` with the key and `jwt.WithValidMethods`, and use what it returns.",
    ),
)
