"""Rules that the database itself keeps: what happened stays. Given to the migrations as statements of each dialect."""

from __future__ import annotations

_FIXED = ("finding", "subject", "opened_at", "since", "severity", "rule", "waived", "path", "line", "message")
_FIXED_OF_ITEMS = ("item", "opened_at", "since", "severity", "findings", "subjects", "owner", "owner_source", "cause", "kind")


def _ends_once(fixed: tuple[str, ...]) -> str:
    return " OR ".join(["OLD.closed_at IS NOT NULL", *(f"NEW.{name} <> OLD.{name}" for name in fixed)])


_ENDS_ONCE = {
    "occurrence": _ends_once(_FIXED),
    "item_span": _ends_once(_FIXED_OF_ITEMS),
    "assessment": "OLD.state NOT IN ('queued', 'running')",
    "holding": "OLD.closed_at IS NOT NULL",
}
_ONLY_GROWS = (
    "audit_event", "posture", "issued_report", "decision", "decision_step", "decision_answer", "policy_version", "policy_event",
    "log_entry", "log_subject", "log_tile", "log_checkpoint", "log_pin",
    "revocation", "endorsement_withdrawal", "endorsement_doubt",
)  # fmt: skip
_NEVER_DELETED = (*_ENDS_ONCE, *_ONLY_GROWS)


def statements(dialect: str) -> list[str]:
    """What makes the guards."""
    return _sqlite() if dialect == "sqlite" else _postgres()


def _sqlite() -> list[str]:
    stop = "BEGIN SELECT RAISE(ABORT, 'what happened cannot be changed: {}'); END"
    made = [
        f"CREATE TRIGGER {table}_ends_once BEFORE UPDATE ON {table} WHEN {condition} {stop.format(table)}"
        for table, condition in _ENDS_ONCE.items()
    ]
    made += [f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE ON {table} {stop.format(table)}" for table in _ONLY_GROWS]
    return made + [f"CREATE TRIGGER {table}_stays BEFORE DELETE ON {table} {stop.format(table)}" for table in _NEVER_DELETED]


def _postgres() -> list[str]:
    body = "BEGIN RAISE EXCEPTION 'what happened cannot be changed: %', TG_TABLE_NAME; END"
    made = [f"CREATE FUNCTION assaymark_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$"]
    call = "FOR EACH ROW {} EXECUTE FUNCTION assaymark_refuse()"
    made += [
        f"CREATE TRIGGER {table}_ends_once BEFORE UPDATE ON {table} {call.format(f'WHEN ({condition})')}"
        for table, condition in _ENDS_ONCE.items()
    ]
    made += [f"CREATE TRIGGER {table}_only_grows BEFORE UPDATE ON {table} {call.format('')}" for table in _ONLY_GROWS]
    return made + [f"CREATE TRIGGER {table}_stays BEFORE DELETE ON {table} {call.format('')}" for table in _NEVER_DELETED]
