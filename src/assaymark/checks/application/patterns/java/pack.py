"""All rules of the check ``java``."""

from __future__ import annotations

from assaymark.checks.application.patterns.java import rules_crypto, rules_injection, rules_web
from assaymark.checks.application.patterns.java.speech import Java
from assaymark.checks.application.patterns.rules import Pack

PACK = Pack(
    check="java",
    rules=(*rules_injection.RULES, *rules_web.RULES, *rules_crypto.RULES),
    speech=Java,
    grammars={"java": ("java",)},
)
