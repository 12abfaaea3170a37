"""`assay edge`: the built-in edge before generations, as a service, and what it says."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Where its table and socket are; as `edge_folder` of the driver's options.",
)


@click.group("edge")
def command() -> None:
    """The built-in edge: whom requests go to, exchanged whole by deployers, kept over restarts and kills."""


@command.command("run")
@_FOLDER
def run_command(folder: Path | None) -> None:
    """Be the edge of a folder until a signal; what has begun then ends first."""
    from assaymark.deployment.edge.serving import run

    run(_folder(folder))


@command.command("show")
@_FOLDER
@click.option("--format", "-f", "form", type=click.Choice(["text", "json"]), default="text", help="For people or for machines.")
def show_command(folder: Path | None, form: str) -> None:
    """Who is behind which route now, with which share, and how many requests each address has begun. Changes nothing."""
    import msgspec

    from assaymark.deployment.edge.control import Edge

    said = Edge(_folder(folder)).show()
    if form == "json":
        click.echo(msgspec.json.encode(said))
        return
    for route in said.table.routes if said.table else ():
        click.echo(f"{route.name}  {route.mode}  {route.listen}{'' if route.backends else '  nobody serves'}")
        for backend in route.backends:
            for address in backend.addresses:
                click.echo(f"  generation {backend.generation}  {backend.percent:>3} %  {address}  {said.begun.get(address, 0)} begun")


def _folder(given: Path | None) -> Path:
    if given is not None:
        return given
    from assaymark.deployment.edge.place import default

    return default("builtin")
