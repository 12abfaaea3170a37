"""Passwords and keys without a vendor's prefix: candidates, what is surely none, and the model's word on the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

from assaymark.checks.application.secrets.candidates import Candidate, candidates
from assaymark.checks.application.secrets.hits import Hit, Kind
from assaymark.checks.application.secrets.placeholders import is_placeholder, is_public, is_uuid
from assaymark.checks.application.secrets.scoring import confidence_of, probability
from assaymark.checks.settings import Secret
from assaymark.model.severity import Confidence, Severity

_RANK = 6
_ID_KEY = re.compile(
    r"(?i)(?:_|-|\b)(?:u?uid|guid|id|digest|checksum|sha\d*|md5|etag|revision|commit|fingerprint|integrity|nonce|timestamp|signature(?:[_-]?method)?)$|\.(?:svg|png|jpe?g|gif|html?|css|m?js|tsx?|vue|json|ya?ml|py|rb|go|java|php|md)$"
)


_WEAK = frozenset("password passwd pass passwort pwd secret token admin root".split())  # noqa: SIM905 - words that are set as passwords


def _kind(rule: str, message: str) -> Kind:
    return Kind(rule=rule, family="hardcoded-credential", message=message, severity=Severity.HIGH, rank=_RANK)


_KINDS = {
    "password": _kind("password", "A password stands in the content."),
    "token": _kind("token", "A token stands in the content."),
    "key": _kind("key", "A key stands in the content."),
    "secret": _kind("secret", "A secret stands in the content."),
}


def kind_of(key: str) -> Kind:
    """Which of the generic rules a key belongs to."""
    lowered = key.lower()
    if "pass" in lowered or "pwd" in lowered or lowered.endswith("pw"):
        return _KINDS["password"]
    if "token" in lowered or "bearer" in lowered or "auth" in lowered:
        return _KINDS["token"]
    if "key" in lowered:
        return _KINDS["key"]
    return _KINDS["secret"]


def is_open(candidate: Candidate) -> bool:
    """Whether the model has to be asked: the value is neither a stand-in nor something that is public by its key or shape."""
    value = candidate.value
    if len(value) < 4 or is_placeholder(value) or is_public(value) or _ID_KEY.search(candidate.key):
        return False
    if value.lower() == candidate.key.lower() and candidate.key.lower() not in _WEAK:
        return False  # "htpasswd": "htpasswd" names a thing
    if not is_uuid(value):
        return True
    return candidate.separator not in {",", "("} and any(word in candidate.word for word in ("key", "token", "secret"))


def _is_prose(candidate: Candidate) -> bool:
    """``pass: nothing got worse``: a bare word of small letters that a sentence goes on with."""
    return not candidate.quote and candidate.words_after > 0 and candidate.value.isalpha() and candidate.value.islower()


def judge(candidate: Candidate, group: str) -> Hit | None:
    """The candidate as a hit, or None when it is no credential."""
    if not is_open(candidate) or (group == "text" and _is_prose(candidate)):
        return None
    confidence = confidence_of(probability(candidate, group))
    if confidence is None:
        return None
    value = Secret(candidate.value.encode("latin-1", "replace"))
    return Hit(kind_of(candidate.key), candidate.start, candidate.end, value, confidence)


def find(line: str, group: str) -> Iterator[Hit]:
    """Credentials of one line (one character per byte)."""
    for candidate in candidates(line, group):
        hit = judge(candidate, group)
        if hit is not None:
            yield hit


def of_pair(key: str, value: str, group: str) -> tuple[Kind, Confidence] | None:
    """Judgement of a pair that a format's reader knows exactly."""
    line = f'{key}: "{value}"'
    start = len(key) + 3
    for found in candidates(f"{key}: xxxx", "config"):
        candidate = Candidate(found.key, found.word, ":", '"', "", start, start + len(value), value, line[:400])
        hit = judge(candidate, group)
        return (hit.kind, hit.confidence) if hit else None
    return None
