"""What a comment is about, who may read it, and who is called in it: what the API and the pages ask alike.

Guarantees: a thing that somebody may not see is not there; whoever is called may read what he is called to, because a name of another team
would tell that team that something is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from msgspec import Struct

from assaymark.model.access import GRANTS, Grant, Permission, PersonId, Principal, TeamId
from assaymark.model.assessment import SubjectId
from assaymark.model.happening import Happening, HappeningKind
from assaymark.server.problem import invalid, not_found
from assaymark.server.service import Service
from assaymark.server.work.publish import publish
from assaymark.store import comments, findings, items, people, subjects, teams
from assaymark.store.comments import About, CommentRow, Thing
from assaymark.store.narrowing import Teams, of_teams
from assaymark.store.tables import assessment, occurrence, subject
from assaymark.store.texts import cut
from assaymark.views.prose import names_in

_MOST_TEAMS = 200
_LONGEST_TITLE = 300


class Topic(Struct, frozen=True):
    """A thing that is talked about, as somebody sees it."""

    thing: Thing
    title: str
    path: str
    """Of its page."""
    permission: Permission
    """By which it is read."""
    teams: tuple[TeamId | None, ...]
    """To which it belongs, of those that the reader may see."""
    readers: Teams
    """Comments of these teams may be read."""

    def team_for(self, who: Principal, wanted: TeamId | None) -> TeamId | None:
        """For which team something is said.

        Raises:
            ApiError: 400 when that has to be named.
        """
        mine = [team for team in self.teams if who.may(Permission.COMMENTS_WRITE, team)]
        if wanted is not None:
            if wanted not in mine:
                raise not_found("this team")
            return wanted
        if len(mine) > 1:
            raise invalid("this stands in things of several teams", f"name one in `team`: {', '.join(map(str, mine[:20]))}")
        return mine[0] if mine else self.teams[0]


def topic_of(link: sa.Connection, who: Principal, thing: Thing) -> Topic:
    """The thing.

    Raises:
        ApiError: 404 when it is not there for this reader.
    """
    found = _FINDERS[thing.about](link, who, thing)
    if found is None:
        raise not_found(f"this {thing.about.value}")
    return found


def _finding(link: sa.Connection, who: Principal, thing: Thing) -> Topic | None:
    permission = Permission.FINDINGS_READ
    readers = who.teams_with(permission)
    found = findings.by_id(link, thing.number)
    c = occurrence.c
    query = sa.select(c.team).where(c.finding == thing.number, *of_teams(c.team, readers)).distinct().limit(_MOST_TEAMS)
    held = [row[0] for row in link.execute(query)] if found else []
    if found is None or not held:
        return None
    return Topic(thing, found.title, f"/findings/{thing.number}", permission, tuple(sorted(held, key=lambda team: team or 0)), readers)


def _subject(link: sa.Connection, who: Principal, thing: Thing) -> Topic | None:
    row = subjects.one(link, thing.number)
    return _of_team(who, thing, None if row is None else (row.name, row.team), Permission.SUBJECTS_READ, "subjects")


def _assessment(link: sa.Connection, who: Principal, thing: Thing) -> Topic | None:
    a = assessment.c
    query = sa.select(subject.c.name, a.team).join(subject, subject.c.id == a.subject).where(a.id == thing.number)
    row = link.execute(query).first()
    return _of_team(who, thing, None if row is None else (row[0], row[1]), Permission.ASSESSMENTS_READ, "changes")


def _item(link: sa.Connection, who: Principal, thing: Thing) -> Topic | None:
    row = items.one(link, thing.number)
    return _of_team(who, thing, None if row is None else (row.title, row.team), Permission.FINDINGS_READ, "items")


def _of_team(who: Principal, thing: Thing, found: tuple[str, TeamId | None] | None, permission: Permission, room: str) -> Topic | None:
    """A thing that belongs to one team: whoever may see it reads all that is said about it."""
    if found is None or not who.may(permission, found[1]):
        return None
    return Topic(thing, found[0], f"/{room}/{thing.number}", permission, (found[1],), None)


_FINDERS: Mapping[About, Callable[[sa.Connection, Principal, Thing], Topic | None]] = {
    About.FINDING: _finding,
    About.SUBJECT: _subject,
    About.ASSESSMENT: _assessment,
    About.ITEM: _item,
}


# --- calling somebody ------------------------------------------------------------------------------------------------


def called(service: Service, link: sa.Connection, topic: Topic, row: CommentRow, login: str) -> list[PersonId]:
    """Note and tell, in the caller's transaction, who is named in a comment for the first time; who may not read it is not."""
    found = (_reader(link, name, topic, row.team) for name in names_in(row.text))
    fresh = comments.call(link, row.id, [each for each in found if each is not None and each != row.person], service.now())
    if fresh or row.edited_at is None:
        publish(service, link, _happening(link, topic, row, login, fresh))
    return fresh


def _happening(link: sa.Connection, topic: Topic, row: CommentRow, login: str, fresh: list[PersonId]) -> Happening:
    thing = topic.thing
    named = [person.login for each in fresh if (person := people.get(link, each)) is not None]
    data = {"comment": str(row.id), thing.about.value: str(thing.number)} | ({"mentioned": " ".join(named)} if named else {})
    return Happening(
        HappeningKind.COMMENT_MADE,
        at=row.edited_at or row.at,
        team=row.team,
        title=cut(f"{login} commented on {topic.title}", _LONGEST_TITLE),
        path=f"{topic.path}#comment-{row.id}",
        subject=SubjectId(thing.number) if thing.about is About.SUBJECT else None,
        actor=login,
        data=data,
    )


def _reader(link: sa.Connection, login: str, topic: Topic, team: TeamId | None) -> PersonId | None:
    person = people.by_login(link, login)
    if person is None or person.disabled_at is not None:
        return None
    return person.id if _may(teams.grants_of(link, person.id), topic.permission, team) else None


def _may(grants: tuple[Grant, ...], permission: Permission, team: TeamId | None) -> bool:
    return any(permission in GRANTS[grant.role] and grant.team in (None, team) for grant in grants)
