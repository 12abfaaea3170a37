"""The report of a bake: which digests name what was made, what it was made from, and what the checks said.

Guarantees: no time, no path and no word of the machine that baked is in it, so that the same input gives the same report; digests of files
beside it are compared before they are believed. It is a claim of whoever baked: an endorsement says who stands for it.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
from msgspec import Struct

from assaymark.endorsement import strict_json
from assaymark.errors import UsageError
from assaymark.model.digest import sha256

FORMAT, VERSION = "assaymark/bake", "1.0"
IMAGE, MANIFEST, SBOM, VERDICT, REPORT = "image", "manifest.jsonl", "sbom.cdx.json", "verdict.json", "bake.json"
"""Names in the folder of a bake: the OCI layout, the manifest of its files, the bill of materials, the verdict, the report."""
MOST_BYTES = 256 << 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Base(Struct, frozen=True, omit_defaults=True):
    """What the image stands on."""

    digest: str = ""
    """Of its manifest; empty for an image that stands on nothing."""
    name: str = ""
    lineage: tuple[str, ...] = ()
    """What the base itself was made from, the nearest first, as the base says."""
    layers: int = 0
    """How many of the image's layers are the base's."""
    follow: str = ""
    """Where the newest base is told."""


class Judged(Struct, frozen=True, omit_defaults=True):
    """What the checks said."""

    outcome: str
    """``pass``, ``fail``, ``unproven``, or ``none`` where nobody asked them."""
    digest: str = ""
    """Of the verdict's document."""


class Report(Struct, frozen=True, rename="camel", omit_defaults=True):
    """The document."""

    name: str
    image: str
    """Digest of the image's manifest: it is deployed by this one."""
    config: str
    manifest: str
    """Root of the manifest of its files, owners and permissions with them (`assaymark.subjects.manifest`, form ``owned``)."""
    platform: str
    layers: tuple[str, ...]
    diff_ids: tuple[str, ...]
    recipe: str
    """Digest of what the recipe means."""
    source: str
    """Root of the portable manifest of the source."""
    sbom: str = ""
    """Digest of the bill of materials."""
    verdict: Judged = Judged("none")
    base: Base = Base()
    files: int = 0
    bytes: int = 0
    left_out: tuple[str, ...] = ()
    tools: dict[str, str] = {}
    format: str = FORMAT
    version: str = VERSION

    @property
    def lineage(self) -> tuple[str, ...]:
        """Digests of everything that it was made from, the nearest first."""
        return (self.base.digest, *self.base.lineage) if self.base.digest else ()


class _Document(Report, frozen=True, kw_only=True, rename="camel"):
    """As it is read: what does not say what it is, is none."""

    format: str
    version: str


def written(report: Report) -> bytes:
    """As JSON, for people too; the same report gives the same bytes."""
    document = msgspec.to_builtins(report) | {"format": report.format, "version": report.version}
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=2) + b"\n"


def parsed(data: bytes) -> Report:
    """The report that these bytes are.

    Raises:
        UsageError: when they are none that this release reads.
    """
    try:
        found = strict_json.read(data, _Document)
    except strict_json.NotStrictError as error:
        raise UsageError(
            "this is no report of a bake", why=str(error)[:300], advice="name the bake.json that `assay bake` wrote"
        ) from error
    if found.format != FORMAT or found.version.partition(".")[0] != VERSION.partition(".")[0]:
        raise UsageError("this is no report that this release reads", why=f"it says {found.format[:50]!r} {found.version[:20]!r}")
    wanted = (found.image, found.config, found.manifest, *found.lineage)
    if not all(_DIGEST.fullmatch(each) for each in wanted):
        raise UsageError("this report names something by what is no SHA-256", advice="bake again")
    return Report(**{name: getattr(found, name) for name in Report.__struct_fields__})


def read(path: Path) -> Report:
    """The report in a file, or in the folder of a bake.

    Raises:
        UsageError: when it cannot be read or is none.
    """
    return parsed(bytes_of(path / REPORT if path.is_dir() else path))


def beside(path: Path, name: str, digest: str) -> bytes:
    """What lies beside a report, and is what the report says.

    Raises:
        UsageError: when it is not there, or is something else.
    """
    found = (path if path.is_dir() else path.parent) / name
    data = bytes_of(found)
    if sha256(data) != digest:
        raise UsageError(f"{found} is not what the report names", why=f"its digest is not {digest}", advice="bake again")
    return data


def bytes_of(path: Path) -> bytes:
    """A file of a bake.

    Raises:
        UsageError: when it cannot be read, or is larger than any that is written.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or str(error)) from error
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} is too large", why=f"at most {MOST_BYTES} bytes are read")
    return data
