"""`assay sbom`: the packages of a subject's lock files as a bill of materials."""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assaymark.errors import UsageError

if TYPE_CHECKING:
    from assaymark.checks.application.dependencies.bom.bill import Bill
    from assaymark.model.subject import Subject

_SHOWN = 20


@click.command("sbom")
@click.argument("target", required=False, default="")
@click.option("--format", "form", type=click.Choice(["cyclonedx", "spdx"]), default="cyclonedx", show_default=True)
@click.option(
    "-o", "--output", default="-", show_default=True, type=click.Path(dir_okay=False), help="File to write; - is standard output."
)
@click.option("--timestamp", default="", help="Time in the document, as 2026-01-31T12:00:00Z; SOURCE_DATE_EPOCH is taken otherwise.")
def command(target: str, form: str, output: str, timestamp: str) -> None:
    """Write what the lock files of TARGET name: a folder, an archive, a commit; without one, the working tree."""
    from assaymark.checks.application.dependencies.bom.cyclonedx import cyclonedx
    from assaymark.checks.application.dependencies.bom.spdx import spdx
    from assaymark.cli.target import Words, read_words

    when = _time(timestamp)
    comparison, root, _ = read_words(Words(target=target))
    ref = comparison.head.ref
    name = os.path.basename(os.path.realpath(root)) or "subject"  # noqa: PTH119  undecodable names are no paths
    bill, files = bill_of(comparison.head, name, ref.digest if ref.kind == "commit" else "", when)
    document = cyclonedx(bill) if form == "cyclonedx" else spdx(bill)
    if output == "-":
        sys.stdout.buffer.write(document)
        sys.stdout.buffer.flush()
    else:
        draft = Path(output + ".draft")
        draft.write_bytes(document)
        draft.replace(output)
    _tell(len(bill.packages.packages), files, bill.packages.problems)


def bill_of(subject: Subject, name: str, version: str, when: str) -> tuple[Bill, int]:
    """The bill of what a subject holds, and of how many lists of packages it was made."""
    import assaymark
    from assaymark.checks.application.dependencies.bom.bill import Bill, joined
    from assaymark.stock import stock_of

    sets = [(each.path, each.packages) for each in stock_of(subject)]
    packages, places = joined(sets)
    return Bill(name, packages, places, version, when, assaymark.__version__), len(sets)


def _tell(packages: int, files: int, problems: tuple[tuple[int, str], ...]) -> None:
    """On the error stream, because the document may go to the other one."""
    from assaymark.views.sanitise import visible

    click.echo(f"{packages} packages of {files} lock files" + (f", {len(problems)} gaps:" if problems else ""), err=True)
    for _, sentence in problems[:_SHOWN]:
        click.echo(f"  {visible(sentence)}", err=True)
    if len(problems) > _SHOWN:
        click.echo(f"  and {len(problems) - _SHOWN} more, all in the document", err=True)


def _time(given: str) -> str:
    """The time for the document.

    Raises:
        UsageError: when it is none.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        if given:
            moment = dt.datetime.fromisoformat(given)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        elif epoch:
            moment = dt.datetime.fromtimestamp(int(epoch), dt.UTC)
        else:
            return ""
    except (ValueError, OverflowError, OSError) as error:
        raise UsageError(f"{given or epoch!r} is no time", advice="write it as 2026-01-31T12:00:00Z") from error
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
