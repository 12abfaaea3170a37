"""Hashes, ciphers and random numbers."""

from __future__ import annotations

import re

from assaymark.checks.application.patterns.php.looks import always, function_text, statement_of
from assaymark.checks.application.patterns.rules import LESS, SURE, Place, Rule, argument, called, text_of
from assaymark.checks.application.patterns.shapes import Called

_PASSWORD = re.compile(r"pass(?:word|wd|phrase)|passw|pwd\b|\bpass_|\bpass\b|_pass\b|userpass|\bpin\b", re.IGNORECASE)
_SECRET = re.compile(r"passw|pwd\b|\bpass\b|_pass\b|secret|signature|\bsign\b|credential|api_?key|token", re.IGNORECASE)
_RANDOM_USE = re.compile(
    r"token|secret|passw|pwd|\bpass\b|otp\b|nonce|salt|csrf|xsrf|api_?key|session_?id|remember|cookie|\biv\b|private_?key|captcha"
    r"|activation_?(?:key|code)|reset_?(?:key|code)|verification_?code|coupon|voucher",
    re.IGNORECASE,
)
_WEAK_HASH = re.compile(r"md[245]|sha-?1|ripemd\d*|crc32b?|adler32|fnv\w*|joaat", re.IGNORECASE)
_WEAK_CIPHER = re.compile(r"(?:des|rc2|rc4|bf|blowfish|cast5?|idea|seed)(?:[-\d].*)?|.*-ecb", re.IGNORECASE)
_GUESSABLE = frozenset({"rand", "mt_rand", "uniqid", "lcg_value", "str_shuffle", "array_rand", "shuffle"})
_OLD_SALT = re.compile(r"\$1\$.*|[./0-9A-Za-z]{2}")
_FILE = re.compile(r"(?:file|path|url|cache|etag|filename|gravatar|email|mail)\b", re.IGNORECASE)


def _digest(place: Place, call: Called) -> bool | int | None:
    """``md5($password)``: only where a name says that it is about a password or another secret."""
    if call.receiver is not None or not call.args or text_of(place, call.args[0]) is not None:
        return None
    if any(name in ("md5", "sha1") for name in _around(place, call)):
        return None
    given = place.speech.text.of(call.args[0])
    if re.search(r"uniqid|\brand\b|mt_rand|random|microtime|time\(\)", given):
        return None
    if _PASSWORD.search(given) or _PASSWORD.search(_left(place, call)):
        return SURE
    return LESS if _SECRET.search(given) and not _FILE.search(given) else None


def _around(place: Place, call: Called) -> list[str]:
    """The functions in whose arguments a call stands: of ``md5(md5($x))`` the outer one is told."""
    found: list[str] = []
    node = call.node.parent
    for _ in range(8):
        if node is None or node.type.endswith("_statement"):
            break
        if node.type == "function_call_expression":
            shape = place.speech.shape(node)
            found += [shape.name] if isinstance(shape, Called) else []
        node = node.parent
    return found


def _left(place: Place, call: Called) -> str:
    """What the digest is assigned to or compared with: nearest code around the call."""
    node = call.node.parent
    for _ in range(4):
        if node is None or node.type in ("argument", "arguments", "if_statement", "echo_statement", "encapsed_string"):
            return ""
        if node.type in ("assignment_expression", "array_element_initializer"):
            return place.speech.text.of(node.named_children[0])
        node = node.parent
    return ""


def _named_hash(place: Place, call: Called) -> bool | int | None:
    name = argument(place, 0)
    if name is None or not _WEAK_HASH.fullmatch(name) or call.receiver is not None:
        return None
    if (
        name.lower().startswith(("crc", "adler", "fnv", "joaat"))
        and call.name == "hash"
        and not _PASSWORD.search(statement_of(place, call.node))
    ):
        return None
    given = " ".join(place.speech.text.of(arg) for arg in call.args[1:])
    if call.name in ("hash_hmac", "openssl_digest"):
        return LESS if name.lower().startswith("md") or _PASSWORD.search(given) else None
    return SURE if _PASSWORD.search(given) else LESS if _SECRET.search(given) else None


def _crypt(place: Place, call: Called) -> bool | int | None:
    """``crypt`` with a salt of DES or MD5, or none."""
    if call.receiver is not None:
        return None
    if len(call.args) < 2:
        return SURE if call.args else None
    salt = place.flow.value(call.args[1])
    return SURE if (salt.text is not None and _OLD_SALT.fullmatch(salt.text)) or salt.prefix.startswith("$1$") else None


def _cheap(place: Place, call: Called) -> bool | int | None:
    """``hash_pbkdf2`` with few rounds."""
    text = text_of(place, call.args[3]) if len(call.args) > 3 else None
    return SURE if text is not None and text.isdigit() and int(text) < 10_000 else None


def _cipher(place: Place, call: Called) -> bool | int | None:
    name = text_of(place, call.args[1]) if len(call.args) > 1 else None
    return SURE if name is not None and _WEAK_CIPHER.fullmatch(name) else None


def _constant_iv(place: Place, call: Called) -> bool | int | None:
    """A constant fifth argument of ``openssl_encrypt``."""
    name = text_of(place, call.args[1]) if len(call.args) > 1 else ""
    if len(call.args) < 5 or (name and name.lower().endswith("ecb")):
        return None
    return LESS if text_of(place, call.args[4]) is not None else None


def _random(place: Place, call: Called) -> bool | int | None:
    """Guessable numbers where names tell that they are a secret; of ``uniqid(mt_rand())`` the outer call is told."""
    if call.receiver is not None or _GUESSABLE.intersection(_around(place, call)):
        return None
    text = place.speech.text.outline.at(call.node.start_byte).statement[:400]
    if re.search(r"random_bytes|openssl_random|random_int", text):
        return None
    if _RANDOM_USE.search(re.sub(r"['\"][^'\"]{25,}['\"]", "", text)):
        return SURE
    body = function_text(place, call.node)
    name = next((row.name for row in place.speech.functions_around(call.node.start_byte) if row.name), "")
    return LESS if re.search(r"passw|token|secret|otp|salt", name, re.IGNORECASE) and "random_int" not in body else None


RULES: tuple[Rule, ...] = (
    called(
        "weak-password-hash",
        ("md5", "sha1"),
        _digest,
        message="A password or secret is hashed in a way that is guessed in no time.",
        advice="Use `password_hash($password, PASSWORD_DEFAULT)` and `password_verify`.",
    ),
    called(
        "weak-hash-named",
        ("hash", "hash_hmac", "openssl_digest", "hash_init"),
        _named_hash,
        message="A hash that no longer resists attack is used for a secret.",
        advice="Use `password_hash` for passwords and `hash('sha256', …)` for the rest.",
    ),
    called(
        "weak-crypt",
        ("crypt",),
        _crypt,
        message="A password is hashed by `crypt` in a way that no longer resists attack.",
        advice="Use `password_hash($password, PASSWORD_DEFAULT)` and `password_verify`.",
    ),
    called(
        "few-iterations",
        ("hash_pbkdf2", "openssl_pbkdf2"),
        _cheap,
        message="A key is derived with so few rounds that the password can be guessed.",
        advice="Use `password_hash`, or at least 600000 rounds with sha256.",
    ),
    called(
        "weak-cipher",
        ("openssl_encrypt", "openssl_decrypt", "openssl_seal"),
        _cipher,
        message="A cipher or mode that no longer resists attack is used.",
        advice="Use `aes-256-gcm` with a fresh nonce for each message, or `sodium_crypto_secretbox`.",
    ),
    called(
        "mcrypt",
        (
            "mcrypt_encrypt",
            "mcrypt_module_open",
            "mcrypt_ecb",
            "mcrypt_cbc",
            "mcrypt_cfb",
            "mcrypt_ofb",
        ),
        always,
        message="The library mcrypt is given up, and its ciphers do not notice changes.",
        advice="Use `sodium_crypto_secretbox` or `openssl_encrypt` with `aes-256-gcm`.",
    ),
    called(
        "constant-iv",
        ("openssl_encrypt",),
        _constant_iv,
        message="The same initialisation vector is used for every message.",
        advice="Make it by `random_bytes(openssl_cipher_iv_length($cipher))` for each message and send it along.",
    ),
    called(
        "guessable-random",
        sorted(_GUESSABLE),
        _random,
        message="Random numbers that can be foreseen are used for a secret.",
        advice="Use `random_bytes` or `random_int`.",
    ),
)
