"""All rules about shell text in one table, for every kind of pipeline that runs shell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from assaymark.checks.rulebook import Rule
from assaymark.checks.shell import rules_injection as injection
from assaymark.checks.shell import rules_secrets as secrets
from assaymark.checks.shell import rules_sources as sources
from assaymark.checks.shell.facts import Foreign, Scene, ShellFlaw, ShellRule
from assaymark.checks.shell.reader import read, sequences
from assaymark.model.severity import Confidence, Severity

_LOW, _MEDIUM, _HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH

SHELL_RULES: Final[dict[str, tuple[ShellRule, Rule]]] = {
    "remote-script": (
        sources.remote_script,
        Rule(
            _MEDIUM,
            Confidence.HIGH,
            "Download to a file, compare it with a digest kept in the repository, then run it; or use a package or image.",
        ),
    ),
    "unverified-program": (
        sources.unverified_program,
        Rule(_LOW, Confidence.MEDIUM, "Keep the expected SHA-256 in the repository and let `sha256sum -c` decide before the file is run."),
    ),
    "cleartext-download": (sources.cleartext_download, Rule(_LOW, Confidence.HIGH, "Fetch it over https.")),
    "verification-off": (
        sources.verification_off,
        Rule(_MEDIUM, Confidence.HIGH, "Remove the switch; where the certificate is your own, give the tool your authority's certificate."),
    ),
    "package-check-off": (
        sources.package_check_off,
        Rule(_LOW, Confidence.HIGH, "Remove the option and add the repository's signing key or certificate instead."),
    ),
    "host-key-unchecked": (
        sources.host_key_unchecked,
        Rule(_MEDIUM, Confidence.HIGH, "Put the host's public key into known_hosts (kept as a file variable) and leave the check on."),
    ),
    "password-argument": (
        secrets.password_argument,
        Rule(_LOW, Confidence.HIGH, 'Give it on standard input: `echo "$PASSWORD" | docker login --username … --password-stdin …`.'),
    ),
    "secret-printed": (
        secrets.secret_printed,
        Rule(
            _MEDIUM,
            Confidence.MEDIUM,
            "Remove the line; to see whether a variable is set, print `${NAME:+set}`. Replace the secret if the log was readable.",
        ),
    ),
    "environment-dumped": (
        secrets.environment_dumped,
        Rule(_LOW, Confidence.MEDIUM, "Print only the variables that you look for, by name."),
    ),
    "traced-secret": (
        secrets.traced_secret,
        Rule(_LOW, Confidence.MEDIUM, "Switch tracing off (`set +x`) around commands that use secrets, or use `set -eu` only."),
    ),
    "scanner-cannot-fail": (
        secrets.scanner_cannot_fail,
        Rule(
            _MEDIUM,
            Confidence.HIGH,
            "Let the scanner's exit status count; to start softly, set its threshold or a baseline instead of ignoring it.",
        ),
    ),
    "host-rights": (
        secrets.container_with_host_rights,
        Rule(
            _MEDIUM,
            Confidence.MEDIUM,
            "Give single capabilities instead of all, and build images with a rootless builder instead of the socket.",
        ),
    ),
    "open-docker": (
        secrets.open_docker,
        Rule(_MEDIUM, Confidence.HIGH, "Use TLS: port 2376 with DOCKER_TLS_CERTDIR=/certs, and share the certificates."),
    ),
    "script-injection": (
        injection.script_injection,
        Rule(
            _HIGH,
            Confidence.MEDIUM,
            'Pass it as data: as an argument (`sh -c \'… "$1"\' sh "$NAME"`) or through the '
            "environment, never inside the text of the program.",
        ),
    ),
    "unquoted-foreign-text": (
        injection.unquoted_foreign_text,
        Rule(_LOW, Confidence.MEDIUM, 'Write it in double quotes and behind `--`: `command -- "$NAME"`.'),
    ),
}

_WORTH_READING = re.compile(
    r"curl|wget|eval|ssh|http\.|strict-ssl|StrictHost|insecure|NO_VERIFY|REJECT_UNAUTH|HTTPSVERIFY|SSL|HOST_KEY|--trusted-host|gpg-?check"
    r"|unauthenticated|force-yes|untrusted|login|echo|printf|env|set "
    r"|\|\||privileged|docker\.sock|containerd\.sock|DOCKER_HOST|<<|-[a-z]*[ce]\b"
)


def shell_flaws(text: str, foreign: Foreign) -> Iterator[ShellFlaw]:
    """Every flaw in a script; the same flaw twice is told twice."""
    if not _WORTH_READING.search(text) and not any(name in text for name in foreign):
        return
    for kind, commands in sequences(read(text)):
        if commands:
            scene = Scene(kind, commands, text, foreign)
            for rule, _ in SHELL_RULES.values():
                yield from rule(scene)
