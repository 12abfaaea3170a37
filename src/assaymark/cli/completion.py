"""`assay completion`: the script that makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash: assay completion bash > ~/.local/share/bash-completion/completions/assay
    """
    from assaymark.cli.main import cli

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click.Choice lets only shells through that click knows
    click.echo(kind(cli, {}, "assay", "_ASSAY_COMPLETE").source())
