"""Where checkov's own environment is, and which version. Cheap: asked at planning."""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from assaymark.errors import EngineMissing
from assaymark.formats.undecodable import UNDECODABLE

VERSION = "3.3.30"
"""What `assay engine install checkov` installs: the version whose ids were compared with ours."""


class Installed(Struct, frozen=True):
    """What the installation wrote down last, so that a broken one does not count."""

    version: str
    python: str


def folder(cache_dir: str) -> str:
    """The environment's folder, one per version."""
    return os.path.join(cache_dir, "engines", f"checkov-{VERSION}")  # noqa: PTH118 - pathlib costs milliseconds on the hook's path


def note(cache_dir: str) -> str:
    """The file that says that the installation is whole."""
    return folder(cache_dir) + ".json"


def installed(cache_dir: str) -> Installed:
    """The installation.

    Raises:
        EngineMissing: when there is none.
    """
    try:
        with open(note(cache_dir), "rb") as file:  # noqa: PTH123
            found = msgspec.json.decode(file.read(), type=Installed)
    except (*UNDECODABLE, OSError) as error:
        raise EngineMissing(
            "checkov is not installed", advice="run `assay engine install checkov`, or take it out of checks.enable"
        ) from error
    if not os.access(found.python, os.X_OK):
        raise EngineMissing("checkov's environment is gone", advice="run `assay engine install checkov`")
    return found
