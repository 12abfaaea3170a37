"""The lines around a finding, from the copy of the repository on this machine.

Guarantees: reads what is here and asks nobody; bounded in size and time; shows nothing of a file in which a secret stands open in that
subject, since a page is read by people who may not read the code. Where the copy, the commit or the file is not here, there is none.
"""

from __future__ import annotations

import sqlalchemy as sa
from msgspec import Struct

from assaymark.errors import AssayError
from assaymark.model.assessment import RepositoryId
from assaymark.model.finding import Kind
from assaymark.server.service import Service
from assaymark.server.work.remotes import mirror_of
from assaymark.store.tables import occurrence, subject
from assaymark.views.sanitise import visible

AROUND = 4
"""Lines before and after."""
MOST_LINES = 24
MOST_BYTES = 1 << 20
_LONGEST_LINE = 300
c = occurrence.c


class Line(Struct, frozen=True):
    """One line of code."""

    number: int
    text: str
    is_it: bool
    """The finding is about it."""


class Excerpt(Struct, frozen=True):
    """Lines as they were in the commit that was judged last."""

    path: str
    commit: str
    lines: tuple[Line, ...]


def excerpt(service: Service, number: int) -> Excerpt | None:
    """Around an occurrence; the caller asks whether it may be seen."""
    with service.database.read() as connection:
        columns = (c.kind, c.path, c.line_now, c.subject, subject.c.repository, subject.c.head)
        row = connection.execute(sa.select(*columns).join(subject, subject.c.id == c.subject).where(c.id == number)).first()
        if row is None or row.repository is None or not row.line_now or not row.head or row.kind == Kind.SECRET:
            return None
        secrets = (c.subject == row.subject, c.path == row.path, c.kind == Kind.SECRET.value, c.closed_at.is_(None))
        if connection.execute(sa.select(c.id).where(*secrets).limit(1)).first() is not None:
            return None
    commit = row.head.rpartition(":")[2]
    content = _content(service, row.repository, commit, row.path)
    return None if content is None else _cut(row.path, commit, content, row.line_now)


def _content(service: Service, repository: RepositoryId, commit: str, path: str) -> str | None:
    mirror = mirror_of(service, repository)
    if not mirror.folder.is_dir() or not commit.isalnum():
        return None
    name = f"{commit}:{path}".encode("utf-8", "surrogateescape")
    git = mirror.repository.git
    try:
        size = git.ask("cat-file", "-s", name)
        if size.code or int(size.output) > MOST_BYTES:
            return None
        answer = git.ask("cat-file", "blob", name)
    except (AssayError, ValueError, OSError):
        return None
    return None if answer.code or b"\0" in answer.output else answer.output.decode("utf-8", "replace")


def _cut(path: str, commit: str, content: str, line: int) -> Excerpt | None:
    lines = content.split("\n")
    if line > len(lines):
        return None
    first = max(1, line - AROUND)
    chosen = lines[first - 1 : min(line + AROUND, first - 1 + MOST_LINES)]
    shown = (visible(text.rstrip("\r").expandtabs(4)[:_LONGEST_LINE]) for text in chosen)
    return Excerpt(path, commit, tuple(Line(first + index, text, first + index == line) for index, text in enumerate(shown)))
