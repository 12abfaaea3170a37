"""One door to a driver, by its name. A driver's libraries are imported when one is opened, and never for another.

Each driver is a module ``drivers.<folder>.driver`` with a function ``opened(options) -> Driver`` (`Opens`).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol, cast

from assaymark.deployment.drivers.driver import Driver
from assaymark.errors import EngineMissing, UsageError

DRIVERS: Mapping[str, str] = {
    "podman": "podman",
    "kubernetes": "kubernetes",
    "aws-asg": "aws_asg",
    "rootfs": "rootfs",
    "exec": "exec",
}
"""Name in the terms -> folder beside this module."""


class Opens(Protocol):
    def opened(self, options: Mapping[str, str]) -> Driver:
        """The driver with its settings.

        Raises:
            UsageError: when a setting is missing or makes no sense.
            EngineMissing: when what it needs is not installed.
        """


def opened(name: str, options: Mapping[str, str]) -> Driver:
    """The driver of that name.

    Raises:
        UsageError: when there is none, or its settings make no sense.
        EngineMissing: when what it needs is not installed.
    """
    folder = DRIVERS.get(name)
    if folder is None:
        raise UsageError(f"{name[:100]!r} is no driver", why=f"there are {', '.join(DRIVERS)}", advice="say `driver = …` in the terms")
    try:
        module = import_module(f"assaymark.deployment.drivers.{folder}.driver")
    except ImportError as error:
        raise EngineMissing(f"the driver {name} cannot be used", why=str(error), advice="install what it needs, see its how-to") from error
    return cast("Opens", module).opened(options)
