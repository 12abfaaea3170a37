"""buildah and skopeo, as the programs that make and carry images: no shell, bounded in time and in what is heard of them.

Guarantees: each call is a list of words; what a program writes is read to a bound and shown only when it fails; a program that hangs is
ended. The containers' storage is the user's own, or a folder that is named, where two bakes do not meet.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from assaymark.errors import EngineMissing, SubjectUnreadable, UsageError

SECONDS = 1800.0
"""Of one call: a large base is fetched in it."""
_SHOWN = 600
_ADVICE = {"buildah": "install it: apt-get install buildah", "skopeo": "install it: apt-get install skopeo"}


class Programs(Struct, frozen=True):
    """Where images are made."""

    storage: str = ""
    """Folder of containers' storage; empty: the user's own."""
    seconds: float = SECONDS

    def buildah(self, *words: str, folder: Path | None = None) -> str:
        """What it prints; layouts are named relative to `folder`, because what is in front of a layout's name would be parsed.

        Raises:
            EngineMissing: when it is not installed.
            SubjectUnreadable: when it fails.
        """
        placed: tuple[str, ...] = ()
        if self.storage:
            placed = ("--root", str(self._storage / "root"), "--runroot", str(self._storage / "run"))
        return self._run("buildah", [*placed, *words], folder)

    def skopeo(self, *words: str, folder: Path | None = None) -> str:
        """As `buildah`."""
        return self._run("skopeo", words, folder)

    @property
    def _storage(self) -> Path:
        return Path(self.storage).absolute()

    def stored(self, name: str) -> str:
        """How skopeo calls an image of the storage."""
        if not self.storage:
            return f"containers-storage:{name}"
        return f"containers-storage:[overlay@{self._storage / 'root'}+{self._storage / 'run'}]{name}"

    def version(self, program: str) -> str:
        """``buildah version 1.28.2 (…)`` as ``1.28.2``."""
        words = self._run(program, ["--version"], None).split()
        return words[2] if len(words) > 2 else ""

    def _run(self, program: str, words: Sequence[str], folder: Path | None) -> str:
        path = shutil.which(program)
        if path is None:
            raise EngineMissing(f"{program} is not installed", why="images are made by it", advice=_ADVICE.get(program, ""))
        try:
            done = subprocess.run(
                [path, *words], check=False, capture_output=True, timeout=self.seconds, env=_environment(), umask=0o022, cwd=folder
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise SubjectUnreadable(f"{program} {words[0]} did not end within {self.seconds:.0f} seconds") from error
        if done.returncode:
            verb = next((word for word in words if not word.startswith(("-", "/"))), "")
            said = done.stderr.decode("utf-8", "replace").strip()[-_SHOWN:]
            raise SubjectUnreadable(f"{program} {verb} failed", why=said or f"it ended with {done.returncode}", advice=_advice(said))
        return done.stdout.decode("utf-8", "replace").strip()


def _environment() -> Mapping[str, str]:
    """The user's own, in the one language whose words are known, without what would change what is baked."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("BUILDAH_", "SOURCE_DATE_"))} | {"LC_ALL": "C.UTF-8"}


def _advice(said: str) -> str:
    if "operation not permitted" in said.lower() or "user namespace" in said.lower():
        return "bake as root, or within `buildah unshare`"
    return ""


def need_root() -> None:
    """Owners of files are set: root can do so, or whoever is root in a user namespace of his own.

    Raises:
        UsageError: when the user is neither.
    """
    if os.geteuid() != 0:
        raise UsageError(
            "images are baked as root", why="files get owners, and the image is mounted", advice="buildah unshare assay bake …"
        )
