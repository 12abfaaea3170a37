"""What an image begins with: the image below it that is known here too, else its lowest layer; so that what it inherits is one repair.

Guarantees: only what the lower layers themselves hold counts as inherited, in the very version; of a lowest layer that nobody knows as an
image only packages of a distribution count, because it may as well be the beginning of an application. Bounded in packages. A base that is
pulled anew under the same name is the same base.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.component_names import component_name
from assaymark.model.access import TeamId
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.subject import Subject
from assaymark.server.service import Service
from assaymark.stock import stock_of
from assaymark.store.narrowing import of_teams
from assaymark.store.tables import image_base, subject
from assaymark.subjects.image.subject import ImageSubject

_MOST_PACKAGES = 20_000
_OF_SYSTEMS = ("pkg:deb/", "pkg:apk/", "pkg:rpm/")
_SHOWN = 12


class Beginning(Struct, frozen=True):
    """What there is to note of an image."""

    chain: str
    """Of all its layers."""
    base: str = ""
    """Key of what it begins with; empty when it begins with nothing else."""
    name: str = ""
    inherited: tuple[str, ...] = ()


class _Below(Struct, frozen=True):
    """An image that is known here, and whose layers are the lower ones of another."""

    subject: SubjectId
    name: str
    layers: int


def look(service: Service, number: SubjectId, files: Subject) -> Beginning | None:
    """Of an image's files; None for what is none.

    Raises:
        SubjectUnreadable: when its layers cannot be read.
    """
    if not isinstance(files, ImageSubject):
        return None
    chains = chains_of(files.layers)
    if len(chains) < 2:
        return Beginning(chains[-1] if chains else "")
    with service.database.read() as link:
        below = _below(link, number, chains[:-1])
    packages = _packages(files.beginning(below.layers if below is not None else 1))
    if below is not None:
        return Beginning(chains[-1], f"image:{below.subject}", below.name, packages)
    systems = tuple(each for each in packages if each.startswith(_OF_SYSTEMS))
    if not systems:
        return Beginning(chains[-1])
    return Beginning(chains[-1], f"layer:{chains[0]}", f"{_system(systems)} (layer {files.layers[0][7 : 7 + _SHOWN]})", systems)


def note(link: sa.Connection, number: SubjectId, seen: Beginning, at: Instant) -> bool:
    """Keep it, within the caller's transaction; True when it differs from what was noted before."""
    b = image_base.c
    before = link.execute(sa.select(b.base, b.inherited).where(b.subject == number)).first()
    inherited = msgspec.json.encode(sorted(seen.inherited)).decode()
    values = {"chain": seen.chain, "base": seen.base, "name": seen.name, "inherited": inherited, "changed_at": at}
    if before is None:
        link.execute(image_base.insert(), {"subject": number, **values})
    else:
        link.execute(image_base.update().where(b.subject == number).values(values))
    return before is not None and (before.base, before.inherited) != (seen.base, inherited)


def chains_of(layers: Sequence[str]) -> tuple[str, ...]:
    """A digest for each number of lower layers, the fewest first."""
    seal = hashlib.sha256(b"layers")
    found = []
    for layer in layers:
        seal.update(layer.encode())
        found.append(seal.hexdigest()[:40])
    return tuple(found)


def _below(link: sa.Connection, number: SubjectId, chains: Sequence[str]) -> _Below | None:
    """The largest one of the image's own team, or of nobody's, so that no name of another team is told."""
    team = link.execute(sa.select(subject.c.team).where(subject.c.id == number)).scalar()
    seen = sa.or_(subject.c.team.is_(None), *of_teams(subject.c.team, frozenset() if team is None else frozenset({TeamId(team)})))
    query = sa.select(image_base.c.subject, image_base.c.chain, subject.c.name).join(subject, subject.c.id == image_base.c.subject)
    rows = link.execute(query.where(image_base.c.chain.in_(chains), subject.c.id != number, seen).order_by(subject.c.id)).all()
    order = {chain: at + 1 for at, chain in enumerate(chains)}
    found = max(rows, key=lambda row: order[row.chain], default=None)
    return None if found is None else _Below(SubjectId(found.subject), found.name, order[found.chain])


def _packages(lower: Subject) -> tuple[str, ...]:
    named = (
        f"{component_name(package)}@{package.version}" for each in stock_of(lower) if each.is_read for package in each.packages.packages
    )
    return tuple(sorted(set(named)))[:_MOST_PACKAGES]


def _system(packages: Sequence[str]) -> str:
    """Name of the distribution, from most of its packages."""
    spaces = Counter(each.partition("/")[2].partition("/")[0] for each in packages)
    return spaces.most_common(1)[0][0]
