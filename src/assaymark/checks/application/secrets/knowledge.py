"""What the answer of this check depends on besides its version, as one digest. Reads a few small files; loads no engine."""

from __future__ import annotations

import hashlib
from functools import cache

from assaymark.checks.application.secrets import shipped, versions
from assaymark.checks.settings import CheckSettings
from assaymark.errors import EngineMissing

_LEADS = ("rules.toml", "expressions.py", "ruleset.py", "confirmer.py")
"""What the compiled prefilter is made of; read, not imported, because asking must cost next to nothing."""
_MODEL = "generic_model.json"
"""What decides besides: a new model costs a new look at the content, but no new database."""


@cache
def _digest_of(*names: str) -> str:
    digest = hashlib.sha256()
    for name in names:
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
    return hashlib.sha256(f"{_digest_of(*_LEADS)} {engines()}".encode()).hexdigest()


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
    known = f"{rules_identity()} {_digest_of(_MODEL)} {user_identity(settings)} {key_id}"
    return "sha256:" + hashlib.sha256(known.encode()).hexdigest()


def database_at(cache_dir: str, identity: str) -> str:
    """Where the compiled database of this identity is kept."""
    return f"{cache_dir}/secrets-{hashlib.sha256(identity.encode()).hexdigest()[:24]}.hsdb"
