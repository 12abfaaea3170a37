"""Handler: whose items are, as the repository itself says: CODEOWNERS, else who wrote the lines, else the team.

Guarantees: it follows the inventory and holds up no verdict (its own lock, a lower priority); an item is asked about once for each state of
CODEOWNERS, so that an owner does not change with every push; what somebody decided by hand stays; only who may see the item is found as
its person. Bounded in items, files and time: what was not come to has its turn with the next inventory.

CODEOWNERS is read as the forge reads it: GitHub's way, GitLab's in its projects. Gitea and Forgejo write expressions of their own into
that file, and Bitbucket has none: there who wrote the lines counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import SubjectId
from assaymark.model.codeowners import MOST_BYTES, PLACES, Codeowners, Dialect, parse
from assaymark.model.digest import sha256
from assaymark.model.trigger import SubjectKind
from assaymark.server.service import Service
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.items import follow
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.store import connections, repositories
from assaymark.store.item_keeping import Owner, own
from assaymark.store.repositories import RepositoryRow
from assaymark.store.tables import item, item_subject, membership, occurrence, person, subject
from assaymark.subjects.blame import MOST_FILES, Author, who_wrote
from assaymark.subjects.commits import CommitSubject, head_commit
from assaymark.subjects.mirror import Bound, Mirror, Want

KIND = "own-items"
SECONDS = 600
_MOST_ITEMS = 500
_MOST_PLACES = 20
_BLAME_SECONDS = 120.0
_FETCH_SECONDS = 300.0
_NOREPLY = re.compile(r"(?:[0-9]+[+-])?([A-Za-z0-9][A-Za-z0-9_.-]*)@users\.noreply\.[A-Za-z0-9.-]+\Z")
_READ_AS = {"github": Dialect.GITHUB, "gitlab": Dialect.GITLAB, "git": Dialect.GITHUB, "": Dialect.GITHUB}


class _Open(Struct, frozen=True):
    """An item that has to be asked about, with where it stands."""

    id: int
    team: int | None
    places: tuple[tuple[str, int], ...]


class _Book(Struct, frozen=True):
    """CODEOWNERS of a commit."""

    basis: str
    owners: Codeowners | None


class People:
    """Those who have an account, by what CODEOWNERS and commits call them."""

    def __init__(self, link: sa.Connection) -> None:
        self._by_login: dict[str, int] = {}
        self._by_email: dict[str, int] = {}
        self._logins: dict[int, str] = {}
        for row in link.execute(sa.select(person.c.id, person.c.login, person.c.email).where(person.c.disabled_at.is_(None))):
            self._by_login[row.login.lower()] = row.id
            self._logins[row.id] = row.login
            if row.email:
                self._by_email.setdefault(row.email.lower(), row.id)
        self._teams: dict[int, set[int | None]] = {}
        for holder, team in link.execute(sa.select(membership.c.person, membership.c.team)):
            self._teams.setdefault(holder, set()).add(team)

    def find(self, name: str, team: int | None) -> int | None:
        """Who is called so and may see what belongs to the team."""
        known = self._named(name.lower())
        if known is None:
            return None
        teams = self._teams.get(known, set())
        return known if None in teams or (team is not None and team in teams) else None

    def _named(self, name: str) -> int | None:
        if name.startswith("@"):
            return self._by_login.get(name[1:])
        if (known := self._by_email.get(name)) is not None:
            return known
        hidden = _NOREPLY.match(name)
        return self._by_login.get(hidden[1]) if hidden else None

    def owner(self, names: Sequence[str], team: int | None, source: str) -> Owner:
        """The first of them who has an account, else the first as he is called."""
        for name in names:
            found = self.find(name, team)
            if found is not None:
                return Owner(source, name if name.startswith("@") else self._logins[found], found)
        return Owner(source, names[0]) if names else Owner("team")


def ask(service: Service, link: sa.Connection, number: int) -> None:
    """Within the caller's transaction: let it be found whose the items of a subject are."""
    key = f"{KIND}:{number}"
    service.queue.put(link, Job(KIND, {"subject": number}, key=key, lock=key, priority=Priority.ADVISORY, seconds=SECONDS))


def own_items(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Find whose the open items of a subject are (arguments: ``subject``).

    Raises:
        SubjectUnreadable: when its repository cannot be read now.
    """
    number = SubjectId(int(arguments["subject"]))
    with service.database.read() as link:
        row = link.execute(sa.select(subject).where(subject.c.id == number, subject.c.ended_at.is_(None))).first()
        if row is None or row.repository is None or row.kind != SubjectKind.BRANCH or not row.head:
            return
        repository = repositories.get(link, row.repository)
        forge = connections.get(link, repository.connection) if repository is not None and repository.connection is not None else None
    if repository is None:
        return
    try:
        mirror = _mirror(service, repository, Want(row.head, row.ref), attempt)
        book = _book(mirror, row.head, _READ_AS.get(forge.kind if forge is not None else ""))
    except SubjectNotFound:
        return  # the commit is gone: the next one is asked about
    with service.database.read() as link:
        waiting = _waiting(link, number, book.basis)
        people = People(link)
    found = _by_codeowners(waiting, book, people)
    left = [each for each in waiting if each.id not in found]
    found |= _by_blame(left, mirror, row.head, people)
    with service.database.write() as link:
        for each in waiting:
            own(link, each.id, found.get(each.id, Owner("team")), service.now(), basis=book.basis)
        follow(service, link)


def _mirror(service: Service, repository: RepositoryRow, want: Want, attempt: Attempt) -> Mirror:
    mirror = mirror_of(service, repository.id)
    if not mirror.known([want])[0]:
        mirror.fetch(remote_of(service, repository), [want], Bound(seconds=_FETCH_SECONDS, should_stop=attempt.should_stop))
    return mirror


def _book(mirror: Mirror, head: str, dialect: Dialect | None) -> _Book:
    """The first CODEOWNERS that is there; what is too large counts as none, as at the forges."""
    if dialect is not None:
        tree = CommitSubject(mirror.repository, head_commit(mirror.repository, head))
        for place in PLACES[dialect]:
            try:
                data = tree.file(place, limit=MOST_BYTES)
            except SubjectUnreadable:
                break
            if data is not None:
                return _Book(f"{dialect.value}:{sha256(data)}", parse(data.decode("utf-8", "replace"), dialect))
    return _Book("none", None)


def _waiting(link: sa.Connection, number: int, basis: str) -> list[_Open]:
    """Items that were not asked about on this ground, the worst first."""
    s, c = item_subject.c, occurrence.c
    query = sa.select(item.c.id, item.c.team).join(item_subject, s.item == item.c.id)
    query = query.where(s.subject == number, item.c.owner_source != "hand", item.c.basis != basis)
    found = []
    for row in link.execute(query.order_by(s.severity.desc(), item.c.id).limit(_MOST_ITEMS)).all():
        where = (c.item == row.id, c.subject == number, c.closed_at.is_(None), c.waived == 0)
        places = link.execute(sa.select(c.path, c.line_now).where(*where).order_by(c.severity.desc(), c.id).limit(_MOST_PLACES))
        found.append(_Open(row.id, row.team, tuple((path, line) for path, line in places)))
    return found


def _by_codeowners(waiting: Iterable[_Open], book: _Book, people: People) -> dict[int, Owner]:
    if book.owners is None:
        return {}
    found: dict[int, Owner] = {}
    for each in waiting:
        votes = Counter(owners for path, _ in each.places if (owners := _named(book.owners, path)))
        names = list(dict.fromkeys(name for owners, _ in votes.most_common() for name in owners))
        if names:
            found[each.id] = people.owner(names, each.team, "codeowners")
    return found


def _named(book: Codeowners, path: str) -> tuple[str, ...]:
    """Those who can be told something: not roles, which are everybody who has them."""
    return tuple(owner for owner in book.owners(path) if not owner.startswith("@@"))


def _by_blame(waiting: Sequence[_Open], mirror: Mirror, head: str, people: People) -> dict[int, Owner]:
    wanted: dict[str, list[int]] = {}
    for each in waiting:
        for path, line in each.places:
            if line and (path in wanted or len(wanted) < MOST_FILES):
                wanted.setdefault(path, []).append(line)
    wrote = who_wrote(mirror, head, wanted, _BLAME_SECONDS) if wanted else {}
    found: dict[int, Owner] = {}
    for each in waiting:
        votes = Counter(author.email for place in each.places if (author := wrote.get(place, Author("", ""))).email)
        if votes:
            found[each.id] = people.owner([email for email, _ in votes.most_common()], each.team, "blame")
    return found
