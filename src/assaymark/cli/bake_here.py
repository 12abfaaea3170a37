"""Bakes, judges what was baked, and writes everything down in one folder, which is there whole or not at all.

The order: image, manifest, bill of materials, verdict, report; then the folder takes its name; then the image is carried elsewhere. An
image that fails is written too: its verdict says so, and nobody endorses it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import click
import msgspec
from msgspec import Struct

import assaymark
from assaymark.deployment.bake import baking, carrying, report
from assaymark.deployment.bake.baking import Baked
from assaymark.deployment.bake.programs import Programs
from assaymark.deployment.bake.recipe import Recipe
from assaymark.deployment.bake.report import Judged, Report
from assaymark.errors import UsageError
from assaymark.model.digest import sha256
from assaymark.model.subject import SubjectRef
from assaymark.model.verdict import Verdict
from assaymark.subjects.compare import ListingComparison
from assaymark.subjects.empty import EmptySubject
from assaymark.subjects.image.subject import ImageSubject

_MOST_LEFT_OUT = 100


class Order(Struct, frozen=True):
    """What is to be done."""

    source: str
    recipe: Recipe
    output: Path
    push: str
    tree: str
    storage: str
    to_storage: bool
    plain_http: bool
    judged: bool
    as_json: bool


def bake(order: Order) -> int:
    """Bake as ordered; the exit code.

    Raises:
        UsageError: when source and output are one in the other, or the output is something else already.
    """
    _apart(order)
    programs = Programs(order.storage)
    draft = order.output.with_name(f".{order.output.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        draft.mkdir(parents=True)
        baked = baking.bake(order.source, order.recipe, draft / report.IMAGE, programs)
        (draft / report.MANIFEST).write_bytes(baked.manifest.text)
        sbom, judged, code = _judged(order, baked, draft) if order.judged else ("", Judged("none"), 0)
        made = _report(order.recipe, baked, sbom, judged)
        (draft / report.REPORT).write_bytes(report.written(made))
        if order.tree:
            with baking.mounted_image(draft / report.IMAGE, programs) as mounted:
                carrying.to_tree(mounted, Path(order.tree), made.manifest)
        shutil.rmtree(order.output, ignore_errors=True)
        draft.rename(order.output)
    except OSError as error:
        raise UsageError(f"{order.output} cannot be written", why=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    if order.to_storage:
        carrying.to_storage(order.output / report.IMAGE, order.recipe.image.name, programs)
    if order.push:
        carrying.to_registry(order.output / report.IMAGE, order.push, programs, is_plain=order.plain_http)
    _tell(made, order)
    return code


def _apart(order: Order) -> None:
    source, output = os.path.realpath(order.source), os.path.realpath(order.output)
    if source == output or output.startswith(source.rstrip("/") + "/") or source.startswith(output + "/"):
        raise UsageError(
            f"{order.output} and {order.source} lie in each other", why="the image would hold itself", advice="choose another -o"
        )
    if (
        order.output.exists()
        and not (order.output / report.REPORT).is_file()
        and (not order.output.is_dir() or any(order.output.iterdir()))
    ):
        raise UsageError(f"{order.output} is something else already", why="only an earlier bake is replaced", advice="choose another -o")


def _judged(order: Order, baked: Baked, draft: Path) -> tuple[str, Judged, int]:
    """Digest of the bill of materials, what the checks said, and the exit code for it."""
    from assaymark import compose, config
    from assaymark.checks.application.dependencies.bom.cyclonedx import cyclonedx
    from assaymark.cli.place import root_here
    from assaymark.cli.sbom import bill_of
    from assaymark.cli.show import EXIT
    from assaymark.flow import Request, assay
    from assaymark.views import jsonout

    settings = config.load()
    name = order.recipe.image.name
    image = ImageSubject(str(draft / report.IMAGE), cache=settings.cache, name=name, policies=root_here())
    image.ref = SubjectRef("image", name, image.ref.digest)  # the folder's name is of this machine
    bill, _ = bill_of(image, name, baked.image.digest, "")
    document = cyclonedx(bill)
    (draft / report.SBOM).write_bytes(document)
    surroundings = compose.context(settings)
    verdict = assay(Request(_comparison(image, baked), whole=not baked.base.digest), surroundings)
    surroundings.settle()
    text = jsonout.render(_timeless(verdict)).encode()
    (draft / report.VERDICT).write_bytes(text)
    return sha256(document), Judged(verdict.outcome.value, sha256(text)), EXIT[verdict.outcome]


def _timeless(verdict: Verdict) -> Verdict:
    """Without how long it took and what was remembered: the same input gives the same document."""
    runs = tuple(msgspec.structs.replace(run, seconds=0.0, hits=0) for run in verdict.checks)
    return msgspec.structs.replace(verdict, seconds=0.0, checks=runs)


def _comparison(image: ImageSubject, baked: Baked) -> ListingComparison:
    """What the layers of the base hold is known; what stands on nothing is judged whole."""
    if not baked.base.digest:
        return ListingComparison(EmptySubject(), image)
    base = image.beginning(baked.base.layers)
    base.ref = SubjectRef("image", baked.base.name or baked.base.digest, baked.base.digest)
    return ListingComparison(base, image)


def _report(recipe: Recipe, baked: Baked, sbom: str, judged: Judged) -> Report:
    found = baked.image
    return Report(
        name=recipe.image.name, image=found.digest, config=found.config, manifest=baked.manifest.digest, platform=found.platform,
        layers=found.layers, diff_ids=found.diff_ids, recipe=recipe.digest, source=baked.source, sbom=sbom, verdict=judged,
        base=baked.base, files=baked.laid.files, bytes=baked.laid.bytes, left_out=baked.laid.left_out[:_MOST_LEFT_OUT],
        tools={"assaymark": assaymark.__version__, "buildah": baked.buildah},
    )  # fmt: skip


def _tell(made: Report, order: Order) -> None:
    if order.as_json:
        click.echo(report.written(made).decode(), nl=False)
        return
    rows = [
        ("image", f"{made.name}@{made.image}"), ("config", made.config), ("manifest", made.manifest),
        ("sbom", made.sbom or "none was made"), ("verdict", made.verdict.outcome), ("base", made.base.digest or "scratch"),
    ]  # fmt: skip
    if made.left_out:
        rows.append(("left out", f"{len(made.left_out)} devices, fifos and sockets"))
    for name, value in rows:
        click.echo(f"{name:<9} {value}")
