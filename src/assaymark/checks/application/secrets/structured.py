"""Hits of a structured text: each exact pair gets the judgement that a line's candidate gets; some formats add their own knowledge."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator

from assaymark.checks.application.secrets import anchors, blocks, generic
from assaymark.checks.application.secrets.hits import Hit, Kind
from assaymark.checks.application.secrets.placeholders import is_placeholder
from assaymark.checks.application.secrets.readers.pairs import NotParsed, Pair, reader_of
from assaymark.checks.settings import Secret
from assaymark.model.severity import Confidence, Severity

_STORED = Kind("stored-credential", "hardcoded-credential", "A credential file stands in the content.", Severity.CRITICAL, 2)
_REGISTRY = Kind("docker-registry-auth", "hardcoded-credential", "A registry login stands in the content.", Severity.CRITICAL, 2)
_CLUSTER = Kind("kubernetes-credential", "hardcoded-credential", "A cluster login stands in the content.", Severity.CRITICAL, 2)
_CLUSTER_KEYS = frozenset({"client-key-data", "token", "password", "id-token", "refresh-token"})


def find(dialect: str, data: bytes) -> Iterator[Hit]:
    """Hits of a text in a format that has a reader; nothing when it does not parse."""
    reader = reader_of(dialect)
    if reader is None:
        return
    try:
        for pair in reader(data):
            hit = _judge(dialect, pair)
            if hit is not None:
                yield hit
    except NotParsed:
        return


def _judge(dialect: str, pair: Pair) -> Hit | None:
    value = pair.value
    if not 3 <= len(value) <= 100_000 or is_placeholder(value):
        return None
    kind = _certain(dialect, pair)
    if kind is not None:
        return _hit(kind, pair, Confidence.HIGH)
    return None if pair.certain else _generic(pair)


def _certain(dialect: str, pair: Pair) -> Kind | None:
    """The rule of a pair that the format itself calls a credential."""
    if dialect == "htpasswd":
        return blocks.HASH
    if dialect in {"docker-config", "json"} and pair.certain:
        return _REGISTRY if anchors.basic_password(pair.value) else None
    if pair.certain:
        return _STORED
    in_cluster_file = dialect == "kubeconfig" and pair.key in _CLUSTER_KEYS
    if in_cluster_file or (pair.key == "client-key-data" and _decoded(pair.value).startswith("-----BEGIN")):
        return _CLUSTER
    return None


def _generic(pair: Pair) -> Hit | None:
    verdict = generic.of_pair(pair.key[-100:], pair.value[:2000], "config")
    if verdict is None:
        return None
    kind, confidence = verdict
    return _hit(kind, pair, confidence)


def _hit(kind: Kind, pair: Pair, confidence: Confidence) -> Hit:
    return Hit(kind, pair.start, pair.end, Secret(pair.value.encode("utf-8", "replace")), confidence)


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""
