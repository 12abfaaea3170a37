"""What is done again and again on every installation, until somebody says otherwise."""

from __future__ import annotations

from collections.abc import Sequence

from assaymark.jobs.clock import Schedule
from assaymark.server.work.handlers import HANDLERS

_HOUR = 3600
_ALL = (
    Schedule("advisories", "update-advisories", 24 * _HOUR),
    Schedule("clean-channels", "clean-channels", 24 * _HOUR),
    Schedule("clean-components", "clean-components", 24 * _HOUR),
    Schedule("clean-jobs", "clean-jobs", 6 * _HOUR),
    Schedule("clean-mirrors", "clean-mirrors", 24 * _HOUR),
    Schedule("clean-people", "clean-people", 24 * _HOUR),
    Schedule("discover-repositories", "discover-all", 6 * _HOUR),
    Schedule("end-decisions", "end-decisions", _HOUR),
    Schedule("tell-items", "tell-items", _HOUR),
    Schedule("look-after-channels", "look-after-channels", _HOUR // 4),
    Schedule("look-at-deployments", "look-at-deployments", _HOUR // 12),
    Schedule("pin-log", "pin-log", _HOUR),
    Schedule("index-approved", "index-approved", _HOUR // 4),
    Schedule("poll-repositories", "poll-repositories", 6 * _HOUR),
    Schedule("publish-trust", "publish-trust", _HOUR),
    Schedule("read-policies", "read-all-policies", _HOUR),
    Schedule("renew-endorsements", "renew-endorsements", _HOUR),
    Schedule("issue-reports", "issue-reports", _HOUR),
    Schedule("sum-up-days", "sum-up-days", _HOUR),
    Schedule("send-digests", "send-digests", _HOUR // 4),
)


def defaults() -> Sequence[Schedule]:
    """Those whose handler this release has."""
    return [each for each in _ALL if each.kind in HANDLERS]
