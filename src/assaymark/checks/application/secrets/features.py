"""What the model sees of a candidate: numbers about its value, its key and its line. Pure; one list per candidate, names in `NAMES`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from assaymark.checks.application.secrets.candidates import Candidate
from assaymark.checks.application.secrets.placeholders import is_sequence, is_uuid
from assaymark.checks.application.secrets.validation import entropy

ALPHABET = 96
"""Printable ASCII in 95 classes, everything else in one."""

_WORDS = ("password", "pass", "pwd", "secret", "token", "key", "auth", "salt", "nonce", "credential", "bearer")
_META = re.compile(
    r"(?i)(?:name|type|url|uri|file|path|dir|id|ids|len|length|size|count|field|label|text|hint|expir\w*|ttl|class|format|regex|pattern|header|param\w*|prompt|"
    r"message|msg|error|title|placeholder|policy|rule\w*|reset|change\w*|confirm\w*|valid\w*|column|attr\w*|prefix|suffix|version|algo\w*|method|mode|env|var|ref|"
    r"provider|store|manager|service|endpoint|scope|required|enabled|strength|min|max|index|code|selector|input|form|view|page|link|template|helper|util\w*)s?$"
)
_HEX = re.compile(r"^(?:0x)?[0-9a-fA-F]+$")
_BASE64 = re.compile(r"^[0-9A-Za-z+/_-]+={0,2}$")
_SNAKE = re.compile(r"^[a-z][a-z0-9]*(?:[_-][a-z0-9]+)+$")
_CONSTANT = re.compile(r"^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$")
_CAMEL = re.compile(r"^[a-z]+(?:[A-Z][a-z0-9]+)+$|^(?:[A-Z][a-z0-9]+){2,}$")
_DOTTED = re.compile(r"^[A-Za-z_$][\w$]*(?:(?:\.|::|->)[A-Za-z_$][\w$]*)+$")
_KEYISH = re.compile(r"(?i)pass|pwd|secret|token|key|auth|cred|user|login")
_STAND_IN = re.compile(
    r"(?i)example|test|your|change|dummy|fake|sample|foo|bar|xxx|todo|none|null|default|placeholder|mock|demo|invalid|wrong|abc|123|some|temp|random"
)
_TEST_LINE = re.compile(r"(?i)assert|expect|should|mock|test|spec\b|fixture|example|fake|dummy|stub|sample|demo")
_PROSE = re.compile(r"(?i)label|message|error|please|enter|invalid|must|cannot|the |is |your |forgot|required|translate|_\(|gettext|t\(")
_COMMENT = re.compile(r"^\s*(?:#|//|/\*|\*|--|;|<!--|\"\"\"|%)")

NAMES: tuple[str, ...] = (
    *(f"word-{word}" for word in _WORDS),
    *("key-meta", "key-length", "key-upper", "key-words", "key-bare"),
    *("sep-assign", "sep-colon", "sep-arrow", "sep-compare", "sep-argument", "sep-tag", "sep-option", "quoted", "called", "quote-double"),
    *("length", "log-length", "entropy", "entropy-share", "rarity", "rarity-worst", "unique-share", "longest-run"),
    *("upper", "lower", "digit", "special", "classes", "switches", "digits-inside", "letters-only"),
    *("hex", "hex-usual", "base64", "base64-padded", "uuid", "snake", "constant", "camel", "dotted", "capitalised"),
    *(
        "holds-key-word",
        "is-key",
        "stand-in",
        "sequence",
        "spaces",
        "slashes",
        "dots",
        "template",
        "escape",
        "url",
        "sentence-end",
        "at-sign",
    ),
    *("line-length", "line-quotes", "line-comment", "line-test", "line-prose", "value-share", "words-after"),
    *("group-code", "group-config", "group-text"),
)


def vector(candidate: Candidate, group: str, bigrams: bytes) -> list[float]:
    """The candidate's features in the order of `NAMES`."""
    value, line = candidate.value, candidate.line
    numbers = [
        *_of_key(candidate),
        *_of_link(candidate),
        *_of_randomness(value, bigrams),
        *_of_classes(value),
        *_of_shape(value),
        *_of_meaning(candidate),
        float(len(line)),
        float(line.count('"') + line.count("'")),
        float(bool(_COMMENT.match(line))),
        float(bool(_TEST_LINE.search(line, 0, candidate.start))),
        float(bool(_PROSE.search(line))),
        len(value) / max(1, len(line)),
        float(min(10, candidate.words_after)),
    ]
    numbers.extend(float(group == name) for name in ("code", "config", "text"))
    return numbers


def _of_key(candidate: Candidate) -> list[float]:
    key = candidate.key
    lowered = candidate.word
    tail = key.lower().rpartition(lowered)[2]
    return [
        *(float(word in lowered) for word in _WORDS),
        float(bool(tail) and bool(_META.search(tail))),
        float(len(key)),
        float(key.isupper()),
        float(len(re.findall(r"[_.\-]|(?<=[a-z])[A-Z]", key))),
        float(key.lower() == lowered),
    ]


def _of_link(candidate: Candidate) -> list[float]:
    sep = candidate.separator
    kinds = ({"=", ":=", "?=", "||="}, {":"}, {"=>", "->"}, {"==", "===", "!=", "!=="}, {",", "("}, {">"}, {" "})
    return [
        *(float(sep in kind) for kind in kinds),
        float(bool(candidate.quote)),
        float(bool(candidate.call)),
        float(candidate.quote == '"'),
    ]


def _of_randomness(value: str, bigrams: bytes) -> list[float]:
    bits = entropy(value)
    rare = rarities(value, bigrams)
    return [
        float(len(value)),
        math.log2(len(value) + 1),
        bits,
        bits / max(1.0, math.log2(len(value) + 1)),
        sum(rare) / max(1, len(rare)),
        max(rare, default=0.0),
        len(set(value)) / max(1, len(value)),
        float(_longest_run(value)),
    ]


def rarities(value: str, bigrams: bytes) -> list[float]:
    """How unusual each pair of neighbours is in ordinary text, in sixteenths of a bit."""
    classes = [ord(c) - 32 if 32 <= ord(c) < 127 else 95 for c in value[:128]]
    return [float(bigrams[a * ALPHABET + b]) for a, b in pairwise(classes)]


def _longest_run(value: str) -> int:
    best = run = 1
    for before, after in pairwise(value):
        run = run + 1 if before == after else 1
        best = max(best, run)
    return best


def _of_classes(value: str) -> list[float]:
    size = max(1, len(value))
    upper = sum(c.isupper() for c in value)
    lower = sum(c.islower() for c in value)
    digit = sum(c.isdigit() for c in value)
    special = size - upper - lower - digit
    kinds = ["u" if c.isupper() else "l" if c.islower() else "d" if c.isdigit() else "s" for c in value]
    switches = sum(a != b for a, b in pairwise(kinds))
    inner = any(c.isdigit() for c in value[1:-2])
    present = float(bool(upper)) + float(bool(lower)) + float(bool(digit)) + float(special > 0)
    return [upper / size, lower / size, digit / size, special / size, present, switches / size, float(inner), float(value.isalpha())]


def _of_shape(value: str) -> list[float]:
    is_hex = bool(_HEX.match(value))
    base64 = bool(_BASE64.match(value))
    return [
        float(is_hex),
        float(is_hex and len(value) in (32, 40, 48, 56, 64, 96, 128)),
        float(base64),
        float(base64 and value.endswith("=")),
        float(is_uuid(value)),
        float(bool(_SNAKE.match(value))),
        float(bool(_CONSTANT.match(value))),
        float(bool(_CAMEL.match(value))),
        float(bool(_DOTTED.match(value))),
        float(value[:1].isupper() and value[1:].islower()),
    ]


def _of_meaning(candidate: Candidate) -> list[float]:
    value = candidate.value
    plain = re.sub(r"[^a-z]", "", value.lower())
    return [
        float(bool(_KEYISH.search(value))),
        float(plain == re.sub(r"[^a-z]", "", candidate.key.lower())),
        float(bool(_STAND_IN.search(value))),
        float(is_sequence(value)),
        float(value.count(" ")),
        float(value.count("/")),
        float(value.count(".")),
        float(any(c in value for c in "${}<>%")),
        float("\\" in value),
        float("://" in value),
        float(value.endswith((".", "!", "?", ":", "..."))),
        float("@" in value),
    ]


def text_of(names: Sequence[str], numbers: Sequence[float]) -> str:
    """Features that are not zero, for the note of a person who asks why; none of them shows the value."""
    return ", ".join(f"{name}={number:g}" for name, number in zip(names, numbers, strict=True) if number)
