"""What the server's workers can do: its handlers, with everything that is slow to prepare prepared once."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from assaymark import compose, config
from assaymark.errors import AssayError, EngineMissing, UsageError
from assaymark.jobs.runner import Attempt, Perform
from assaymark.model.rules import catalogue
from assaymark.server.service import Service, open_service
from assaymark.server.settings import Settings
from assaymark.server.work.handlers import HANDLERS, handler
from assaymark.verdict.policy import Policy


class ServerTrade:
    """The trade of `jobs.runner.Trade`; it is made before anything is opened, and opens in the runner."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def warm(self) -> None:
        """Import the handlers, make the checks, load the rule databases. What fails here fails again where somebody is told."""
        for reference in HANDLERS.values():
            import_module(reference.partition(":")[0])
        with suppress(AssayError):
            prepare_checks(self._settings)
        for name in ("difflib", "tomllib", "urllib.parse", "assaymark.engine.pool", "assaymark.engine.run", "assaymark.subjects.history"):
            import_module(name)

    def open(self) -> Perform:
        """Everything that a handler is given, opened in this process."""
        service = open_service(self._settings)

        def perform(kind: str, arguments: Mapping[str, Any], attempt: Attempt) -> None:
            if kind not in HANDLERS:
                raise UsageError(f"this release does not know jobs of kind {kind}", advice="run workers of the release that put it")
            run: Callable[[Service, Mapping[str, Any], Any], None] = handler(kind)
            run(service, arguments, attempt)

        return perform


def prepare_checks(settings: Settings) -> None:
    """Knowledge of the checks and rule databases, in the server's own cache; some seconds the first time, milliseconds afterwards."""
    from assaymark.checks.application.secrets.check import warm as warm_secrets  # noqa: PLC0415 - engines load in workers only

    made = compose.settings_of(config.load(_environment(settings)))
    for check in compose.make_checks(Policy(), made):
        with suppress(EngineMissing):  # the run says so, to somebody who can do something
            check.knowledge()
        preload: Callable[[], None] | None = getattr(check, "preload", None)
        if preload is not None:
            preload()
    warm_secrets(made)
    catalogue()


def _environment(settings: Settings) -> dict[str, str]:
    given = {name: value for name, value in os.environ.items() if name.startswith("ASSAYMARK_")}
    own = {"HOME": str(settings.data), "ASSAYMARK_CACHE": str(settings.data / "cache")}
    return {"ASSAYMARK_KEY_FILE": str(settings.data / "installation.key"), **given, **own}
