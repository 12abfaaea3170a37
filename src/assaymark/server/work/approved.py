"""How components stand at an instant: what vouches for them, which advisories speak of them, who waived what, and what to take instead.

Guarantees: derived anew each time from rows that only grow; what cannot be looked up (a package that nothing endorsed holds, a name of no
ecosystem) is not approved; of many components the same few questions are asked as of one. Advisories are those of now, also where it is
asked as of the past: what was known then is not kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import lru_cache

import sqlalchemy as sa
from msgspec import Struct

from assaymark.checks.application.dependencies.matching.component_names import component_name
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.matching.matcher import is_affected
from assaymark.checks.application.dependencies.matching.records import folds_case, package_key
from assaymark.checks.application.dependencies.packages import Package, Source
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.checks.application.dependencies.versions.moving import newest_of_line
from assaymark.endorsement import trust
from assaymark.endorsement.components import (
    Choice,
    ComponentKind,
    ComponentStanding,
    ComponentState,
    Facts,
    Known,
    Rules,
    Waived,
    derive,
    instead,
    rule_of,
)
from assaymark.endorsement.trust import Trust
from assaymark.model.assessment import Instant
from assaymark.server.service import Service
from assaymark.server.work import knowledge
from assaymark.server.work.trusting import trust_of
from assaymark.store import approved, decisions, setting_rows, snapshots
from assaymark.store.approved import Asked, ComponentRow
from assaymark.store.approved_use import HeldName
from assaymark.store.component_rows import called, ecosystem_of, shown, storable
from assaymark.store.decisions import About

RULES = "approved.rules"
"""Setting: what is asked beside an endorsement."""
MOST_INSTEAD = 100
"""Packages of one question for which another version is looked for."""
_MOST_VERSIONS = 10_000
"""Of all these packages together."""


class Wanted(Struct, frozen=True):
    """A package in a version, as a lock file or a package URL names it."""

    package: Package
    release: str = ""
    """Of a distribution."""
    released: Instant | None = None
    """When it came out, where who asks knows it."""

    @property
    def url(self) -> str:
        return component_name(self.package)


class Entry(Struct, frozen=True):
    """A component and how it stands."""

    url: str
    version: str
    standing: ComponentStanding
    row: ComponentRow | None = None
    """None for what nothing endorsed ever held."""
    advisories: tuple[Known, ...] = ()
    since: Instant | None = None
    instead: str = ""


def rules_of(link: sa.Connection) -> Rules:
    """What the organisation asks beside an endorsement."""
    return setting_rows.get(link, RULES, Rules, Rules())


def believed(service: Service, link: sa.Connection) -> frozenset[str]:
    """Keys that anybody is trusted with now; whether a signature holds is asked by `approval.approved`, of one endorsement at a time."""
    return _keys_of(trust_of(service, link))


@lru_cache(maxsize=8)
def _keys_of(document: Trust) -> frozenset[str]:
    return frozenset(key.id for key in trust.opened(document).keys)


class Derivation:
    """One question about many components: at one instant, by one set of rules, for one subject or for everybody."""

    def __init__(self, service: Service, link: sa.Connection, now: Instant, about: About | None = None) -> None:
        self._service, self._link, self._now, self._about = service, link, now, about
        self._rules = rules_of(link)
        self._decided = decisions.is_any(link)
        self._keys = believed(service, link)

    def of_rows(self, rows: Sequence[ComponentRow]) -> list[Entry]:
        """Of components that are known."""
        return self._derived([(row, row.name, row.version, row.url, None) for row in rows])

    def of_held(self, held: Sequence[HeldName]) -> list[Entry]:
        """Of packages that somebody holds."""
        rows = approved.of_ids(self._link, [each.known for each in held if each.known is not None])
        return self._derived(
            [(None if each.known is None else rows[each.known], each.name, each.version, approved.url_of(each.name), None) for each in held]
        )

    def of_packages(self, wanted: Sequence[Wanted], *, with_instead: bool = True) -> list[Entry]:
        """Of packages by their names, in their order; those that may not be used with what to take instead."""
        keys = [package_key(each.package.ecosystem, each.package.name, each.release) for each in wanted]
        asked = {Asked(storable(called(key)), storable(each.package.version)) for key, each in zip(keys, wanted, strict=True)}
        found: dict[Asked, list[ComponentRow]] = defaultdict(list)
        for row in approved.called_so(self._link, asked):
            found[Asked(row.called, row.version)].append(row)
        rows = [
            _same(found[Asked(storable(called(key)), storable(each.package.version))], each) for key, each in zip(keys, wanted, strict=True)
        ]
        subjects = [
            (row, row.name if row is not None else key, each.package.version, each.url, each.released)
            for row, key, each in zip(rows, keys, wanted, strict=True)
        ]
        entries = self._derived(subjects)
        return self.with_instead(entries, keys) if with_instead else entries

    def with_instead(self, entries: Sequence[Entry], names: Sequence[str]) -> list[Entry]:
        """The entries, each that may not be used with the version to take in its place; at most `MOST_INSTEAD` packages are looked for."""
        lacking = {entry.row.name if entry.row else name: None for entry, name in zip(entries, names, strict=True) if _lacks(entry)}
        choices = self._choices(list(lacking)[:MOST_INSTEAD])
        made = []
        for entry, given in zip(entries, names, strict=True):
            name = entry.row.name if entry.row else given
            if not _lacks(entry) or not choices.get(name):
                made.append(entry)
                continue
            key = entry.row.version_key if entry.row else _key(name, entry.version)
            chosen = instead(key, choices[name])
            made.append(Entry(entry.url, entry.version, entry.standing, entry.row, entry.advisories, entry.since, chosen))
        return made

    def _choices(self, names: Sequence[str]) -> dict[str, list[Choice]]:
        rows = approved.versions_of(self._link, names, self._now, _MOST_VERSIONS) if names else []
        found: dict[str, list[Choice]] = defaultdict(list)
        for row, entry in zip(rows, self.of_rows(rows), strict=True):
            found[row.name].append(Choice(row.version, row.version_key, entry.standing.state is ComponentState.APPROVED))
        return found

    def _derived(self, asked: Sequence[tuple[ComponentRow | None, str, str, str, Instant | None]]) -> list[Entry]:
        vouchings = approved.vouchings(self._link, [row.id for row, *_ in asked if row is not None], self._now, self._keys)
        told = self._advisories([(name, version) for row, name, version, *_ in asked if row is None or row.kind is ComponentKind.PACKAGE])
        waivers = self._waivers({url for _, _, _, url, _ in asked})
        made = []
        for row, name, version, url, released in asked:
            since = min((at for at in (released, row.first_at if row else None) if at is not None), default=None)
            kind = row.kind if row is not None else ComponentKind.PACKAGE
            advisories = told.get((name, version), ())
            facts = Facts(kind, url, vouchings.get(row.id, ()) if row is not None else (), advisories, since)
            mine = [waived for at, waived in waivers.get(url, ()) if at in ("", version)]
            made.append(Entry(url, version, derive(facts, self._rules, mine, self._now), row, advisories, since))
        return made

    def _advisories(self, asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], tuple[Known, ...]]:
        """By name and version: what speaks of it, by what the check itself says."""
        pairs = list(dict.fromkeys(asked))
        if not pairs or snapshots.newest(self._link) is None:
            return {}
        with closing(Index(knowledge.advisories_file(self._service))) as index:
            affecting = index.affecting(name.partition("#")[0] for name, _ in pairs)
            hits: dict[tuple[str, str], set[str]] = {}
            for name, version in pairs:
                records = affecting.get(name.partition("#")[0])
                if records:
                    key = _key(name, version)
                    speaking = {each.advisory for each in records if is_affected(each, ecosystem_of(name), version, key or None)}
                    if speaking:
                        hits[name, version] = speaking
            about = index.about({each for some in hits.values() for each in some})
        return {
            pair: tuple(
                sorted((Known(each, about[each].severity) for each in ids if each in about), key=lambda one: (-one.severity.rank, one.id))
            )
            for pair, ids in hits.items()
        }

    def _waivers(self, urls: Iterable[str]) -> Mapping[str, list[tuple[str, Waived]]]:
        """By package URL: (version or empty for any, what is waived). Only what somebody else agreed to."""
        found: dict[str, list[tuple[str, Waived]]] = defaultdict(list)
        if not self._decided:
            return found
        for each in decisions.concerning(self._link, [f"package {url}" for url in urls], self._now, self._about):
            scope, rule = each.scope, rule_of(each.scope.rule)
            everywhere = (scope.subject, scope.repository, scope.team) == (None, None, None)
            agreed = each.approver.strip() not in ("", each.owner.strip())
            if (
                rule is not None
                and agreed
                and (everywhere or self._about is not None)
                and not (scope.finding or scope.path or scope.advisory)
            ):
                found[scope.package].append((scope.version, Waived(rule, each.id, decisions.end_of(each.until))))
        return found


def _lacks(entry: Entry) -> bool:
    return entry.standing.state is not ComponentState.APPROVED and (entry.row is None or entry.row.kind is ComponentKind.PACKAGE)


def _key(name: str, version: str) -> bytes:
    ecosystem = ecosystem_of(name)
    return key_of(ecosystem, newest_of_line(ecosystem, version)) or b""


def _same(rows: Sequence[ComponentRow], wanted: Wanted) -> ComponentRow | None:
    """The one that is meant: of its ecosystem, its release where one is named, and its very name. Of several the one that ends last."""
    if wanted.package.source is not Source.REGISTRY and wanted.package.source is not Source.URL:
        return None
    name, folds = wanted.package.name, folds_case(wanted.package.ecosystem)
    mine = [
        row
        for row in rows
        for ecosystem, release, path in [shown(row.name)]
        if ecosystem is wanted.package.ecosystem
        and wanted.release in ("", release)
        and (path.lower() == name.lower() if folds else path == name)
    ]
    return max(mine, key=lambda row: (row.ends_at, row.id), default=None)
