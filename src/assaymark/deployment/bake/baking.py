"""Bakes an image: a folder and a recipe in, an OCI layout and the manifest of its files out.

    source ─► laying ─► container of buildah on its base ─► commit ─► layout ─► digests
                                   └─► manifest (owned) of what is mounted, before it is committed

Guarantees
* the same source, recipe and base give the same manifest of files and, with the same buildah, the same digest of the image;
* the base that was taken has the digest that the recipe names, or nothing is baked;
* what is written down in the manifest is what the image holds: it is made of the mounted image, base and all, not of the source;
* no container stays behind, whatever goes wrong; what is at the target is not touched before everything is there.

Not here: bill of materials and checks, which stand above this room; the command joins them. Nothing is run in the image: what has to be
built or installed is built before, and its result is the source.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.deployment.bake import layout as layouts
from assaymark.deployment.bake.laying import Laid, lay
from assaymark.deployment.bake.layout import LINEAGE, MOST_ANCESTORS, Read
from assaymark.deployment.bake.programs import Programs, need_root
from assaymark.deployment.bake.recipe import LAYOUT, SCRATCH, Recipe
from assaymark.deployment.bake.report import Base
from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.subjects.manifest import Form, Manifest, manifest_of

_BASE_NAME, _BASE_DIGEST = "org.opencontainers.image.base.name", "org.opencontainers.image.base.digest"


class Baked(Struct, frozen=True):
    """What came out."""

    image: Read
    manifest: Manifest
    base: Base
    laid: Laid
    source: str
    """Root of the portable manifest of the source."""
    buildah: str


class _Taken(Struct, frozen=True):
    container: str
    base: Base


class _Inspected(Struct, rename="pascal"):
    from_image_digest: str = ""
    manifest: str = ""


def bake(source: str, recipe: Recipe, target: Path, programs: Programs) -> Baked:
    """Bake `source` into a layout at `target`, which must not be there yet.

    Raises:
        UsageError: when the recipe and what is there contradict each other.
        EngineMissing: when buildah is not installed.
        SubjectUnreadable: when something cannot be read, or buildah fails.
    """
    need_root()
    with _container(recipe, programs) as taken:
        mounted = programs.buildah("mount", taken.container)
        laid = lay(source, mounted, recipe.files, timestamp=recipe.image.timestamp, exact=False)
        manifest = manifest_of(mounted, Form.OWNED)
        portable = manifest_of(source, Form.PORTABLE)
        programs.buildah("umount", taken.container)
        programs.buildah("config", *_settings(recipe, taken.base), taken.container)
        programs.buildah("commit", *_committing(recipe), taken.container, f"oci:{target.name}", folder=target.parent)
    found = layouts.read(target)
    return Baked(found, manifest, taken.base, laid, portable.digest, programs.version("buildah"))


@contextmanager
def mounted_image(target: Path, programs: Programs) -> Iterator[str]:
    """The files of a baked image, to be read; they are gone afterwards."""
    with _from_layout(target, layouts.read(target).digest, programs) as container:
        yield programs.buildah("mount", container)


@contextmanager
def _container(recipe: Recipe, programs: Programs) -> Iterator[_Taken]:
    base = recipe.image.base
    if base.startswith(LAYOUT):
        place, _, digest = base.removeprefix(LAYOUT).rpartition("@")
        opened = _from_layout(Path(place), digest, programs)
    else:
        opened = _from(base, programs)
    with opened as container:
        yield _Taken(container, _base(recipe, _inspected(container, programs)))


@contextmanager
def _from(base: str, programs: Programs, folder: Path | None = None) -> Iterator[str]:
    container = programs.buildah("from", "--quiet", base, folder=folder)
    try:
        yield container
    finally:
        programs.buildah("rm", container)


@contextmanager
def _from_layout(place: Path, digest: str, programs: Programs) -> Iterator[str]:
    """A container from one image of a layout, under a name that only this bake has; the name goes with it."""
    with tempfile.TemporaryDirectory(prefix="assaymark-bake-") as folder:
        name = f"assaymark-bake-{secrets.token_hex(8)}"
        layouts.single(place, digest, Path(folder) / name)
        try:
            with _from(f"oci:{name}", programs, Path(folder)) as container:
                yield container
        finally:
            with suppress(SubjectUnreadable):  # it may not even have got so far
                programs.buildah("rmi", f"localhost/{name}")


def _inspected(container: str, programs: Programs) -> _Inspected:
    try:
        return msgspec.json.decode(programs.buildah("inspect", "--type", "container", container), type=_Inspected)
    except UNDECODABLE as error:
        raise SubjectUnreadable("buildah tells of its container what cannot be understood", why=str(error)[:300]) from error


def _base(recipe: Recipe, found: _Inspected) -> Base:
    """What was taken, when it is what the recipe names."""
    image = recipe.image
    if image.base == SCRATCH:
        return Base(follow=image.follow)
    if found.from_image_digest != recipe.base_digest:
        raise SubjectUnreadable(
            f"the base is {found.from_image_digest or 'nothing that has a digest'}, not {recipe.base_digest}",
            why="buildah took another image", advice="remove the image from containers' storage and bake again",
        )  # fmt: skip
    try:
        manifest = msgspec.json.decode(found.manifest, type=layouts.Manifest)
    except UNDECODABLE as error:
        raise SubjectUnreadable("the manifest of the base cannot be understood", why=str(error)[:300]) from error
    name = image.base_name or ("" if image.base.startswith(LAYOUT) else image.base.partition("@")[0])
    return Base(recipe.base_digest, name, layouts.lineage_of(manifest), len(manifest.layers), image.follow)


def _settings(recipe: Recipe, base: Base) -> list[str]:
    """What the image says of itself, as words for `buildah config`."""
    image = recipe.image
    words = ["--os", "linux"]
    words += _each("--annotation", [f"{_BASE_NAME}={base.name}", f"{_BASE_DIGEST}={base.digest}"])
    if base.digest:
        words += ["--annotation", f"{LINEAGE}={' '.join((base.digest, *base.lineage)[:MOST_ANCESTORS])}"]
    for option, value in (
        ("--arch", image.architecture), ("--user", image.user), ("--workingdir", image.folder), ("--stop-signal", image.stop_signal),
    ):  # fmt: skip
        words += [option, value] if value else []
    if image.entrypoint:
        words += ["--entrypoint", json.dumps(image.entrypoint)]
    if image.command or image.entrypoint:
        words += ["--cmd", json.dumps(image.command)]
    words += _each("--env", [f"{name}={value}" for name, value in sorted(image.environment.items())])
    words += _each("--label", [f"{name}={value}" for name, value in sorted(image.labels.items())])
    words += _each("--port", image.ports)
    return words + _each("--volume", image.volumes)


def _each(option: str, values: list[str] | tuple[str, ...]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _committing(recipe: Recipe) -> list[str]:
    """Without history and without a label of who built it: both would say what differs from machine to machine."""
    image = recipe.image
    return [
        "--quiet", "--format", "oci", "--timestamp", str(image.timestamp), "--omit-history", "--identity-label=false",
        f"--disable-compression={'false' if image.compressed else 'true'}",
    ]  # fmt: skip
