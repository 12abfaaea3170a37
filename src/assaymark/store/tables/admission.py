"""Gates of clusters, and what they refused or would have."""

from __future__ import annotations

from sqlalchemy import Index, Table, UniqueConstraint

from assaymark.store.tables.columns import count, id_, instant, metadata, number, ref, text

admission_gate = Table(
    "admission_gate",  # a cluster that asks before something starts
    metadata,
    id_(), text("name"), text("environment"), text("namespaces"),  # JSON: (namespace, environment)
    text("exempt"),  # JSON: namespaces that are never asked about
    text("home"),  # namespace of ours in the cluster
    number("enforces"), number("obeys_break_glass"), ref("team", "team", nullable=True),
    text("token"),  # its SHA-256
    instant("created_at"), instant("changed_at"), instant("ended_at", nullable=True),
    UniqueConstraint("name"), UniqueConstraint("token"), Index(None, "team", "id"),
)  # fmt: skip

admission_refusal = Table(
    "admission_refusal",  # the latest at each gate, each kind of refusal once; older ones are forgotten
    metadata,
    id_(), ref("gate", "admission_gate"), text("key"),  # digest of what makes it another one
    text("outcome"), text("environment"), text("namespace"), text("kind"), text("name"), text("path"), text("image"), text("digest"),
    text("reason"), text("words"), text("asked_by"), text("note"),  # what the break-glass annotation said
    instant("first_at"), instant("last_at"), count("times"),
    UniqueConstraint("gate", "key"), Index(None, "gate", "last_at", "id"),
)  # fmt: skip
