"""What a check is told when it is made; nothing else reaches it."""

from __future__ import annotations

from msgspec import Struct


class Secret(Struct, frozen=True):
    """Bytes that must not be printed."""

    value: bytes

    def __repr__(self) -> str:
        return "Secret(<redacted>)"

    __str__ = __repr__


class NamedFile(Struct, frozen=True):
    """A file that the policy names, already read."""

    name: str
    content: bytes


class CheckSettings(Struct, frozen=True):
    """Settings of one run, the same for every check."""

    cache_dir: str
    """Folder for derived data that may be deleted at any time (compiled rule databases)."""
    installation_key: Secret
    """Key of the HMAC under which secrets are known."""
    secret_rules: tuple[NamedFile, ...] = ()
    """Rule files of the user in gitleaks/betterleaks TOML."""
    manifests: tuple[NamedFile, ...] = ()
    """Manifests of external tools, see `checks.application.code.external`."""
    advisories: str = ""
    """File of the compiled advisories; empty, or a name that leads nowhere, when there are none."""
    policies: tuple[NamedFile, ...] = ()
    """Policies of the user in CEL, see `checks.policies.files`."""
