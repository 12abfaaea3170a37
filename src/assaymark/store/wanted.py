"""What people write when they ask where a package is: a name or a package URL, and a version, a range, or nothing.

Guarantees: a version is compared by the order of its ecosystem; what cannot be understood is refused with the reason, never answered with
nothing. A range finds no version that has no order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlalchemy as sa
from msgspec import Struct

from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, package_of, parse
from assaymark.checks.application.dependencies.matching.records import folds_case, package_key
from assaymark.checks.application.dependencies.packages import Ecosystem
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.errors import UsageError
from assaymark.store.affected import NO_END, Question, Range, Word
from assaymark.store.component_rows import called, shown, storable
from assaymark.store.tables import package

MOST_PACKAGES = 200
"""That one name may stand for: ecosystems, and releases of distributions."""
_LONGEST = 2000
_TERM = re.compile(r"\s*(>=|<=|==|=|>|<)?\s*([^\s,<>=|]+)\s*\Z")


class Wanted(Struct, frozen=True):
    """A package as it was asked for."""

    name: str
    ecosystem: Ecosystem | None = None
    release: str = ""
    version: str = ""
    """A version, or terms with ``>=``, ``>``, ``<=``, ``<``, ``=`` and commas between them; empty for any."""


def wanted(text: str, version: str = "", ecosystem: str = "") -> Wanted:
    """Read the question.

    Raises:
        UsageError: when it is none.
    """
    text, version = text.strip(), version.strip()
    if not text or len(text) > _LONGEST or len(version) > _LONGEST:
        raise UsageError("no package is named", advice="give its name, or its package URL")
    if not text.startswith("pkg:"):
        return Wanted(text, _ecosystem(ecosystem), version=version)
    try:
        purl = parse(text)
    except PurlInvalid as error:
        raise UsageError(f"{text[:200]!r} is no package URL", why=str(error), advice="write it as pkg:npm/lodash@4.17.20") from error
    found = package_of(purl)
    if found is None:
        raise UsageError(f"packages of type {purl.type} are not looked after here", advice="ask by the name alone")
    distro = dict(purl.qualifiers).get("distro", "")
    release = distro.rpartition("-")[2]
    if found.ecosystem is Ecosystem.ALPINE and release:
        release = f"v{release}"
    return Wanted(found.name, found.ecosystem, release, version or found.version)


def _ecosystem(text: str) -> Ecosystem | None:
    if not text:
        return None
    for each in Ecosystem:
        if each.lower() == text.lower():
            return each
    raise UsageError(f"there is no ecosystem {text[:60]!r}", advice=f"known are {', '.join(Ecosystem)}")


def question_of(connection: sa.Connection, asked: Wanted) -> Question:
    """The question to the tables; empty when nothing was ever called so.

    Raises:
        UsageError: when the version is none in any of the ecosystems that know the package.
    """
    question = Question([], [])
    rows = list(_packages(connection, asked))
    understood = False
    for number, ecosystem in rows:
        if not asked.version:
            question.ranges.append(Range(0, number, b"", NO_END))
            question.words.append(Word(0, number, None))
            understood = True
        elif _terms(question, number, ecosystem, asked.version):
            understood = True
    if rows and not understood:
        raise UsageError(
            f"{asked.version[:200]!r} is no version or range of {asked.name[:200]}", advice="write it as 1.2.3, or as >=1.2,<2"
        )
    return question


def _packages(connection: sa.Connection, asked: Wanted) -> Iterator[tuple[int, Ecosystem]]:
    names = {asked.name.lower()} if asked.ecosystem is None else {called(package_key(asked.ecosystem, asked.name))}
    query = sa.select(package.c.id, package.c.name).where(package.c.called.in_({storable(name) for name in names})).order_by(package.c.name)
    for row in connection.execute(query.limit(MOST_PACKAGES)):
        ecosystem, release, name = shown(row.name)
        same = name.lower() == asked.name.lower() if asked.ecosystem is None or folds_case(ecosystem) else name == asked.name
        if same and asked.ecosystem in (None, ecosystem) and asked.release in ("", release):
            yield row.id, ecosystem


def _terms(question: Question, number: int, ecosystem: Ecosystem, text: str) -> bool:
    """Add what the terms say together; False when they have no place in this ecosystem's order."""
    low, high, ranged = b"", NO_END, False
    for part in text.split(","):
        term = _TERM.match(part)
        if term is None:
            return False
        sign, version = term[1] or "=", term[2]
        key = key_of(ecosystem, version)
        if key is None:
            if sign in ("=", "==") and "," not in text:
                question.words.append(Word(0, number, storable(version)))
                return True
            return False
        ranged = True
        if sign in ("=", "==", ">="):
            low = max(low, key)
        if sign in ("=", "==", "<="):
            high = min(high, key + b"\0")
        if sign == ">":
            low = max(low, key + b"\0")
        if sign == "<":
            high = min(high, key)
    question.ranges.append(Range(0, number, low, high))
    return ranged
