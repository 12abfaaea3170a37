"""What is worth telling somebody: a change of state, as one value that every way to people reads.

Guarantees: the kinds are a closed set, and a name that was published is never given another meaning. A happening is a change: whoever makes
one has asked whether the state differs from the one before; the same push twice is none. Knows no channel, no subscriber and no database.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.severity import Severity


class HappeningKind(StrEnum):
    """``<what>.<how>``; also the event type of outgoing webhooks."""

    VERDICT_CHANGED = "verdict.changed"
    """A subject's verdict is another one than before: pass, fail, unproven."""
    ASSESSMENT_UNPROVEN = "assessment.unproven"
    """It could not be judged to its end, where the last one could."""
    FINDING_OPENED = "finding.opened"
    FINDING_CLOSED = "finding.closed"
    ITEM_OPENED = "item.opened"
    """What one repair removes stands open for the first time, or again."""
    ITEM_ASSIGNED = "item.assigned"
    ITEM_CLOSED = "item.closed"
    DECISION_MADE = "decision.made"
    DECISION_ENDING = "decision.ending"
    """Its last day is near."""
    DECISION_ENDED = "decision.ended"
    """By its last day, or withdrawn: what it covered stands open again."""
    REQUEST_ASKED = "request.asked"
    """Somebody asks for a waiver."""
    REQUEST_ANSWERED = "request.answered"
    REPORT_RECEIVED = "report.received"
    """Somebody outside told of a weakness."""
    COMMENT_MADE = "comment.made"
    DEADLINE_MISSED = "deadline.missed"
    """Something stands open for longer than its severity may."""
    POLICY_CHANGED = "policy.changed"
    ADVISORY_HIT = "advisory.hit"
    """New knowledge says that something that is held is weak."""
    ENDORSEMENT_WITHDRAWN = "endorsement.withdrawn"
    """What was approved is not any more: somebody revoked it, or new knowledge did."""
    ENDORSEMENT_MADE = "endorsement.made"
    """Something passed and was signed."""
    APPROVAL_ASKED = "approval.asked"
    """People have to approve before something is endorsed."""
    APPROVAL_ANSWERED = "approval.answered"
    """Enough approved, or one declined."""
    DEPLOYMENT_REPLACED = "deployment.replaced"
    """Another generation is live, and the one before is burnt."""
    DEPLOYMENT_ABORTED = "deployment.aborted"
    """A generation did not become what it should, and was burnt; the one before serves on."""
    DEPLOYMENT_STOPPED = "deployment.stopped"
    """What ran was taken away without a successor."""
    DEPLOYMENT_FORCED = "deployment.forced"
    """Something runs without an approval, because a break-glass order let it through; also when that order ended and it still runs."""
    DEPLOYMENT_UNAPPROVED = "deployment.unapproved"
    """What runs is not approved any more: revoked, expired, or signed by whom nobody believes any more."""
    DRIFT_FOUND = "drift.found"
    """What runs differs from what was endorsed."""
    PROMOTION_ASKED = "promotion.asked"
    """Somebody wants a digest to run somewhere, and others have to agree."""
    PROMOTION_ANSWERED = "promotion.answered"
    """A digest is wanted there from now on, or was declined."""
    CONNECTION_PROBLEM = "connection.problem"
    """A forge, registry or channel cannot be reached or refuses; also when it can again."""
    CHANNEL_TESTED = "channel.tested"
    """Somebody pressed the button; goes to that one channel only."""


class Happening(Struct, frozen=True, omit_defaults=True):
    """One of them. Texts are plain: each channel escapes them for itself."""

    kind: HappeningKind
    at: Instant
    team: TeamId | None
    """Whose it is; None: nobody's in particular, told only to those who may see everything."""
    title: str
    """One sentence, whole in itself."""
    path: str
    """Page on this server, beginning with a slash."""
    subject: SubjectId | None = None
    repository: RepositoryId | None = None
    severity: Severity | None = None
    """None where nothing is weighed, e.g. when all is well again."""
    actor: str = ""
    """Login, or who caused it as a forge names him; empty when nobody did."""
    data: dict[str, str] = {}
    """Facts of the kind, for programs: ``before``, ``after``, ``assessment``, ``finding``, ``item``, ``owner``, ``until`` …"""
