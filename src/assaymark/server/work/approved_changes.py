"""Which packages a change adds, and how each stands: what the organisation's rules over components are asked about.

Guarantees: added is what the head holds in a version that the base holds nowhere; what could not be read on either side adds nothing, and
is a gap of the dependencies check. Bounded: of more than `MOST` the rest is one entry that is not approved, so that nothing slips through.
Looked up only where anything was ever endorsed, or a rule asks.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from assaymark.checks.application.dependencies.matching.matcher import key_in
from assaymark.checks.application.dependencies.packages import Package, Source
from assaymark.endorsement.components import DAY, ComponentState
from assaymark.model.assessment import SubjectId
from assaymark.model.subject import Subject
from assaymark.server.service import Service
from assaymark.server.work.approved import Derivation, Entry, Wanted
from assaymark.stock import Stock, stock_of
from assaymark.store import approved, decisions
from assaymark.verdict.given import Given
from assaymark.verdict.rules import Component, Over

MOST = 5_000


class Added(NamedTuple):
    """A package that the head holds and the base does not."""

    package: Package
    release: str
    path: str
    knows_direct: bool


def added(base: Subject, head: Subject) -> list[Added]:
    """In the order of the head's lock files.

    Raises:
        SubjectUnreadable: when one of them cannot be listed.
        PolicyInvalid: when a policy in them is wrong.
    """
    before = {_known(each, package) for each in stock_of(base) for package in each.packages.packages}
    found: dict[tuple[str, str, str], Added] = {}
    for each in stock_of(head):
        for package in each.packages.packages:
            known = _known(each, package)
            if package.source is not Source.PATH and known not in before:
                found.setdefault(known, Added(package, each.packages.release, each.path, each.packages.knows_direct))
    return list(found.values())


def _known(stock: Stock, package: Package) -> tuple[str, str, str]:
    return key_in(stock.packages, package), package.name, package.version


def with_components(service: Service, given: Given, number: SubjectId, base: Subject, head: Subject) -> Given:
    """What is given, with the components that the change adds, as they stand now."""
    asks = any(rule.over is Over.COMPONENT for rule in given.rules)
    with service.database.read() as link:
        if not asks and not approved.is_any(link):
            return given
    new = added(base, head)
    wanted = [Wanted(each.package, each.release) for each in new[:MOST]]
    with service.database.read() as link:
        now = service.now()
        entries = Derivation(service, link, now, decisions.about_subject(link, number)).of_packages(wanted)
    rows = [_component(each, entry, now) for each, entry in zip(new[:MOST], entries, strict=True)]
    if len(new) > MOST:
        rows.append(
            Component(
                purl=f"pkg:generic/{len(new) - MOST}-more", package="pkg:generic/more", version="", ecosystem="", path="",
                state=ComponentState.NOT_ENDORSED.value, why=(ComponentState.NOT_ENDORSED.value,),
            )
        )  # fmt: skip
    return replace(given, components=tuple(rows))


def _component(one: Added, entry: Entry, now: int) -> Component:
    standing = entry.standing
    return Component(
        purl=f"{entry.url}@{entry.version}", package=entry.url, version=entry.version, ecosystem=one.package.ecosystem.value,
        path=one.path, state=standing.state.value, why=tuple(each.value for each in standing.why), instead=entry.instead,
        known_days=-1 if entry.since is None else max(0, (now - entry.since) // DAY),
        advisories=tuple(each.id for each in entry.advisories), direct=one.knows_direct and one.package.direct,
        development=one.package.development,
    )  # fmt: skip
