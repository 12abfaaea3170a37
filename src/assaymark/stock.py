"""What packages a subject holds: every lock file that its policy does not exclude, read as the dependencies check reads it.

Guarantees: what cannot be read is there as a set that holds nothing but the reason. Looks up no advisory.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.application.dependencies.readers import Unreadable, dialect_of, read
from assaymark.flow import policy_of, readable
from assaymark.model.digest import Digest
from assaymark.model.subject import Content, EntryKind, Subject
from assaymark.views.encoding import well_formed


class Stock(Struct, frozen=True):
    """One lock file, or list of installed packages."""

    path: str
    digest: Digest
    packages: PackageSet
    is_read: bool = True
    """False when `packages` holds nothing but why not."""


def stock_of(subject: Subject) -> list[Stock]:
    """Everything that names packages, in the order of the subject's entries.

    Raises:
        PolicyInvalid: when the subject's policy is wrong.
        SubjectUnreadable: when it cannot be listed.
    """
    return list(_stock(subject))


def _stock(subject: Subject) -> Iterator[Stock]:
    policy = policy_of(subject)
    entries = [e for e in readable(subject.entries(), policy) if e.kind is EntryKind.FILE and dialect_of(e.path) is not None]
    reader = subject.reader().open()
    try:
        limit = policy.limits.file_mib << 20
        contents = {content.digest: content for content in reader.read([e.digest for e in entries], limit=limit)}
    finally:
        reader.close()
    for entry in entries:
        yield _one(well_formed(entry.path), entry.digest, contents.get(entry.digest))


def _one(path: str, digest: Digest, content: Content | None) -> Stock:
    dialect = dialect_of(path)
    if dialect is None or content is None or content.data is None:
        return Stock(path, digest, _gap(0, f"the file cannot be read ({content.problem if content else 'missing'})"), is_read=False)
    try:
        return Stock(path, digest, read(dialect, content.data))
    except Unreadable as why:
        return Stock(path, digest, _gap(why.line, why.reason), is_read=False)


def _gap(line: int, sentence: str) -> PackageSet:
    """A set that holds nothing but a problem; it says nothing against what other sets know."""
    return PackageSet((), knows_direct=True, problems=((line, sentence),))
