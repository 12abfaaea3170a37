"""A row in every table, with a text of the test's own in every column that holds text: what a page could show, it gets to show.

A column that is added later gets its text by itself. Only what has a meaning for the program (a state, a kind, JSON of a struct) is named
here; where that is missing, a page of the test fails and says which.
"""

from __future__ import annotations

import tempfile
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union

import msgspec
import sqlalchemy as sa
from msgspec import UNSET, Struct
from tests.dependencies.advisory_samples import compiled

from assaymark.deployment.drift.drifted import Cause
from assaymark.deployment.phoenix.generation import Generation, Step
from assaymark.endorsement import keys
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.model.access import Permission, TeamId
from assaymark.model.assessment import SECOND, Instant
from assaymark.model.trigger import Trigger
from assaymark.model.verdict import Verdict
from assaymark.server.api.security_txt import Kept, SecurityTxt
from assaymark.server.people import credential
from assaymark.server.people.provider import Provider, Trust
from assaymark.server.service import Service
from assaymark.store import log
from assaymark.store.recording import Detail
from assaymark.store.tables import metadata
from assaymark.views.encoding import packed

SECRET = "A" * 43
"""Opens the session, the links and the report that are planted."""
Label = Callable[[str], str]
"""Name of a column -> what is written into it."""
_YEAR = 366 * 86400 * SECOND
_ENDS = {
    "closed_at", "ended_at", "revoked_at", "disabled_at", "forgotten_at", "withdrawn_at", "superseded_by", "first", "failing_since",
    "previous_until", "used_at", "started_at", "alive_at", "closed_by", "burnt_at", "resolved_at",
}  # fmt: skip
"""Columns that stay empty, so that what they are about goes on."""
_LATER = {"expires_at", "due_at", "next_at", "ends_at", "until"}

MEANINGS: Mapping[str, Any] = {
    "finding.kind": "code", "finding.layer": "application",
    "occurrence.kind": "code", "occurrence.layer": "application", "occurrence.severity": 3, "occurrence.confidence": 2,
    "occurrence.waived": 0, "occurrence.continued": 0, "occurrence.ordinal": 0,
    "subject.kind": "branch", "subject.state": "fail", "subject.grounds": "",
    "assessment.state": "fail", "assessment.trigger": "push",
    "connection.kind": "gitlab", "connection.token": None, "connection.webhook_secret": None, "connection.previous_secret": None,
    "membership.role": "admin", "membership.team": None, "group_mapping.role": "viewer", "invitation.purpose": "join",
    "token.scopes": '["subjects:read"]', "promise.terms": "",
    "advisory_hit.state": "waiting", "job.state": "dead", "outbox.state": "given-up", "schedule.source": "person",
    "comment.about": "finding", "comment.number": 1, "report.state": "open", "report_entry.state": "",
    "happening.kind": "comment.made", "happening.severity": 3,
    "subscription.kind": "webhook", "subscription.state": "active", "subscription.address": None, "subscription.secret": None,
    "subscription.previous_secret": None, "subscription.signing_key": None, "subscription.resting_until": 0,
    "channel_message.state": "given-up",
    "digest.every": "week",
    "decision.kind": "waive", "decision.layer": "", "decision.severity": -1, "decision.source": "person", "decision.justification": "",
    "decision.renews": None, "decision_step.what": "approved",
    "decision_request.kind": "waive", "decision_request.justification": "", "decision_answer.granted": 0,
    "item.cause": "rule", "item.kind": "code", "item.layer": "application", "item.owner_source": "hand", "item.untold": 0,
    "item_span.cause": "rule", "item_span.kind": "code", "item_span.layer": "application", "item_span.severity": 3,
    "item_span.continued": 0, "item_span.owner_source": "hand", "item_subject.severity": 3, "issue.state": "open",
    "policy_version.name": "harbour", "policy_version.version": "1", "policy_event.name": "harbour", "policy_event.kind": "proposed",
    "policy_simulation.state": "done", "policy_simulation.first": None, "policy_simulation.last": None,
    "policy_outcome.was": "pass", "policy_outcome.would": "fail",
    "revocation.target": "key", "revocation.since": "", "revocation.until": "", "revocation.parent": None,
    "endorsement.kind": "branch", "endorsement.digest": "harbour", "endorsement_part.kind": "packages",
    "endorsing_key.public": keys.new_key()[1].pem, "endorsing_key.address": "own:",
    "known_component.kind": "package", "known_use.kind": "package", "log_pin.outcome": "failed",
    "environment.unapproved": "alert", "generation.state": "live", "generation_step.state": "live", "drift.weight": 3,
    "saved_view.audience": "all", "saved_view.query": "state=open",
    "figure_day.team": 0, "figure_day.layer": "", "figure_day.day": 1,
}  # fmt: skip
"""What a column holds that the program understands."""
_ISSUED = b'<!DOCTYPE html><html lang="en"><title>Report</title><main><h1>Report</h1></main></html>'
"""What stands for a report that was issued: it is kept as it was made, and what makes it has tests of its own."""
BEGUN: Mapping[str, str] = {"package.name": "npm/", "known_component.name": "npm/"}
"""What a text begins with, for the program to know what it is."""
KEPT = {"assessment.verdict", "issued_report.html", "issued_report.pdf", "issued_report.figures", "issued_report.envelope"}
"""Columns with the digest of content that is there."""
DIGESTS = {
    "endorsement.bundle",
    "advisory_snapshot.digest",
    "package_set.digest",
    "holding.input",
    "image_base.chain",
    "image_base.base",
    "policy_version.digest",
}
"""Columns with the digest of content."""


def _policy(label: Label) -> Any:
    """A policy of the organisation; JSON is YAML."""
    about = {"name": "harbour", "version": "1.0.0", "description": label("policy_version.document")[:200]}
    rule = {
        "id": "no-critical",
        "when": "finding.rank >= rank.critical",
        "action": "stop",
        "message": label("policy_version.document")[:200],
    }
    rule["advice"] = rule["message"]
    return {"kind": "Policy", "metadata": about, "rules": [rule]}


JSON: Mapping[str, Callable[[Label], Any]] = {
    "admission_gate.namespaces": lambda label: [[label("admission_gate.namespaces"), label("admission_gate.namespaces environment")]],
    "admission_gate.exempt": lambda label: [label("admission_gate.exempt")],
    "finding.core": lambda label: ["code", label("finding.core class"), [label("finding.core")]],
    "occurrence.detail": lambda label: filled(Detail, "occurrence.detail", label),
    "assessment.trigger_details": lambda label: filled(Trigger, "assessment.trigger_details", label),
    "subject.details": lambda label: {label("subject.details name"): label("subject.details")},
    "connection.options": lambda label: {"groups": [label("connection.options.groups")]},
    "audit_event.details": lambda label: {label("audit_event.details name"): label("audit_event.details")},
    "invitation.details": lambda _: {},
    "advisory_snapshot.meta": lambda label: {"compiled": "2026-01-01T00:00:00+00:00", "x": label("advisory_snapshot.meta")},
    "job.arguments": lambda label: {"x": label("job.arguments")},
    "schedule.arguments": lambda _: {},
    "ref_listing.refs": lambda label: {label("ref_listing.refs"): "a" * 40},
    "outbox.message": lambda label: {"x": label("outbox.message")},
    "remembered_answer.headers": lambda _: {},
    "happening.data": lambda label: {"x": label("happening.data")},
    "subscription.wants": lambda _: {},
    "digest.wants": lambda _: {},
    "decision_request.scope": lambda _: {},
    "image_base.inherited": lambda _: [],
    "policy_version.document": _policy,
    "policy_event.weakens": lambda label: [label("policy_event.weakens")],
    "policy_event.exception": lambda _: "",
    "policy_simulation.policies": lambda _: [],
    "policy_simulation.proposed": lambda _: [],
    "policy_simulation.counts": lambda _: {},
    "policy_outcome.detail": lambda _: {},
    "trust_version.stated": lambda _: {},
    "endorsement.levels": lambda label: [label("endorsement.levels")],
    "endorsement.environments": lambda label: [label("endorsement.environments")],
    "endorsement.approved_by": lambda label: [label("endorsement.approved_by")],
    "endorsement_request.authors": lambda label: [label("endorsement_request.authors")],
    "figure_day.counted": lambda _: {},
    "generation.facts": lambda label: filled(Generation, "generation.facts", label),
    "generation_step.step": lambda label: filled(Step, "generation_step.step", label),
    "drift.cause": lambda label: filled(Cause, "drift.cause", label),
}
"""Columns with a structure."""
_DIGEST = "sha256:" + "0" * 64
OWN_WAY = {"setting", "log_entry", "log_subject", "log_tile", "log_checkpoint", "log_key", "trust_role_key", "trust_file"}
"""Tables whose rows only mean something together: each is written through its own door."""
FURTHER: tuple[tuple[str, dict[str, Any]], ...] = (
    ("assessment", {"state": "running", "verdict": "", "finished_at": None}),
    ("comment", {"about": "subject"}),
    ("comment", {"about": "assessment"}),
    ("comment", {"about": "item"}),
    ("report_entry", {"state": "refused", "person": None}),
    ("session", {"hash": "another"}),
    ("drift", {"key": "another", "ignored_until": 4_102_444_800_000_000}),
    ("generation", {"number": 2, "state": "verified", "live_at": None}),
)
"""Rows that show what the first one of a table cannot."""


def filled(kind: Any, name: str, label: Label) -> Any:
    """A value of a type with the label in every text of it, however deep."""
    kind = _plain(kind)
    origin = typing.get_origin(kind)
    if kind is str or kind is Any:
        return label(name)
    if isinstance(kind, type) and issubclass(kind, Struct):
        hints = typing.get_type_hints(kind, include_extras=True)
        return kind(**{field: filled(hints[field], f"{name}.{field}", label) for field in kind.__struct_fields__})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if origin in (Union, UnionType):
        return filled(next(each for each in typing.get_args(kind) if each not in (NoneType, UNSET)), name, label)
    return _collected(kind, origin, name, label)


def _collected(kind: Any, origin: Any, name: str, label: Label) -> Any:
    given = typing.get_args(kind)
    if origin is tuple:
        several = given[:1] if len(given) == 2 and given[1] is ... else given
        return tuple(filled(each, name, label) for each in several)
    if origin in (list, set, frozenset):
        return origin([filled(given[0], name, label)])
    if origin is dict or typing.get_origin(kind) is Mapping or origin is Mapping:
        return {filled(given[0], f"{name} key", label): filled(given[1], name, label)}
    return {bool: False, int: 1, float: 1.0, bytes: b"x"}.get(kind, None if kind is NoneType else kind)


def _plain(kind: Any) -> Any:
    while True:
        if typing.get_origin(kind) is typing.Annotated:
            kind = typing.get_args(kind)[0]
        elif isinstance(kind, typing.NewType):
            kind = kind.__supertype__
        else:
            return kind


def verdict(label: Label) -> Verdict:
    """One in which every text is the label's: with a finding that is waived and one that stops the line."""
    made: Verdict = filled(Verdict, "verdict", label)
    stops = msgspec.structs.replace(made.findings[0], waiver=None, gates=True)
    return msgspec.structs.replace(made, findings=(stops, *made.findings))


def plant(service: Service, label: Label) -> None:
    """The rows, the content that they name, and the settings."""
    blob = service.blobs.put(packed(verdict(label)))
    with service.database.write() as link:
        for table in metadata.sorted_tables:
            if table.name not in OWN_WAY:
                link.execute(table.insert(), _row(service, table, label, str(blob)))
        for name, changed in FURTHER:
            table = metadata.tables[name]
            given = {"verdict": str(blob)} | changed
            row = _row(service, table, label, str(blob)) | {key: value for key, value in given.items() if key in table.c}
            link.execute(table.insert(), row)
        _settings(service, link, label)
        said = {label("log_entry.details name"): label("log_entry.details")}
        entry = Entry(EntryType.ENDORSE, Instant(service.now()), label("log_entry.actor"), (_DIGEST,), _DIGEST, said)
        log.append(link, [entry, entry], team=TeamId(1))  # its numbers begin with 0, those of pages with 1


def _settings(service: Service, link: sa.Connection, label: Label) -> None:
    trust = msgspec.structs.replace(filled(Trust, "trust", label), scopes=(Permission.SUBJECTS_READ,), team=None)
    values = {
        "oidc.provider.idp": filled(Provider, "provider", label),
        "oidc.trust.ci": trust,
        "security.txt": Kept(filled(SecurityTxt, "security_txt", label), service.now() + _YEAR),  # type: ignore[arg-type]
    }
    for name, value in values.items():
        row = {"name": name, "value": msgspec.json.encode(value).decode(), "changed_at": service.now()}
        link.execute(metadata.tables["setting"].insert(), row)


def _row(service: Service, table: sa.Table, label: Label, blob: str) -> dict[str, Any]:
    return {
        column.name: value
        for column in table.columns
        if not (column.name == "id" and column.primary_key) and (value := _value(service, column, label, blob)) is not ...
    }


def _value(service: Service, column: sa.Column[Any], label: Label, blob: str) -> Any:  # noqa: PLR0911 - one return per kind of column
    name = f"{column.table.name}.{column.name}"
    if name in MEANINGS:
        return MEANINGS[name]
    if name in JSON:
        made = JSON[name](label)
        return made if made == "" else msgspec.json.encode(made).decode()
    if name in KEPT:
        return blob if name == "assessment.verdict" else str(service.blobs.put(_ISSUED))
    if name in DIGESTS:
        return _advisories(service) if name == "advisory_snapshot.digest" else _DIGEST
    if column.name == "hash":
        return credential.hashed(SECRET)
    if column.nullable and column.name in _ENDS:
        return None
    if column.foreign_keys:
        return 1
    if isinstance(column.type, sa.LargeBinary):
        return None if column.nullable else b"x"
    if isinstance(column.type, sa.Integer | sa.BigInteger):
        return _number(service, column)
    return BEGUN.get(name, "") + label(name)


def _advisories(service: Service) -> str:
    """An index in which nothing is known."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.db"
        compiled(path, [])
        return str(service.blobs.put(path.read_bytes()))


def _number(service: Service, column: sa.Column[Any]) -> Any:
    if column.name in _LATER:
        return service.now() + _YEAR
    if column.name.endswith("_at") or column.name in {"at", "since"}:
        return service.now() - SECOND
    return 1
