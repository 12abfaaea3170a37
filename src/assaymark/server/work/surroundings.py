"""The server's `flow.Context`: its own installation key, facts that all workers of a machine share, its advisories, its day."""

from __future__ import annotations

import datetime as dt
import os

from msgspec.structs import replace

from assaymark import compose, config
from assaymark.flow import Context
from assaymark.server.service import Service
from assaymark.server.work import knowledge
from assaymark.server.work.remotes import cache_of
from assaymark.server.work.watch import Watch

_PASSED_ON = ("ASSAYMARK_CACHE", "ASSAYMARK_KEY", "ASSAYMARK_KEY_FILE", "ASSAYMARK_FACTS_MIB", "ASSAYMARK_ADVISORIES", "ASSAYMARK_TODAY")


def surroundings(service: Service, watch: Watch) -> Context:
    """A context for one run.

    Raises:
        UsageError: when the installation key cannot be read.
    """
    return compose.context(configuration(service), progress=watch, cancelled=watch.should_stop)


def configuration(service: Service) -> config.Config:
    """Everything in the data folder, unless the environment says otherwise (`config`); the day is that of the server's clock.

    The advisories are the installation's newest snapshot (`knowledge`), the same on every worker.
    """
    data = service.settings.data
    given = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    today = dt.datetime.fromtimestamp(service.now() / 1_000_000, dt.UTC).date().isoformat()
    found = config.load(
        {
            "HOME": str(data),
            "ASSAYMARK_CACHE": str(cache_of(service)),
            "ASSAYMARK_KEY_FILE": str(data / "installation.key"),
            "ASSAYMARK_TODAY": today,
            **given,
        }
    )
    return found if "ASSAYMARK_ADVISORIES" in given else replace(found, advisories=knowledge.advisories_file(service))
