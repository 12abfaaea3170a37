"""Where things come from: connections, repositories, subjects."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, UniqueConstraint

from assaymark.store.tables.columns import ID, id_, instant, metadata, number, ref, text

connection = Table(
    "connection",
    metadata,
    id_(),
    text("kind"),  # github, gitlab, gitea, bitbucket, git, registry, ci, jira
    text("name"),
    text("web_url", default=""),
    text("api_url", default=""),
    Column("token", LargeBinary, nullable=True),  # sealed by the vault, like the next
    Column("webhook_secret", LargeBinary, nullable=True),
    Column("previous_secret", LargeBinary, nullable=True),  # holds too, until
    instant("previous_until", nullable=True),
    ref("team", "team", nullable=True),
    text("options", default="{}"),
    instant("created_at"),
    instant("ended_at", nullable=True),
    UniqueConstraint("name"),
)

repository = Table(
    "repository", metadata, id_(), ref("connection", "connection", nullable=True), text("name"), text("clone_url"),
    text("web_url", default=""), text("forge_id", default=""), text("default_branch", default=""), ref("team", "team", nullable=True),
    text("problem", default=""),  # why it could not be asked at the last look
    instant("created_at"), instant("fetched_at", nullable=True), instant("ended_at", nullable=True),
    UniqueConstraint("clone_url"), Index(None, "connection", "forge_id"), Index(None, "team", "id"), Index(None, "name"),
)  # fmt: skip

subject = Table(
    "subject",
    metadata,
    id_(),
    text("kind"),
    text("key"),  # unique in its kind: a repository's number and a ref, an image's name, a host's name
    text("name"),
    text("ref", default=""),
    ref("repository", "repository", nullable=True),
    ref("team", "team", nullable=True),
    text("url", default=""),
    text("details", default="{}"),
    instant("created_at"),
    instant("ended_at", nullable=True),
    text("head", default=""),  # digest that was judged last
    text("state", default=""),  # of the assessment that was judged last
    instant("judged_at", nullable=True),
    Column("last_assessment", ID, nullable=True),
    text("grounds", default=""),  # digest in `blobs`: policy and statements by which what it holds is judged again
    number("most_days"),  # what its policy asks of decisions, as the last verdict said: how long they may last (0: nobody said)
    number("needs_approver"),  # 1: they need a second person
    number("open_critical"), number("open_high"), number("open_medium"), number("open_low"), number("open_info"),
    number("waived"), number("unchecked"),
    UniqueConstraint("kind", "key"), Index(None, "team", "id"), Index(None, "repository", "id"), Index(None, "name", "id"),
    Index(None, "judged_at", "id"), Index(None, "head"),
)  # fmt: skip

ref_listing = Table(
    "ref_listing",  # what a repository's refs were when it was last looked at, to see what moved without a webhook
    metadata, Column("repository", ID, ForeignKey("repository.id"), primary_key=True), text("refs"), instant("seen_at"),
)  # fmt: skip
