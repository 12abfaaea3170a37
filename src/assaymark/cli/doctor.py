"""`assay doctor`: is everything here that the checks need? And prepare what would otherwise be prepared by the first check."""

from __future__ import annotations

import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import click

import assaymark
from assaymark.errors import AssayError

OLDEST_GIT = (2, 31)


@click.command("doctor")
def command() -> None:
    """Tell whether everything that the checks need is here, and prepare it."""
    worst = 0
    for name, look in _looks():
        try:
            said = look()
            click.echo(f"ok    {name:16} {said}")
        except AssayError as error:
            worst = 3
            click.echo(f"MISS  {name:16} {error.diagnosis()}")
    sys.exit(worst)


def _looks() -> Iterator[tuple[str, Callable[[], str]]]:
    yield "assay", lambda: f"{assaymark.__version__} on Python {platform.python_version()}"
    yield "git", _git
    yield "key", _key
    yield "facts", _facts
    yield "secrets", _secrets
    yield from _checks()
    yield "advisories", _advisories
    yield "daemon", _daemon
    yield "hooks", _hooks


def _git() -> str:
    from assaymark.errors import EngineMissing

    try:
        said = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineMissing("git is not installed", advice="install git") from error
    numbers = said.split()[2].split(".")
    if tuple(int(n) for n in numbers[:2]) < OLDEST_GIT:
        raise EngineMissing(said, why="it is too old", advice="install git 2.31 or newer")
    return said


def _key() -> str:
    from assaymark import config

    return f"installation key, {len(config.load().key.value) * 8} bits"


def _facts() -> str:
    from pathlib import Path

    from assaymark import config

    settings = config.load()
    size = sum(file.stat().st_size for file in Path(settings.cache).glob("facts*"))
    return f"{size / (1 << 20):.1f} MiB of at most {settings.facts_bytes >> 20} in {settings.cache}"


def _secrets() -> str:
    from assaymark import compose, config
    from assaymark.checks.application.secrets.check import warm

    start = time.monotonic()
    warm(compose.settings_of(config.load()))
    return f"rule databases are ready ({time.monotonic() - start:.1f} s)"


def _checks() -> Iterator[tuple[str, Callable[[], str]]]:
    from assaymark import compose, config
    from assaymark.model.check import Check
    from assaymark.verdict.policy import Policy

    def about(check: Check) -> Callable[[], str]:
        return lambda: f"{check.layer}, per {check.unit}, version {check.version}, knowledge {check.knowledge()[7:19]}"

    for check in compose.make_checks(Policy(), compose.settings_of(config.load())):
        if check.id == "dependencies":
            continue  # what it needs is data, see `_advisories`
        yield f"check {check.id}", about(check)


def _advisories() -> str:
    """None is no defect of an installation: a repository without lock files needs none, and another one is told by its verdict."""
    from pathlib import Path

    from assaymark import config
    from assaymark.checks.application.dependencies.matching.index import Index
    from assaymark.checks.application.dependencies.matching.snapshot import ADVICE

    settings = config.load()
    if not Path(settings.advisories).exists():
        return f"none yet, so the check of dependencies cannot run: {ADVICE}"
    index = Index(settings.advisories)
    return f"of {index.meta['compiled'][:10]}, snapshot {index.snapshot[7:19]}, check dependencies"


def _daemon() -> str:
    from assaymark.daemon import start

    return f"running, process {start.running()}" if start.running() else "not running; hooks start it on demand"


def _hooks() -> str:
    from assaymark.cli.hooks import hooks_folder
    from assaymark.cli.place import repository_here
    from assaymark.triggers.git_hooks import installed

    repository = repository_here()
    if repository is None:
        return "no repository here"
    return ", ".join(installed(hooks_folder(repository))) or "none installed here: `assay hook install`"
