"""Handler: notes which components a new endorsement vouches for.

Guarantees: endorsements are taken in the order of their numbers, each in one transaction with the note that it was taken; killed, it goes
on where it was. What lags only lacks: nothing is approved by being noted, and what is withdrawn is so at once, because that is asked when a
component is. A commit of which no copy can be had vouches for its packages alone, and the log says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
import structlog

from assaymark.endorsement.components import ComponentKind
from assaymark.errors import AssayError
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import Instant, RepositoryId, SubjectId
from assaymark.model.digest import git_blob
from assaymark.server.service import Service
from assaymark.server.work.approved_parts import MOST_BYTES, PROFILES, CommitTree, listed, parts_of
from assaymark.server.work.handlers import Attempt
from assaymark.server.work.remotes import mirror_of, remote_of
from assaymark.store import approved_index, bulk, repositories, setting_rows
from assaymark.store.approved_index import NamedPart, Vouched
from assaymark.store.tables import endorsed_digest, endorsement, endorsement_part, package_set, subject
from assaymark.subjects.mirror import Want

PROFILE_GLOBS = "approved.profiles"
"""Setting: globs of configuration profiles."""
_log = structlog.get_logger("assaymark.approved")
e = endorsement.c


def job() -> Job:
    """To be put in the transaction that keeps an endorsement."""
    return Job("index-approved", {}, key="index-approved", lock="index-approved", priority=Priority.ADVISORY, seconds=600)


def index_approved(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Note what is new."""
    while not attempt.should_stop():
        with service.database.read() as link:
            row = _next(link)
        if row is None:
            return
        parts = _parts(service, row)
        with service.database.write() as link:
            if approved_index.indexed_up_to(link) < row.id:
                note(link, row, parts, service.now())


def _next(link: sa.Connection) -> Any:
    columns = (e.id, e.subject, e.kind, e.head, e.verified_at, e.expires_at, subject.c.name, subject.c.repository)
    query = sa.select(*columns).join(subject, subject.c.id == e.subject).where(e.id > approved_index.indexed_up_to(link))
    return link.execute(query.order_by(e.id).limit(1)).first()


def note(link: sa.Connection, row: Any, parts: Sequence[NamedPart], at: Instant) -> None:
    """Write down one endorsement's components; within the caller's transaction."""
    vouched = Vouched(row.id, row.verified_at, row.expires_at, SubjectId(row.subject))
    p = endorsement_part.c
    digests = list(link.execute(sa.select(p.digest).where(p.endorsement == row.id, p.kind == "packages")).scalars())
    sets: list[int] = []
    for some in bulk.portions(digests):
        query = sa.select(package_set.c.id).where(bulk.among(link, package_set.c.digest, some))
        sets += link.execute(query).scalars()
    approved_index.add_packages(link, vouched, sets)
    approved_index.add_named(link, vouched, parts, at)
    approved_index.note_indexed(link, row.id, at)


def _parts(service: Service, row: Any) -> list[NamedPart]:
    if row.kind == "image":
        return [NamedPart(ComponentKind.BASE_IMAGE, row.name.partition("@")[0], row.head)]
    with service.database.read() as link:
        globs = setting_rows.get(link, PROFILE_GLOBS, tuple[str, ...], PROFILES)
        found = repositories.get(link, RepositoryId(row.repository)) if row.repository is not None else None
        d = endorsed_digest.c
        named = list(link.execute(sa.select(d.digest).where(d.endorsement == row.id)).scalars())
    commit = next((each.partition(":")[2] for each in named if each.startswith("gitCommit:")), "")
    if found is None or not commit:
        return []
    try:
        return parts_of(_tree(service, found, commit), lambda oids: _contents(service, found.id, oids), globs)
    except AssayError as error:
        _log.warning("approved.parts-unread", endorsement=row.id, what=error.what, why=error.why)
        return []


def _tree(service: Service, found: Any, commit: str) -> CommitTree:
    mirror = mirror_of(service, found.id)
    want = [Want(commit)]
    if not all(mirror.known(want)):
        mirror.fetch(remote_of(service, found), want)
    git = mirror.repository.git
    root = git.run("rev-parse", "--verify", f"{commit}^{{tree}}").decode().strip()
    return CommitTree(found.name, commit, root, listed(git.run("ls-tree", "-r", "-t", "-z", "--full-tree", commit)))


def _contents(service: Service, repository: RepositoryId, oids: Sequence[str]) -> list[bytes | None]:
    from assaymark.subjects.objects import GitReaderSpec  # noqa: PLC0415 - few commits hold anything that has to be read

    if not oids:
        return []
    reader = GitReaderSpec(mirror_of(service, repository).repository.git).open()
    try:
        found = {content.digest: content.data for content in reader.read([git_blob(oid) for oid in oids], limit=MOST_BYTES)}
    finally:
        reader.close()
    return [found.get(git_blob(oid)) for oid in oids]
