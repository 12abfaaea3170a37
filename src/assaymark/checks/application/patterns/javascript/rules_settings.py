"""Settings and primitives: hashes, ciphers, random numbers, TLS, tokens, XML, debug switches."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.patterns.javascript.looks import around, entries, in_call, pair_at, purpose_of, set_property, statement_of
from assaymark.checks.application.patterns.rules import (
    LEAST,
    LESS,
    SURE,
    Hit,
    Place,
    Rule,
    argument,
    called,
    looked,
    option,
    text_of,
)
from assaymark.checks.application.patterns.shapes import Called, Gathered, Literal

_WEAK_HASH = re.compile(r"(?:rsa-)?(?:md[245]|sha-?1|sha|ripemd(?:160)?)", re.IGNORECASE)
_SECRET_USE = re.compile(r"pass(?:word|wd|phrase)?\b|passw|pwd|secret|token|signature|\bsign|credential|otp\b|auth", re.IGNORECASE)
_RANDOM_USE = re.compile(
    r"token|secret|passw|pwd|otp\b|nonce|salt|csrf|xsrf|api_?key|session_?id|sess(?:ion)?id|\biv\b|private_?key|reset_?code|verification",
    re.IGNORECASE,
)
_WEAK_CIPHER = re.compile(r"(?:des|rc2|rc4|bf|blowfish|idea|cast5?|seed)(?:[-\d].*)?|.*-ecb", re.IGNORECASE)
_OLD_TLS = re.compile(r"(?:SSLv2|SSLv3|TLSv1|TLSv1_1|TLSv1\.1|SSLv23)(?:_(?:client_|server_)?method)?", re.IGNORECASE)


def _hash(place: Place, call: Called) -> bool | int | None:
    name = argument(place, 0)
    if name is None or not _WEAK_HASH.fullmatch(name):
        return None
    return SURE if _SECRET_USE.search(statement_of(place, call.node)) else LESS


def _hash_function(place: Place, call: Called) -> bool | int | None:
    if call.path in ("md5", "sha1") and not call.args:
        return None
    return SURE if _SECRET_USE.search(statement_of(place, call.node)) else LESS


def _iterations(place: Place, call: Called) -> bool | int | None:
    """PBKDF2 and bcrypt with a number that was small ten years ago."""
    position, least = (2, 10_000) if call.name.startswith("pbkdf2") else (1, 8)
    text = argument(place, position)
    return SURE if text is not None and text.isdigit() and int(text) < least else None


def _cipher(place: Place, call: Called) -> bool | int | None:
    if call.name in ("createCipher", "createDecipher"):
        return SURE if call.path.startswith("crypto.") else None
    name = argument(place, 0)
    return SURE if name is not None and _WEAK_CIPHER.fullmatch(name) else None


def _always(place: Place, call: Called) -> bool | int | None:
    del place, call
    return SURE


def _constant_iv(place: Place, call: Called) -> bool | int | None:
    if len(call.args) < 3 or re.search("ecb", argument(place, 0) or "", re.IGNORECASE):
        return None
    written = place.flow.resolved(call.args[2])
    if isinstance(written, Literal):
        return SURE if written.text not in ("null", "undefined", "") else None
    inner = getattr(written, "path", "")
    args = getattr(written, "args", ())
    if inner in ("Buffer.from", "Buffer") and args and text_of(place, args[0]) not in (None, ""):
        return SURE
    return SURE if inner == "Buffer.alloc" and len(args) == 1 else None


def _random(place: Place, call: Called) -> bool | int | None:
    return SURE if _RANDOM_USE.search(purpose_of(place, call.node)) else None


def _key_size(place: Place, call: Called) -> bool | int | None:
    if argument(place, 0) not in ("rsa", "dsa", "rsa-pss"):
        return None
    text = text_of(place, option(place, call, 1, "modulusLength"))
    return SURE if text is not None and text.isdigit() and int(text) < 2_048 else None


def _unverified(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is not None and text_of(place, found[1]) == "false":
        yield Hit(found[0])
        return
    changed = set_property(place)
    if changed is not None and text_of(place, changed[2]) in ("false", "0"):
        yield Hit(changed[0])


def _no_identity(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is None or found[1].type not in ("arrow_function", "function_expression"):
        return
    body = place.speech.text.of(found[1])
    if re.fullmatch(
        r"(?:async\s*)?(?:function\s*\w*\s*)?\(?[\w\s,]*\)?\s*(?:=>)?\s*(?:\{\s*(?:return\s*(?:undefined|null|true)?\s*;?)?\s*\}|undefined|null|true)",
        body,
    ):
        yield Hit(found[0])


def _old_tls(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is not None and _OLD_TLS.fullmatch(text_of(place, found[1]) or ""):
        yield Hit(found[0])


def _jwt_none(place: Place, call: Called) -> bool | int | None:
    for at in (1, 2):
        listed = option(place, call, at, "algorithms")
        shape = place.flow.resolved(listed) if listed is not None else None
        names = [text_of(place, part) or "" for part in shape.parts] if isinstance(shape, Gathered) else []
        single = text_of(place, option(place, call, at, "algorithm"))
        if any(name.lower() == "none" for name in [*names, single or ""]):
            return SURE
    if call.name == "verify" and len(call.args) > 1 and text_of(place, call.args[1]) in ("", "null", "undefined", "false"):
        return SURE
    return None


def _jwt_decoded(place: Place, call: Called) -> bool | int | None:
    """Decoding alone checks nothing; where the text also verifies, decoding is usually for display."""
    if call.path.startswith("jwt-simple"):
        return SURE if argument(place, 2) == "true" else None
    if call.path.startswith("jsonwebtoken"):
        return LEAST if b".verify(" in place.speech.text.content else LESS
    return LEAST


def _expiry_ignored(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is not None and text_of(place, found[1]) == "true":
        yield Hit(found[0])


def _entities(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is not None and text_of(place, found[1]) == "true":
        yield Hit(found[0])


def _window(place: Place) -> Iterator[Hit]:
    """Windows of Electron whose pages are more than pages."""
    found = pair_at(place)
    if found is None:
        return
    wrong = {
        "nodeIntegration": "true",
        "contextIsolation": "false",
        "webSecurity": "false",
        "nodeIntegrationInSubFrames": "true",
        "allowRunningInsecureContent": "true",
    }
    if text_of(place, found[1]) == wrong[place.speech.text.of(place.leaf)] and in_call(
        place, found[0], "BrowserWindow", "BrowserView", "WebContentsView"
    ):
        yield Hit(found[0])


def _debug(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is not None and text_of(place, found[1]) == "true" and in_call(place, found[0], "errorHandler", "errorhandler"):
        yield Hit(found[0])


def _error_handler(place: Place, call: Called) -> bool | int | None:
    """The development error handler, outside of a condition."""
    del place
    condition = around(call.node, "if_statement", "program", levels=8)
    return SURE if condition is None or condition.type == "program" else None


def _host_key(place: Place) -> Iterator[Hit]:
    yield from _no_identity(place)


def _header_off(place: Place) -> Iterator[Hit]:
    found = pair_at(place)
    if found is not None and text_of(place, found[1]) == "false" and in_call(place, found[0], "helmet"):
        inside = around(found[0], "object")
        if inside is not None and entries(place, inside):
            yield Hit(found[0])


RULES: tuple[Rule, ...] = (
    called(
        "weak-hash",
        ("crypto.createHash", "crypto.createHmac"),
        _hash,
        message="A hash that no longer resists attack is used.",
        advice="Use SHA-256 or SHA-3; for passwords scrypt, argon2 or bcrypt.",
    ),
    called(
        "weak-hash-library",
        (
            "md5",
            "sha1",
            "js-md5",
            "js-sha1",
            "blueimp-md5",
            "crypto-js.MD5",
            "crypto-js.SHA1",
            "CryptoJS.MD5",
            "CryptoJS.SHA1",
            "crypto-js/md5",
            "crypto-js/sha1",
        ),
        _hash_function,
        message="A hash that no longer resists attack is used.",
        advice="Use SHA-256 or SHA-3; for passwords scrypt, argon2 or bcrypt.",
    ),
    called(
        "few-iterations",
        ("crypto.pbkdf2", "crypto.pbkdf2Sync", "bcrypt.hash", "bcrypt.hashSync", "bcryptjs.hash", "bcryptjs.hashSync"),
        _iterations,
        message="A password is hashed with so few rounds that it can be guessed.",
        advice="Use at least 600000 rounds of PBKDF2-SHA256, or bcrypt with 12.",
    ),
    called(
        "weak-cipher",
        ("crypto.createCipher", "crypto.createDecipher", "crypto.createCipheriv", "crypto.createDecipheriv"),
        _cipher,
        message="A cipher or mode that no longer resists attack is used.",
        advice="Use `createCipheriv('aes-256-gcm', key, iv)` with a random iv for each message.",
    ),
    called(
        "weak-cipher-library",
        (
            "crypto-js.DES.encrypt",
            "crypto-js.TripleDES.encrypt",
            "crypto-js.RC4.encrypt",
            "CryptoJS.DES.encrypt",
            "CryptoJS.TripleDES.encrypt",
            "CryptoJS.RC4.encrypt",
            "CryptoJS.Rabbit.encrypt",
        ),
        _always,
        message="A cipher that no longer resists attack is used.",
        advice="Use aes-256-gcm of node:crypto or of SubtleCrypto.",
    ),
    called(
        "constant-iv",
        ("crypto.createCipheriv",),
        _constant_iv,
        message="The same initialisation vector is used for every message.",
        advice="Take a new one from `crypto.randomBytes(12)` for each message and send it along.",
    ),
    called(
        "guessable-random",
        ("Math.random", "crypto.pseudoRandomBytes"),
        _random,
        message="A secret is made of random numbers that can be foreseen.",
        advice="Use `crypto.randomBytes`, `crypto.randomUUID` or `crypto.getRandomValues`.",
    ),
    called(
        "short-key",
        ("crypto.generateKeyPair", "crypto.generateKeyPairSync"),
        _key_size,
        message="The key is too short for its algorithm.",
        advice="Use at least 3072 bits for RSA, or an elliptic curve.",
    ),
    looked(
        "tls-unverified",
        ("rejectUnauthorized", "strictSSL", "NODE_TLS_REJECT_UNAUTHORIZED"),
        _unverified,
        message="The certificate of the other side is not checked.",
        advice="Remove the setting; give a private authority as `ca`.",
    ),
    looked(
        "tls-any-host",
        ("checkServerIdentity",),
        _no_identity,
        message="The name in the certificate of the other side is not checked.",
        advice="Remove the function, or return the error of `tls.checkServerIdentity`.",
    ),
    looked(
        "old-tls",
        ("secureProtocol", "minVersion", "maxVersion"),
        _old_tls,
        message="A version of TLS that no longer resists attack is allowed.",
        advice="Set `minVersion: 'TLSv1.2'` or higher.",
    ),
    looked(
        "host-key-any",
        ("hostVerifier",),
        _host_key,
        message="Any host key is accepted.",
        advice="Compare the hash of the key with the one that is known.",
    ),
    called(
        "jwt-none",
        ("jsonwebtoken.verify", "jsonwebtoken.sign", "koa-jwt", "express-jwt", "jwt.verify", "jwt.sign"),
        _jwt_none,
        message="Tokens without a signature are accepted or made.",
        advice="Name one algorithm with a signature (`algorithms: ['RS256']`) and give its key.",
    ),
    called(
        "jwt-unverified",
        ("jsonwebtoken.decode", "jwt-decode", "jwt_decode", "jwt-decode.jwtDecode", "jose.decodeJwt", "jwt-simple.decode"),
        _jwt_decoded,
        message="A token is read without checking its signature.",
        advice="Call `verify` with the key and the expected algorithm, and use what it returns.",
    ),
    looked(
        "jwt-expiry",
        ("ignoreExpiration", "ignoreNotBefore"),
        _expiry_ignored,
        message="Tokens are accepted after their end.",
        advice="Remove the setting and renew tokens instead.",
    ),
    looked(
        "xml-entities",
        ("noent", "replaceEntities", "dtdload"),
        _entities,
        message="The XML parser follows entities of the document.",
        advice="Leave `noent`, `replaceEntities` and `dtdload` out.",
    ),
    looked(
        "electron-window",
        ("nodeIntegration", "contextIsolation", "webSecurity", "nodeIntegrationInSubFrames", "allowRunningInsecureContent"),
        _window,
        message="A page in this window reaches past the page.",
        advice="Keep `contextIsolation` and `webSecurity` on and `nodeIntegration` off; offer single functions in a preload script.",
    ),
    looked(
        "error-handler-options",
        ("dumpExceptions", "showStack"),
        _debug,
        message="Errors are shown to clients with their stack.",
        advice="Use the handler in development only.",
    ),
    called(
        "error-handler",
        ("errorhandler",),
        _error_handler,
        message="The error handler of development is used unconditionally.",
        advice="Put it below `if (app.get('env') === 'development')`.",
    ),
    called(
        "directory-listing",
        ("serve-index",),
        _always,
        message="Folders of the server are listed to everybody.",
        advice="Serve named files only; leave serve-index out.",
    ),
    looked(
        "header-off",
        ("contentSecurityPolicy", "frameguard", "hsts", "noSniff"),
        _header_off,
        message="A protecting header is switched off.",
        advice="Give the header the exceptions that are needed instead of switching it off.",
    ),
)
