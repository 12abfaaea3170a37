"""Words that pipelines of every kind use: what is security, production, a secret file, a branch, yes."""

from __future__ import annotations

import re
from typing import Final

from assaymark.checks.reading.yaml_tree import Node, scalar_text

SECURITY_JOB: Final = re.compile(
    r"(?:^|[-_:. /])(?:\w+-)?(?:sast|iast|dast|secret[-_ ]?detection|dependency[-_ ]?scanning|container[-_ ]?scanning|gitleaks|trufflehog"
    r"|semgrep|bandit|snyk|trivy|grype|pip[-_]audit|npm[-_]audit|cargo[-_]audit|security[-_ ]?(?:scan|audit|check)s?)(?:$|[-_:. /])",
    re.IGNORECASE,
)
"""Names of jobs, steps and plug-ins whose purpose is security."""
PRODUCTION: Final = re.compile(r"(?:^|[-_/ .])(?:prod|production|prd|live)(?:$|[-_/ .])", re.IGNORECASE)
OWN_MACHINE: Final = re.compile(
    r"(?:^|[-_.])(?:shell|bare-?metal|privileged|self-?hosted|on-?prem|deploy\w*|prod\w*)(?:$|[-_.])", re.IGNORECASE
)
MOVING_REF: Final = re.compile(
    r"(?:refs/heads/)?(?:main|master|develop|development|dev|trunk|head|latest|stable|release|production|default|next)\Z", re.IGNORECASE
)
"""Names of branches that move by profession."""
COMMIT: Final = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")
SECRET_PATH: Final = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example|sample|template|dist)\w+)?|id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.npmrc|\.pypirc|\.ssh(?:/.*)?|\.aws(?:/.*)?"
    r"|\.kube(?:/.*)?|kubeconfig|\.docker/config\.json|[^/]*\.(?:pem|key|p12|pfx|jks|keystore|kdbx|tfstate))\Z"
)
"""Files that usually hold secrets."""
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


def words(text: str) -> frozenset[str]:
    """The words of a text, for tables that would be unreadable as lists of literals."""
    return frozenset(text.split())


def is_true(node: Node | None) -> bool:
    """YAML's and the shell's ways to say yes."""
    return scalar_text(node).lower() in _TRUE


def is_false(node: Node | None) -> bool:
    """YAML's and the shell's ways to say no."""
    return scalar_text(node).lower() in _FALSE


def plain_address(text: str) -> str:
    """An address without user and query, for people and for identity."""
    return re.sub(r"://[^/\s@]*@", "://", text).partition("?")[0]
