"""What the rules about shell text know: names of programs, variables and options, and how a flaw in a script is described."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from assaymark.checks.shell.reader import Command
from assaymark.model.severity import Severity

SHELLS: Final = frozenset({"sh", "bash", "zsh", "dash", "ash", "ksh"})
INTERPRETERS: Final = SHELLS | {"python", "python2", "python3", "perl", "ruby", "node", "php", "pwsh", "powershell"}
DOWNLOADERS: Final = frozenset({"curl", "wget"})
SCANNERS: Final = frozenset(
    {
        "trivy",
        "grype",
        "snyk",
        "semgrep",
        "bandit",
        "gitleaks",
        "trufflehog",
        "safety",
        "pip-audit",
        "osv-scanner",
        "checkov",
        "tfsec",
        "kics",
        "zap-baseline.py",
        "zap-full-scan.py",
        "zap-api-scan.py",
        "clair-scanner",
        "dockle",
        "gosec",
        "govulncheck",
        "brakeman",
        "bundle-audit",
        "bundler-audit",
        "detect-secrets",
        "detect-secrets-hook",
        "cosign",
        "conftest",
        "kube-score",
        "kubesec",
        "nuclei",
        "dependency-check.sh",
        "dependency-check",
        "retire",
        "njsscan",
        "flawfinder",
        "horusec",
        "talisman",
        "ggshield",
        "zizmor",
        "poutine",
    }
)
"""Programs whose purpose is security; linters and test runners are left out."""

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|SECRET|SECRET_KEY|API_?KEY|PRIVATE_?KEY|SSH_KEY|ACCESS_KEY|SIGNING_KEY"
    r"|CREDENTIALS?|AUTH)(?:_B64|_BASE64)?\Z",
    re.IGNORECASE,
)
_NO_SECRETS = frozenset({"PWD", "OLDPWD", "CI_JOB_JWT_FILE"})


def names_a_secret(name: str) -> bool:
    """Judged by the name of a variable alone; a path to a file (``…_FILE``) is none."""
    return name not in _NO_SECRETS and _SECRET_NAME.search(name) is not None


class ShellFlaw(Struct, frozen=True, omit_defaults=True):
    """A flaw in a script, before it has an address."""

    rule: str
    wrong: str
    """What is wrong, for identity: a name, an address, an option; never a value or position."""
    message: str
    start: int
    end: int
    severity: Severity | None = None


Foreign = Mapping[str, str]
"""Variables that people outside can fill: name -> ``text`` (anything) or ``name`` (what a branch or tag may be called)."""


class Scene(Struct, frozen=True):
    """Commands in one bracket, with the whole they belong to."""

    kind: str
    commands: tuple[Command, ...]
    whole: str
    foreign: Foreign


ShellRule = Callable[[Scene], Iterator[ShellFlaw]]

_ADDRESS = re.compile(r"(?:https?|ftp)://[^\s'\"|;)<>]+")
_USER = re.compile(r"://[^/\s@]*@")


def address_in(words: tuple[str, ...]) -> str:
    """The first address among the words, without user, query and version-like parts, so that raising a version is no new finding."""
    for word in words:
        found = _ADDRESS.search(word)
        if found:
            plain = _USER.sub("://", found.group()).partition("?")[0]
            return re.sub(r"v?\d+(?:\.\d+)+(?:[-.\w]*\d)?", "*", plain)
    return ""


def written_to(words: tuple[str, ...]) -> str:
    """Where output is redirected to, empty when it goes to the log."""
    for at, word in enumerate(words[:-1]):
        if word in {">", ">>", ">|", "1>", "1>>", "&>"}:
            return words[at + 1].strip("\"'")
    return ""


def flaw(rule: str, wrong: str, message: str, command: Command, severity: Severity | None = None) -> ShellFlaw:
    """A flaw that is as wide as its command."""
    return ShellFlaw(rule, wrong, message, command.start, command.end, severity)
