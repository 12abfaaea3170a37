"""Handler: everything that a subject holds at the head that was judged last; what closes occurrences, and notes components (`holdings`).

Guarantees: it follows the change verdict and never holds it up (its own lock, a lower priority); it looks at the head that counts when it
runs, so that of several that wait one is enough; run twice it writes nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from assaymark.errors import SubjectUnreadable, UsageError
from assaymark.model.assessment import SubjectId
from assaymark.server.service import Service
from assaymark.server.work import holdings
from assaymark.server.work.assess import is_damaged
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.server.work.surroundings import surroundings
from assaymark.server.work.watch import Watch
from assaymark.server.work.whole import by_itself, everything
from assaymark.store import repositories
from assaymark.store.recording import Recording, record
from assaymark.store.tables import subject
from assaymark.subjects.mirror import Bound, Want

SECONDS = 1700.0


def inventory(service: Service, arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Record the whole of a subject (arguments: ``subject``, ``head``).

    Raises:
        SubjectUnreadable: when it cannot be read now.
    """
    number = SubjectId(int(arguments["subject"]))
    with service.database.read() as link:
        row = link.execute(sa.select(subject).where(subject.c.id == number, subject.c.ended_at.is_(None))).first()
        repository = repositories.get(link, row.repository) if row is not None and row.repository is not None else None
    if row is None or repository is None:
        return
    watch = Watch(service, attempt, SECONDS)
    mirror = mirror_of(service, repository.id)
    want = [Want(row.head or str(arguments["head"]), row.ref)]
    try:
        (head,) = mirror.known(want)
        if not head:
            (head,) = mirror.fetch(remote_of(service, repository), want, Bound(seconds=watch.left, should_stop=watch.should_stop))
        context = surroundings(service, watch)
        since = service.now()
        verdict = everything(mirror.repository, head, context)
        looked = holdings.look(by_itself(mirror.repository, head).head, since)
    except UsageError:
        return  # gone, or its policy is wrong: the assessment of this head has said so
    if watch.should_stop():
        raise SubjectUnreadable("the inventory was stopped", why="its time was over" if watch.overdue else "somebody cancelled it")
    if is_damaged(verdict):
        mirror.suspect()
        raise SubjectUnreadable(f"the copy of {repository.name} is damaged", why="contents are missing", advice="it is fetched anew")
    with service.database.write() as link:
        if link.execute(sa.select(subject.c.head).where(subject.c.id == number)).scalar() == head:
            record(link, Recording(None, number, verdict, "", whole=True, at=service.now()))
            holdings.note(service, link, number, looked)
    context.settle()
    mirror.upkeep(max(1.0, watch.left))
