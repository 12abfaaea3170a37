"""Settings of transport, of PHP itself and of files; tokens; comparisons that are loose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assaymark.checks.application.patterns.php.looks import always, around, function_text, is_false, is_true, pair_at, statement_of
from assaymark.checks.application.patterns.rules import LEAST, LESS, SURE, Hit, Place, Rule, argument, called, looked, text_of
from assaymark.checks.application.patterns.shapes import Called, Name

if TYPE_CHECKING:
    from tree_sitter import Node

_SWITCHES_OFF = frozenset(
    {"verify_peer", "verify_peer_name", "sslverify", "verify", "verify_host", "CURLOPT_SSL_VERIFYPEER", "CURLOPT_SSL_VERIFYHOST"}
)
_TLS_WORDS = (
    *(f"CURL_SSLVERSION_{version}" for version in ("TLSv1_0", "TLSv1_1", "SSLv2", "SSLv3")),
    *(f"STREAM_CRYPTO_METHOD_{version}_CLIENT" for version in ("SSLv2", "SSLv3", "SSLv23", "TLSv1_0", "TLSv1_1")),
)
_GIVEN = frozenset({"argument", "array_element_initializer", "assignment_expression"})
_SECRET = re.compile(r"passw|pwd|\bpass\b|_pass\b|hash|token|signature|\bhmac|secret|csrf|nonce|\bmac\b|otp\b", re.IGNORECASE)
_HIDDEN = re.compile(r"passw|pwd|\bpass\b|token|signature|secret|hmac|api_?key", re.IGNORECASE)
_WORLD = re.compile(r"0?o?[0-7]?[0-7][0-7][2367]|511")


def _verify(place: Place) -> Iterator[Hit]:
    """``CURLOPT_SSL_VERIFYPEER, false``, ``"verify" => false``, ``setOpt(CURLOPT_SSL_VERIFYHOST, 0)``."""
    word = place.speech.text.of(place.leaf)
    pair = pair_at(place)
    if pair is not None:
        if _is_off(place, word, pair[1]) and (word != "verify" or _speaks_http(place, pair[0])):
            yield Hit(pair[0])
        return
    parent = place.leaf.parent
    if parent is None or parent.type != "argument" or not word.startswith("CURLOPT"):
        return
    following = parent.next_named_sibling
    if following is not None and following.named_child_count and _is_off(place, word, following.named_children[-1]):
        hit = parent.parent.parent if parent.parent is not None else None
        if hit is not None:
            yield Hit(hit)


def _is_off(place: Place, word: str, node: Node) -> bool:
    if word == "CURLOPT_SSL_VERIFYHOST":
        return is_false(place, node) or text_of(place, node) == "1"
    return is_false(place, node)


def _speaks_http(place: Place, node: Node) -> bool:
    return bool(re.search(r"guzzle|Client|Http|curl|ssl|base_uri", function_text(place, node), re.IGNORECASE))


def _self_signed(place: Place) -> Iterator[Hit]:
    pair = pair_at(place)
    if pair is not None and is_true(place, pair[1]):
        yield Hit(pair[0], LESS)


def _old_tls(place: Place) -> Iterator[Hit]:
    around_it = place.leaf.parent
    if around_it is not None and around_it.type == "qualified_name":
        around_it = around_it.parent
    if place.leaf.type == "name" and around_it is not None and around_it.type in _GIVEN:
        written = place.speech.text.of(around(place.leaf, "expression_statement", "return_statement", levels=20) or place.leaf)
        better = re.search(r"TLSv1_[23]", written)
        if not better:
            yield Hit(place.leaf)


def _jwt(place: Place, call: Called) -> bool | int | None:
    if call.name == "decode":
        written = " ".join(place.speech.text.of(arg) for arg in call.args[1:]).lower()
        return True if re.search(r"['\"]none['\"]", written) or (len(call.args) > 2 and text_of(place, call.args[2]) == "false") else None
    if call.name == "jsonDecode":
        return LESS if "urlsafeB64Decode" in place.speech.text.of(call.node) and "verify" not in function_text(place, call.node) else None
    return True


def _compared(place: Place) -> Iterator[Hit]:
    """``md5($password) == $hash``: a hash that looks like a number equals another."""
    call = place.call
    node = call.node.parent if call is not None and call.receiver is None else None
    for _ in range(3):
        if node is not None and node.type in ("parenthesized_expression", "assignment_expression"):
            node = node.parent
    if node is None or node.type != "binary_expression" or call is None:
        return
    operator = node.child_by_field_name("operator")
    if operator is None or place.speech.text.of(operator) not in ("==", "!=", "<>"):
        return
    sides = [side for side in (node.child_by_field_name("left"), node.child_by_field_name("right")) if side is not None]
    if any(text_of(place, side) is not None for side in sides) or all(place.flow.value(arg).constant for arg in call.args):
        return
    written = place.speech.text.of(node)
    if call.name in ("hash", "hash_hmac", "md5", "sha1", "crypt") and _SECRET.search(written.replace(call.name, "")):
        yield Hit(node)


def _strcmp(place: Place, call: Called) -> bool | int | None:
    """``strcmp($_POST["password"], $password) == 0``: an array gives null, which equals 0."""
    parent = call.node.parent
    loose = parent is not None and (
        (parent.type == "binary_expression" and place.speech.text.of(parent.child_by_field_name("operator") or parent) in ("==", "!="))
        or (parent.type == "unary_op_expression" and place.speech.text.of(parent).startswith("!"))
    )
    if not loose or not _HIDDEN.search(place.speech.text.of(call.node)):
        return None
    return (
        True
        if any((place.flow.value(arg).foreign and isinstance(place.speech.shape(arg), Name)) or _direct(place, arg) for arg in call.args)
        else None
    )


def _direct(place: Place, node: Node) -> bool:
    return bool(place.speech.source(node, place.speech.shape(node)))


def _debug(place: Place, call: Called) -> bool | int | None:
    if call.name == "error_reporting":
        return None
    name = (argument(place, 0) or "").lower()
    on = len(call.args) > 1 and is_true(place, call.args[1])
    if name in ("display_errors", "display_startup_errors", "html_errors", "xdebug.remote_enable"):
        return LESS if on and name != "html_errors" else None
    if name in ("allow_url_include", "register_globals", "expose_php"):
        return True if on and name != "expose_php" else None
    return True if name in ("wp_debug", "yii_debug", "wp_debug_display") and on else None


def _information(place: Place, call: Called) -> bool | int | None:
    if any(re.search(r"INFO_(?:LICENSE|CREDITS)", place.speech.text.of(arg)) for arg in call.args) or "ob_start" in function_text(
        place, call.node
    ):
        return None
    return True


def _open_file(place: Place, call: Called) -> bool | int | None:
    if call.name == "umask":
        return LEAST if call.args and text_of(place, call.args[0]) in ("0", "00", "000", "0000") else None
    if len(call.args) < 2 or not _WORLD.fullmatch(text_of(place, call.args[1]) or ""):
        return None
    return SURE if call.name == "chmod" else LEAST


def _temporary(place: Place, call: Called) -> bool | int | None:
    """A name below ``/tmp`` that others can foresee."""
    value = place.flow.value(call.args[0]) if call.args else None
    mode = argument(place, 1) or ""
    written = call.name == "file_put_contents" or (mode[:1] in ("w", "a", "x", "c") and mode[:1] != "x")
    if value is None or not written or not re.match(r"/(?:var/)?tmp/\w", value.prefix):
        return None
    return LESS if value.text is not None and not re.search(r"tempnam|tmpfile", statement_of(place, call.node)) else None


RULES: tuple[Rule, ...] = (
    looked(
        "certificate-unchecked",
        sorted(_SWITCHES_OFF),
        _verify,
        message="The certificate of the peer is not checked.",
        advice="Leave the check on; name a private authority by `CURLOPT_CAINFO`, `cafile` or `verify => '/path/ca.pem'`.",
    ),
    called(
        "certificate-skipped",
        ("*.withoutVerifying", "Http.withoutVerifying"),
        always,
        message="The certificate of the peer is not checked.",
        advice="Leave the call out; name a private authority by `withOptions(['verify' => '/path/ca.pem'])`.",
    ),
    looked(
        "self-signed",
        ("allow_self_signed",),
        _self_signed,
        message="Certificates that anybody can make are accepted.",
        advice="Remove the setting; name the certificate's authority by `cafile`.",
    ),
    looked(
        "old-tls",
        _TLS_WORDS,
        _old_tls,
        message="A version of TLS that no longer resists attack is asked for.",
        advice="Use `CURL_SSLVERSION_TLSv1_2` or `STREAM_CRYPTO_METHOD_TLSv1_2_CLIENT` and later ones.",
    ),
    called(
        "jwt-unsigned",
        ("JWT.decode", "JWT.jsonDecode", "static.jsonDecode", "Configuration.forUnsecuredSigner", "new None", "*.unsecuredSigner"),
        _jwt,
        message="Tokens without a checked signature are accepted or made.",
        advice="Decode with the key and one algorithm: `JWT::decode($token, new Key($key, 'HS256'))`.",
    ),
    looked(
        "hash-loosely-compared",
        ("md5", "sha1", "hash", "hash_hmac", "crypt"),
        _compared,
        message="A hash is compared by `==`, for which some different texts are equal.",
        advice="Use `password_verify` for passwords and `hash_equals` for other hashes.",
    ),
    called(
        "secret-loosely-compared",
        ("strcmp", "strcasecmp", "strncmp", "strncasecmp"),
        _strcmp,
        message="A secret is compared in a way that an array in the request passes.",
        advice="Make it text and compare with `hash_equals($expected, (string) $given)`.",
    ),
    called(
        "debug-on",
        ("ini_set", "define"),
        _debug,
        message="A setting for development is switched on.",
        advice="Leave it to php.ini of the development machine; in production log errors and show none.",
    ),
    called(
        "information-page",
        ("phpinfo",),
        _information,
        message="A page tells everything about the installation.",
        advice="Remove the call; `php -i` says the same on the machine.",
    ),
    called(
        "open-file",
        ("chmod", "mkdir", "umask", "*.chmod", "*.mkdir"),
        _open_file,
        message="A file is made writable for everybody.",
        advice="Use 0640 for files and 0750 for folders.",
    ),
    called(
        "temporary-name",
        ("fopen", "file_put_contents"),
        _temporary,
        message="A file with a name that others can foresee is written to the shared temporary folder.",
        advice="Use `tempnam(sys_get_temp_dir(), 'name')` or `tmpfile()`.",
    ),
)
