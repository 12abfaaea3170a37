"""`assay vex`: what was decided about the components' vulnerabilities, for whoever receives the product."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click


@click.command("vex")
@click.argument("target", required=False, default="")
@click.option("--author", default="", help="Who makes the statements; git's user.email by default.")
@click.option("-o", "--output", default="", help="Write to this file instead of printing.")
def command(target: str, author: str, output: str) -> None:
    """Write an OpenVEX document about the components of TARGET: what was waived or said in VEX already, and what is open."""
    from assaymark import compose, config
    from assaymark.checks.application.dependencies.check import Dependencies
    from assaymark.cli.show import emit
    from assaymark.cli.target import Words, read_words
    from assaymark.cli.waive import email_here
    from assaymark.errors import EngineMissing, UsageError
    from assaymark.flow import Request, assay
    from assaymark.model.finding import Kind
    from assaymark.views.openvex import render_openvex

    surroundings = compose.context(config.load())
    comparison, root, _ = read_words(Words(target=target, staged=False, base=""))
    verdict = assay(Request(comparison, whole=True, only=frozenset({Dependencies.id})), surroundings)
    if not all(run.knowledge for run in verdict.checks):
        raise EngineMissing("there are no advisories on this machine", advice="run `assay advisories update`")
    for gap in dict.fromkeys(j.finding.message for j in verdict.findings if j.finding.core.kind is Kind.UNCHECKED):
        click.echo(f"not in the document: {gap}", err=True)
    when = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = render_openvex(verdict, author or email_here(root), when)
    if not output:
        emit(text)
        return
    try:
        Path(output).write_text(text, "utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written", why=error.strerror or str(error)) from error
