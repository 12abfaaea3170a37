"""Lets the terms say ``driver = "folder"``: the platform of files, opened as every driver is.

    python -m tests.deployment.folder_driver deploy …

is `assay deploy …` with that driver. Options: ``folder``, ``rolls``, ``sick`` (a digest that never becomes healthy), ``kill`` (point at
which the process ends by SIGKILL).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from tests.deployment.folder_platform import FolderPlatform

from assaymark.deployment.drivers import opening
from assaymark.deployment.drivers.driver import Driver

_PACKAGE = "assaymark.deployment.drivers.folder"


def opened(options: Mapping[str, str]) -> Driver:
    """As `opening.Opens`."""
    left = int(options.get("kill", "0"))

    def point(_name: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    made = FolderPlatform(Path(options["folder"]), point=point, rolls="rolls" in options)
    made.healthy = lambda each: each.digest != options.get("sick")
    return made


def install() -> None:
    """From now on, in this process."""
    package, module = ModuleType(_PACKAGE), ModuleType(f"{_PACKAGE}.driver")
    package.__path__ = []
    module.opened = opened  # type: ignore[attr-defined]
    sys.modules[_PACKAGE], sys.modules[f"{_PACKAGE}.driver"] = package, module
    opening.DRIVERS = {**opening.DRIVERS, "folder": "folder"}


if __name__ == "__main__":
    install()
    from assaymark.cli.main import main

    main()
