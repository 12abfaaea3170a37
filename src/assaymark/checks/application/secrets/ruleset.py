"""All that the main database looks for, put together. Only loaded while one is built."""

from __future__ import annotations

from collections.abc import Sequence

from assaymark.checks.application.secrets import provider_rules
from assaymark.checks.application.secrets.expressions import BASE64_LEADS, LEADS, Expression, base64_forms


def wanted(foreign: Sequence[Expression]) -> list[Expression]:
    """Shipped rules, layers' leads, encoded beginnings, and `foreign` (kingfisher's)."""
    own = [Expression(f"own:{name}", rule.pattern) for name, rule in provider_rules.rules().items()]
    encoded = [Expression("text:base64", _literal(form)) for _, prefix in BASE64_LEADS for form in base64_forms(prefix)]
    return [*own, *LEADS, *encoded, *foreign]


def _literal(text: str) -> str:
    escaped = "".join(c if c.isalnum() else "\\" + c for c in text)
    return escaped + r"[0-9A-Za-z+/]{24}"
