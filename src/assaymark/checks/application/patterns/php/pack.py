"""All rules of the check ``php``."""

from __future__ import annotations

from assaymark.checks.application.patterns.php import rules_addresses, rules_crypto, rules_injection, rules_pages, rules_settings
from assaymark.checks.application.patterns.php.speech import Php
from assaymark.checks.application.patterns.rules import Pack

PACK = Pack(
    check="php",
    rules=(*rules_injection.RULES, *rules_pages.RULES, *rules_addresses.RULES, *rules_settings.RULES, *rules_crypto.RULES),
    speech=Php,
    grammars={"php": ("php",)},
)
"""The one grammar reads PHP with pages around it and files that are nothing but PHP."""
