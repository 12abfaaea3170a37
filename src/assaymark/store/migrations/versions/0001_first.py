"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from assaymark.store import fulltext
from assaymark.store.guards import statements

revision = "0001"
down_revision = None


def upgrade() -> None:  # noqa: PLR0915 - one statement per table
    """Make every table, then the guards."""
    op.create_table(
        "advisory_snapshot",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("meta", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("news", sa.Integer(), server_default="0", nullable=False),
        sa.Column("hits", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisory_snapshot")),
        sa.UniqueConstraint("digest", name=op.f("uq_advisory_snapshot_digest")),
    )
    op.create_table(
        "attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempt")),
    )
    op.create_index(op.f("ix_attempt_at"), "attempt", ["at"], unique=False)
    op.create_index(op.f("ix_attempt_bucket_at"), "attempt", ["bucket", "at"], unique=False)
    op.create_table(
        "component",
        sa.Column("package", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version_key", sa.LargeBinary(), nullable=False),
        sa.Column("package_set", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("package", "version_key", "package_set", "version", name=op.f("pk_component")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_component_package_set"), "component", ["package_set"], unique=False)
    op.create_table(
        "endorsement_doubt",
        sa.Column("endorsement", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("policy", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("endorsement", "policy", name=op.f("pk_endorsement_doubt")),
    )
    op.create_index(op.f("ix_endorsement_doubt_policy_endorsement"), "endorsement_doubt", ["policy", "endorsement"], unique=False)
    op.create_table(
        "endorsement_withdrawal",
        sa.Column("endorsement", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("revocation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endorsement", "revocation", name=op.f("pk_endorsement_withdrawal")),
    )
    op.create_index(
        op.f("ix_endorsement_withdrawal_revocation_endorsement"), "endorsement_withdrawal", ["revocation", "endorsement"], unique=False
    )
    op.create_table(
        "endorsing_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endorsing_key")),
        sa.UniqueConstraint("keyid", name=op.f("uq_endorsing_key_keyid")),
    )
    op.create_table(
        "figure_day",
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counted", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("team", "layer", "day", name=op.f("pk_figure_day")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "finding",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("rule_class", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("core", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("first_seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_finding_fingerprint")),
    )
    op.create_index(op.f("ix_finding_rule"), "finding", ["rule"], unique=False)
    op.create_index(op.f("ix_finding_rule_class"), "finding", ["rule_class"], unique=False)
    op.create_index(
        "ix_finding_value", "finding", ["value"], unique=False, sqlite_where=sa.text("value <> ''"), postgresql_where=sa.text("value <> ''")
    )
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), server_default="", nullable=False),
        sa.Column("lock", sa.Text(), server_default="", nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("most_attempts", sa.Integer(), server_default="5", nullable=False),
        sa.Column("seconds", sa.Integer(), server_default="600", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("alive_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("worker", sa.Text(), server_default="", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("cancel", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index("ix_job_lock", "job", ["lock", "state"], unique=False)
    op.create_index("ix_job_next", "job", ["state", sa.literal_column("priority DESC"), "id"], unique=False)
    op.create_index("ix_job_state", "job", ["state", "id"], unique=False)
    op.create_index(
        "uq_job_waiting",
        "job",
        ["key"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting' AND key <> ''"),
        postgresql_where=sa.text("state = 'waiting' AND key <> ''"),
    )
    op.create_table(
        "log_checkpoint",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_checkpoint")),
    )
    op.create_index(op.f("ix_log_checkpoint_size"), "log_checkpoint", ["size"], unique=False)
    op.create_table(
        "log_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_key")),
        sa.UniqueConstraint("verifier", name=op.f("uq_log_key_verifier")),
    )
    op.create_table(
        "log_pin",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_pin")),
    )
    op.create_index(op.f("ix_log_pin_place_id"), "log_pin", ["place", "id"], unique=False)
    op.create_table(
        "log_subject",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("digest", "seq", name=op.f("pk_log_subject")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_log_tile")),
    )
    op.create_table(
        "package",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("called", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package")),
        sa.UniqueConstraint("name", name=op.f("uq_package_name")),
    )
    op.create_index(op.f("ix_package_called"), "package", ["called"], unique=False)
    op.create_table(
        "package_set",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scheme", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("forgotten_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_package_set")),
        sa.UniqueConstraint("digest", name=op.f("uq_package_set_digest")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("email", sa.Text(), server_default="", nullable=False),
        sa.Column("password", sa.Text(), nullable=True),
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
        sa.UniqueConstraint("login", name=op.f("uq_person_login")),
    )
    op.create_table(
        "remembered_answer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remembered_answer")),
        sa.UniqueConstraint("scope", "key", name=op.f("uq_remembered_answer_scope_key")),
    )
    op.create_index(op.f("ix_remembered_answer_created_at"), "remembered_answer", ["created_at"], unique=False)
    op.create_table(
        "said",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("remote", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_said")),
        sa.UniqueConstraint("stream", name=op.f("uq_said_stream")),
    )
    op.create_table(
        "schedule",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arguments", sa.Text(), server_default="{}", nullable=False),
        sa.Column("every_seconds", sa.Integer(), server_default="86400", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("ran_at", sa.BigInteger(), nullable=True),
        sa.Column("source", sa.Text(), server_default="person", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedule")),
        sa.UniqueConstraint("name", name=op.f("uq_schedule_name")),
    )
    op.create_index(op.f("ix_schedule_due_at"), "schedule", ["due_at"], unique=False)
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_setting")),
    )
    op.create_table(
        "signing_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_key")),
        sa.UniqueConstraint("keyid", name=op.f("uq_signing_key_keyid")),
    )
    op.create_table(
        "team",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team")),
        sa.UniqueConstraint("slug", name=op.f("uq_team_slug")),
    )
    op.create_table(
        "trust_file",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.Integer(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_trust_file")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "trust_role_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("adopted_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_role_key")),
        sa.UniqueConstraint("keyid", name=op.f("uq_trust_role_key_keyid")),
    )
    op.create_index(op.f("ix_trust_role_key_role_id"), "trust_role_key", ["role", "id"], unique=False)
    op.create_table(
        "unordered_component",
        sa.Column("package", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("package_set", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("package", "version", "package_set", name=op.f("pk_unordered_component")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_unordered_component_package_set"), "unordered_component", ["package_set"], unique=False)
    op.create_table(
        "admission_gate",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("namespaces", sa.Text(), nullable=False),
        sa.Column("exempt", sa.Text(), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("enforces", sa.Integer(), server_default="0", nullable=False),
        sa.Column("obeys_break_glass", sa.Integer(), server_default="0", nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_admission_gate_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admission_gate")),
        sa.UniqueConstraint("name", name=op.f("uq_admission_gate_name")),
        sa.UniqueConstraint("token", name=op.f("uq_admission_gate_token")),
    )
    op.create_index(op.f("ix_admission_gate_team_id"), "admission_gate", ["team", "id"], unique=False)
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object_kind", sa.Text(), server_default="", nullable=False),
        sa.Column("object", sa.Text(), server_default="", nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_audit_event_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_audit_event_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index(op.f("ix_audit_event_action_at"), "audit_event", ["action", "at"], unique=False)
    op.create_index(op.f("ix_audit_event_at"), "audit_event", ["at"], unique=False)
    op.create_index(op.f("ix_audit_event_object_kind_object_at"), "audit_event", ["object_kind", "object", "at"], unique=False)
    op.create_index(op.f("ix_audit_event_person_at"), "audit_event", ["person", "at"], unique=False)
    op.create_index(op.f("ix_audit_event_team_at"), "audit_event", ["team", "at"], unique=False)
    op.create_table(
        "comment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_comment_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_comment_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
    )
    op.create_index(op.f("ix_comment_first_id"), "comment", ["first", "id"], unique=False)
    op.create_index(
        "ix_comment_thread",
        "comment",
        ["about", "number", "id"],
        unique=False,
        sqlite_where=sa.text("first IS NULL"),
        postgresql_where=sa.text("first IS NULL"),
    )
    op.create_table(
        "connection",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("web_url", sa.Text(), server_default="", nullable=False),
        sa.Column("api_url", sa.Text(), server_default="", nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.Column("webhook_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.BigInteger(), nullable=True),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("options", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_connection_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_connection")),
        sa.UniqueConstraint("name", name=op.f("uq_connection_name")),
    )
    op.create_table(
        "decision_request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("justification", sa.Text(), server_default="", nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("finding", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["finding"], ["finding.id"], name=op.f("fk_decision_request_finding")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_decision_request_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_decision_request_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_request")),
    )
    op.create_index(op.f("ix_decision_request_finding_id"), "decision_request", ["finding", "id"], unique=False)
    op.create_index(op.f("ix_decision_request_person_id"), "decision_request", ["person", "id"], unique=False)
    op.create_index(op.f("ix_decision_request_team_id"), "decision_request", ["team", "id"], unique=False)
    op.create_table(
        "digest",
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("every", sa.Text(), nullable=False),
        sa.Column("weekday", sa.Integer(), server_default="0", nullable=False),
        sa.Column("hour", sa.Integer(), server_default="7", nullable=False),
        sa.Column("wants", sa.Text(), server_default="{}", nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("told_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), server_default="0", nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_digest_person")),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_digest")),
    )
    op.create_index(op.f("ix_digest_next_at"), "digest", ["next_at"], unique=False)
    op.create_table(
        "environment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("people", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ignore_days", sa.Integer(), server_default="7", nullable=False),
        sa.Column("unapproved", sa.Text(), server_default="alert", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_environment_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_environment")),
        sa.UniqueConstraint("key", name=op.f("uq_environment_key")),
    )
    op.create_index(op.f("ix_environment_name_id"), "environment", ["name", "id"], unique=False)
    op.create_index(op.f("ix_environment_team_id"), "environment", ["team", "id"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("predicate", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("subject_digest", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("size", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("brought_by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_evidence_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_evidence_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_digest"), "evidence", ["digest"], unique=False)
    op.create_index(op.f("ix_evidence_subject_digest_id"), "evidence", ["subject_digest", "id"], unique=False)
    op.create_index(op.f("ix_evidence_team_id"), "evidence", ["team", "id"], unique=False)
    op.create_table(
        "federated_identity",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_federated_identity_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_federated_identity")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_federated_identity_issuer_subject")),
    )
    op.create_index(op.f("ix_federated_identity_person"), "federated_identity", ["person"], unique=False)
    op.create_table(
        "group_mapping",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_group_mapping_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_group_mapping")),
    )
    op.create_index(op.f("ix_group_mapping_issuer_group_name"), "group_mapping", ["issuer", "group_name"], unique=False)
    op.create_table(
        "invitation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_invitation_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("hash", name=op.f("uq_invitation_hash")),
    )
    op.create_index(op.f("ix_invitation_expires_at"), "invitation", ["expires_at"], unique=False)
    op.create_index(op.f("ix_invitation_person"), "invitation", ["person"], unique=False)
    op.create_table(
        "issued_report",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("pdf", sa.Text(), server_default="", nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_issued_report_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_issued_report_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issued_report")),
    )
    op.create_index(op.f("ix_issued_report_as_of"), "issued_report", ["as_of"], unique=False)
    op.create_index(op.f("ix_issued_report_team_as_of"), "issued_report", ["team", "as_of"], unique=False)
    op.create_table(
        "known_component",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("package", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("called", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("version", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("version_key", sa.LargeBinary(), nullable=False),
        sa.Column("remark", sa.Text(), server_default="", nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["package"], ["package.id"], name=op.f("fk_known_component_package")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_component")),
        sa.UniqueConstraint("kind", "name", "version", name=op.f("uq_known_component_kind_name_version")),
    )
    op.create_index(
        op.f("ix_known_component_called_name_version_key_id"), "known_component", ["called", "name", "version_key", "id"], unique=False
    )
    op.create_index(op.f("ix_known_component_called_version"), "known_component", ["called", "version"], unique=False)
    op.create_index(
        op.f("ix_known_component_kind_called_name_version_key_id"),
        "known_component",
        ["kind", "called", "name", "version_key", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_known_component_package_version_key"), "known_component", ["package", "version_key"], unique=False)
    op.create_table(
        "log_entry",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("endorsement", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_log_entry_team")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_log_entry")),
    )
    op.create_index(op.f("ix_log_entry_endorsement"), "log_entry", ["endorsement"], unique=False)
    op.create_index(op.f("ix_log_entry_team_seq"), "log_entry", ["team", "seq"], unique=False)
    op.create_index(op.f("ix_log_entry_type_seq"), "log_entry", ["type", "seq"], unique=False)
    op.create_table(
        "membership",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_membership_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_membership_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_membership")),
    )
    op.create_index(op.f("ix_membership_person"), "membership", ["person"], unique=False)
    op.create_index(op.f("ix_membership_team"), "membership", ["team"], unique=False)
    op.create_table(
        "passkey",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_passkey_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passkey")),
        sa.UniqueConstraint("credential", name=op.f("uq_passkey_credential")),
    )
    op.create_index(op.f("ix_passkey_person"), "passkey", ["person"], unique=False)
    op.create_table(
        "policy_simulation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("policies", sa.Text(), nullable=False),
        sa.Column("proposed", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("most", sa.Integer(), server_default="0", nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=True),
        sa.Column("last", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("counts", sa.Text(), server_default="{}", nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_policy_simulation_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_simulation")),
    )
    op.create_table(
        "promise",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_promise_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_promise_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promise")),
    )
    op.create_index(op.f("ix_promise_at_id"), "promise", ["at", "id"], unique=False)
    op.create_table(
        "report_link",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_report_link_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_report_link_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_link")),
        sa.UniqueConstraint("hash", name=op.f("uq_report_link_hash")),
    )
    op.create_index(op.f("ix_report_link_team_id"), "report_link", ["team", "id"], unique=False)
    op.create_table(
        "saved_view",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_saved_view_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_saved_view_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
    )
    op.create_index(op.f("ix_saved_view_audience_team_name_id"), "saved_view", ["audience", "team", "name", "id"], unique=False)
    op.create_index(op.f("ix_saved_view_person_name_id"), "saved_view", ["person", "name", "id"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("agent", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_session_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
        sa.UniqueConstraint("hash", name=op.f("uq_session_hash")),
    )
    op.create_index(op.f("ix_session_person"), "session", ["person"], unique=False)
    op.create_table(
        "subscription",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("address", sa.LargeBinary(), nullable=True),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_secret", sa.LargeBinary(), nullable=True),
        sa.Column("previous_until", sa.BigInteger(), nullable=True),
        sa.Column("signing_key", sa.LargeBinary(), nullable=True),
        sa.Column("public_key", sa.Text(), server_default="", nullable=False),
        sa.Column("wants", sa.Text(), server_default="{}", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("resting_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["created_by"], ["person.id"], name=op.f("fk_subscription_created_by")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_subscription_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("name", name=op.f("uq_subscription_name")),
    )
    op.create_index(
        "ix_subscription_alive",
        "subscription",
        ["team", "id"],
        unique=False,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_token_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_token_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("hash", name=op.f("uq_token_hash")),
    )
    op.create_index(op.f("ix_token_person"), "token", ["person"], unique=False)
    op.create_table(
        "trust_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("stated", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_trust_version_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trust_version")),
    )
    op.create_table(
        "admission_refusal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("gate", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["gate"], ["admission_gate.id"], name=op.f("fk_admission_refusal_gate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_admission_refusal")),
        sa.UniqueConstraint("gate", "key", name=op.f("uq_admission_refusal_gate_key")),
    )
    op.create_index(op.f("ix_admission_refusal_gate_last_at_id"), "admission_refusal", ["gate", "last_at", "id"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("connection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("delivery", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["connection"], ["connection.id"], name=op.f("fk_delivery_connection")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("connection", "delivery", name=op.f("uq_delivery_connection_delivery")),
    )
    op.create_index(op.f("ix_delivery_received_at"), "delivery", ["received_at"], unique=False)
    op.create_table(
        "deployed_pair",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("environment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("steps", sa.Integer(), server_default="0", nullable=False),
        sa.Column("wanted", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=True),
        sa.Column("told_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["environment"], ["environment.id"], name=op.f("fk_deployed_pair_environment")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_deployed_pair_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployed_pair")),
        sa.UniqueConstraint("environment", "component", name=op.f("uq_deployed_pair_environment_component")),
    )
    op.create_index(op.f("ix_deployed_pair_team_id"), "deployed_pair", ["team", "id"], unique=False)
    op.create_table(
        "issued_report_link",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("report", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_issued_report_link_person")),
        sa.ForeignKeyConstraint(["report"], ["issued_report.id"], name=op.f("fk_issued_report_link_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issued_report_link")),
        sa.UniqueConstraint("hash", name=op.f("uq_issued_report_link_hash")),
    )
    op.create_index(op.f("ix_issued_report_link_report_id"), "issued_report_link", ["report", "id"], unique=False)
    op.create_table(
        "mention",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("comment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["comment"], ["comment.id"], name=op.f("fk_mention_comment")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_mention_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mention")),
        sa.UniqueConstraint("comment", "person", name=op.f("uq_mention_comment_person")),
    )
    op.create_index(op.f("ix_mention_person_id"), "mention", ["person", "id"], unique=False)
    op.create_table(
        "repository",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("connection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("clone_url", sa.Text(), nullable=False),
        sa.Column("web_url", sa.Text(), server_default="", nullable=False),
        sa.Column("forge_id", sa.Text(), server_default="", nullable=False),
        sa.Column("default_branch", sa.Text(), server_default="", nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("fetched_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["connection"], ["connection.id"], name=op.f("fk_repository_connection")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_repository_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repository")),
        sa.UniqueConstraint("clone_url", name=op.f("uq_repository_clone_url")),
    )
    op.create_index(op.f("ix_repository_connection_forge_id"), "repository", ["connection", "forge_id"], unique=False)
    op.create_index(op.f("ix_repository_name"), "repository", ["name"], unique=False)
    op.create_index(op.f("ix_repository_team_id"), "repository", ["team", "id"], unique=False)
    op.create_table(
        "drift",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pair", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("observed", sa.Text(), nullable=False),
        sa.Column("weight", sa.Integer(), server_default="0", nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("told_by", sa.Text(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.Text(), server_default="", nullable=False),
        sa.Column("resolved_by", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ignored_from", sa.BigInteger(), nullable=True),
        sa.Column("ignored_until", sa.BigInteger(), nullable=True),
        sa.Column("ignored_by", sa.Text(), server_default="", nullable=False),
        sa.Column("ignored_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("log_number", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["pair"], ["deployed_pair.id"], name=op.f("fk_drift_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drift")),
    )
    op.create_index(op.f("ix_drift_pair_resolved_at_id"), "drift", ["pair", "resolved_at", "id"], unique=False)
    op.create_index(op.f("ix_drift_resolved_at_id"), "drift", ["resolved_at", "id"], unique=False)
    op.create_index(
        "uq_drift_open",
        "drift",
        ["pair", "key"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "generation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pair", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("endorsement", sa.Text(), server_default="", nullable=False),
        sa.Column("breakglass", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("pinned", sa.Integer(), server_default="0", nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("live_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("forced_at", sa.BigInteger(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("doubt", sa.Text(), server_default="", nullable=False),
        sa.Column("doubted_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["pair"], ["deployed_pair.id"], name=op.f("fk_generation_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation")),
        sa.UniqueConstraint("pair", "number", name=op.f("uq_generation_pair_number")),
    )
    op.create_index(op.f("ix_generation_digest"), "generation", ["digest"], unique=False)
    op.create_index(op.f("ix_generation_ended_at_id"), "generation", ["ended_at", "id"], unique=False)
    op.create_index(op.f("ix_generation_forced_at"), "generation", ["forced_at"], unique=False)
    op.create_table(
        "generation_step",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pair", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Integer(), server_default="0", nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger(), nullable=False),
        sa.Column("told_by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("log_number", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["pair"], ["deployed_pair.id"], name=op.f("fk_generation_step_pair")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_generation_step_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_generation_step")),
        sa.UniqueConstraint("pair", "number", name=op.f("uq_generation_step_pair_number")),
    )
    op.create_index(op.f("ix_generation_step_pair_generation"), "generation_step", ["pair", "generation"], unique=False)
    op.create_table(
        "instance",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pair", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), server_default="0", nullable=False),
        sa.Column("born_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("burnt_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["pair"], ["deployed_pair.id"], name=op.f("fk_instance_pair")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instance")),
        sa.UniqueConstraint("pair", "name", name=op.f("uq_instance_pair_name")),
    )
    op.create_index(op.f("ix_instance_pair_burnt_at_id"), "instance", ["pair", "burnt_at", "id"], unique=False)
    op.create_table(
        "item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("rule_class", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), server_default="", nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("repository", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("owner_source", sa.Text(), server_default="team", nullable=False),
        sa.Column("basis", sa.Text(), server_default="", nullable=False),
        sa.Column("untold", sa.Integer(), server_default="0", nullable=False),
        sa.Column("told_state", sa.Text(), server_default="", nullable=False),
        sa.Column("told_owner", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_item_person")),
        sa.ForeignKeyConstraint(["repository"], ["repository.id"], name=op.f("fk_item_repository")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_item_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item")),
        sa.UniqueConstraint("key", name=op.f("uq_item_key")),
    )
    op.create_index(op.f("ix_item_owner_id"), "item", ["owner", "id"], unique=False)
    op.create_index(op.f("ix_item_person_id"), "item", ["person", "id"], unique=False)
    op.create_index(op.f("ix_item_repository_id"), "item", ["repository", "id"], unique=False)
    op.create_index(
        "ix_item_untold", "item", ["id"], unique=False, sqlite_where=sa.text("untold = 1"), postgresql_where=sa.text("untold = 1")
    )
    op.create_table(
        "policy_source",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("repository", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), server_default="", nullable=False),
        sa.Column("commit", sa.Text(), server_default="", nullable=False),
        sa.Column("problem", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["repository"], ["repository.id"], name=op.f("fk_policy_source_repository")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_source")),
    )
    op.create_index(op.f("ix_policy_source_repository"), "policy_source", ["repository"], unique=False)
    op.create_table(
        "promotion",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("pair", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("pins", sa.Integer(), server_default="0", nullable=False),
        sa.Column("releases", sa.Integer(), server_default="0", nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("people", sa.Integer(), server_default="0", nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("endorsement", sa.Text(), server_default="", nullable=False),
        sa.Column("log_number", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["pair"], ["deployed_pair.id"], name=op.f("fk_promotion_pair")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_promotion_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion")),
    )
    op.create_index(op.f("ix_promotion_ended_at_id"), "promotion", ["ended_at", "id"], unique=False)
    op.create_index(op.f("ix_promotion_pair_id"), "promotion", ["pair", "id"], unique=False)
    op.create_table(
        "ref_listing",
        sa.Column("repository", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("refs", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repository.id"], name=op.f("fk_ref_listing_repository")),
        sa.PrimaryKeyConstraint("repository", name=op.f("pk_ref_listing")),
    )
    op.create_table(
        "subject",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), server_default="", nullable=False),
        sa.Column("repository", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("details", sa.Text(), server_default="{}", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("head", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("judged_at", sa.BigInteger(), nullable=True),
        sa.Column("last_assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("grounds", sa.Text(), server_default="", nullable=False),
        sa.Column("most_days", sa.Integer(), server_default="0", nullable=False),
        sa.Column("needs_approver", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_critical", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_high", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_medium", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_low", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_info", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waived", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchecked", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repository.id"], name=op.f("fk_subject_repository")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_subject_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_subject_kind_key")),
    )
    op.create_index(op.f("ix_subject_head"), "subject", ["head"], unique=False)
    op.create_index(op.f("ix_subject_judged_at_id"), "subject", ["judged_at", "id"], unique=False)
    op.create_index(op.f("ix_subject_name_id"), "subject", ["name", "id"], unique=False)
    op.create_index(op.f("ix_subject_repository_id"), "subject", ["repository", "id"], unique=False)
    op.create_index(op.f("ix_subject_team_id"), "subject", ["team", "id"], unique=False)
    op.create_table(
        "assessment",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trigger", sa.Text(), nullable=False),
        sa.Column("trigger_details", sa.Text(), server_default="{}", nullable=False),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("base", sa.Text(), server_default="", nullable=False),
        sa.Column("head", sa.Text(), server_default="", nullable=False),
        sa.Column("delivery", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.Column("superseded_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("verdict", sa.Text(), server_default="", nullable=False),
        sa.Column("grounds", sa.Text(), server_default="", nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("new_findings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("fixed_findings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("level", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["delivery"], ["delivery.id"], name=op.f("fk_assessment_delivery")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_assessment_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_assessment_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_index(op.f("ix_assessment_actor_id"), "assessment", ["actor", "id"], unique=False)
    op.create_index(op.f("ix_assessment_finished_at"), "assessment", ["finished_at"], unique=False)
    op.create_index(op.f("ix_assessment_head"), "assessment", ["head"], unique=False)
    op.create_index(op.f("ix_assessment_state_finished_at"), "assessment", ["state", "finished_at"], unique=False)
    op.create_index(op.f("ix_assessment_state_id"), "assessment", ["state", "id"], unique=False)
    op.create_index(op.f("ix_assessment_subject_finished_at_id"), "assessment", ["subject", "finished_at", "id"], unique=False)
    op.create_index(op.f("ix_assessment_subject_id"), "assessment", ["subject", "id"], unique=False)
    op.create_index(op.f("ix_assessment_team_id"), "assessment", ["team", "id"], unique=False)
    op.create_index(op.f("ix_assessment_team_state_finished_at"), "assessment", ["team", "state", "finished_at"], unique=False)
    op.create_index(op.f("ix_assessment_trigger_subject_queued_at"), "assessment", ["trigger", "subject", "queued_at"], unique=False)
    op.create_index(op.f("ix_assessment_verdict"), "assessment", ["verdict"], unique=False)
    op.create_table(
        "decision",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("justification", sa.Text(), server_default="", nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("finding", sa.Text(), server_default="", nullable=False),
        sa.Column("rule", sa.Text(), server_default="", nullable=False),
        sa.Column("package", sa.Text(), server_default="", nullable=False),
        sa.Column("version", sa.Text(), server_default="", nullable=False),
        sa.Column("advisory", sa.Text(), server_default="", nullable=False),
        sa.Column("path", sa.Text(), server_default="", nullable=False),
        sa.Column("layer", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("repository", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("within", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("source", sa.Text(), server_default="person", nullable=False),
        sa.Column("origin", sa.Text(), server_default="", nullable=False),
        sa.Column("renews", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_decision_person")),
        sa.ForeignKeyConstraint(["renews"], ["decision.id"], name=op.f("fk_decision_renews")),
        sa.ForeignKeyConstraint(["repository"], ["repository.id"], name=op.f("fk_decision_repository")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_decision_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_decision_team")),
        sa.ForeignKeyConstraint(["within"], ["team.id"], name=op.f("fk_decision_within")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
    )
    op.create_index(op.f("ix_decision_anchor_ends_at"), "decision", ["anchor", "ends_at"], unique=False)
    op.create_index(op.f("ix_decision_ends_at_id"), "decision", ["ends_at", "id"], unique=False)
    op.create_index(op.f("ix_decision_finding"), "decision", ["finding"], unique=False)
    op.create_index(op.f("ix_decision_made_at_id"), "decision", ["made_at", "id"], unique=False)
    op.create_index(op.f("ix_decision_repository"), "decision", ["repository"], unique=False)
    op.create_index(op.f("ix_decision_subject"), "decision", ["subject"], unique=False)
    op.create_index(op.f("ix_decision_team_ends_at_id"), "decision", ["team", "ends_at", "id"], unique=False)
    op.create_index(
        "uq_decision_origin",
        "decision",
        ["origin"],
        unique=True,
        sqlite_where=sa.text("origin <> ''"),
        postgresql_where=sa.text("origin <> ''"),
    )
    op.create_table(
        "happening",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("repository", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("subject_name", sa.Text(), server_default="", nullable=False),
        sa.Column("repository_name", sa.Text(), server_default="", nullable=False),
        sa.Column("severity", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["repository"], ["repository.id"], name=op.f("fk_happening_repository")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_happening_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_happening_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_happening")),
    )
    op.create_index(op.f("ix_happening_at"), "happening", ["at"], unique=False)
    op.create_index(op.f("ix_happening_repository_kind_id"), "happening", ["repository", "kind", "id"], unique=False)
    op.create_index(op.f("ix_happening_team_id"), "happening", ["team", "id"], unique=False)
    op.create_table(
        "holding",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("package_set", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("input", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["package_set"], ["package_set.id"], name=op.f("fk_holding_package_set")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_holding_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_holding_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holding")),
    )
    op.create_index(op.f("ix_holding_package_set_closed_at"), "holding", ["package_set", "closed_at"], unique=False)
    op.create_index(op.f("ix_holding_subject_closed_at"), "holding", ["subject", "closed_at"], unique=False)
    op.create_table(
        "image_base",
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("chain", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("inherited", sa.Text(), server_default="[]", nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_image_base_subject")),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_image_base")),
    )
    op.create_index(op.f("ix_image_base_chain"), "image_base", ["chain"], unique=False)
    op.create_table(
        "issue",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("item", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("connection", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("remote", sa.Text(), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), server_default="", nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["connection"], ["connection.id"], name=op.f("fk_issue_connection")),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_issue_item")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue")),
        sa.UniqueConstraint("item", "connection", name=op.f("uq_issue_item_connection")),
    )
    op.create_table(
        "item_span",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("item", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("owner", sa.Text(), server_default="", nullable=False),
        sa.Column("owner_source", sa.Text(), server_default="", nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("findings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("subjects", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("continued", sa.Integer(), server_default="0", nullable=False),
        sa.Column("since", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_item_span_item")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_item_span_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_item_span_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_item_span")),
    )
    op.create_index("ix_item_span_item", "item_span", ["item", "id", "closed_at", "opened_at"], unique=False)
    op.create_index(
        "ix_item_span_open",
        "item_span",
        ["severity", "since", "id", "kind", "cause", "team", "person"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_item_span_person_worst",
        "item_span",
        ["person", "severity", "since", "id", "closed_at", "opened_at", "kind", "cause", "team"],
        unique=False,
    )
    op.create_index(
        "ix_item_span_team_worst",
        "item_span",
        ["team", "severity", "since", "id", "closed_at", "opened_at", "kind", "cause", "person"],
        unique=False,
    )
    op.create_index(
        "ix_item_span_worst",
        "item_span",
        ["severity", "since", "id", "closed_at", "opened_at", "kind", "cause", "team", "person"],
        unique=False,
    )
    op.create_index(
        "uq_item_span_open",
        "item_span",
        ["item"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "item_subject",
        sa.Column("item", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("findings", sa.Integer(), server_default="0", nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_item_subject_item")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_item_subject_subject")),
        sa.PrimaryKeyConstraint("item", "subject", name=op.f("pk_item_subject")),
    )
    op.create_index(op.f("ix_item_subject_subject"), "item_subject", ["subject"], unique=False)
    op.create_table(
        "known_use",
        sa.Column("component", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("verified_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("endorsement", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_known_use_subject")),
        sa.PrimaryKeyConstraint("component", "verified_at", "endorsement", name=op.f("pk_known_use")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_known_use_endorsement"), "known_use", ["endorsement"], unique=False)
    op.create_table(
        "policy_approval",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_policy_approval_person")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_policy_approval_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_approval")),
        sa.UniqueConstraint("subject", "head", "rule", name=op.f("uq_policy_approval_subject_head_rule")),
    )
    op.create_table(
        "policy_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("source", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("path", sa.Text(), server_default="", nullable=False),
        sa.Column("commit", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_policy_version_person")),
        sa.ForeignKeyConstraint(["source"], ["policy_source.id"], name=op.f("fk_policy_version_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_version")),
        sa.UniqueConstraint("digest", name=op.f("uq_policy_version_digest")),
        sa.UniqueConstraint("name", "version", name=op.f("uq_policy_version_name_version")),
    )
    op.create_index(op.f("ix_policy_version_name_id"), "policy_version", ["name", "id"], unique=False)
    op.create_table(
        "posture",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("critical", sa.Integer(), server_default="0", nullable=False),
        sa.Column("high", sa.Integer(), server_default="0", nullable=False),
        sa.Column("medium", sa.Integer(), server_default="0", nullable=False),
        sa.Column("low", sa.Integer(), server_default="0", nullable=False),
        sa.Column("info", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waived", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unchecked", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_posture_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posture")),
    )
    op.create_index(op.f("ix_posture_subject_at_id"), "posture", ["subject", "at", "id"], unique=False)
    op.create_table(
        "promotion_vote",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("promotion", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("approves", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_promotion_vote_person")),
        sa.ForeignKeyConstraint(["promotion"], ["promotion.id"], name=op.f("fk_promotion_vote_promotion")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion_vote")),
        sa.UniqueConstraint("promotion", "person", name=op.f("uq_promotion_vote_promotion_person")),
    )
    op.create_table(
        "report",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("link", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), server_default="", nullable=False),
        sa.Column("steps", sa.Text(), server_default="", nullable=False),
        sa.Column("contact", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("finding", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("messages", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["finding"], ["finding.id"], name=op.f("fk_report_finding")),
        sa.ForeignKeyConstraint(["link"], ["report_link.id"], name=op.f("fk_report_link")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_report_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_report_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("hash", name=op.f("uq_report_hash")),
    )
    op.create_index(op.f("ix_report_state_id"), "report", ["state", "id"], unique=False)
    op.create_index(op.f("ix_report_team_state_id"), "report", ["team", "state", "id"], unique=False)
    op.create_table(
        "subject_past",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_subject_past_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_subject_past_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subject_past")),
    )
    op.create_index(op.f("ix_subject_past_subject_until"), "subject_past", ["subject", "until"], unique=False)
    op.create_index(op.f("ix_subject_past_until"), "subject_past", ["until"], unique=False)
    op.create_table(
        "advisory_hit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("snapshot", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("advisories", sa.Text(), nullable=False),
        sa.Column("advisory_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=True),
        sa.Column("judged_at", sa.BigInteger(), nullable=True),
        sa.Column("assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["assessment"], ["assessment.id"], name=op.f("fk_advisory_hit_assessment")),
        sa.ForeignKeyConstraint(["snapshot"], ["advisory_snapshot.id"], name=op.f("fk_advisory_hit_snapshot")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_advisory_hit_subject")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_advisory_hit")),
        sa.UniqueConstraint("snapshot", "subject", name=op.f("uq_advisory_hit_snapshot_subject")),
    )
    op.create_index(op.f("ix_advisory_hit_state_id"), "advisory_hit", ["state", "id"], unique=False)
    op.create_index(op.f("ix_advisory_hit_subject_state"), "advisory_hit", ["subject", "state"], unique=False)
    op.create_table(
        "channel_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("subscription", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("happening", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Integer(), server_default="0", nullable=False),
        sa.Column("milliseconds", sa.Integer(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["happening"], ["happening.id"], name=op.f("fk_channel_message_happening")),
        sa.ForeignKeyConstraint(["subscription"], ["subscription.id"], name=op.f("fk_channel_message_subscription")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_message")),
        sa.UniqueConstraint("uid", name=op.f("uq_channel_message_uid")),
    )
    op.create_index(op.f("ix_channel_message_happening"), "channel_message", ["happening"], unique=False)
    op.create_index(op.f("ix_channel_message_state_created_at"), "channel_message", ["state", "created_at"], unique=False)
    op.create_index(op.f("ix_channel_message_subscription_id"), "channel_message", ["subscription", "id"], unique=False)
    op.create_index(
        op.f("ix_channel_message_subscription_state_due_at_id"), "channel_message", ["subscription", "state", "due_at", "id"], unique=False
    )
    op.create_table(
        "decision_answer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("request", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("granted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("decision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name=op.f("fk_decision_answer_decision")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_decision_answer_person")),
        sa.ForeignKeyConstraint(["request"], ["decision_request.id"], name=op.f("fk_decision_answer_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_answer")),
        sa.UniqueConstraint("request", name=op.f("uq_decision_answer_request")),
    )
    op.create_index(op.f("ix_decision_answer_at"), "decision_answer", ["at"], unique=False)
    op.create_table(
        "decision_step",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("decision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["decision"], ["decision.id"], name=op.f("fk_decision_step_decision")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_decision_step_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision_step")),
        sa.UniqueConstraint("decision", "what", name=op.f("uq_decision_step_decision_what")),
    )
    op.create_index(op.f("ix_decision_step_at"), "decision_step", ["at"], unique=False)
    op.create_table(
        "endorsement",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("bundle", sa.Text(), nullable=False),
        sa.Column("assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("engine", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("advisories", sa.Text(), server_default="", nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("levels", sa.Text(), nullable=False),
        sa.Column("environments", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_by", sa.Text(), server_default="", nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["assessment"], ["assessment.id"], name=op.f("fk_endorsement_assessment")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_endorsement_person")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_endorsement_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_endorsement_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endorsement")),
        sa.UniqueConstraint("assessment", name=op.f("uq_endorsement_assessment")),
        sa.UniqueConstraint("digest", name=op.f("uq_endorsement_digest")),
    )
    op.create_index(op.f("ix_endorsement_engine"), "endorsement", ["engine"], unique=False)
    op.create_index(op.f("ix_endorsement_expires_at_id"), "endorsement", ["expires_at", "id"], unique=False)
    op.create_index(op.f("ix_endorsement_policy"), "endorsement", ["policy"], unique=False)
    op.create_index(op.f("ix_endorsement_resource_id"), "endorsement", ["resource", "id"], unique=False)
    op.create_index(op.f("ix_endorsement_rules"), "endorsement", ["rules"], unique=False)
    op.create_index(op.f("ix_endorsement_subject_id"), "endorsement", ["subject", "id"], unique=False)
    op.create_index(op.f("ix_endorsement_team_id"), "endorsement", ["team", "id"], unique=False)
    op.create_table(
        "endorsement_request",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("authors", sa.Text(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["assessment"], ["assessment.id"], name=op.f("fk_endorsement_request_assessment")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_endorsement_request_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_endorsement_request_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endorsement_request")),
    )
    op.create_index(op.f("ix_endorsement_request_ended_at_id"), "endorsement_request", ["ended_at", "id"], unique=False)
    op.create_index(op.f("ix_endorsement_request_team_id"), "endorsement_request", ["team", "id"], unique=False)
    op.create_index(
        "uq_endorsement_request_waiting",
        "endorsement_request",
        ["assessment"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "occurrence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("finding", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("rule_class", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("confidence", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="{}", nullable=False),
        sa.Column("ordinal", sa.Integer(), server_default="0", nullable=False),
        sa.Column("waived", sa.Integer(), server_default="0", nullable=False),
        sa.Column("own", sa.Integer(), server_default="0", nullable=False),
        sa.Column("decision", sa.BigInteger(), nullable=True),
        sa.Column("checks", sa.Text(), server_default="", nullable=False),
        sa.Column("line_now", sa.Integer(), server_default="0", nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("opened_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("continued", sa.Integer(), server_default="0", nullable=False),
        sa.Column("since", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("item", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["closed_by"], ["assessment.id"], name=op.f("fk_occurrence_closed_by")),
        sa.ForeignKeyConstraint(["finding"], ["finding.id"], name=op.f("fk_occurrence_finding")),
        sa.ForeignKeyConstraint(["item"], ["item.id"], name=op.f("fk_occurrence_item")),
        sa.ForeignKeyConstraint(["opened_by"], ["assessment.id"], name=op.f("fk_occurrence_opened_by")),
        sa.ForeignKeyConstraint(["subject"], ["subject.id"], name=op.f("fk_occurrence_subject")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_occurrence_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occurrence")),
    )
    op.create_index(
        "ix_occurrence_begun", "occurrence", ["opened_at", "subject", "team", "layer", "severity", "kind", "waived", "since"], unique=False
    )
    op.create_index(
        "ix_occurrence_decision",
        "occurrence",
        ["decision", "closed_at", "id"],
        unique=False,
        sqlite_where=sa.text("decision IS NOT NULL"),
        postgresql_where=sa.text("decision IS NOT NULL"),
    )
    op.create_index("ix_occurrence_finding", "occurrence", ["finding", "id"], unique=False)
    op.create_index(
        "ix_occurrence_item",
        "occurrence",
        ["item", "severity", "since", "id", "closed_at", "opened_at", "kind", "layer", "waived", "team"],
        unique=False,
        sqlite_where=sa.text("item IS NOT NULL"),
        postgresql_where=sa.text("item IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrence_newest",
        "occurrence",
        ["since", "id", "closed_at", "opened_at", "kind", "layer", "waived", "team", "severity", "subject"],
        unique=False,
    )
    op.create_index(
        "ix_occurrence_open",
        "occurrence",
        ["severity", "since", "id", "kind", "layer", "team", "waived"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_occurrence_over",
        "occurrence",
        ["closed_at", "continued", "closed_by", "id", "subject", "team", "layer", "severity", "kind", "waived", "since"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrence_rule",
        "occurrence",
        ["rule", "severity", "since", "id", "closed_at", "opened_at", "kind", "layer", "waived", "team"],
        unique=False,
    )
    op.create_index(
        "ix_occurrence_rule_class",
        "occurrence",
        ["rule_class", "severity", "since", "id", "closed_at", "opened_at", "kind", "layer", "waived", "team"],
        unique=False,
    )
    op.create_index(
        "ix_occurrence_subject_item",
        "occurrence",
        ["subject", "item", "severity"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL AND waived = 0 AND item IS NOT NULL"),
        postgresql_where=sa.text("closed_at IS NULL AND waived = 0 AND item IS NOT NULL"),
    )
    op.create_index(
        "ix_occurrence_subject_worst",
        "occurrence",
        ["subject", "severity", "since", "id", "closed_at", "opened_at", "kind", "layer", "waived", "team"],
        unique=False,
    )
    op.create_index(
        "ix_occurrence_team_worst",
        "occurrence",
        ["team", "severity", "since", "id", "closed_at", "opened_at", "kind", "layer", "waived"],
        unique=False,
    )
    op.create_index(
        "ix_occurrence_waived",
        "occurrence",
        ["severity", "since", "id", "closed_at", "opened_at", "team", "decision"],
        unique=False,
        sqlite_where=sa.text("waived = 1"),
        postgresql_where=sa.text("waived = 1"),
    )
    op.create_index(
        "ix_occurrence_worst",
        "occurrence",
        ["severity", "since", "id", "closed_at", "opened_at", "kind", "layer", "waived", "team"],
        unique=False,
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), server_default="", nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.Column("assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["assessment"], ["assessment.id"], name=op.f("fk_outbox_assessment")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_state_due_at_id"), "outbox", ["state", "due_at", "id"], unique=False)
    op.create_index(op.f("ix_outbox_stream_id"), "outbox", ["stream", "id"], unique=False)
    op.create_table(
        "policy_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("comment", sa.Text(), server_default="", nullable=False),
        sa.Column("weakens", sa.Text(), server_default="[]", nullable=False),
        sa.Column("exception", sa.Text(), server_default="", nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_policy_event_person")),
        sa.ForeignKeyConstraint(["version"], ["policy_version.id"], name=op.f("fk_policy_event_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_event")),
    )
    op.create_index(
        "ix_policy_event_force",
        "policy_event",
        ["name", "id"],
        unique=False,
        sqlite_where=sa.text("kind IN ('activated', 'retired')"),
        postgresql_where=sa.text("kind IN ('activated', 'retired')"),
    )
    op.create_index(op.f("ix_policy_event_name_id"), "policy_event", ["name", "id"], unique=False)
    op.create_index(op.f("ix_policy_event_version_id"), "policy_event", ["version", "id"], unique=False)
    op.create_table(
        "policy_outcome",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("simulation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("was", sa.Text(), nullable=False),
        sa.Column("would", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="{}", nullable=False),
        sa.ForeignKeyConstraint(["assessment"], ["assessment.id"], name=op.f("fk_policy_outcome_assessment")),
        sa.ForeignKeyConstraint(["simulation"], ["policy_simulation.id"], name=op.f("fk_policy_outcome_simulation")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_policy_outcome_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_outcome")),
        sa.UniqueConstraint("simulation", "assessment", name=op.f("uq_policy_outcome_simulation_assessment")),
    )
    op.create_index(op.f("ix_policy_outcome_simulation_id"), "policy_outcome", ["simulation", "id"], unique=False)
    op.create_table(
        "progress",
        sa.Column("assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total", sa.Integer(), server_default="0", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["assessment"], ["assessment.id"], name=op.f("fk_progress_assessment")),
        sa.PrimaryKeyConstraint("assessment", name=op.f("pk_progress")),
    )
    op.create_table(
        "report_entry",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("report", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_report_entry_person")),
        sa.ForeignKeyConstraint(["report"], ["report.id"], name=op.f("fk_report_entry_report")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_entry")),
    )
    op.create_index(op.f("ix_report_entry_report_id"), "report_entry", ["report", "id"], unique=False)
    op.create_table(
        "revocation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("parent", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.Text(), server_default="", nullable=False),
        sa.Column("until", sa.Text(), server_default="", nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=True),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("team", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("cause", sa.Text(), server_default="", nullable=False),
        sa.Column("assessment", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("log_number", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["assessment"], ["assessment.id"], name=op.f("fk_revocation_assessment")),
        sa.ForeignKeyConstraint(["parent"], ["revocation.id"], name=op.f("fk_revocation_parent")),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_revocation_person")),
        sa.ForeignKeyConstraint(["team"], ["team.id"], name=op.f("fk_revocation_team")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocation")),
        sa.UniqueConstraint("target", "name", "since", "until", name=op.f("uq_revocation_target_name_since_until")),
    )
    op.create_index(op.f("ix_revocation_assessment"), "revocation", ["assessment"], unique=False)
    op.create_index(op.f("ix_revocation_parent"), "revocation", ["parent"], unique=False)
    op.create_index(op.f("ix_revocation_team_id"), "revocation", ["team", "id"], unique=False)
    op.create_table(
        "endorsed_digest",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("endorsement", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["endorsement"], ["endorsement.id"], name=op.f("fk_endorsed_digest_endorsement")),
        sa.PrimaryKeyConstraint("digest", "endorsement", name=op.f("pk_endorsed_digest")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_endorsed_digest_endorsement"), "endorsed_digest", ["endorsement"], unique=False)
    op.create_table(
        "endorsement_evidence",
        sa.Column("endorsement", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("evidence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["endorsement"], ["endorsement.id"], name=op.f("fk_endorsement_evidence_endorsement")),
        sa.ForeignKeyConstraint(["evidence"], ["evidence.id"], name=op.f("fk_endorsement_evidence_evidence")),
        sa.PrimaryKeyConstraint("endorsement", "evidence", name=op.f("pk_endorsement_evidence")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_endorsement_evidence_evidence"), "endorsement_evidence", ["evidence"], unique=False)
    op.create_table(
        "endorsement_key",
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("endorsement", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["endorsement"], ["endorsement.id"], name=op.f("fk_endorsement_key_endorsement")),
        sa.PrimaryKeyConstraint("keyid", "endorsement", name=op.f("pk_endorsement_key")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_endorsement_key_endorsement"), "endorsement_key", ["endorsement"], unique=False)
    op.create_table(
        "endorsement_part",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("endorsement", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["endorsement"], ["endorsement.id"], name=op.f("fk_endorsement_part_endorsement")),
        sa.PrimaryKeyConstraint("kind", "digest", "endorsement", name=op.f("pk_endorsement_part")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_endorsement_part_endorsement"), "endorsement_part", ["endorsement"], unique=False)
    op.create_table(
        "endorsement_vote",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("request", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("approves", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.id"], name=op.f("fk_endorsement_vote_person")),
        sa.ForeignKeyConstraint(["request"], ["endorsement_request.id"], name=op.f("fk_endorsement_vote_request")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endorsement_vote")),
        sa.UniqueConstraint("request", "person", name=op.f("uq_endorsement_vote_request_person")),
    )
    escape = "%" if op.get_bind().dialect.name == "sqlite" else "%%"  # psycopg reads a lone one as a parameter
    for statement in (*statements(op.get_bind().dialect.name), *fulltext.statements(op.get_bind().dialect.name)):
        op.get_bind().exec_driver_sql(statement.replace("%", escape))
