"""Who holds which components, since when: an inverted table of packages that is asked (`affected`) instead of reading anything again.

A package set is known by the digest of what it says, so that a lock file that stands in a thousand branches is kept once. A subject holds
sets at paths in intervals that end once, so that every answer can be given as of a day.

Guarantees: keeping a set twice changes nothing; the answer is the matcher's, by range, by listed version, and word for word where a version
has no order (`affected`); a set that nobody has held for long is forgotten, and who asks about a day before that is told (`known_since`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import sqlalchemy as sa

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.application.dependencies.versions.coding import SCHEME
from assaymark.errors import SubjectUnreadable
from assaymark.formats.undecodable import UNDECODABLE
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest, sha256
from assaymark.store import bulk, component_rows, setting_rows
from assaymark.store.blobs import Blobs
from assaymark.store.tables import endorsement, endorsement_part, holding, package_set, subject
from assaymark.store.texts import plain

_packed = msgspec.msgpack.Encoder(order="deterministic").encode
_decode = msgspec.msgpack.Decoder(PackageSet).decode
_FORGOTTEN = "components.forgotten"
IMPORTED = "import/"
"""How paths of bills of materials begin that somebody sent; an inventory leaves them alone."""
_HOLDING = ("subject", "team", "package_set", "path", "input", "opened_at")


def keep(blobs: Blobs, packages: PackageSet) -> Digest:
    """Put what a set says beside the other content, for bills of materials and for judging it again.

    Within the transaction of `hold` and after it: so `release` cannot take away in between what was here already.
    """
    return blobs.put(_encode(packages))


def kept(blobs: Blobs, digest: Digest) -> PackageSet:
    """The set of this digest.

    Raises:
        SubjectUnreadable: when it is not kept any more.
    """
    try:
        return _decode(blobs.get(digest))
    except UNDECODABLE as error:
        raise SubjectUnreadable(f"{digest} is no package set", why=str(error)) from error


def hold(
    connection: sa.Connection, subject: SubjectId, team: TeamId | None, sets: Mapping[str, tuple[Digest, PackageSet]], at: Instant
) -> None:
    """From `at` on the subject holds these sets and no others: path -> (digest of the content there, its packages).

    For a subject that is no more: nothing.
    """
    numbers = add(connection, [packages for _, packages in sets.values()], at)
    now = {plain(path): (numbers[set_digest(packages)], digest) for path, (digest, packages) in sets.items()}
    present = sa.select(holding.c.id, holding.c.path, holding.c.package_set, holding.c.input, holding.c.team)
    stays: set[str] = set()
    closing: list[int] = []
    own = ~holding.c.path.startswith(IMPORTED, autoescape=True)
    for row in connection.execute(present.where(holding.c.subject == subject, holding.c.closed_at.is_(None), own)):
        if now.get(row.path) == (row.package_set, row.input) and row.team == team:
            stays.add(row.path)
        else:
            closing.append(row.id)
    bulk.change_all(connection, holding, closing, {"closed_at": at})
    opening = [(subject, team, number, path, digest, at) for path, (number, digest) in sorted(now.items()) if path not in stays]
    bulk.add(connection, holding, _HOLDING, opening)


def hold_imported(
    connection: sa.Connection, subject: SubjectId, team: TeamId | None, one: tuple[str, Digest, PackageSet], at: Instant
) -> None:
    """From `at` on the subject holds this set, which somebody sent, at a path that begins with `IMPORTED`, instead of the one before."""
    path, digest, packages = one
    number = add(connection, [packages], at)[set_digest(packages)]
    here = (holding.c.subject == subject, holding.c.path == path, holding.c.closed_at.is_(None))
    row = connection.execute(sa.select(holding.c.id, holding.c.package_set).where(*here)).first()
    if row is not None and row.package_set == number:
        return
    connection.execute(holding.update().where(*here).values(closed_at=at))
    bulk.add(connection, holding, _HOLDING, [(subject, team, number, path, digest, at)])


def _encode(packages: PackageSet) -> bytes:
    """Its bytes; texts that are no Unicode are written visibly, as everywhere in the store."""
    try:
        return _packed(packages)
    except UnicodeEncodeError:
        texts = ("name", "version", "upstream", "upstream_version")
        clean = [msgspec.structs.replace(each, **{name: plain(getattr(each, name)) for name in texts}) for each in packages.packages]
        problems = tuple((line, plain(sentence)) for line, sentence in packages.problems)
        return _packed(msgspec.structs.replace(packages, packages=tuple(clean), problems=problems, release=plain(packages.release)))


def set_digest(packages: PackageSet) -> Digest:
    """By which the set is known: of what `keep` puts away."""
    return sha256(_encode(packages))


def add(connection: sa.Connection, sets: Iterable[PackageSet], at: Instant) -> dict[Digest, int]:
    """Keep the components of sets; gives their numbers. What is here already is not written again."""
    asked = {set_digest(packages): packages for packages in sets}
    # Without components until they are written below; whoever adds the same one meanwhile waits here.
    fresh = ((digest, SCHEME, at, at) for digest in sorted(asked))
    bulk.add_unless_there(connection, package_set, ("digest", "scheme", "created_at", "forgotten_at"), fresh)
    numbers: dict[Digest, int] = {}
    empty: list[int] = []
    stale: list[int] = []
    for some in bulk.portions(sorted(asked)):
        # Locked until the caller is done, so that nobody forgets what he is about to hold.
        query = sa.select(package_set).where(bulk.among(connection, package_set.c.digest, some)).order_by(package_set.c.id)
        for row in connection.execute(query.with_for_update()):
            numbers[Digest(row.digest)] = row.id
            if row.forgotten_at is not None:
                empty.append(row.id)
            elif row.scheme != SCHEME:
                stale.append(row.id)
    component_rows.forget(connection, stale)
    missing = {*empty, *stale}
    component_rows.add(connection, [(number, asked[digest]) for digest, number in numbers.items() if number in missing])
    bulk.change_all(connection, package_set, sorted(missing), {"scheme": SCHEME, "forgotten_at": None})
    return numbers


def forget(connection: sa.Connection, before: Instant, *, most: int = 1000) -> tuple[Digest, ...]:
    """Take out the components of sets that nobody holds or held since `before`, nor any endorsement in force since then; gives the digests.

    They are for `release`.
    """
    still = sa.or_(holding.c.closed_at.is_(None), holding.c.closed_at >= before)
    of_the_living = sa.or_(subject.c.ended_at.is_(None), subject.c.ended_at >= before)
    held = sa.exists().where(holding.c.package_set == package_set.c.id, still, subject.c.id == holding.c.subject, of_the_living)
    p = endorsement_part.c
    of_endorsed = (p.kind == "packages", p.digest == package_set.c.digest, endorsement.c.id == p.endorsement)
    endorsed = sa.exists().where(*of_endorsed, endorsement.c.expires_at >= before)
    free = (package_set.c.forgotten_at.is_(None), package_set.c.created_at < before, ~held, ~endorsed)
    some = sa.select(package_set.c.id).where(*free).order_by(package_set.c.id).limit(most).with_for_update()
    numbers = [row.id for row in connection.execute(some)]
    # Asked again under the lock: whoever held one in between was waited for.
    again = sa.select(package_set.c.id, package_set.c.digest).where(bulk.among(connection, package_set.c.id, numbers), *free)
    rows = connection.execute(again).all()
    component_rows.forget(connection, [row.id for row in rows])
    bulk.change_all(connection, package_set, [row.id for row in rows], {"forgotten_at": before})
    gone = tuple(Digest(row.digest) for row in rows)
    if gone:
        setting_rows.put(connection, _FORGOTTEN, int(before), before)
    return gone


def release(connection: sa.Connection, blobs: Blobs, digests: Sequence[Digest]) -> None:
    """Let go of the content of sets that are still forgotten; in a transaction after that of `forget`."""
    chosen = bulk.among(connection, package_set.c.digest, digests)
    query = sa.select(package_set.c.digest).where(chosen, package_set.c.forgotten_at.is_not(None)).order_by(package_set.c.id)
    for row in connection.execute(query.with_for_update()):
        blobs.remove(Digest(row.digest))


def known_since(connection: sa.Connection) -> Instant:
    """Answers as of an earlier day may lack what was forgotten; 0 when nothing was."""
    return Instant(setting_rows.get(connection, _FORGOTTEN, int, 0))


def refill(connection: sa.Connection, blobs: Blobs, *, most: int = 100) -> int:
    """Write the keys of sets anew that an earlier release wrote by another order of versions; gives how many it did."""
    old = sa.select(package_set.c.digest).where(package_set.c.scheme != SCHEME, package_set.c.forgotten_at.is_(None)).limit(most)
    digests = [Digest(row.digest) for row in connection.execute(old)]
    add(connection, [kept(blobs, digest) for digest in digests], Instant(0))
    return len(digests)
