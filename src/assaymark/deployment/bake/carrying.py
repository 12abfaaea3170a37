"""Where a baked image goes from its layout: podman's storage, a registry, a plain tree. Its digest stays what it is on the way."""

from __future__ import annotations

import shutil
from pathlib import Path

from assaymark.deployment.bake.laying import KEEP, lay
from assaymark.deployment.bake.programs import Programs
from assaymark.deployment.bake.recipe import Files, Modes
from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.subjects.listing import printable_name
from assaymark.subjects.manifest import Form, manifest_of


def to_storage(layout: Path, name: str, programs: Programs) -> None:
    """Into containers' storage, as podman and buildah see it.

    Raises:
        EngineMissing, SubjectUnreadable: as `Programs` does.
    """
    programs.skopeo("copy", "--quiet", "--preserve-digests", f"oci:{layout.name}", programs.stored(name), folder=layout.parent)


def to_registry(layout: Path, address: str, programs: Programs, *, is_plain: bool = False) -> None:
    """To ``registry/name[:tag]``, with the credentials that `skopeo login` or `podman login` keep.

    Raises:
        UsageError: when it is no address.
        EngineMissing, SubjectUnreadable: as `Programs` does.
    """
    if "/" not in address or address.startswith(("/", "-")) or "@" in address or any(letter.isspace() for letter in address):
        raise UsageError(f"{printable_name(address)} is no place in a registry", advice="write it as registry.example.org/shop/web:1.4")
    secured = ("--dest-tls-verify=false",) if is_plain else ()
    words = ("copy", "--quiet", "--preserve-digests", *secured, f"oci:{layout.name}", f"docker://{address}")
    programs.skopeo(*words, folder=layout.parent)


def to_tree(mounted: str, target: Path, manifest: str) -> None:
    """A plain folder with what the image holds, for hosts that run it without containers; its manifest is the image's.

    Raises:
        UsageError: when something is there already.
        SubjectUnreadable: when it cannot be written, or what was written has another manifest.
    """
    if target.exists():
        raise UsageError(f"{printable_name(str(target))} is there already", why="a tree is never changed", advice="name a new folder")
    draft = target.with_name(f".{target.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        copied(mounted, draft)
        made = manifest_of(str(draft), Form.OWNED).digest
        if made != manifest:
            raise SubjectUnreadable(f"{printable_name(str(target))} would not be what was baked", why=f"its manifest is {made}")
        draft.rename(target)
    except OSError as error:
        raise SubjectUnreadable(f"{printable_name(str(target))} cannot be written", why=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def copied(source: str, target: Path) -> None:
    """The same tree once more, with owners, permissions and capabilities; whether it is the same, its manifest says.

    Raises:
        UsageError: when a device, fifo or socket is in it.
        SubjectUnreadable: when it cannot be read or written.
    """
    target.mkdir(0o700)
    lay(source, str(target), Files(owner=KEEP, modes=Modes.KEEP, exclude=()), timestamp=0, exact=True)
