"""Python through ruff's security rules (group ``S``), one process for a whole batch.

Guarantees
* One outcome per input; a batch gives what its members give alone. A file that crashes ruff costs its own answer, not its neighbours'.
* What Python cannot read is unchecked: syntax errors, wrong encodings. A file that parses but breaks a later rule of the compiler
  (``nonlocal`` at module level) has been linted, so its sightings stand.
* No configuration of the repository, the user or the environment reaches ruff; inline comments are recorded, never obeyed.

Left out on purpose: S105, S106 and S107 (passwords in strings) belong to the secrets check, which never keeps the value;
the import rules S401 to S415 are in preview and say nothing of use; notebooks, whose lines are no lines of the file.

This module is what planning needs and is quick to import; the work is in `ruff_run`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from assaymark.checks.application.code.ruff_engine import RuffEngine, locate
from assaymark.checks.settings import CheckSettings
from assaymark.model import rules
from assaymark.model.check import Dialect, Input, Outcome, UnitKind
from assaymark.model.digest import Digest, digest_of, sha256
from assaymark.model.finding import CheckId, Layer

OPTIONS = (
    "check", "--isolated", "--no-cache", "--select", "S", "--ignore", "S105,S106,S107", "--output-format", "json",
    "--no-fix", "--no-preview", "--no-respect-gitignore", "--ignore-noqa", "--quiet",
)  # fmt: skip

PYTHON, STUB, SCRIPT = Dialect("python"), Dialect("stub"), Dialect("script")
_BY_SUFFIX = {".py": PYTHON, ".pyw": PYTHON, ".wsgi": PYTHON, ".pyi": STUB, ".cgi": SCRIPT}
_BY_NAME = dict.fromkeys(("sconstruct", "sconscript", "wscript"), PYTHON)
_NEVER_SCRIPTS = frozenset(
    [
        "authors",
        "changelog",
        "codeowners",
        "contributing",
        "copying",
        "dockerfile",
        "gemfile",
        "install",
        "jenkinsfile",
        "license",
        "makefile",
        "maintainers",
        "news",
        "notice",
        "pipfile",
        "procfile",
        "rakefile",
        "readme",
        "todo",
        "vagrantfile",
        "version",
    ]
)

_DATA = (f"{rules.__file__.rpartition('/')[0]}/rule_data/ruff.toml", f"{__file__.rpartition('/')[0]}/ruff_advice.toml")


def make(_settings: CheckSettings) -> Ruff:
    return Ruff()


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - on the path of every hook: pathlib would cost milliseconds
        return file.read()


class Ruff:
    """The check."""

    id = CheckId("ruff")
    layer = Layer.APPLICATION
    unit = UnitKind.BLOB
    version = "1"
    starts_processes = True

    def __init__(self) -> None:
        self._engine: RuffEngine | None = None

    def knowledge(self) -> str:
        """Ruff's own recorded hash, our options and data, and this Python, whose `ast` finds the statements."""
        data = [sha256(_bytes(file)) for file in _DATA]
        return digest_of([self._found().identity, self._options(), data, sys.version_info[:2]])

    def select(self, path: str) -> Dialect | None:
        name = path.rpartition("/")[2].lower()
        stem, dot, suffix = name.rpartition(".")
        if dot:
            return _BY_SUFFIX.get("." + suffix) if stem else None
        return _BY_NAME.get(name) or (None if name in _NEVER_SCRIPTS else SCRIPT)

    def run(self, inputs: Sequence[Input]) -> Iterator[tuple[Digest, Outcome]]:
        from assaymark.checks.application.code.ruff_run import run  # noqa: PLC0415 - a plan without Python files must not pay for it

        return run(self.command(), inputs)

    def command(self) -> tuple[str, ...]:
        """Program and options.

        Raises:
            EngineMissing: when ruff is not installed.
        """
        return (self._found().program, *self._options())

    def _found(self) -> RuffEngine:
        if self._engine is None:
            self._engine = locate()
        return self._engine

    def _options(self) -> tuple[str, ...]:
        return (*OPTIONS, "--target-version", self._found().newest_python)
