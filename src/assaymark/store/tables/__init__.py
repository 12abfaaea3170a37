"""Every table, as SQLAlchemy Core knows it. Instants are microseconds since 1970 in UTC; texts that hold structures are JSON.

What happened is never changed: an occurrence gets its end once, an assessment ends once, the trail of people's actions only grows. The
database itself refuses anything else (`guards`). Content of any size (verdicts, bills of materials) lies in `blobs`; rows hold its digest.
"""

from __future__ import annotations

from assaymark.store.tables.admission import admission_gate, admission_refusal
from assaymark.store.tables.approved import known_component, known_use
from assaymark.store.tables.channels import channel_message, digest, happening, subscription
from assaymark.store.tables.columns import metadata
from assaymark.store.tables.decisions import decision, decision_answer, decision_request, decision_step
from assaymark.store.tables.deployments import (
    deployed_pair,
    drift,
    environment,
    generation,
    generation_step,
    instance,
    promotion,
    promotion_vote,
)
from assaymark.store.tables.endorsements import (
    endorsed_digest,
    endorsement,
    endorsement_evidence,
    endorsement_key,
    endorsement_part,
    endorsement_request,
    endorsement_vote,
    evidence,
)
from assaymark.store.tables.figures import figure_day, issued_report, issued_report_link, promise, signing_key, subject_past
from assaymark.store.tables.found import finding, occurrence, posture
from assaymark.store.tables.held import advisory_hit, advisory_snapshot, component, holding, package, package_set, unordered_component
from assaymark.store.tables.items import image_base, issue, item, item_span, item_subject
from assaymark.store.tables.log import log_checkpoint, log_entry, log_key, log_pin, log_subject, log_tile
from assaymark.store.tables.people import (
    attempt,
    audit_event,
    federated_identity,
    group_mapping,
    invitation,
    membership,
    passkey,
    person,
    session,
    team,
    token,
)
from assaymark.store.tables.policies import policy_approval, policy_event, policy_outcome, policy_simulation, policy_source, policy_version
from assaymark.store.tables.revocations import endorsement_doubt, endorsement_withdrawal, revocation
from assaymark.store.tables.screens import saved_view
from assaymark.store.tables.settings import setting
from assaymark.store.tables.sources import connection, ref_listing, repository, subject
from assaymark.store.tables.trust import endorsing_key, trust_file, trust_role_key, trust_version
from assaymark.store.tables.voices import comment, mention, report, report_entry, report_link
from assaymark.store.tables.work import assessment, delivery, job, outbox, progress, remembered_answer, said, schedule

__all__ = [
    "admission_gate",
    "admission_refusal",
    "advisory_hit",
    "advisory_snapshot",
    "assessment",
    "attempt",
    "audit_event",
    "channel_message",
    "comment",
    "component",
    "connection",
    "decision",
    "decision_answer",
    "decision_request",
    "decision_step",
    "delivery",
    "deployed_pair",
    "digest",
    "drift",
    "endorsed_digest",
    "endorsement",
    "endorsement_doubt",
    "endorsement_evidence",
    "endorsement_key",
    "endorsement_part",
    "endorsement_request",
    "endorsement_vote",
    "endorsement_withdrawal",
    "endorsing_key",
    "environment",
    "evidence",
    "federated_identity",
    "figure_day",
    "finding",
    "generation",
    "generation_step",
    "group_mapping",
    "happening",
    "holding",
    "image_base",
    "instance",
    "invitation",
    "issue",
    "issued_report",
    "issued_report_link",
    "item",
    "item_span",
    "item_subject",
    "job",
    "known_component",
    "known_use",
    "log_checkpoint",
    "log_entry",
    "log_key",
    "log_pin",
    "log_subject",
    "log_tile",
    "membership",
    "mention",
    "metadata",
    "occurrence",
    "outbox",
    "package",
    "package_set",
    "passkey",
    "person",
    "policy_approval",
    "policy_event",
    "policy_outcome",
    "policy_simulation",
    "policy_source",
    "policy_version",
    "posture",
    "progress",
    "promise",
    "promotion",
    "promotion_vote",
    "ref_listing",
    "remembered_answer",
    "report",
    "report_entry",
    "report_link",
    "repository",
    "revocation",
    "said",
    "saved_view",
    "schedule",
    "session",
    "setting",
    "signing_key",
    "subject",
    "subject_past",
    "subscription",
    "team",
    "token",
    "trust_file",
    "trust_role_key",
    "trust_version",
    "unordered_component",
]
