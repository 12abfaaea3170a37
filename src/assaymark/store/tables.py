"""Every table, as SQLAlchemy Core knows it. Instants are microseconds since 1970 in UTC; texts that hold structures are JSON.

What happened is never changed: an occurrence gets its end once, an assessment ends once, the trail of people's actions only grows. The
database itself refuses anything else (`guards`). Content of any size (verdicts, bills of materials) lies in `blobs`; rows hold its digest.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Table, Text, UniqueConstraint

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Id, primary_key=True, autoincrement=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, _Id, ForeignKey(f"{target}.id"), nullable=nullable)


def _instant(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=nullable)


def _text(name: str, *, nullable: bool = False, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=nullable, server_default=default)


def _number(name: str, default: int = 0) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=str(default))


def _count(name: str) -> Column[int]:
    """A number that may need more than 31 bits."""
    return Column(name, BigInteger, nullable=False, server_default="0")


# --- people ----------------------------------------------------------------------------------------------------------

team = Table("team", metadata, _id(), _text("slug"), _text("name"), _instant("created_at"), UniqueConstraint("slug"))

person = Table(
    "person",
    metadata,
    _id(),
    _text("login"),
    _text("name", default=""),
    _text("email", default=""),
    Column("password", Text, nullable=True),  # argon2id in PHC form; none for people who come by OIDC or passkey only
    Column("handle", LargeBinary, nullable=False),  # WebAuthn user handle: random, says nothing of the person
    _instant("created_at"),
    _instant("disabled_at", nullable=True),
    UniqueConstraint("login"),
)

federated_identity = Table(
    "federated_identity", metadata, _id(), _ref("person", "person"), _text("issuer"), _text("subject"), _instant("created_at"),
    UniqueConstraint("issuer", "subject"), Index(None, "person"),
)  # fmt: skip

passkey = Table(
    "passkey", metadata, _id(), _ref("person", "person"), Column("credential", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False), _count("sign_count"), _text("name"), _instant("created_at"),
    _instant("used_at", nullable=True), UniqueConstraint("credential"), Index(None, "person"),
)  # fmt: skip

invitation = Table(
    "invitation", metadata, _id(), _text("hash"), _text("purpose"), _ref("person", "person", nullable=True), _text("details", default="{}"),
    _instant("created_at"), _instant("expires_at"), _instant("used_at", nullable=True), UniqueConstraint("hash"), Index(None, "expires_at"),
    Index(None, "person"),
)  # fmt: skip

membership = Table(
    "membership", metadata, _id(), _ref("person", "person"), _ref("team", "team", nullable=True), _text("role"), _text("source"),
    _instant("created_at"), Index(None, "person"), Index(None, "team"),
)  # fmt: skip

group_mapping = Table(
    "group_mapping", metadata, _id(), _text("issuer"), _text("group_name"), _ref("team", "team", nullable=True), _text("role"),
    _instant("created_at"), Index(None, "issuer", "group_name"),
)  # fmt: skip

session = Table(
    "session", metadata, _id(), _text("hash"), _ref("person", "person"), _text("method"), _text("origin", default=""),
    _text("agent", default=""), _instant("created_at"), _instant("seen_at"), _instant("expires_at"), _instant("revoked_at", nullable=True),
    UniqueConstraint("hash"), Index(None, "person"),
)  # fmt: skip

token = Table(
    "token", metadata, _id(), _text("hash"), _text("hint"), _ref("person", "person"), _text("name"), _text("scopes"),
    _ref("team", "team", nullable=True), _instant("created_at"), _instant("expires_at"), _instant("revoked_at", nullable=True),
    _instant("used_at", nullable=True), UniqueConstraint("hash"), Index(None, "person"),
)  # fmt: skip

attempt = Table(
    "attempt",  # tries that are counted against guessing, in every process: a bucket is an account, an address, a pair of them
    metadata, _id(), _text("bucket"), _instant("at"), Index(None, "bucket", "at"), Index(None, "at"),
)  # fmt: skip

audit_event = Table(
    "audit_event", metadata, _id(), _instant("at"), _ref("person", "person", nullable=True), _text("actor"), _text("action"),
    _text("object_kind", default=""), _text("object", default=""), _ref("team", "team", nullable=True), _text("outcome"),
    _text("origin", default=""), _text("details", default="{}"), _text("previous"), _text("digest"),
    Index(None, "at"), Index(None, "person", "at"), Index(None, "action", "at"),
    Index(None, "object_kind", "object", "at"), Index(None, "team", "at"),
)  # fmt: skip

# --- where things come from ------------------------------------------------------------------------------------------

connection = Table(
    "connection",
    metadata,
    _id(),
    _text("kind"),  # github, gitlab, gitea, bitbucket, git, registry, ci
    _text("name"),
    _text("web_url", default=""),
    _text("api_url", default=""),
    Column("token", LargeBinary, nullable=True),  # sealed by the vault, like the next
    Column("webhook_secret", LargeBinary, nullable=True),
    Column("previous_secret", LargeBinary, nullable=True),  # holds too, until
    _instant("previous_until", nullable=True),
    _ref("team", "team", nullable=True),
    _text("options", default="{}"),
    _instant("created_at"),
    _instant("ended_at", nullable=True),
    UniqueConstraint("name"),
)

repository = Table(
    "repository", metadata, _id(), _ref("connection", "connection", nullable=True), _text("name"), _text("clone_url"),
    _text("web_url", default=""), _text("forge_id", default=""), _text("default_branch", default=""), _ref("team", "team", nullable=True),
    _text("problem", default=""),  # why it could not be asked at the last look
    _instant("created_at"), _instant("fetched_at", nullable=True), _instant("ended_at", nullable=True),
    UniqueConstraint("clone_url"), Index(None, "connection", "forge_id"), Index(None, "team", "id"), Index(None, "name"),
)  # fmt: skip

subject = Table(
    "subject",
    metadata,
    _id(),
    _text("kind"),
    _text("key"),  # unique in its kind: a repository's number and a ref, an image's name, a host's name
    _text("name"),
    _text("ref", default=""),
    _ref("repository", "repository", nullable=True),
    _ref("team", "team", nullable=True),
    _text("url", default=""),
    _text("details", default="{}"),
    _instant("created_at"),
    _instant("ended_at", nullable=True),
    _text("head", default=""),  # digest that was judged last
    _text("state", default=""),  # of the assessment that was judged last
    _instant("judged_at", nullable=True),
    Column("last_assessment", _Id, nullable=True),
    _text("grounds", default=""),  # digest in `blobs`: policy and statements by which what it holds is judged again
    _number("open_critical"), _number("open_high"), _number("open_medium"), _number("open_low"), _number("open_info"),
    _number("waived"), _number("unchecked"),
    UniqueConstraint("kind", "key"), Index(None, "team", "id"), Index(None, "repository", "id"), Index(None, "name", "id"),
    Index(None, "judged_at", "id"), Index(None, "head"),
)  # fmt: skip

ref_listing = Table(
    "ref_listing",  # what a repository's refs were when it was last looked at, to see what moved without a webhook
    metadata, Column("repository", _Id, ForeignKey("repository.id"), primary_key=True), _text("refs"), _instant("seen_at"),
)  # fmt: skip

# --- what is to do and was done --------------------------------------------------------------------------------------

delivery = Table(
    "delivery", metadata, _id(), _ref("connection", "connection"), _text("delivery"), _text("event"), _text("digest"),
    _instant("received_at"), _text("outcome"), UniqueConstraint("connection", "delivery"), Index(None, "received_at"),
)  # fmt: skip

assessment = Table(
    "assessment",
    metadata,
    _id(),
    _ref("subject", "subject"),
    _ref("team", "team", nullable=True),
    _text("state"),
    _text("trigger"),
    _text("trigger_details", default="{}"),  # the whole `Trigger`
    _text("actor", default=""),
    _text("base", default=""),
    _text("head", default=""),
    _ref("delivery", "delivery", nullable=True),
    _text("cause", default=""),  # what asked again: an advisory update, a replay
    _instant("queued_at"),
    _instant("started_at", nullable=True),
    _instant("finished_at", nullable=True),
    Column("superseded_by", _Id, nullable=True),
    _text("verdict", default=""),  # digest of the Verdict's JSON in `blobs`
    _text("summary", default=""),  # one sentence; why it is unproven when there is no verdict
    _number("new_findings"), _number("fixed_findings"), _number("attempts"),
    Index(None, "subject", "id"), Index(None, "team", "id"), Index(None, "state", "id"), Index(None, "head"), Index(None, "finished_at"),
    Index(None, "subject", "finished_at", "id"), Index(None, "verdict"),
)  # fmt: skip

progress = Table(
    "progress",  # how far a running assessment is; a row only while it takes longer than a moment
    metadata,
    Column("assessment", _Id, ForeignKey("assessment.id"), primary_key=True), _text("phase"), _number("done"), _number("total"),
    _instant("at"),
)  # fmt: skip

job = Table(
    "job",  # the journal of SQLite; PostgreSQL has Procrastinate's own tables
    metadata,
    _id(),
    _text("kind"), _text("arguments"), _text("key", default=""), _text("lock", default=""),
    _number("priority"), _number("attempts"), _number("most_attempts", 5), _number("seconds", 600),
    _text("state"),  # waiting, running, done, dead, cancelled
    _instant("due_at"), _instant("created_at"), _instant("started_at", nullable=True), _instant("alive_at", nullable=True),
    _instant("finished_at", nullable=True), _text("worker", default=""), _text("error", default=""),
    _number("cancel"),  # 1 when it was asked to stop
    Index("ix_job_lock", "lock", "state"),
    Index("uq_job_waiting", "key", unique=True, sqlite_where=sa.text("state = 'waiting' AND key <> ''"),
          postgresql_where=sa.text("state = 'waiting' AND key <> ''")),
)  # fmt: skip

Index("ix_job_next", job.c.state, job.c.priority.desc(), job.c.id)
Index("ix_job_state", job.c.state, job.c.id)

schedule = Table(
    "schedule", metadata, _id(), _text("name"), _text("kind"), _text("arguments", default="{}"), _number("every_seconds", 86400),
    _instant("due_at"), _instant("ran_at", nullable=True), _text("source", default="person"),
    UniqueConstraint("name"), Index(None, "due_at"),
)  # fmt: skip

outbox = Table(
    "outbox", metadata, _id(), _text("kind"), _text("stream", default=""), _text("message"), _text("state"), _number("attempts"),
    _instant("created_at"), _instant("due_at"), _instant("sent_at", nullable=True), _text("error", default=""),
    _ref("assessment", "assessment", nullable=True), Index(None, "state", "due_at", "id"), Index(None, "stream", "id"),
)  # fmt: skip

said = Table(
    "said",  # the one comment of a stream: its number at the forge, and what it says
    metadata, _id(), _text("stream"), _text("remote"), _text("digest"), _instant("changed_at"), UniqueConstraint("stream"),
)  # fmt: skip

remembered_answer = Table(
    "remembered_answer", metadata, _id(), _text("key"), _text("scope"), _text("request"), Column("status", Integer, nullable=False),
    _text("headers"), Column("body", LargeBinary, nullable=False), _instant("created_at"), UniqueConstraint("scope", "key"),
    Index(None, "created_at"),
)  # fmt: skip

# --- what was found --------------------------------------------------------------------------------------------------

finding = Table(
    "finding",  # a weakness, wherever it is
    metadata,
    _id(), _text("fingerprint"), _text("kind"), _text("layer"), _text("rule_class"), _text("rule"), _text("title"), _text("core"),
    _text("value", default=""),  # of a secret: its keyed identity, by which it is found again wherever it lies
    _instant("first_seen_at"), UniqueConstraint("fingerprint"), Index(None, "rule_class"), Index(None, "rule"),
    Index("ix_finding_value", "value", sqlite_where=sa.text("value <> ''"), postgresql_where=sa.text("value <> ''")),
)  # fmt: skip

occurrence = Table(
    "occurrence",  # a finding in a subject, from `opened_at` to `closed_at`: what is asked "as of" a day
    metadata,
    _id(),
    _ref("finding", "finding"), _ref("subject", "subject"), _ref("team", "team", nullable=True),
    _text("kind"), _text("layer"), _text("rule_class"), _text("rule"),
    Column("severity", Integer, nullable=False),  # rank of `Severity`
    Column("confidence", Integer, nullable=False),
    _text("path"), _number("line"), _text("message"), _text("detail", default="{}"),
    _number("ordinal"),  # the same finding may stand in a subject several times
    _number("waived"),  # 1 when a waiver, a VEX statement or an inline comment lets it through
    _text("checks", default=""),  # who sees it, e.g. ``ruff semgrep``: it ends when none of them does any more; only while it is open
    _number("line_now"),  # the line moves with every edit above it, so it is no part of the history; `line` is where it was opened
    _instant("opened_at"), _ref("opened_by", "assessment", nullable=True),
    _instant("closed_at", nullable=True), _ref("closed_by", "assessment", nullable=True),
    _number("continued"),  # 1 when it was closed only because it goes on in another row: other path, severity, rule or waiver
    Column("since", BigInteger, nullable=False, server_default="0"),  # when the first of those rows was opened
)  # fmt: skip
# Lists are asked one severity at a time, newest first, so that an index gives their order (`store.findings`); what they are narrowed by
# stands behind it, so that the rows themselves are only read for the page that is shown.
_own = tuple(occurrence.c[name] for name in ("closed_at", "opened_at", "kind", "layer", "waived"))
_shown = (*_own, occurrence.c.team)
Index("ix_occurrence_worst", occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
_is_open = sa.text("closed_at IS NULL")
Index("ix_occurrence_open", occurrence.c.severity, occurrence.c.since, occurrence.c.id, occurrence.c.kind, occurrence.c.layer,
      occurrence.c.team, occurrence.c.waived, sqlite_where=_is_open, postgresql_where=_is_open)  # fmt: skip
Index("ix_occurrence_newest", occurrence.c.since, occurrence.c.id, *_shown, occurrence.c.severity)
Index("ix_occurrence_team_worst", occurrence.c.team, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_own)
Index("ix_occurrence_subject_worst", occurrence.c.subject, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
Index("ix_occurrence_rule_class", occurrence.c.rule_class, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
Index("ix_occurrence_rule", occurrence.c.rule, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
_is_waived = sa.text("waived = 1")
Index("ix_occurrence_waived", occurrence.c.severity, occurrence.c.since, occurrence.c.id, occurrence.c.closed_at, occurrence.c.opened_at,
      occurrence.c.team, sqlite_where=_is_waived, postgresql_where=_is_waived)  # fmt: skip
Index("ix_occurrence_finding", occurrence.c.finding, occurrence.c.id)

posture = Table(
    "posture",  # how many stood open in a subject from then on, one row per change of that
    metadata,
    _id(), _ref("subject", "subject"), _instant("at"),
    _number("critical"), _number("high"), _number("medium"), _number("low"), _number("info"), _number("waived"), _number("unchecked"),
    Index(None, "subject", "at", "id"),
)  # fmt: skip

# --- what is in it ---------------------------------------------------------------------------------------------------

package = Table(
    "package", metadata, _id(), _text("name"),  # as the index of advisories names it
    _text("called"),  # its name alone, in small letters: what people ask for
    UniqueConstraint("name"), Index(None, "called"),
)  # fmt: skip

package_set = Table(
    "package_set", metadata, _id(), _text("digest"),  # of the set itself, which lies in `blobs`
    _text("scheme"),  # of its version keys
    _instant("created_at"), _instant("forgotten_at", nullable=True), UniqueConstraint("digest"),
)  # fmt: skip

component = Table(
    "component",  # inverted: which sets hold a package in a version, by a key that sorts as versions do
    metadata,
    Column("package", _Id, primary_key=True), Column("version_key", LargeBinary, primary_key=True),
    Column("package_set", _Id, primary_key=True), Column("version", Text, primary_key=True), Index(None, "package_set"),
    sqlite_with_rowid=False,
)  # fmt: skip

unordered_component = Table(
    "unordered_component", metadata, Column("package", _Id, primary_key=True), Column("version", Text, primary_key=True),
    Column("package_set", _Id, primary_key=True), Index(None, "package_set"), sqlite_with_rowid=False,
)  # fmt: skip

holding = Table(
    "holding",  # a subject holds a package set at a path, from when to when
    metadata,
    _id(), _ref("subject", "subject"), _ref("team", "team", nullable=True), _ref("package_set", "package_set"), _text("path"),
    _text("input", default=""),  # digest of the content that names the packages
    _instant("opened_at"), _instant("closed_at", nullable=True),
    Index(None, "package_set", "closed_at"), Index(None, "subject", "closed_at"),
)  # fmt: skip

advisory_snapshot = Table(
    "advisory_snapshot", metadata, _id(), _text("digest"),  # of the compiled index, which lies in `blobs`
    _text("snapshot"),  # what the index says of itself: equal for equal advisories
    _text("meta"), _instant("created_at"), _number("news"), _number("hits"), UniqueConstraint("digest"),
)  # fmt: skip

advisory_hit = Table(
    "advisory_hit",  # a subject that holds what changed with a snapshot, until it is judged again
    metadata,
    _id(), _ref("snapshot", "advisory_snapshot"), _ref("subject", "subject"),
    _text("advisories"),  # ids, the first of them if there are many
    _number("advisory_count"), _text("state"),  # waiting, queued, judged
    _instant("queued_at", nullable=True), _instant("judged_at", nullable=True), _ref("assessment", "assessment", nullable=True),
    UniqueConstraint("snapshot", "subject"), Index(None, "state", "id"), Index(None, "subject", "state"),
)  # fmt: skip

setting = Table("setting", metadata, Column("name", Text, primary_key=True), _text("value"), _instant("changed_at"))
