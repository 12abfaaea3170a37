"""`assay drift`: whether what runs is still what was endorsed; once, or as it changes."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assaymark.cli.drift_looking import Asked
    from assaymark.deployment.drift.told import Report
    from assaymark.model.assessment import Instant

EXIT = {"as-endorsed": 0, "drifted": 1, "unseen": 5}
"""By the outcome of the whole."""
_PATH = click.Path(path_type=Path)


@click.command("drift")
@click.argument("tree", required=False, default="")
@click.option("--manifest", default="", help="What the tree has to be, as --write-manifest or `assay bake` wrote it.")
@click.option(
    "--write-manifest", "write", default="", help="Write the manifest of TREE as it is now to this file, to be endorsed, and end."
)
@click.option("--data", multiple=True, help="Path in the tree that is data, and not compared; repeatable.")
@click.option("--outside", is_flag=True, help="A file of the tree that has names outside of it is a drift, too.")
@click.option("--memory", default="", help="File that remembers hashes by inode and ctime; everything is read once in a period.")
@click.option("--period", default=24, show_default=True, type=click.IntRange(1, 8760), help="Hours of such a period.")
@click.option("--full", is_flag=True, help="Read everything now.")
@click.option("--upper", default="", help="Upper directory of a container's overlay, instead of TREE.")
@click.option("--lower", "lowers", multiple=True, help="Its lower directories, the uppermost first; repeatable.")
@click.option("--mountpoint", "mountpoints", multiple=True, help="Path in the container at which something was asked to be mounted.")
@click.option("--instances", "pairs", multiple=True, help="ENVIRONMENT/COMPONENT whose instances are looked at; repeatable.")
@click.option("--terms", type=_PATH, default="assay-deploy.toml", show_default=True, help="Terms of the pairs; with --instances.")
@click.option("--state", default="", help="Folder of the journals, as for `assay deploy`; with --instances.")
@click.option("--desired", default="", help="terraform show -json of the plan or state that was endorsed.")
@click.option("--observed", default="", help="terraform show -json of what there is; alone: what a plan says was changed behind it.")
@click.option("--trust", default="", help="Whom to believe that the manifest or desired state is endorsed: as for `assay verify`.")
@click.option("--key", "keys", multiple=True, help="Public key (PEM) to believe instead; repeatable.")
@click.option("--verifier", default="", help="Id of the verifier that --key speaks for.")
@click.option("--bundle", "bundles", multiple=True, help="File or folder with endorsements; beside the manifest by default.")
@click.option("--environment", default="", help="Where it runs: the endorsement must allow it.")
@click.option(
    "--ignore", "ignored", multiple=True, help="WHAT=UNTIL: look away from a path or field (or its beginning and *) until an instant."
)
@click.option("--watch", is_flag=True, help="Go on, and tell each drift as it happens, with who did it; needs root.")
@click.option("--seconds", default=0.0, help="With --watch: end after so many seconds; 0: never.")
@click.option("--name", default="", help="What is looked at is called so in answers; its path by default.")
@click.option("--tell", default="", help="ENVIRONMENT/COMPONENT as which a server is told.")
@click.option("--server", default="", help="The server that is told; ASSAYMARK_SERVER by default.")
@click.option("--token-file", type=_PATH, help="File with the token; ASSAYMARK_TOKEN by default.")
@click.option("-f", "--format", "form", default="text", type=click.Choice(["text", "json", "sarif"]), help="Format of the answer.")
@click.option("-o", "--output", default="", help="Write the answer to this file instead of printing it.")
def command(watch: bool, seconds: float, form: str, output: str, write: str, **given: object) -> int:
    """Say what differs from what was endorsed: in TREE, in a container, in the instances of a pair, in infrastructure.

    Ends with 0 when nothing does, 1 when something drifted, 5 when something could not be looked at. Drift cannot be accepted: what
    comes next is a newer endorsed generation, or looking away until an instant.
    """
    from importlib import import_module

    from assaymark.cli import drift_looking as looking
    from assaymark.cli.show import emit
    from assaymark.deployment.drift.told import outcome
    from assaymark.errors import UsageError

    if write:
        looking.write_manifest(str(given["tree"]), write)
        return 0
    asked = looking.asked(**given)
    if watch:
        if form == "sarif" or output:
            raise UsageError(
                "--watch goes on, a report ends", why="drifts are printed one by one", advice="leave out --output, and take text or json"
            )
        return _watch(asked, form, seconds)
    report = looking.look(asked, _now())
    module = import_module(f"assaymark.deployment.drift.told.{'document' if form == 'json' else form}")
    text: str = module.render(report)
    if output:
        try:
            Path(output).write_text(text, "utf-8", "backslashreplace")
        except OSError as error:
            raise UsageError(f"{output} cannot be written", why=error.strerror or str(error)) from error
    else:
        emit(text)
    _tell(asked, report)
    return EXIT[outcome(report)]


def _watch(asked: Asked, form: str, seconds: float) -> int:
    from assaymark.cli import drift_looking as looking
    from assaymark.cli.show import emit
    from assaymark.deployment.drift.told import Report, document, outcome, text

    worst, ends = 0, time.monotonic() + seconds if seconds else float("inf")
    for drifts in looking.watch(asked, ends):
        for each in drifts:
            emit(document.line(each) if form == "json" else "\n".join(text.about(each)) + "\n")
        if drifts:
            report = Report(_now(), (), tuple(drifts))
            worst = 1 if 1 in {worst, code := EXIT[outcome(report)]} else max(worst, code)
            _tell(asked, report)
    return worst


def _tell(asked: Asked, report: Report) -> None:
    if asked.tell:
        from assaymark.cli.drift_there import tell

        for note in tell(asked, report):
            print(f"note: {note}", file=sys.stderr)


def _now() -> Instant:
    from assaymark.model.assessment import Instant

    return Instant(time.time_ns() // 1000)
