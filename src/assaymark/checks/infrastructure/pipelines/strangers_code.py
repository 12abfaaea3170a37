"""Which commands run what a checkout brought along: build tools, test runners, linters with plug-ins, and scripts of the repository.

The list of tools follows the "living off the pipeline" collection of boostsecurityio (names are facts); it is judged by program and
first argument, so a tool that only prints its version counts too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from assaymark.checks.infrastructure.pipelines.vocabulary import words
from assaymark.checks.shell.reader import Command, read, sequences, unquoted

_ALWAYS: Final = words(
    "ant bazel brakeman bundle cargo checkov composer dotnet eslint gomplate goreleaser golangci-lint gradle gradlew jest lerna make maven"
    " meson mix mkdocs mocha msbuild mvn mvnw mypy ninja nox nx phpstan pre-commit pylint pytest rake rubocop sbt sonar-scanner stylelint"
    " swift terraform terragrunt tflint tofu tox tsc turbo vale webpack yarn"
)
_WITH: Final = {
    "npm": words("i in ins install ci add run run-script rum urn t tst test start stop restart exec version"),
    "pnpm": words("i install add run test start exec"),
    "npx": frozenset(),
    "go": words("generate test run build"),
    "pip": frozenset({"install"}),
    "pip3": frozenset({"install"}),
    "pipenv": frozenset({"install", "run", "sync"}),
    "poetry": frozenset({"install", "run", "build"}),
    "uv": frozenset({"sync", "run"}),
    "docker": frozenset({"build", "buildx", "compose"}),
    "podman": frozenset({"build"}),
    "rails": frozenset({"db:create", "assets:precompile"}),
}
_SCRIPT = re.compile(r"(?!-)[^\s:]+\.(?:sh|bash|ps1|py|js|mjs|rb|pl)\Z")
_INTERPRETERS = words("bash sh zsh python python3 node ruby perl pwsh powershell source .")


def runs_checkout(text: str) -> Iterator[tuple[str, int, int]]:
    """The tool or script that runs content of the checkout, and where."""
    for _, commands in sequences(read(text)):
        for command in commands:
            tool = _tool(command)
            if tool:
                yield tool, command.start, command.end


def _tool(command: Command) -> str:
    program, arguments = command.program()
    name = program.removesuffix(".bat").removesuffix(".cmd").removesuffix(".exe")
    plain = [unquoted(word) for word in arguments]
    if name in _ALWAYS:
        return name
    if name in _WITH:
        first = next((word for word in plain if not word.startswith("-")), "")
        return name if not _WITH[name] or first in _WITH[name] else ""
    if name in _INTERPRETERS:
        found = next((word for word in plain if not word.startswith(("-", "<"))), "")
        return found.rpartition("/")[2] if _SCRIPT.match(found) else ""
    written = next((unquoted(word) for word in command.words if word.endswith(program)), "")
    return name if _SCRIPT.match(written) and not written.startswith("/") else ""
