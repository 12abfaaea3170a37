"""The seam to a foreign engine for provider tokens, and its one adapter: the kingfisher SDK.

Without the SDK our own rules still run; the check's knowledge then differs, so the two are never taken for the same.
The SDK never uses the network when it scans.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from assaymark.checks.application.secrets.expressions import Expression
from assaymark.checks.application.secrets.hits import Hit, Kind
from assaymark.checks.settings import Secret
from assaymark.model.severity import Confidence, Severity

LEAD = "kingfisher:rule"
OURS = frozenset(
    {
        "betterleaks.generic-credential-uri",
        "betterleaks.private-key",
        "betterleaks.jwt",
        "betterleaks.jwt-base64",
        "betterleaks.curl-auth-header",
        "betterleaks.curl-auth-user",
    }
)
"""Rules that our own layers replace with a finer judgement (placeholders, checksums, structure)."""

_RANK = 2


class TokenConfirmer(Protocol):
    """An engine that knows token formats."""

    def leads(self) -> Sequence[Expression]:
        """Expressions one of which occurs in every text that `confirm` would find something in."""
        ...

    def confirm(self, data: bytes) -> Iterator[Hit]:
        """Tokens of a text, with offsets into it."""
        ...


class Kingfisher:
    """Adapter of `kingfisher_sdk`; loads it (half a second) when first used."""

    def __init__(self, cache_dir: str) -> None:
        self._cache_dir = Path(cache_dir) / "kingfisher"
        self._scanner: Any = None
        self._rules: Any = None

    def _loaded(self) -> Any:
        if self._rules is None:
            import kingfisher_sdk  # noqa: PLC0415 - 0.5 s, and only a few texts need it

            self._cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._rules = kingfisher_sdk.Rules(cache_dir=self._cache_dir)
            policy = kingfisher_sdk.DetectionPolicy(inline_ignores=False, markup_context=False)
            self._scanner = kingfisher_sdk.Scanner(self._rules, policy=policy)
        return self._rules

    def leads(self) -> Sequence[Expression]:
        rules = self._loaded()
        details = [rules.detail(rule["id"]) for rule in rules.metadata() if rule["visible"] and rule["id"] not in OURS]
        return [Expression(LEAD, str(detail["detection_regex"])) for detail in details]

    def confirm(self, data: bytes) -> Iterator[Hit]:
        self._loaded()
        for found in self._scanner.scan(data):
            if not found.visible or found.rule_id in OURS:
                continue
            where = found.location
            start, end = where["start_offset"], where["end_offset"]
            value = found.secret.encode("utf-8", "surrogateescape")
            inner = data.find(value, start, end)
            if inner >= 0:
                start, end = inner, inner + len(value)
            provider = _provider(found.rule_id)
            notes: tuple[tuple[str, str], ...] = (("provider", provider), ("kingfisher-rule", str(found.rule_id)))
            if found.is_base64_encoded:
                notes = (*notes, ("encoding", "base64"))
            yield Hit(_KIND, start, end, Secret(value), _confidence(found.confidence), notes)


_KIND = Kind(
    rule="provider-token",
    family="provider-token",
    message="A credential of a service provider stands in the content.",
    severity=Severity.HIGH,
    rank=_RANK,
)


def _provider(rule_id: str) -> str:
    """Words of a rule's id: ``betterleaks.acme-api-key`` names Acme."""
    return rule_id.rpartition("/")[2].rpartition(".")[2].partition("-")[0]


def _confidence(word: str) -> Confidence:
    return Confidence(word) if word in {"low", "medium", "high"} else Confidence.MEDIUM
