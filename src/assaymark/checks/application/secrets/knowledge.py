"""What the answer of this check depends on besides its version, as one digest. Reads a few small files; loads no engine."""

from __future__ import annotations

import hashlib
from functools import cache

from assaymark.checks.application.secrets import shipped, versions
from assaymark.checks.settings import CheckSettings
from assaymark.errors import EngineMissing

_PARTS = ("rules.toml", "generic_model.json", "expressions.py", "confirmer.py")
"""Files that decide what is looked for; read, not imported, because asking must cost next to nothing."""


@cache
def _shipped() -> str:
    digest = hashlib.sha256()
    for name in _PARTS:
        digest.update(hashlib.sha256(shipped.data(name)).digest())
    return digest.hexdigest()


def engines() -> str:
    """Names and releases of the engines.

    Raises:
        EngineMissing: without hyperscan nothing can be scanned; kingfisher may be absent.
    """
    if not versions.hyperscan_version():
        raise EngineMissing(
            "the secrets check needs hyperscan", why="the Python package hyperscan is not installed", advice="pip install hyperscan"
        )
    return f"hyperscan {versions.hyperscan_version()}, kingfisher {versions.kingfisher_version() or 'absent'}"


def rules_identity() -> str:
    """What the compiled prefilter is made of."""
    return hashlib.sha256(f"{_shipped()} {engines()}".encode()).hexdigest()


def user_identity(settings: CheckSettings) -> str:
    """The user's rule files, empty without any: their database is one of its own, so that a changed rule costs milliseconds."""
    if not settings.secret_rules:
        return ""
    digest = hashlib.sha256(engines().encode())
    for file in settings.secret_rules:
        digest.update(hashlib.sha256(file.content).digest())
    return digest.hexdigest()


def of(settings: CheckSettings, key_id: str) -> str:
    """The check's knowledge: rules and engines, and under which key identities are made."""
    return "sha256:" + hashlib.sha256(f"{rules_identity()} {user_identity(settings)} {key_id}".encode()).hexdigest()
