"""What was found: findings, and where each stood from when to when."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint

from assaymark.store.tables.columns import id_, instant, metadata, number, ref, text

finding = Table(
    "finding",  # a weakness, wherever it is
    metadata,
    id_(), text("fingerprint"), text("kind"), text("layer"), text("rule_class"), text("rule"), text("title"), text("core"),
    text("value", default=""),  # of a secret: its keyed identity, by which it is found again wherever it lies
    instant("first_seen_at"), UniqueConstraint("fingerprint"), Index(None, "rule_class"), Index(None, "rule"),
    Index("ix_finding_value", "value", sqlite_where=sa.text("value <> ''"), postgresql_where=sa.text("value <> ''")),
)  # fmt: skip

occurrence = Table(
    "occurrence",  # a finding in a subject, from `opened_at` to `closed_at`: what is asked "as of" a day
    metadata,
    id_(),
    ref("finding", "finding"), ref("subject", "subject"), ref("team", "team", nullable=True),
    text("kind"), text("layer"), text("rule_class"), text("rule"),
    Column("severity", Integer, nullable=False),  # rank of `Severity`
    Column("confidence", Integer, nullable=False),
    text("path"), number("line"), text("message"), text("detail", default="{}"),
    number("ordinal"),  # the same finding may stand in a subject several times
    number("waived"),  # 1 when a waiver, a VEX statement, an inline comment or a decision lets it through
    number("own"),  # 1 when it is the repository that says so
    Column("decision", BigInteger, nullable=True),  # what people decided that covers it, where the repository does not
    text("checks", default=""),  # who sees it, e.g. ``ruff semgrep``: it ends when none of them does any more; only while it is open
    number("line_now"),  # the line moves with every edit above it, so it is no part of the history; `line` is where it was opened
    instant("opened_at"), ref("opened_by", "assessment", nullable=True),
    instant("closed_at", nullable=True), ref("closed_by", "assessment", nullable=True),
    number("continued"),  # 1 when it was closed only because it goes on in another row: other path, severity, rule or waiver
    Column("since", BigInteger, nullable=False, server_default="0"),  # when the first of those rows was opened
    ref("item", "item", nullable=True),  # what one repair removes together with it
)  # fmt: skip
# Lists are asked one severity at a time, newest first, so that an index gives their order (`store.findings`); what they are narrowed by
# stands behind it, so that the rows themselves are only read for the page that is shown.
_own = tuple(occurrence.c[name] for name in ("closed_at", "opened_at", "kind", "layer", "waived"))
_shown = (*_own, occurrence.c.team)
Index("ix_occurrence_worst", occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
_is_open = sa.text("closed_at IS NULL")
Index("ix_occurrence_open", occurrence.c.severity, occurrence.c.since, occurrence.c.id, occurrence.c.kind, occurrence.c.layer,
      occurrence.c.team, occurrence.c.waived, sqlite_where=_is_open, postgresql_where=_is_open)  # fmt: skip
Index("ix_occurrence_newest", occurrence.c.since, occurrence.c.id, *_shown, occurrence.c.severity, occurrence.c.subject)
Index("ix_occurrence_team_worst", occurrence.c.team, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_own)
Index("ix_occurrence_subject_worst", occurrence.c.subject, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
Index("ix_occurrence_rule_class", occurrence.c.rule_class, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
Index("ix_occurrence_rule", occurrence.c.rule, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown)
_is_waived = sa.text("waived = 1")
Index("ix_occurrence_waived", occurrence.c.severity, occurrence.c.since, occurrence.c.id, occurrence.c.closed_at, occurrence.c.opened_at,
      occurrence.c.team, occurrence.c.decision, sqlite_where=_is_waived, postgresql_where=_is_waived)  # fmt: skip
_is_decided = sa.text("decision IS NOT NULL")
Index("ix_occurrence_decision", occurrence.c.decision, occurrence.c.closed_at, occurrence.c.id,
      sqlite_where=_is_decided, postgresql_where=_is_decided)  # fmt: skip
# What began and what ended within a span, for figures: both only ever grow at their end, which costs a writer little.
_counted = tuple(occurrence.c[name] for name in ("subject", "team", "layer", "severity", "kind", "waived", "since"))
Index("ix_occurrence_begun", occurrence.c.opened_at, *_counted)
Index("ix_occurrence_over", occurrence.c.closed_at, occurrence.c.continued, occurrence.c.closed_by, occurrence.c.id, *_counted,
      sqlite_where=sa.text("closed_at IS NOT NULL"), postgresql_where=sa.text("closed_at IS NOT NULL"))  # fmt: skip
Index("ix_occurrence_finding", occurrence.c.finding, occurrence.c.id)
_has_item = sa.text("item IS NOT NULL")
Index("ix_occurrence_item", occurrence.c.item, occurrence.c.severity, occurrence.c.since, occurrence.c.id, *_shown,
      sqlite_where=_has_item, postgresql_where=_has_item)  # fmt: skip
_counts = sa.text("closed_at IS NULL AND waived = 0 AND item IS NOT NULL")
Index("ix_occurrence_subject_item", occurrence.c.subject, occurrence.c.item, occurrence.c.severity, sqlite_where=_counts,
      postgresql_where=_counts)  # fmt: skip

posture = Table(
    "posture",  # how many stood open in a subject from then on, one row per change of that
    metadata,
    id_(), ref("subject", "subject"), instant("at"),
    number("critical"), number("high"), number("medium"), number("low"), number("info"), number("waived"), number("unchecked"),
    Index(None, "subject", "at", "id"),
)  # fmt: skip
