"""Comments on findings, subjects, changes and items, and where somebody was called in one.

Guarantees: who may see the thing may read what is said about it, and what is said about a finding only for teams of his; only its author
changes a comment, by another version, and takes it back; people are called only where they may read it themselves.
"""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from msgspec import Meta, Struct

from assaymark.model.access import Permission, Principal, TeamId
from assaymark.model.assessment import Instant
from assaymark.server.api import cursor, rights
from assaymark.server.api.paging import page_of
from assaymark.server.api.route import Call, Created, Nothing, Page, Router
from assaymark.server.problem import ApiError, conflict, invalid, not_found
from assaymark.server.talk import Topic, called, topic_of
from assaymark.store import comments, trail
from assaymark.store.comments import LONGEST, About, CommentRow, MentionRow, Thing, Version, Words
from assaymark.store.trail import Action
from assaymark.views.prose import prose

router = Router("comments")
On = Annotated[About, Meta(description="What kind of thing the comments are about.")]
Number = Annotated[int, Meta(description="Its number: of a finding, subject, assessment or item.")]


class CommentView(Struct, frozen=True):
    """A comment as it reads now."""

    id: int
    about: About
    number: int
    team: int | None
    """Who may read it; None for those whose role holds everywhere."""
    person: int
    login: str
    text: str
    """As it was written; empty when it was taken back."""
    html: str
    """The same, rendered: safe to show as it is."""
    at: Instant
    edited_at: Instant | None
    is_yours: bool


@router.add("GET", "/comments", Permission.FINDINGS_READ)
def list_comments(call: Call, on: On, number: Number, after: str | None = None, limit: int = 50) -> Page[CommentView]:
    """What was said about something, in the order in which it was begun."""
    limit = rights.limited(limit)
    start = cursor.decode(after, (int,))[0] if after else 0
    with call.service.database.read() as link:
        topic = topic_of(link, call.who, Thing(on, number))
        rows, last = comments.thread(link, topic.readers, topic.thing, after=start, limit=limit)
    return Page(tuple(view(call.who, row) for row in rows), next=None if last is None else cursor.encode((last,)))


class NewComment(Struct, frozen=True, forbid_unknown_fields=True):
    on: About
    number: int
    text: str
    """Words, with a little Markdown: lists, quotes, `code`, **strong**, *emphasis*, links, and `@login` to call somebody."""
    team: int | None = None
    """About a finding that stands in things of several teams: for which of them."""


@router.add("POST", "/comments", Permission.COMMENTS_WRITE, status=201)
def say(call: Call, body: NewComment) -> Created:
    """Say something; who is called by `@login` and may read it is told."""
    text = checked(body.text)
    with call.service.database.write() as link:
        topic = topic_of(link, call.who, Thing(body.on, body.number))
        team = topic.team_for(call.who, None if body.team is None else TeamId(body.team))
        call.need(Permission.COMMENTS_WRITE, team)
        now = call.service.now()
        made = comments.say(link, Words(topic.thing, team, call.who.person, text), now)
        called(call.service, link, topic, _there(link, made), call.who.login)
        _note(call, link, "comment.said", made, topic, team)
    return Created(made)


class NewText(Struct, frozen=True, forbid_unknown_fields=True):
    text: str


@router.add("PATCH", "/comments/{comment}", Permission.COMMENTS_WRITE)
def say_again(call: Call, comment: int, body: NewText) -> CommentView:
    """Another version of a comment of yours; the ones before stay readable."""
    text = checked(body.text)
    with call.service.database.write() as link:
        row, topic = _mine(call, link, comment)
        if text != row.text:
            comments.say_again(link, row, text, call.service.now())
            called(call.service, link, topic, _there(link, row.id), call.who.login)
            _note(call, link, "comment.edited", row.id, topic, row.team)
        return view(call.who, _there(link, row.id))


@router.add("DELETE", "/comments/{comment}", Permission.COMMENTS_WRITE, status=204)
def take_back(call: Call, comment: int) -> Nothing:
    """Take a comment of yours back: its words are no longer shown, but stay among its versions."""
    with call.service.database.write() as link:
        row, topic = _mine(call, link, comment)
        comments.say_again(link, row, "", call.service.now())
        _note(call, link, "comment.taken-back", row.id, topic, row.team)
    return Nothing()


@router.add("GET", "/comments/{comment}/versions", Permission.FINDINGS_READ)
def list_versions(call: Call, comment: int) -> tuple[Version, ...]:
    """How a comment read, from the first version on."""
    with call.service.database.read() as link:
        row, _ = _visible(call, link, comment)
        return tuple(comments.versions(link, row.id))


class Preview(Struct, frozen=True):
    html: str


@router.add("POST", "/comments/preview", Permission.COMMENTS_WRITE)
def preview_comment(call: Call, body: NewText) -> Preview:
    """How a text would look; nothing is kept."""
    del call
    return Preview(prose(checked(body.text)))


@router.add("GET", "/mentions", None)
def list_mentions(call: Call, after: str | None = None, limit: int = 50) -> Page[MentionRow]:
    """Where you were called in a comment, newest first."""
    limit = rights.limited(limit)
    before = cursor.decode(after, (int,))[0] if after else None
    with call.service.database.read() as link:
        rows = comments.mentions(link, call.who.person, before=before, limit=limit + 1)
    return page_of(rows, limit)


def checked(text: str) -> str:
    """Words that may be said.

    Raises:
        ApiError: 400 for none, and for more than are kept.
    """
    said = text.strip()
    if not said:
        raise invalid("`text` is empty", "write something, or take the comment back: DELETE /comments/{comment}")
    if len(said) > LONGEST:
        raise invalid(f"`text` is longer than {LONGEST} characters", "say it in several comments, or link to where it stands")
    return said


def view(who: Principal, row: CommentRow) -> CommentView:
    """A comment for somebody."""
    return CommentView(
        row.id, row.about, row.number, row.team, row.person, row.login, row.text, prose(row.text) if row.text else "", row.at,
        row.edited_at, row.person == who.person,
    )  # fmt: skip


def _there(link: sa.Connection, number: int) -> CommentRow:
    row = comments.get(link, number)
    assert row is not None  # noqa: S101 - it was written or read in this transaction
    return row


def _visible(call: Call, link: sa.Connection, number: int) -> tuple[CommentRow, Topic]:
    row = comments.get(link, number)
    if row is None:
        raise not_found("this comment")
    try:
        topic = topic_of(link, call.who, Thing(row.about, row.number))
    except ApiError as error:
        raise not_found("this comment") from error
    if topic.readers is not None and row.team not in topic.readers:
        raise not_found("this comment")
    return row, topic


def _mine(call: Call, link: sa.Connection, number: int) -> tuple[CommentRow, Topic]:
    row, topic = _visible(call, link, number)
    call.need(Permission.COMMENTS_WRITE, row.team)
    if row.person != call.who.person:
        raise ApiError(403, "not-yours", "somebody else said this", advice="answer it by a comment of your own")
    if not row.text:
        raise conflict("this comment was taken back", "say it anew")
    return row, topic


def _note(  # noqa: PLR0913, PLR0917 - what an entry says
    call: Call, link: sa.Connection, action: str, number: int, topic: Topic, team: TeamId | None
) -> None:
    by = rights.by(call)
    details = {"about": topic.thing.about.value, "number": str(topic.thing.number)}
    done = Action(call.service.now(), by.actor, action, "success", by.person, "comment", str(number), team, by.origin, details)
    trail.record(link, done)
