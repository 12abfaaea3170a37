"""All rules of the check ``go``."""

from __future__ import annotations

from assaymark.checks.application.patterns.go import rules_crypto, rules_injection, rules_service, rules_web
from assaymark.checks.application.patterns.go.looks import in_production
from assaymark.checks.application.patterns.go.speech import Go
from assaymark.checks.application.patterns.rules import Pack

PACK = Pack(
    check="go",
    rules=tuple(in_production(rule) for rule in (*rules_injection.RULES, *rules_web.RULES, *rules_service.RULES, *rules_crypto.RULES)),
    speech=Go,
    grammars={"go": ("go",)},
)
