"""Kind of job -> the function that does it, as text, so that a worker imports what it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from assaymark.server.service import Service

HANDLERS: Mapping[str, str] = {
    "index-approved": "assaymark.server.work.approved_index:index_approved",
    "clean-components": "assaymark.server.work.forgetting:clean_components",
    "clean-jobs": "assaymark.server.work.cleaning:clean_jobs",
    "clean-mirrors": "assaymark.server.work.tidying:clean_mirrors",
    "clean-people": "assaymark.server.work.forgetting_people:clean_people",
    "abandon-assessment": "assaymark.server.work.assess:abandon",
    "assess": "assaymark.server.work.assess:assess",
    "abandon-import": "assaymark.server.work.importing:abandon",
    "endorse": "assaymark.server.work.endorsing:endorse",
    "renew-endorsements": "assaymark.server.work.renewing:renew_endorsements",
    "attach-endorsement": "assaymark.server.work.attaching:attach",
    "end-decisions": "assaymark.server.work.deciding:end_decisions",
    "judge-decided": "assaymark.server.work.deciding:judge_decided",
    "spread-decision": "assaymark.server.work.deciding:spread_decision",
    "import": "assaymark.server.work.importing:import_report",
    "own-items": "assaymark.server.work.owners:own_items",
    "tell-items": "assaymark.server.work.items:tell_items",
    "look-at-deployments": "assaymark.server.work.standing:look_at_deployments",
    "make-sample": "assaymark.server.sample_organisation:make_organisation",
    "doubt-endorsed": "assaymark.server.work.doubting:doubt_endorsed",
    "spread-revocation": "assaymark.server.work.revoking:spread_revocation",
    "tell-revocation": "assaymark.server.work.revoking:tell_revocation",
    "inventory": "assaymark.server.work.inventory:inventory",
    "rejudge": "assaymark.server.work.rejudge:rejudge",
    "rejudge-hits": "assaymark.server.work.rejudge:rejudge_hits",
    "update-advisories": "assaymark.server.work.advisories:update_advisories",
    "discover": "assaymark.server.work.discover:discover",
    "discover-all": "assaymark.server.work.discover:discover_all",
    "pin-log": "assaymark.server.logbook.jobs:pin_log",
    "poll-repositories": "assaymark.server.work.poll:poll_all",
    "poll-repository": "assaymark.server.work.poll:poll",
    "publish-trust": "assaymark.server.work.distributing:publish_trust",
    "read-policies": "assaymark.server.work.policy_sources:read",
    "read-all-policies": "assaymark.server.work.policy_sources:read_all",
    "simulate-policy": "assaymark.server.work.simulate:simulate",
    "sum-up-days": "assaymark.server.work.figures:sum_up_days",
    "issue-reports": "assaymark.server.work.reports:issue_reports",
    "deliver": "assaymark.server.work.deliver:deliver",
    "send-digest": "assaymark.server.work.digests:send_digest",
    "send-digests": "assaymark.server.work.digests:send_digests",
    "fulfil-wish": "assaymark.server.work.wishing:fulfil",
    "deliver-channel": "assaymark.server.work.channels:deliver_channel",
    "look-after-channels": "assaymark.server.work.channels:look_after_channels",
    "clean-channels": "assaymark.server.work.forgetting_messages:clean_channels",
}
"""A handler may run again after a kill at any point: what it writes, it writes in one transaction that asks whether it was done."""


class Attempt(Protocol):
    """What a handler is told of the attempt that it is."""

    number: int
    """1 for the first."""
    is_last: bool
    """There will be no other: what cannot be proved now is written down as unproven."""

    def should_stop(self) -> bool:
        """Whether somebody cancelled it."""
        ...


Handler = Callable[[Service, Mapping[str, Any], Attempt], None]


def handler(kind: str) -> Handler:
    """The function of a kind.

    Raises:
        KeyError: for a kind that this release does not know.
    """
    module, _, function = HANDLERS[kind].partition(":")
    return cast("Handler", getattr(import_module(module), function))
