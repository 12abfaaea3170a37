"""Comments on pages: the part that other pages include (`conversation` and the macro of that name in ``talk.html``), the whole thread,
a preview, editing, and how a comment read before. The API's own calls do the work.
"""

from __future__ import annotations

from urllib.parse import urlencode

from msgspec import Struct
from starlette.responses import RedirectResponse, Response

from assaymark.errors import AssayError
from assaymark.model.access import Permission
from assaymark.server.api import comments as api
from assaymark.server.api.comments import CommentView
from assaymark.server.api.route import Call
from assaymark.server.problem import ApiError, invalid, not_found
from assaymark.server.talk import Topic, topic_of
from assaymark.server.web import asking
from assaymark.server.web.screen import Screen, Visit
from assaymark.store import comments, teams
from assaymark.store.comments import About, Thing
from assaymark.store.teams import TeamRow

_SHOWN = 50


class Talk(Struct, frozen=True):
    """What was said about something, and whether the reader may say something."""

    about: About
    number: int
    comments: tuple[CommentView, ...]
    more: str
    """Address of the whole thread, when it is longer."""
    may_say: bool
    teams: tuple[TeamRow, ...]
    """For which the reader may speak here."""
    team: int | None = None


def conversation(visit: Visit, about: About, number: int) -> Talk | None:
    """For the macro of this name; None when the thing is not there for the reader, who then sees no comments either."""
    try:
        return _talk(visit, Thing(about, number), 0)[1]
    except ApiError:
        return None


def _talk(visit: Visit, thing: Thing, after: int) -> tuple[Topic, Talk, int | None]:
    who = visit.who
    with visit.service.database.read() as link:
        topic = topic_of(link, who, thing)
        rows, last = comments.thread(link, topic.readers, thing, after=after, limit=_SHOWN)
        mine = [team for team in topic.teams if who.may(Permission.COMMENTS_WRITE, team)]
        named = [found for team in mine if team is not None and (found := teams.get(link, team)) is not None] if len(mine) > 1 else []
    views = tuple(api.view(who, row) for row in rows)
    whole = _address(thing) if last is not None else ""
    return topic, Talk(thing.about, thing.number, views, whole, bool(mine), tuple(named)), last


def _address(thing: Thing) -> str:
    return f"/comments?{urlencode({'on': thing.about.value, 'number': thing.number})}"


def show_comments(visit: Visit) -> Response:
    """The whole thread."""
    thing = _asked(visit.asked("on"), visit.asked("number"))
    key = asking.after(visit, (int,))
    topic, talk, last = _talk(visit, thing, key[0] if key else 0)
    onward = asking.onward(visit, (last,) if last is not None else None)
    return visit.page("comments.html", topic=topic, talk=talk, onward=onward, error=None, text="", shown="")


def say(visit: Visit) -> Response:
    """Say it, or show how it would look."""
    form = visit.form
    thing = _asked(form.get("on", ""), form.get("number", ""))
    text = form.get("text", "")
    team = int(form["team"]) if form.get("team", "").isdecimal() else None
    error: Exception | None = None
    try:
        if form.get("do") != "preview":
            made = api.say(_call(visit), api.NewComment(thing.about, thing.number, text, team))
            with visit.service.database.read() as link:
                return RedirectResponse(f"{topic_of(link, visit.who, thing).path}#comment-{made.id}", 303)
        api.checked(text)
    except (ApiError, AssayError) as refused:
        if isinstance(refused, ApiError) and refused.status == 404:
            raise
        error = refused
    topic, talk, _ = _talk(visit, thing, 0)
    shown = "" if error else text
    status = error.status if isinstance(error, ApiError) else 200
    return visit.page(
        "comments.html", status=status, topic=topic, talk=_spoken_for(talk, team), onward=None, error=error, text=text, shown=shown
    )


def _spoken_for(talk: Talk, team: int | None) -> Talk:
    return Talk(talk.about, talk.number, (), "", talk.may_say, talk.teams, team)


def show_edit(visit: Visit) -> Response:
    """The form with the present words."""
    number, topic, text = _mine(visit)
    return visit.page("comment.html", editing=True, number=number, topic=topic, text=text, error=None, versions=())


def edit(visit: Visit) -> Response:
    """Another version, or none."""
    number, topic, _ = _mine(visit)
    text = visit.form.get("text", "")
    try:
        if visit.form.get("do") == "take-back":
            api.take_back(_call(visit), number)
        else:
            api.say_again(_call(visit), number, api.NewText(text))
    except ApiError as error:
        values = {"editing": True, "number": number, "topic": topic, "text": text, "error": error, "versions": ()}
        return visit.page("comment.html", status=error.status, **values)
    return RedirectResponse(f"{topic.path}#comment-{number}", 303)


def show_versions(visit: Visit) -> Response:
    """How a comment read."""
    number = visit.number("number")
    versions = api.list_versions(_call(visit), number)
    with visit.service.database.read() as link:
        row = comments.get(link, number)
        if row is None:
            raise not_found("this comment")
        topic = topic_of(link, visit.who, Thing(row.about, row.number))
    return visit.page("comment.html", editing=False, number=number, topic=topic, text="", error=None, versions=versions)


def _mine(visit: Visit) -> tuple[int, Topic, str]:
    number = visit.number("number")
    with visit.service.database.read() as link:
        row = comments.get(link, number)
        if row is None or row.person != visit.who.person or not row.text:
            raise not_found("this comment of yours")
        return number, topic_of(link, visit.who, Thing(row.about, row.number)), row.text


def _asked(about: str, number: str) -> Thing:
    if about not in set(About) or not number.isascii() or not number.isdecimal() or len(number) > 18:
        raise invalid("the address names nothing that could be commented", "open the page of the thing, and comment there")
    return Thing(About(about), int(number))


def _call(visit: Visit) -> Call:
    return Call(visit.service, visit.request, visit.principal)


SCREENS = [
    Screen("GET", "/comments", show_comments, Permission.FINDINGS_READ),
    Screen("POST", "/comments", say, Permission.COMMENTS_WRITE),
    Screen("GET", "/comments/{number}/edit", show_edit, Permission.COMMENTS_WRITE),
    Screen("POST", "/comments/{number}/edit", edit, Permission.COMMENTS_WRITE),
    Screen("GET", "/comments/{number}/versions", show_versions, Permission.FINDINGS_READ),
]
