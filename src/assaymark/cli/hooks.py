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
@click.option("--server", default="", help="post-receive: address of the server that is told, e.g. https://assay.example.org.")
@click.option("--repository", "address", default="", help="post-receive: number or clone URL under which the server knows this one.")
@click.option("--token-file", default="", help="post-receive: file with a token, readable by the account of the git host only.")
def install_command(hooks: tuple[str, ...], server: str, address: str, token_file: str) -> None:
    """Install HOOKS (pre-commit and pre-push by default; pre-receive by default in a bare repository).

    post-receive tells a server what came in; it needs --server, --repository and --token-file.
    """
    repository = need_repository()
    chosen = tuple(Hook(hook) for hook in hooks)
    told = _told(server, address, token_file) if Hook.POST_RECEIVE in chosen else ()
    for line in install_all(repository, chosen, told):
        click.echo(line)
    if chosen != (Hook.POST_RECEIVE,):
        prepare_checks()


def _told(server: str, repository: str, token_file: str) -> tuple[str, ...]:
    """The words of the post-receive hook, checked now and not at the first push."""
    from assaymark.triggers import notify

    if not (server and repository and token_file):
        raise UsageError("post-receive needs --server, --repository and --token-file", advice="see docs/how-to/connect-a-git-server.md")
    path = Path(token_file).absolute()
    try:
        notify.token_of(path)
        notify.need_safe(server)
    except notify.Trouble as error:
        raise UsageError(str(error)) from error
    return "--server", server.rstrip("/"), "--repository", repository, "--token-file", str(path)


@command.command("uninstall")
@click.argument("hooks", nargs=-1, type=click.Choice([str(hook) for hook in Hook]))
def uninstall_command(hooks: tuple[str, ...]) -> None:
    """Take HOOKS out (all of ours by default)."""
    folder = hooks_folder(need_repository())
    for hook in [Hook(hook) for hook in hooks] or installed(folder) or list(Hook)[:1]:
        click.echo(uninstall(folder, hook))


@command.command("run", context_settings={"ignore_unknown_options": True})
@click.argument("hook", type=click.Choice([str(hook) for hook in Hook if hook is not Hook.POST_RECEIVE]))
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
def run_command(hook: str, rest: tuple[str, ...]) -> int:
    """Do what the installed HOOK does; for hook managers such as pre-commit."""
    from assaymark.cli.hook import run

    return run([hook, *rest], os.write, colour=sys.stderr.isatty())


def install_all(repository: Repository, hooks: tuple[Hook, ...] = (), told: tuple[str, ...] = ()) -> list[str]:
    """Install hooks in a repository; gives one sentence each."""
    usual = (Hook.PRE_RECEIVE,) if repository.place.work_tree is None else (Hook.PRE_COMMIT, Hook.PRE_PUSH)
    folder = hooks_folder(repository)
    return [install(folder, hook, _teller(told) if hook is Hook.POST_RECEIVE else _client()) for hook in hooks or usual]


def _teller(told: tuple[str, ...]) -> Client:
    from assaymark import hookclient

    return Client(python=sys.executable, program=hookclient.program("assaymark.triggers.notify"), ask="", told=told)


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
