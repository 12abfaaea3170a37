"""Credentials that show themselves inside one line by their surroundings: addresses, headers, command lines, card numbers."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from assaymark.checks.application.secrets.hits import Hit, Kind
from assaymark.checks.application.secrets.placeholders import is_placeholder, is_public
from assaymark.checks.application.secrets.validation import entropy, luhn
from assaymark.checks.settings import Secret
from assaymark.model.severity import Confidence, Severity

URL = Kind("url-credential", "credential-in-url", "An address carries a password.", Severity.HIGH, 4)
HEADER = Kind("authorization-header", "hardcoded-credential", "An Authorization header carries a credential.", Severity.HIGH, 4)
OPTION = Kind("command-line-password", "hardcoded-credential", "A password stands on a command line.", Severity.HIGH, 5)
CARD = Kind(
    "payment-card",
    "payment-card-number",
    "A payment card number stands in the content.",
    Severity.HIGH,
    7,
    advice="Remove it; use a test number that the payment provider publishes.",
)

_URL = re.compile(
    r"(?i)\b(?P<scheme>[a-z][a-z0-9+.\-]{1,20})://(?P<user>[^\s/\"'@:<>]{0,64}):(?P<secret>[^\s/\"'@<>]{2,128})@(?P<host>[^\s/\"':?#<>)\\]{0,128})"
)
_LOCAL_HOST = re.compile(
    r"(?i)^(?:localhost|127\.|0\.0\.0\.0|\[::1\]|%s|.*\.?(?:example\.(?:com|org|net)|example|test|invalid|local)$|host$|hostname$|server$|\.\.\.|your)"
)
_WEAK_PASSWORD = re.compile(
    r"(?i)^(?:pass(?:word|wd)?|pwd|secret|user|admin|root|guest|postgres|mysql|mongo|redis|rabbitmq|test|demo|foo|bar|baz|token|key|xxx+|abc|123\w{0,5}|pw)\d{0,3}!?$"
)
_STAND_IN_USER = re.compile(
    r"(?i)^(?:user(?:name|_?id)?|login|me|you|name|account|x|xxx+|foo|bar|id|someone|somebody|usr|u|my-?user|your.*)?$"
)
_STAND_IN_PASSWORD = re.compile(
    r"(?i)^(?:my|your|the|some|db|user)?[-_]?(?:pass(?:word|wd|phrase)?|pwd|pw|secret|token|passwort|credentials?|(?:api|access|private|secret)[-_]?(?:key|token))$"
)
_HEADER = re.compile(
    r"(?i)(?:authorization[\"'`\])]{0,3}[ \t]{0,4}[:=,][ \t\"'`(]{0,8}|(?<=[\"'`: \t])(?=basic|bearer))(?P<scheme>basic|bearer|token|digest|apikey)[ \t]+(?P<secret>[\w+/=.~-]{8,2048})"  # noqa: E501
)
_DASH_P = re.compile(r"\b(?:mysql|mysqldump|mysqladmin|mariadb|sshpass)\b.{0,120}? -p[\"']?(?P<secret>[^\s\"']{3,128})")
_CURL = re.compile(r"\bcurl\b.{0,200}? (?:-u|--user)[ =]?[\"']?[^\s:\"']{1,64}:(?P<secret>[^\s\"']{3,128})")
_CARD = re.compile(r"(?<![0-9A-Za-z.\-])[3-6][0-9]{3}(?P<gap>[ -]?)[0-9]{4,6}(?P=gap)[0-9]{4,5}(?:(?P=gap)[0-9]{3,4})?(?![0-9A-Za-z.\-])")
_CARD_WORD = re.compile(r"(?i)card|visa|master|amex|payment|\bpan\b|\bcc\b")
_TEST_CARDS = frozenset(
    """
    4111111111111111 4242424242424242 4000056655665556 5555555555554444 2223003122003222 5200828282828210 5105105105105100
    378282246310005 371449635398431 6011111111111117 6011000990139424 3056930009020004 36227206271667 3566002020360505
    4012888888881881 4222222222222 5424000000000015 4007000000027 4012000033330026 30569309025904 38520000023237
    378734493671000 3530111333300000 4000000000000002
    """.split()  # noqa: SIM905 - numbers that providers publish for tests
)
_ISSUERS = re.compile(
    r"^(?:4[0-9]{12}(?:[0-9]{3}){0,2}|5[1-5][0-9]{14}|3[47][0-9]{13}|6(?:011|5[0-9]{2})[0-9]{12}|3(?:0[0-5]|[68][0-9])[0-9]{11}|35[2-8][0-9]{13})$"
)


def find(line: str) -> Iterator[Hit]:
    """Credentials of one line (one character per byte) that no key word leads to."""
    yield from urls(line)
    yield from headers(line)
    for pattern in (_DASH_P, _CURL):
        for match in pattern.finditer(line):
            value = match.group("secret")
            if not is_placeholder(value) and not value.startswith(("$", "-", "[", "(")):
                yield _hit(OPTION, match, Confidence.LOW if _WEAK_PASSWORD.match(value) else Confidence.MEDIUM)
    yield from cards(line)


def _hit(kind: Kind, match: re.Match[str], confidence: Confidence, notes: tuple[tuple[str, str], ...] = ()) -> Hit:
    start, end = match.span("secret")
    return Hit(kind, start, end, Secret(match.group("secret").encode("latin-1")), confidence, notes)


def urls(line: str) -> Iterator[Hit]:
    """User information of addresses (RFC 3986 section 3.2.1)."""
    for match in _URL.finditer(line):
        value, user, host = match.group("secret"), match.group("user"), match.group("host")
        if is_placeholder(value) or value.startswith(("$", "%", "{", "[", "*")) or any(c in value for c in "{}()$|\\,"):
            continue
        if _STAND_IN_PASSWORD.match(value) and (_STAND_IN_USER.match(user) or value.isupper()):
            continue
        weak = bool(_WEAK_PASSWORD.match(value)) or value.lower() == user.lower()
        local = bool(_LOCAL_HOST.match(host))
        confidence = Confidence.LOW if weak else Confidence.MEDIUM if local else Confidence.HIGH
        yield _hit(URL, match, confidence, (("scheme", match.group("scheme").lower()),))


def headers(line: str) -> Iterator[Hit]:
    """Authorization headers: for Basic, what the Base64 says must be ``user:password`` (RFC 7617)."""
    for match in _HEADER.finditer(line):
        value = match.group("secret")
        if is_placeholder(value) or is_public(value):
            continue
        if match.group("scheme").lower() == "basic":
            inner = basic_password(value)
            if inner is None or is_placeholder(inner):
                continue
            yield _hit(HEADER, match, Confidence.LOW if _WEAK_PASSWORD.match(inner) else Confidence.HIGH, (("scheme", "basic"),))
        elif len(value) >= 10 and entropy(value) >= 2.8 and any(c.isdigit() for c in value):
            sure = len(value) >= 16 and entropy(value) >= 3.2
            yield _hit(HEADER, match, Confidence.MEDIUM if sure else Confidence.LOW, (("scheme", match.group("scheme").lower()),))


def basic_password(value: str) -> str | None:
    """The password inside Basic credentials, or None when they are none."""
    try:
        user, colon, password = base64.b64decode(value + "=" * (-len(value) % 4), validate=True).decode("utf-8").partition(":")
    except ValueError:  # no base64, or not of text
        return None
    return password if colon and user.isprintable() and password.isprintable() and password else None


def cards(line: str) -> Iterator[Hit]:
    """Card numbers: an issuer's range, a right check digit, no published test number; without a word beside it only low confidence."""
    for match in _CARD.finditer(line):
        digits = re.sub(r"[ -]", "", match.group())
        if digits in _TEST_CARDS or not _ISSUERS.match(digits) or not luhn(digits) or len(set(digits)) < 5:
            continue
        named = bool(_CARD_WORD.search(line))
        if not named and not match.group("gap"):
            continue
        value = Secret(digits.encode())
        yield Hit(CARD, match.start(), match.end(), value, Confidence.MEDIUM if named else Confidence.LOW, (("validated", "Luhn ok"),))
