"""`assay hook`: install and take out git hooks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

import assaymark
from assaymark.cli.place import need_repository
from assaymark.errors import UsageError
from assaymark.subjects.repository import Repository
from assaymark.triggers import perl
from assaymark.triggers.git_hooks import Client, Hook, install, installed, uninstall


@click.group("hook")
def command() -> None:
    """Install or take out git hooks."""


@command.command("install")
@click.argument("hooks", nargs=-1, type=click.Choice([str(hook) for hook in Hook]))
def install_command(hooks: tuple[str, ...]) -> None:
    """Install HOOKS (pre-commit and pre-push by default; pre-receive by default in a bare repository)."""
    repository = need_repository()
    for line in install_all(repository, tuple(Hook(hook) for hook in hooks)):
        click.echo(line)
    prepare_checks()


@command.command("uninstall")
@click.argument("hooks", nargs=-1, type=click.Choice([str(hook) for hook in Hook]))
def uninstall_command(hooks: tuple[str, ...]) -> None:
    """Take HOOKS out (all of ours by default)."""
    folder = hooks_folder(need_repository())
    for hook in [Hook(hook) for hook in hooks] or installed(folder) or list(Hook)[:1]:
        click.echo(uninstall(folder, hook))


@command.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("hook", type=click.Choice([str(hook) for hook in Hook]))
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
def run_command(hook: str, rest: tuple[str, ...]) -> int:
    """Do what the installed HOOK does; for hook managers such as pre-commit."""
    from assaymark.cli.hook import run

    return run([hook, *rest], os.write, colour=sys.stderr.isatty())


def install_all(repository: Repository, hooks: tuple[Hook, ...] = ()) -> list[str]:
    """Install hooks in a repository; gives one sentence each."""
    usual = (Hook.PRE_RECEIVE,) if repository.place.work_tree is None else (Hook.PRE_COMMIT, Hook.PRE_PUSH)
    folder = hooks_folder(repository)
    return [install(folder, hook, _client()) for hook in hooks or usual]


def _client() -> Client:
    from assaymark import hookclient

    daemon = Path(assaymark.__file__).parent / "daemon"
    return Client(
        python=sys.executable,
        program=hookclient.program("assaymark.cli.hook"),
        ask=str(daemon / "ask.py"),
        ask_perl=str(daemon / "ask.pl") if perl.is_usable() else "",
    )


def prepare_checks() -> None:
    """Make now what the first commit would otherwise wait for."""
    from assaymark import compose, config
    from assaymark.engine.prepare import Prepared, prepare
    from assaymark.engine.progress import NullProgress
    from assaymark.verdict.policy import Policy

    checks = compose.make_checks(Policy(), compose.settings_of(config.load()))
    if any(isinstance(check, Prepared) and not check.is_ready() for check in checks):
        click.echo("preparing rules, once per installation …")
        prepare(checks, NullProgress())


def hooks_folder(repository: Repository) -> Path:
    """Where git looks for hooks, by its own rules (``core.hooksPath``, linked work trees)."""
    answer = subprocess.run(
        ["git", f"--git-dir={repository.place.git_dir}", "rev-parse", "--git-path", "hooks"],
        cwd=repository.shown,
        capture_output=True,
        check=False,
    )
    if answer.returncode:
        raise UsageError("git does not say where hooks belong", why=answer.stderr.decode(errors="replace").strip())
    return Path(repository.shown) / answer.stdout.decode(errors="surrogateescape").rstrip("\n")
