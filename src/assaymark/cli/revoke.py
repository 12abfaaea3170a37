"""`assay revoke`: take back what was endorsed, at a server, or in a list of one's own where there is no server.

A list of one's own is the document that verifiers read (`assay verify --revocations`). It carries no signature of its own: whoever
distributes it signs it, as the trust repository does.
"""

from __future__ import annotations

from pathlib import Path

import click

from assaymark.errors import UsageError

_TARGETS = ("endorsement", "subject", "key", "engine", "component", "policy")


@click.command("revoke")
@click.argument("target", type=click.Choice(_TARGETS))
@click.argument("name")
@click.option("--reason", default="", help="Why; needed unless it is only looked what would be hit.")
@click.option("--versions", default="", help="Of a package: a version, or terms as '>=4,<4.17.21'.")
@click.option("--since", default="", help="Only what was verified from then on, as 2026-11-28T09:00:00Z.")
@click.option("--until", default="", help="Only what was verified until then.")
@click.option("--dry-run", is_flag=True, help="Show what it would withdraw and what runs on that; change nothing.")
@click.option("--server", default="", help="Address of the server; ASSAYMARK_SERVER by default.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File with the token; ASSAYMARK_TOKEN by default.")
@click.option("--list", "own", type=click.Path(path_type=Path), help="Append to this list instead, without a server.")
def command(
    target: str,
    name: str,
    reason: str,
    versions: str,
    since: str,
    until: str,
    dry_run: bool,
    server: str,
    token_file: Path | None,
    own: Path | None,
) -> None:
    """Take back what TARGET NAME covers: from now on it is not approved any more. Nothing takes a revocation back."""
    if not dry_run and not reason.strip():
        raise UsageError("the reason is missing", advice="say why with --reason, or look first with --dry-run")
    if own is not None:
        from assaymark.cli.revoke_here import append

        if dry_run or versions or name.startswith("pkg:"):
            raise UsageError(
                "a list knows no endorsement and no package by its name", advice="ask a server, or name digests, keys and versions"
            )
        click.echo(append(own, (target, name, reason.strip()), (since, until)))
        return
    from assaymark.cli.revoke_there import Order, preview, revoke

    order = Order(server, token_file, {"target": target, "name": name, "versions": versions, "since": since, "until": until})
    click.echo(preview(order) if dry_run else revoke(order, reason.strip()))
