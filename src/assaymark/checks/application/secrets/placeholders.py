"""Values that are no secret by their shape alone: variables, templates, words that stand for “put yours here”, public numbers.

Only what is certain is refused here; what merely looks harmless is weighed by the model.
"""

from __future__ import annotations

import re

_TEMPLATE = re.compile(
    r"\$\{[^}]*\}?|\$\(|\{\{|\}\}|<%|%>|%\([\w.]+\)[sd]|\$\{\{|#\{|@\{|%\{|\[\[[^\]]*\]\]|__[A-Z][A-Z0-9_]*__"
    r"|^\$[A-Za-z_]\w*$|^\$env:\w+$|^%[A-Za-z_]\w*%$|^@[A-Z_]+@$|^<[^<>]{0,80}>?$|^\{[\w.:!\- ]{0,60}\}$|^%[-+#0]?[0-9.]*[a-zA-Z]$|^:[a-z_]+$"  # noqa: E501
    r"|^\{[0-9]*\}|\{[a-zA-Z_][\w.]*\}"
)
_STAND_IN = re.compile(
    r"(?i)^(?:(?:your|insert|enter|put|add|replace|change)[-_ .].*(?:here|me|this|key|token|secret|password|pass|value|it)[-_.!]*|your[a-z]*(?:key|token|secret|password)(?:here)?"  # noqa: E501
    r"|change[-_ ]?(?:me|it|this|d)?|(?:x|\*|\.|#|-|_|0|\?|=|~|/){3,}|x+[-_.x]*|(?:none|null|nil|undefined|true|false|yes|no|on|off|auto|default|empty|unset|unknown"  # noqa: E501
    r"|optional|required|string|str|bytes|int|integer|bool|boolean|float|number|object|array|list|dict|any|void|char|text|todo|tbd|n/?a|example|placeholder|redacted"
    r"|masked|hidden|removed|deleted|censored|dummy|foobar|foo|bar|baz|qux|blah|asdf|qwerty|test|testing|tester|value|values|self|this|function|return|async|await|throw|raise|new|die|exit)"
    r"|.*(?:redacted|placeholder|change[-_]?me|your[-_]|example[-_]?(?:key|token|secret|password)|dummy[-_]|replace[-_](?:me|this|with)).*)$"
)
_ALGORITHM = re.compile(
    r"(?i)^(?:argon2(?:id|i|d)?|[bs]crypt|pbkdf2(?:[-_]?(?:hmac[-_]?)?sha-?\d+)?|(?:hmac[-_]?)?(?:sha-?[123]?[-_]?\d{0,3}|md[245])|[hrpe]s(?:256|384|512)|eddsa|ed25519"
    r"|(?:x?chacha20(?:[-_]?poly1305)?|aes(?:[-_]?\d{3})?(?:[-_]?(?:gcm|cbc|ctr|ecb))?)|rsa(?:[-_]?\d{4})?(?:[-_]oaep)?|ecdsa|scram[-_]sha[-_]?\d{1,3}(?:[-_]plus)?|cram[-_]md5|plaintext|digest|basic|bearer)"
    r"[.,;:)]?$"
)
_ELLIPSIS = re.compile(r"^(?:\u2026|\xe2\x80\xa6)|(?:\u2026|\xe2\x80\xa6|(?<!\.)\.{3})$")
"""Three dots or their character (also as the bytes of its UTF-8): somebody left something out."""
_RUNS = re.compile(r"(.)\1{4,}")
_UUID = re.compile(r"(?i)^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$")
_PUBLIC = re.compile(
    r"^(?:sha(?:1|224|256|384|512)[-:=]|md5[-:]|urn:|arn:|data:|vault:|secretref:|op://|ssm://|kms:|projects/|encrypted:|ENC\[|AgA)|^ssh-(?:rsa|ed25519|dss) "  # noqa: E501
)
_NUMBER = re.compile(r"^[-+]?[0-9]{1,8}(?:\.[0-9]+)?$|^[0-9.]+(?:ms|s|m|h|d|px|em|rem|%|kb|mb|gb)?$")
_ASCENDING = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop")


def is_placeholder(value: str) -> bool:
    """True when the value stands for another one, or for none."""
    return bool(_TEMPLATE.search(value) or _STAND_IN.match(value) or _ALGORITHM.match(value) or _ELLIPSIS.search(value) or _is_run(value))


def _is_run(value: str) -> bool:
    if len(set(value)) <= 2:
        return True
    found = _RUNS.search(value)
    return bool(found) and len(value) <= 40 and len(set(value)) <= max(4, len(value) // 4)


def is_public(value: str) -> bool:
    """True for digests with their algorithm's name, references into a secret store, public keys and plain numbers."""
    return bool(_PUBLIC.match(value) or _NUMBER.match(value))


def is_uuid(value: str) -> bool:
    return bool(_UUID.match(value))


def is_sequence(value: str) -> bool:
    """True when most of the value is a run along the alphabet, the digits or the keyboard."""
    lowered = value.lower()
    return any(row[start : start + 6] in lowered for row in _ASCENDING for start in range(len(row) - 5))
