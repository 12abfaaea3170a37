"""Items: what one repair removes, from when to when, whose it is, and the issues in which it is told elsewhere."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, number, ref, text

item = Table(
    "item",  # a cause, and whose it is now; when it stood open is in `item_span`
    metadata,
    id_(), text("key"), text("cause"), text("title"), text("kind"), text("layer"), text("rule_class"), text("advice", default=""),
    ref("team", "team", nullable=True), ref("repository", "repository", nullable=True),
    ref("person", "person", nullable=True), text("owner", default=""),  # as people call him or them
    text("owner_source", default="team"),  # team, codeowners, blame, hand
    text("basis", default=""),  # by which the owner was found: digest of CODEOWNERS, so that another one asks again
    number("untold"),  # 1 while nobody was told of its last change
    text("told_state", default=""), text("told_owner", default=""),  # what was told last, so that only a change is
    instant("created_at"),
    UniqueConstraint("key"),
    Index("ix_item_untold", "id", sqlite_where=sa.text("untold = 1"), postgresql_where=sa.text("untold = 1")),
    Index(None, "repository", "id"), Index(None, "owner", "id"), Index(None, "person", "id"),
)  # fmt: skip

item_subject = Table(
    "item_subject",  # kept sums: how much of an item stands open in a subject now
    metadata,
    Column("item", ID, ForeignKey("item.id"), primary_key=True), Column("subject", ID, ForeignKey("subject.id"), primary_key=True),
    number("findings"), Column("severity", Integer, nullable=False), Index(None, "subject"),
)  # fmt: skip

item_span = Table(
    "item_span",  # an item as it stood from `opened_at` to `closed_at`: what is asked "as of" a day
    metadata,
    id_(),
    ref("item", "item"), ref("team", "team", nullable=True), ref("person", "person", nullable=True),
    text("owner", default=""), text("owner_source", default=""),
    text("cause"), text("kind"), text("layer"),
    Column("severity", Integer, nullable=False),  # of its worst finding
    number("findings"), number("subjects"),
    instant("opened_at"), instant("closed_at", nullable=True),
    number("continued"),  # 1 when it was closed only because it goes on in another row: other numbers, severity, team or owner
    Column("since", BigInteger, nullable=False, server_default="0"),  # when the first of those rows was opened
)  # fmt: skip
_s = item_span.c
_own = (_s.closed_at, _s.opened_at, _s.kind, _s.cause)
_is_open = sa.text("closed_at IS NULL")
Index("ix_item_span_worst", _s.severity, _s.since, _s.id, *_own, _s.team, _s.person)
Index("ix_item_span_open", _s.severity, _s.since, _s.id, _s.kind, _s.cause, _s.team, _s.person, sqlite_where=_is_open,
      postgresql_where=_is_open)  # fmt: skip
Index("ix_item_span_team_worst", _s.team, _s.severity, _s.since, _s.id, *_own, _s.person)
Index("ix_item_span_person_worst", _s.person, _s.severity, _s.since, _s.id, *_own, _s.team)
Index("ix_item_span_item", _s.item, _s.id, _s.closed_at, _s.opened_at)
Index("uq_item_span_open", _s.item, unique=True, sqlite_where=_is_open, postgresql_where=_is_open)

issue = Table(
    "issue",  # an item as it is told in a tracker: there is one of it, found again by its marker after a crash
    metadata,
    id_(), ref("item", "item"), ref("connection", "connection"),
    Column("remote", Text, nullable=False, server_default=""),  # its number there; empty until it is known
    text("url", default=""), text("state", default=""),  # what we set it to last: open, closed
    text("digest", default=""),  # of what it says
    instant("tried_at", nullable=True),  # when we first tried to make it
    instant("changed_at", nullable=True),
    UniqueConstraint("item", "connection"),
)  # fmt: skip

image_base = Table(
    "image_base",  # what an image begins with, as its last inventory saw it
    metadata,
    Column("subject", ID, ForeignKey("subject.id"), primary_key=True),
    text("chain"),  # digest of all its layers' ids in order
    text("base"),  # digest of those with which it begins; empty when that is not known
    text("name", default=""), text("inherited", default="[]"), instant("changed_at"), Index(None, "chain"),
)  # fmt: skip
