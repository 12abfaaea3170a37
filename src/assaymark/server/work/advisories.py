"""Handler: bring the installation's advisories up to date, and find out whom the difference hits.

Guarantees: only what changed at the source is fetched again; a snapshot appears for all workers at once, or the old one stays; with equal
advisories nothing happens; whom a change hits (what is new, what was taken back, what is weighed otherwise) is recorded in the transaction
of the snapshot, so that a kill at any point leaves either both or neither. Nobody's content is read: the tables of components are asked.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from msgspec import Struct

from assaymark.advisories import updating
from assaymark.advisories.compiling import Compiled
from assaymark.advisories.download import LARGEST, Answer, Ask, permitted
from assaymark.advisories.news import news, rerated
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.records import Affects
from assaymark.errors import AssayError, EngineMissing, SubjectUnreadable, UsageError
from assaymark.jobs.job import Job, Priority
from assaymark.model.assessment import Instant
from assaymark.server.outgoing import client
from assaymark.server.service import Service
from assaymark.server.work import knowledge, rejudge_jobs
from assaymark.server.work.handlers import Attempt
from assaymark.store import setting_rows, snapshots
from assaymark.store.affected import hit_by
from assaymark.store.snapshots import Snapshot

SOURCES, STATE = "advisories.sources", "advisories.state"
FOLDER = "folder"
"""As an origin: the folder `offline` of the server's data, for machines without a network."""
SECONDS = 3600
_KEPT = 2
"""Snapshots whose files stay in the storage: a worker may be fetching the one before."""
_MOST_REDIRECTS = 5


class Sources(Struct, frozen=True, forbid_unknown_fields=True):
    """Where advisories come from."""

    origin: str = updating.PUBLISHED
    """Address that has ``<ecosystem>/all.zip``, or ``folder``."""
    ecosystems: tuple[str, ...] = updating.ECOSYSTEMS
    """Named as OSV does; distributions with their release, e.g. ``Debian:12``."""


class State(Struct, frozen=True):
    """How the last update went."""

    checked_at: Instant | None = None
    error: str = ""
    """Why it failed; empty when it did not."""


class Difference(Struct, frozen=True):
    """What changed from one snapshot to the next."""

    asked: Mapping[str, Sequence[Affects]]
    """By package: what those who hold it are asked about."""

    @property
    def advisories(self) -> int:
        return len({record.advisory for records in self.asked.values() for record in records})


def job() -> Job:
    """To be put by whoever wants an update."""
    return Job("update-advisories", {}, key="update-advisories", lock="advisories", priority=Priority.SCHEDULE, seconds=SECONDS)


def update_advisories(service: Service, _arguments: Mapping[str, Any], attempt: Attempt) -> None:
    """Fetch, compile, compare, record.

    Raises:
        UsageError: when a source cannot be had or understood; what was known stays.
    """
    try:
        update(service, attempt)
    except AssayError as error:
        _note(service, f"{error.what}: {error.why}" if error.why else error.what)
        raise
    _note(service, "")


def update(service: Service, attempt: Attempt, ask: Ask | None = None) -> None:
    """The same without a note of how it went; `ask` instead of the guarded client."""
    with service.database.read() as connection:
        sources = setting_rows.get(connection, SOURCES, Sources, Sources())
        known = snapshots.newest(connection)
    draft = knowledge.folder_of(service) / "draft" / "index.db"
    compiled = _compile(service, sources, draft, attempt, ask)
    index = Index(str(draft))
    if known is not None and known.snapshot == compiled.snapshot and known.meta.get("compiled", "")[:10] == index.meta["compiled"][:10]:
        return
    same = known is not None and known.snapshot == compiled.snapshot
    found = Difference({}) if same else difference(_before(service) if known is not None else None, index)
    digest = service.blobs.put_file(draft)
    made = Snapshot(0, digest, compiled.snapshot, index.meta, service.now(), found.advisories, 0)
    with service.database.write() as connection:
        newest = snapshots.newest(connection)
        if (newest.id if newest else None) != (known.id if known else None):
            raise SubjectUnreadable("another worker updated the advisories meanwhile", advice="nothing is to be done")
        hit = snapshots.holders(connection, hit_by(connection, found.asked))
        snapshots.add(connection, made, hit)
        if hit:
            rejudge_jobs.put_next(service, connection)
        old = snapshots.superseded(connection, keep=_KEPT)
    for each in old:
        service.blobs.remove(each)


def _before(service: Service) -> Index | None:
    """What was known; None when this release or this storage has it no more, so that everything counts as new."""
    try:
        return Index(knowledge.advisories_file(service))
    except (EngineMissing, SubjectUnreadable):
        return None


def difference(before: Index | None, after: Index) -> Difference:
    """What is new, what was taken back, and what weighs otherwise."""
    asked = {package: list(records) for package, records in news(before, after).items()}
    more = [news(after, before), after.speaking_of(rerated(before, after))] if before is not None else []
    for changed in more:
        for package, records in changed.items():
            asked.setdefault(package, []).extend(records)
    return Difference(asked)


def _compile(service: Service, sources: Sources, draft: Path, attempt: Attempt, ask: Ask | None) -> Compiled:
    now = dt.datetime.fromtimestamp(service.now() / 1_000_000, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)

    def note(_text: str) -> None:
        if attempt.should_stop():
            raise SubjectUnreadable("the update of advisories was stopped", why="somebody cancelled it")

    if sources.origin == FOLDER:
        return updating.from_folder(service.settings.data / "offline", draft, now, note)
    if ask is not None:
        return updating.from_address(sources.origin, sources.ecosystems, draft, now, note, ask=ask)
    with client(service.settings, seconds=SECONDS / 2, most_bytes=LARGEST) as guarded:
        return updating.from_address(sources.origin, sources.ecosystems, draft, now, note, ask=through(guarded))


def through(guarded: httpx2.Client) -> Ask:
    """Asking by a client that refuses addresses inside; a redirect is followed only to where one may ask."""

    @contextmanager
    def ask(url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                with guarded.stream("GET", permitted(url), headers=dict(headers)) as answer:
                    if answer.next_request is None:
                        length = answer.headers.get("content-length", "")
                        announced = int(length) if length.isdecimal() else None
                        yield Answer(answer.status_code, dict(answer.headers), answer.iter_raw(), announced)
                        return
                    url = str(answer.next_request.url)
            except httpx2.HTTPError as error:
                raise OSError(str(error) or type(error).__name__) from error
        raise UsageError(f"{url} leads from one address to the next", advice="look at the address")

    return ask


def _note(service: Service, error: str) -> None:
    at = service.now()
    with service.database.write() as connection:
        setting_rows.put(connection, STATE, State(at, error[:1000]), at)
