"""From a tree and the digest that was endorsed to a copy that is run: verified after it was copied, not before."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from assaymark.deployment.bake.carrying import copied
from assaymark.deployment.drivers.driver import DriverFailed, Launch
from assaymark.deployment.drivers.rootfs.place import Generation, Place, take_away, write
from assaymark.errors import AssayError
from assaymark.subjects.confined import open_folder, open_root
from assaymark.subjects.listing import printable_name
from assaymark.subjects.manifest import Form, Manifest, manifest_of


def prepared(asked: Launch, place: Place) -> Path:
    """The tree of a generation, as it was endorsed.

    Raises:
        DriverFailed: when there is none of this digest, or the generation was prepared with another.
    """
    folder = place.generation(asked.generation)
    known = place.prepared(asked.generation)
    if known is not None and known.digest != asked.digest:
        raise DriverFailed(
            f"generation {asked.generation} of {asked.pair} is {known.digest} here, not {asked.digest}", advice="burn it first"
        )
    if known is not None:
        if _digest(folder / "tree") == asked.digest:
            return folder / "tree"
        raise DriverFailed(
            f"the tree of generation {asked.generation} of {asked.pair} was changed", why="it is not what was endorsed any more",
            advice="let a new generation rise; this one is burnt",
        )  # fmt: skip
    source = source_of(asked)
    draft = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
    try:
        draft.mkdir(0o711)
        copied(str(source), draft / "tree")
        made = _endorsed(draft / "tree", asked.digest, source)
        write(draft / "manifest", made.text)
        write(draft / "generation.json", Generation(asked.generation, made.digest, str(source)))
        take_away(folder)  # of a deployer that was killed before it wrote what it was
        draft.rename(folder)
    except OSError as error:
        raise DriverFailed(f"the tree of generation {asked.generation} cannot be laid", why=error.strerror or str(error)) from error
    except DriverFailed:
        raise
    except AssayError as error:
        raise DriverFailed(error.what, why=error.why, advice=error.advice) from error
    finally:
        if draft.exists():
            take_away(draft)
    return folder / "tree"


def _endorsed(tree: Path, digest: str, source: Path) -> Manifest:
    made = manifest_of(str(tree), Form.OWNED)
    if made.digest != digest:
        raise DriverFailed(
            f"{printable_name(str(source))} is not what was endorsed", why=f"it is {made.digest}, not {digest}",
            advice="bring the tree that was baked, with its owners (tar --numeric-owner -p, rsync -aX)",
        )  # fmt: skip
    return made


def source_of(asked: Launch) -> Path:
    """Where the tree lies that is meant: the folder itself, or a folder in it that is called by the digest's hex.

    Raises:
        DriverFailed: when the image is no ``path@digest``, or nothing is there.
    """
    path, at, digest = asked.image.rpartition("@")
    if not at or digest != asked.digest or not path.startswith("/"):
        raise DriverFailed(f"{asked.image[:200]!r} is not launched", why=f"it is not /path@{asked.digest}", advice="give a digest, no tag")
    named = Path(path) / digest.partition(":")[2]
    found = named if named.is_dir() else Path(path)
    if not found.is_dir():
        raise DriverFailed(f"there is no tree at {printable_name(path)}", advice="write one with `assay bake … --tree`")
    return found


def need_points(tree: Path, points: tuple[str, ...]) -> None:
    """Raise unless everything is there that something is mounted over, in the tree itself and not behind a link.

    Raises:
        DriverFailed: naming what is missing.
    """
    missing = [point for point in points if not _is_there(tree, point)]
    if missing:
        raise DriverFailed(
            f"the tree has no {', '.join(missing)}", why="something is mounted there, and a read-only tree cannot get it later",
            advice='bake it in: folders = ["/proc", "/dev", …] under [files]',
        )  # fmt: skip


def _is_there(tree: Path, point: str) -> bool:
    above, _, name = os.fsencode(point.strip("/")).rpartition(b"/")
    if not name:
        return False
    root = open_root(str(tree))
    try:
        fd = open_folder(root, above)
        try:
            return not stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
        finally:
            os.close(fd)
    except OSError:
        return False
    finally:
        os.close(root)


def _digest(tree: Path) -> str:
    try:
        return manifest_of(str(tree), Form.OWNED).digest
    except AssayError:
        return ""
