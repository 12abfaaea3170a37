"""Hashes, ciphers, random numbers, TLS, tokens, host keys, permissions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.java.looks import empty_or_true, method_text, statement_of
from assaymark.checks.application.patterns.rules import LEAST, LESS, SURE, Hit, Place, Rule, argument, called, looked, text_of
from assaymark.checks.application.patterns.shapes import Called, Gathered

_WEAK_HASH = re.compile(r"MD[245]|SHA-?1|SHA|RIPEMD\d*", re.IGNORECASE)
_SECRET_USE = re.compile(r"pass(?:word|wd|phrase)?\b|passw|pwd|secret|token|signature|\bsign|credential|otp\b|auth", re.IGNORECASE)
_RANDOM_USE = re.compile(
    r"token|secret|passw|pwd|otp\b|nonce|salt|csrf|xsrf|api_?key|session_?id|rememberme|cookie|\biv\b|private_?key|captcha|pin\b",
    re.IGNORECASE,
)
_WEAK_CIPHER = re.compile(r"(?:DES|DESede|TripleDES|RC2|RC4|ARCFOUR|Blowfish|IDEA|CAST5?)(?:[/-].*)?|[\w-]+/ECB/.*|AES", re.IGNORECASE)
_WEAK_KEYS = re.compile(r"(?:DES|DESede|RC2|RC4|ARCFOUR|Blowfish)", re.IGNORECASE)
_OLD_TLS = re.compile(r"SSLv?2?3?|SSLv2Hello|TLSv1|TLSv1\.1", re.IGNORECASE)
_TRUST_METHODS = frozenset({"checkServerTrusted", "checkClientTrusted"})


def _hash(place: Place, call: Called) -> bool | int | None:
    name = argument(place, 0)
    if name is None or not _WEAK_HASH.fullmatch(name):
        return None
    return SURE if _SECRET_USE.search(statement_of(place, call.node)) else LESS


def _hash_library(place: Place, call: Called) -> bool | int | None:
    return SURE if _SECRET_USE.search(statement_of(place, call.node)) else LESS


def _cipher(place: Place, call: Called) -> bool | int | None:
    del call
    name = argument(place, 0)
    if name is None or not _WEAK_CIPHER.fullmatch(name):
        return None
    return None if re.match(r"(?:RSA|ECIES|ElGamal)", name, re.IGNORECASE) else SURE


def _key_kind(place: Place, call: Called) -> bool | int | None:
    del call
    name = argument(place, 0)
    return SURE if name is not None and _WEAK_KEYS.fullmatch(name) else None


def _padding(place: Place, call: Called) -> bool | int | None:
    del call
    return SURE if re.fullmatch(r"RSA/\w+/NoPadding", argument(place, 0) or "", re.IGNORECASE) else None


def _constant_iv(place: Place, call: Called) -> bool | int | None:
    if not call.args or re.search(r"SecureRandom|nextBytes|DECRYPT_MODE|arraycopy|copyOf|\.get\(", method_text(place, call.node)):
        return None
    shape = place.flow.resolved(call.args[-1] if call.name == "GCMParameterSpec" else call.args[0])
    if isinstance(shape, Gathered):
        return SURE if shape.parts else LESS
    if isinstance(shape, Called):
        receiver = shape.receiver
        return SURE if shape.name == "getBytes" and receiver is not None and text_of(place, receiver) is not None else None
    written = place.speech.text.of(call.args[0])
    return LESS if re.fullmatch(r"new\s+byte\s*\[[^\]]*\]", written) else None


def _random(place: Place, call: Called) -> bool | int | None:
    """Guessable numbers; sure where a name tells that they are a secret."""
    text = statement_of(place, call.node)
    around_it = method_text(place, call.node)[:4_000] if call.makes else text
    return SURE if _RANDOM_USE.search(text) or (call.makes and _RANDOM_USE.search(around_it)) else LEAST


def _seeded(place: Place, call: Called) -> bool | int | None:
    if not call.args:
        return None
    value = place.flow.value(call.args[0])
    written = place.speech.text.of(call.args[0])
    return SURE if value.text is not None or "currentTimeMillis" in written or "nanoTime" in written else None


def _key_size(place: Place, call: Called) -> bool | int | None:
    text = argument(place, 0)
    if text is None or not text.isdigit():
        return None
    body = method_text(place, call.node)
    kind = re.search(r"Key(?:Pair)?Generator\.getInstance\(\s*\"(\w+)\"", body)
    least = (
        2_048
        if kind and kind[1].upper() in ("RSA", "DSA", "DH", "DIFFIEHELLMAN")
        else 224
        if kind and kind[1].upper().startswith("EC")
        else 128
    )
    return SURE if kind and int(text) < least and kind[1].upper() not in ("DES", "DESEDE") else None


def _trust_all(place: Place) -> Iterator[Hit]:
    method = place.leaf.parent
    if method is None or method.type != "method_declaration" or method.child_by_field_name("name") != place.leaf:
        return
    body = method.child_by_field_name("body")
    if body is not None and empty_or_true(place.speech.text.of(body)):
        yield Hit(method)


def _any_host(place: Place) -> Iterator[Hit]:
    """``verify`` of a HostnameVerifier that always says yes."""
    method = place.leaf.parent
    if method is None or method.type != "method_declaration" or method.child_by_field_name("name") != place.leaf:
        return
    body, parameters = method.child_by_field_name("body"), method.child_by_field_name("parameters")
    if body is None or parameters is None or "SSLSession" not in place.speech.text.of(parameters):
        return
    if empty_or_true(place.speech.text.of(body)):
        yield Hit(method)


def _yes_lambda(place: Place, call: Called) -> bool | int | None:
    for arg in call.args:
        if arg.type == "lambda_expression":
            body = arg.child_by_field_name("body")
            written = place.speech.text.of(body) if body is not None else ""
            if written == "true" or empty_or_true(written):
                return SURE
        elif re.search(r"Noop|ALLOW_ALL|AllowAll|TrustAll|TrustSelfSigned|INSTANCE_ALL|NullHostname", place.speech.text.of(arg)):
            return SURE
    return None


def _always(place: Place, call: Called) -> bool | int | None:
    del place, call
    return SURE


def _old_tls(place: Place, call: Called) -> bool | int | None:
    names = [text_of(place, arg) for arg in call.args]
    for arg in call.args:
        shape = place.flow.resolved(arg)
        names += [text_of(place, part) for part in shape.parts] if isinstance(shape, Gathered) else []
    wrong = [name for name in names if name is not None and _OLD_TLS.fullmatch(name)]
    return (LESS if wrong[0] == "SSL" else SURE) if wrong else None


def _jwt_unsigned(place: Place, call: Called) -> bool | int | None:
    """``parse`` of jjwt also takes tokens without a signature."""
    del place
    if call.name not in ("parse", "unsecured"):
        return SURE
    return SURE if re.search(r"Jwts|JwtParser", call.path) else None


def _host_keys(place: Place, call: Called) -> bool | int | None:
    texts = [text_of(place, arg) for arg in call.args[:2]]
    return SURE if len(texts) == 2 and texts[0] == "StrictHostKeyChecking" and texts[1] == "no" else None


def _open_file(place: Place, call: Called) -> bool | int | None:
    if statement_of(place, call.node).lstrip().partition(" ")[2].lstrip().startswith("assert"):
        return None
    if call.name == "fromString":
        text = argument(place, 0)
        return SURE if text is not None and re.fullmatch(r"[rwx-]{7}w.", text) else None
    return SURE if len(call.args) == 2 and argument(place, 0) == "true" and argument(place, 1) == "false" else None


def _iterations(place: Place, call: Called) -> bool | int | None:
    del call
    text = argument(place, 2)
    return SURE if text is not None and text.isdigit() and int(text) < 10_000 else None


RULES: tuple[Rule, ...] = (
    called(
        "weak-hash",
        ("MessageDigest.getInstance", "Mac.getInstance"),
        _hash,
        message="A hash that no longer resists attack is used.",
        advice="Use SHA-256 or SHA-3; for passwords Argon2, scrypt or bcrypt.",
    ),
    called(
        "weak-hash-library",
        (
            "DigestUtils.md5",
            "DigestUtils.md5Hex",
            "DigestUtils.md5DigestAsHex",
            "DigestUtils.sha1",
            "DigestUtils.sha1Hex",
            "DigestUtils.sha",
            "DigestUtils.shaHex",
            "DigestUtils.getMd5Digest",
            "DigestUtils.getSha1Digest",
            "Hashing.md5",
            "Hashing.sha1",
            "new Md5PasswordEncoder",
            "new ShaPasswordEncoder",
            "new MessageDigestPasswordEncoder",
        ),
        _hash_library,
        message="A hash that no longer resists attack is used.",
        advice="Use SHA-256 or SHA-3; for passwords Argon2, scrypt or bcrypt.",
    ),
    called(
        "plain-passwords",
        ("NoOpPasswordEncoder.getInstance", "new NoOpPasswordEncoder", "new PlaintextPasswordEncoder", "*.withDefaultPasswordEncoder"),
        _always,
        message="Passwords are kept as they are.",
        advice="Use `PasswordEncoderFactories.createDelegatingPasswordEncoder()`.",
    ),
    called(
        "few-iterations",
        ("new PBEKeySpec", "new PBEParameterSpec"),
        _iterations,
        message="A key is derived with so few rounds that the password can be guessed.",
        advice="Use at least 600000 rounds of PBKDF2WithHmacSHA256.",
    ),
    called(
        "weak-cipher",
        ("Cipher.getInstance",),
        _cipher,
        message="A cipher or mode that no longer resists attack is used.",
        advice="Use `AES/GCM/NoPadding` with a random nonce for each message.",
    ),
    called(
        "weak-cipher-key",
        ("KeyGenerator.getInstance", "SecretKeyFactory.getInstance", "new DESKeySpec", "new DESedeKeySpec"),
        lambda place, call: SURE if call.makes else _key_kind(place, call),
        message="A key for a cipher that no longer resists attack is made.",
        advice="Make keys for AES with 256 bits.",
    ),
    called(
        "no-padding",
        ("Cipher.getInstance",),
        _padding,
        message="RSA is used without padding.",
        advice="Use `RSA/ECB/OAEPWithSHA-256AndMGF1Padding`.",
    ),
    called(
        "constant-iv",
        ("new IvParameterSpec", "new GCMParameterSpec"),
        _constant_iv,
        message="The same initialisation vector is used for every message.",
        advice="Fill it with SecureRandom for each message and send it along.",
    ),
    called(
        "guessable-random",
        (
            "new Random",
            "Math.random",
            *(f"RandomStringUtils.random{kind}" for kind in ("", "Alphanumeric", "Alphabetic", "Numeric", "Ascii")),
            "ThreadLocalRandom.current",
        ),
        _random,
        message="Random numbers that can be foreseen are used.",
        advice="Use `java.security.SecureRandom` for whatever must not be guessed.",
    ),
    called(
        "seeded-random",
        ("SecureRandom.setSeed", "new SecureRandom"),
        _seeded,
        message="A source of random numbers is given a seed that can be foreseen.",
        advice="Leave the seed out; SecureRandom seeds itself.",
    ),
    called(
        "short-key",
        ("*.initialize", "KeyGenerator*.init", "*.getInstance().init"),
        _key_size,
        message="The key is too short for its algorithm.",
        advice="Use at least 3072 bits for RSA, 256 for AES, or an elliptic curve.",
    ),
    looked(
        "trust-all",
        tuple(sorted(_TRUST_METHODS)),
        _trust_all,
        message="Every certificate is accepted.",
        advice="Remove the trust manager; put a private authority into a key store of its own.",
    ),
    looked(
        "any-host",
        ("verify",),
        _any_host,
        message="The name in the certificate is not checked.",
        advice="Remove the verifier; the default one compares the names.",
    ),
    called(
        "verifier-off",
        ("*.setHostnameVerifier", "*.setDefaultHostnameVerifier", "*.hostnameVerifier", "*.setSSLHostnameVerifier", "*.loadTrustMaterial"),
        _yes_lambda,
        message="Certificates or their names are not checked.",
        advice="Leave the verifier out; put a private authority into a key store of its own.",
    ),
    called(
        "verifier-library",
        ("new NoopHostnameVerifier", "new AllowAllHostnameVerifier", "new TrustAllStrategy", "new NullHostnameVerifier"),
        _always,
        message="Certificates or their names are not checked.",
        advice="Leave it out; the default compares the names.",
    ),
    called(
        "old-tls",
        ("SSLContext.getInstance", "*.setEnabledProtocols", "*.setProtocols"),
        _old_tls,
        message="A version of TLS that no longer resists attack is allowed.",
        advice="Use `TLSv1.3` or `TLSv1.2`.",
    ),
    called(
        "jwt-unsigned",
        ("*.parse", "*.unsecured", "Algorithm.none", "*.setSkipSignatureVerification", "*.setDisableRequireSignature"),
        _jwt_unsigned,
        message="Tokens without a signature are accepted or made.",
        advice="Use `parseSignedClaims` (or `require(Algorithm…)`) with the key, and take the claims from its result.",
    ),
    called(
        "jwt-decoded",
        ("JWT.decode", "SignedJWT.parse", "JWTParser.parse"),
        lambda place, _call: LEAST if b"verif" in place.speech.text.content else LESS,
        message="A token is read without checking its signature.",
        advice="Verify it (`JWT.require(algorithm).build().verify(token)`) and use what that returns.",
    ),
    called(
        "host-key-any",
        ("*.setConfig", "*.put"),
        _host_keys,
        message="Any host key is accepted.",
        advice="Give the file of known hosts and leave StrictHostKeyChecking at `yes`.",
    ),
    called(
        "host-key-library",
        ("new PromiscuousVerifier", "new AcceptAllServerKeyVerifier"),
        _always,
        message="Any host key is accepted.",
        advice="Load the known hosts.",
    ),
    called(
        "open-file",
        ("*.setWritable", "PosixFilePermissions.fromString"),
        _open_file,
        message="A file is made writable for everybody.",
        advice="Give write permission to the owner only.",
    ),
)
