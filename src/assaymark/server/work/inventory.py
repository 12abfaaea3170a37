"""Handler: everything that a subject holds at the head that was judged last; what closes occurrences, and notes components (`holdings`).

Guarantees: it follows the change verdict and never holds it up (its own lock, a lower priority); it looks at the head that counts when it
runs, so that of several that wait one is enough; run twice it writes nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.flow import Context, Request, assay
from assaymark.model.assessment import SubjectId
from assaymark.model.trigger import SubjectKind
from assaymark.model.verdict import Verdict
from assaymark.server.service import Service
from assaymark.server.work import beginnings, governing, holdings, owners
from assaymark.server.work.assess import is_damaged
from assaymark.server.work.beginnings import Beginning
from assaymark.server.work.deciding import put_judging
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.images import Image, open_image, with_tag
from assaymark.server.work.items import follow
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.server.work.surroundings import surroundings
from assaymark.server.work.watch import Watch
from assaymark.server.work.whole import by_itself, everything
from assaymark.store import decisions, repositories
from assaymark.store.item_keeping import relink
from assaymark.store.recording import Recording, record
from assaymark.store.repositories import RepositoryRow
from assaymark.store.tables import subject
from assaymark.subjects.compare import ListingComparison
from assaymark.subjects.empty import EmptySubject
from assaymark.subjects.mirror import Bound, Want
from assaymark.verdict.given import Given

SECONDS = 1700.0


class _Run(Struct, frozen=True):
    """With what it is looked at."""

    context: Context
    watch: Watch
    given: Given


class Seen(Struct, frozen=True):
    """The whole of a subject."""

    head: str
    verdict: Verdict
    looked: holdings.Looked
    beginning: Beginning | None = None


def inventory(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Record the whole of a subject (arguments: ``subject``, ``head``).

    Raises:
        SubjectUnreadable: when it cannot be read now.
    """
    number = SubjectId(int(arguments["subject"]))
    with service.database.read() as link:
        row = link.execute(sa.select(subject).where(subject.c.id == number, subject.c.ended_at.is_(None))).first()
        repository = repositories.get(link, row.repository) if row is not None and row.repository is not None else None
    if row is None:
        return
    watch = Watch(service, attempt, SECONDS)
    head = row.head or str(arguments["head"])
    try:
        context = surroundings(service, watch)
        if row.kind == SubjectKind.IMAGE:
            image = Image(with_tag(row.ref.partition("@")[0] or row.name, ""), row.team, head)
            seen = _image(service, number, image, _Run(context, watch, governing.floors_for(service, row, "")))
        elif repository is not None:
            run = _Run(context, watch, governing.floors_for(service, row, repository.name))
            seen = _commit(service, repository, Want(head, row.ref), run)
        else:
            return
    except UsageError:
        return  # gone, or its policy is wrong: the assessment of this head has said so
    if watch.should_stop():
        raise SubjectUnreadable("the inventory was stopped", why="its time was over" if watch.overdue else "somebody cancelled it")
    _write(service, number, seen)
    context.settle()
    if repository is not None:
        mirror_of(service, repository.id).upkeep(max(1.0, watch.left))


def _commit(service: Service, repository: RepositoryRow, want: Want, run: _Run) -> Seen:
    watch = run.watch
    mirror = mirror_of(service, repository.id)
    (head,) = mirror.known([want])
    if not head:
        (head,) = mirror.fetch(remote_of(service, repository), [want], Bound(seconds=watch.left, should_stop=watch.should_stop))
    since = service.now()
    verdict = everything(mirror.repository, head, run.context, run.given)
    if not watch.should_stop() and is_damaged(verdict):
        mirror.suspect()
        raise SubjectUnreadable(f"the copy of {repository.name} is damaged", why="contents are missing", advice="it is fetched anew")
    return Seen(head, verdict, holdings.look(by_itself(mirror.repository, head).head, since))


def _image(service: Service, number: SubjectId, image: Image, run: _Run) -> Seen:
    since = service.now()
    head, files = open_image(service, image, image.head, run.watch)
    verdict = assay(Request(ListingComparison(EmptySubject(), files), whole=True, given=run.given), run.context)
    return Seen(head, verdict, holdings.look(files, since), beginnings.look(service, number, files))


def _write(service: Service, number: SubjectId, seen: Seen) -> None:
    with service.database.write() as link:
        if link.execute(sa.select(subject.c.head).where(subject.c.id == number)).scalar() == seen.head:
            moved = seen.beginning is not None and beginnings.note(link, number, seen.beginning, service.now())
            record(link, Recording(None, number, seen.verdict, "", whole=True, at=service.now()))
            if moved:
                relink(link, number, [each.finding for each in seen.verdict.findings], service.now())
            holdings.note(service, link, number, seen.looked)
            if decisions.is_any(link):
                put_judging(service, link, number)  # what was decided between the verdict and this reads in the verdict as well
            follow(service, link)
            owners.ask(service, link, number)
