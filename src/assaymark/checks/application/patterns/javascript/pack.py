"""All rules of the check ``javascript``."""

from __future__ import annotations

from assaymark.checks.application.patterns.javascript import rules_addresses, rules_injection, rules_pages, rules_settings
from assaymark.checks.application.patterns.javascript.speech import Script
from assaymark.checks.application.patterns.rules import Pack

PACK = Pack(
    check="javascript",
    rules=(*rules_injection.RULES, *rules_pages.RULES, *rules_addresses.RULES, *rules_settings.RULES),
    speech=Script,
    keywords=frozenset({"import", "require"}),
    grammars={"javascript": ("javascript", "tsx"), "typescript": ("typescript", "tsx"), "tsx": ("tsx",)},
)
"""JavaScript that its grammar cannot read is often written with the types of Flow, which the grammar of TSX mostly can."""
