"""Deliveries of forges and registries as functions of bytes: signed rightly, they are read, or refused as what they should be."""

from __future__ import annotations

import hashlib
import hmac
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from assaymark.checks.settings import Secret
from assaymark.triggers.discovery.forges import LISTINGS
from assaymark.triggers.discovery.walk import Answer, walk
from assaymark.triggers.webhooks.delivery import Message
from assaymark.triggers.webhooks.kinds import READERS

_KEY = b"a key for fuzzing only"
_FOLDER = Path(__file__).parents[1] / "triggers" / "deliveries"
_LIST = b'[{"id":1,"full_name":"o/r","clone_url":"https://f.example/o/r.git","default_branch":"main"}]'


def delivery_targets() -> Mapping[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]]:
    """Name -> what reads, and where to start."""
    found: dict[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]] = {}
    for kind in READERS:
        samples = [json.loads(path.read_text()) for path in sorted((_FOLDER / kind).glob("*.json"))]
        events = sorted({sample["event"] for sample in samples})
        found[f"delivery {kind}"] = (_reader(kind, events), tuple(json.dumps(sample["payload"]).encode() for sample in samples))
    return found | {f"list {kind}": (_lister(kind), (_LIST, b'{"values":[],"isLastPage":true}')) for kind in LISTINGS}


def _reader(kind: str, events: list[str]) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        event = events[zlib.crc32(data) % len(events)]
        mac = hmac.new(_KEY, data, hashlib.sha256).hexdigest()
        headers = {"x-hub-signature-256": f"sha256={mac}", "x-hub-signature": f"sha256={mac}", "x-gitea-signature": mac}
        headers |= {"x-gitlab-token": _KEY.decode(), "authorization": _KEY.decode()}
        headers |= {"x-github-event": event, "x-gitea-event": event, "x-event-key": event}
        return READERS[kind](Message(headers, data, (Secret(_KEY),), "https://forge.example"))

    return read


def _lister(kind: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        return list(walk(LISTINGS[kind], "https://f.example/api", "g", token="", ask=lambda *_: Answer(200, {}, data)))

    return read
