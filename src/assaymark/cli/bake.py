"""`assay bake`: an image from a folder, with what is in it written down; and whether what was baked still stands on a good base."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from assaymark.deployment.bake.recipe import Recipe

_RECIPE = "assay-bake.toml"


@click.command("bake")
@click.argument("source", required=False, default="")
@click.option("-o", "--output", default="", help="New folder for the image (OCI layout), manifest, SBOM, verdict and report.")
@click.option("--recipe", default="", help=f"The recipe; {_RECIPE} here by default.")
@click.option("--name", default="", help="What the image is called, instead of the recipe's name.")
@click.option("--base", default="", help="What it stands on, instead of the recipe's base: name@sha256:… or oci:<layout>@sha256:….")
@click.option("--to-storage", is_flag=True, help="Also put it into containers' storage, where podman finds it.")
@click.option("--push", default="", help="Also push it: registry.example.org/shop/web:1.4; the digest stays.")
@click.option("--plain-http", is_flag=True, help="The registry of --push speaks HTTP, or HTTPS with a certificate nobody knows.")
@click.option("--tree", default="", help="Also write its files to this new folder, for hosts that run trees.")
@click.option("--storage", default="", help="Containers' storage to bake in, instead of the user's own.")
@click.option("--no-checks", is_flag=True, help="Neither judge it nor make its bill of materials.")
@click.option("--check", "report", default="", help="Say whether the base of this report (bake.json) was withdrawn or superseded.")
@click.option("--trust", default="", help="With --check: folder that `assay trust` keeps, or one with trust.json and revocations.json.")
@click.option("--bundle", "bundles", multiple=True, help="With --check and --trust: endorsements of the base, which must hold now.")
@click.option("--follow", default="", help="With --check: where the newest base is told, instead of the recipe's follow.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    source: str,
    output: str,
    recipe: str,
    name: str,
    base: str,
    push: str,
    tree: str,
    storage: str,
    report: str,
    trust: str,
    bundles: tuple[str, ...],
    follow: str,
    *,
    to_storage: bool,
    plain_http: bool,
    no_checks: bool,
    as_json: bool,
) -> int:
    """Bake the folder SOURCE into an image: the same input gives the same digest.

    Ends as `assay check` does: 0 when what was baked passes, 1 when it fails, 5 when something could not be checked. With --check: 0 when
    the base still stands, 1 when it is to be baked again, 5 when nobody could say.
    """
    from assaymark.errors import UsageError

    if report:
        if source or output:
            raise UsageError("--check bakes nothing", why="a source or -o was given too", advice="leave them out")
        from assaymark.cli.bake_check import Asked, check

        return check(Asked(report, trust, bundles, follow, storage, as_json))
    if trust or bundles or follow:
        raise UsageError("--trust, --bundle and --follow are for --check", advice="leave them out to bake")
    if not source or not output:
        raise UsageError("it is not said what to bake, and where to", advice="assay bake FOLDER -o OUTPUT")
    if not Path(source).is_dir():
        raise UsageError(f"{source} is no folder", advice="name what is to be in the image")
    from assaymark.cli.bake_here import Order, bake

    given = _recipe(recipe, name, base)
    return bake(Order(source, given, Path(output), push, tree, storage, to_storage, plain_http, not no_checks, as_json))


def _recipe(path: str, name: str, base: str) -> Recipe:
    """The recipe that is meant, with what the options say instead."""
    import msgspec

    from assaymark.deployment.bake import recipe as recipes
    from assaymark.deployment.bake.report import bytes_of
    from assaymark.errors import UsageError

    if path or Path(_RECIPE).is_file():
        found = recipes.read(bytes_of(Path(path or _RECIPE)))
    elif name:
        found = recipes.Recipe(recipes.Image(name=name))
    else:
        raise UsageError(f"there is no {_RECIPE} here", why="an image needs a name", advice="write one, or give --name")
    image = msgspec.structs.replace(found.image, name=name or found.image.name, base=base or found.image.base)
    return recipes.checked(msgspec.structs.replace(found, image=image))
