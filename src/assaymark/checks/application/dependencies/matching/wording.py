"""Matches as sightings: one per package and alias group, with the way in, the way out, and the facts about urgency kept apart.

Guarantees: equal inputs give equal sightings in one order; a site holds neither version nor line; no fact is folded into another, so that
severity stays what it was rated (raised only by known exploitation) and use in development lowers confidence alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from assaymark.checks.application.dependencies.matching.component_names import component_name
from assaymark.checks.application.dependencies.matching.index import Advisories
from assaymark.checks.application.dependencies.matching.matcher import Gap, Hit, Lack, Matches, key_in
from assaymark.checks.application.dependencies.matching.paths import Ways
from assaymark.checks.application.dependencies.matching.records import Advisory, Affects, Nature
from assaymark.checks.application.dependencies.matching.upgrades import Upgrade, command, fixed_in, smallest_upgrade
from assaymark.checks.application.dependencies.packages import Package, PackageSet
from assaymark.checks.application.dependencies.versions.keys import key_of
from assaymark.checks.rulebook import in_order, one_line
from assaymark.model.check import UnitKind
from assaymark.model.component_notes import ACCORDING, ALIASES, VERSION
from assaymark.model.finding import CheckId, ComponentSite, Fix, RuleId, Sighting, Span, UncheckedSite
from assaymark.model.severity import Confidence, Severity

CHECK = CheckId("dependencies")
RULES = {Nature.VULNERABILITY: "known-vulnerability", Nature.MALICIOUS: "malicious-package", Nature.NOTICE: "informational-notice"}
_MOST_PARTS = 12
"""Vulnerable parts that are listed; a record may name hundreds of symbols."""
_SHOWN_WAY = 8


class _Case(Struct, frozen=True):
    """One alias group that hits one package, at however many versions."""

    hits: tuple[Hit, ...]
    advisory: Advisory
    records: tuple[Affects, ...]
    """What this alias group says of the package."""
    upgrade: Upgrade
    """What clears everything that is said of it, as far as that is possible."""

    @property
    def package(self) -> Package:
        return self.hits[0].package


class _Words(Struct, frozen=True):
    packages: PackageSet
    dialect: str
    ways: Ways


def sightings(packages: PackageSet, dialect: str, matches: Matches, index: Advisories) -> tuple[Sighting, ...]:
    """Everything that is to be said of a lock file."""
    words = _Words(packages, dialect, Ways(packages))
    return in_order([*_found(words, matches, index), *_gaps(packages, matches.gaps)])


def _found(words: _Words, matches: Matches, index: Advisories) -> Iterator[Sighting]:
    known = index.about({record.advisory for records in matches.affecting.values() for record in records})
    notices = frozenset(advisory.id for advisory in known.values() if advisory.nature is Nature.NOTICE)
    packages: dict[str, dict[str, list[Hit]]] = {}
    for hit in matches.hits:
        packages.setdefault(key_in(words.packages, hit.package), {}).setdefault(hit.advisory, []).append(hit)
    for key, groups in sorted(packages.items()):
        # Once per package: a distribution's kernel has thousands of advisories.
        said: dict[str, list[Affects]] = {}
        for record in matches.affecting[key]:
            said.setdefault(record.advisory, []).append(record)
        holes = tuple(record for record in matches.affecting[key] if record.advisory not in notices)
        upgrades: dict[tuple[int, ...], Upgrade] = {}
        for advisory, hits in sorted(groups.items()):
            places = tuple(hit.position for hit in hits)
            if places not in upgrades:
                upgrades[places] = _upgrade(hits, holes)
            yield _sighting(words, _Case(tuple(hits), known.get(advisory, Advisory(advisory)), tuple(said[advisory]), upgrades[places]))


def _sighting(words: _Words, case: _Case) -> Sighting:
    package, advisory = case.package, case.advisory
    versions = ", ".join(hit.package.version for hit in case.hits)
    development = all(hit.package.development for hit in case.hits)
    line = min((hit.package.line for hit in case.hits if hit.package.line), default=0)
    return Sighting(
        rule=RuleId(f"{CHECK}/{RULES[advisory.nature]}"),
        site=ComponentSite(component_name(package), advisory.id, package.version),
        severity=_severity(advisory),
        message=_message(package.name, versions, advisory),
        span=Span(line, 1, line, 1) if line else None,
        confidence=Confidence.MEDIUM if development else Confidence.HIGH,
        fix=Fix(_advice(words, case)),
        notes=tuple((name, text) for name, text in _notes(words, case, versions, development=development) if text),
    )


def _severity(advisory: Advisory) -> Severity:
    """As rated; what is known to be exploited is high at least, and critical when it serves extortion."""
    if advisory.nature is Nature.MALICIOUS:
        return Severity.CRITICAL
    least = Severity.INFO
    if advisory.exploited is not None:
        least = Severity.CRITICAL if advisory.exploited.ransomware else Severity.HIGH
    return max(advisory.severity, least, key=lambda severity: severity.rank)


def _message(name: str, versions: str, advisory: Advisory) -> str:
    match advisory.nature:
        case Nature.MALICIOUS:
            said = f"{name} {versions} is a malicious package ({advisory.id})"
        case Nature.NOTICE:
            said = f"{name} {versions} has a notice of its database ({advisory.id})"
        case Nature.VULNERABILITY:
            said = f"{name} {versions} has a known vulnerability ({advisory.id})"
    exploited = ", which is being exploited" if advisory.exploited else ""
    return f"{said}{exploited}: {one_line(advisory.summary)}" if advisory.summary else f"{said}{exploited}."


def _notes(words: _Words, case: _Case, versions: str, *, development: bool) -> Iterator[tuple[str, str]]:
    advisory, package = case.advisory, case.package
    yield VERSION, versions
    yield ALIASES, ", ".join(advisory.aliases)
    yield ACCORDING, ", ".join(sorted({record for hit in case.hits for record in hit.records}))
    yield "brought in by", _way(words, case)
    yield "fixed in", fixed_in(package, case.records) or "no version that its advisories name"
    yield "severity", " ".join(filter(None, (advisory.basis, advisory.vector)))
    if advisory.exploited is not None:
        use = " in ransomware campaigns" if advisory.exploited.ransomware else ""
        due = f", to be repaired by {advisory.exploited.due} where CISA's directive binds" if advisory.exploited.due else ""
        yield "known to be exploited", f"listed by CISA since {advisory.exploited.added}{use}{due}"
    if advisory.epss is not None:
        yield "EPSS", f"{advisory.epss[0]:.3f} (percentile {advisory.epss[1]:.3f})"
    yield "scope", "needed for development only" if development else ""
    imports = sorted({part for hit in case.hits for part in hit.imports})
    more = f" and {len(imports) - _MOST_PARTS} more" if len(imports) > _MOST_PARTS else ""
    yield "vulnerable parts", ", ".join(imports[:_MOST_PARTS]) + more
    yield "matched", "by the version's text alone, because it has no order" if any(hit.by_word for hit in case.hits) else ""
    yield "reference", advisory.url


def _way(words: _Words, case: _Case) -> str:
    """The shortest way in, and whether the project asks for the package itself."""
    if not words.packages.knows_direct:
        return ""
    if any(hit.package.direct for hit in case.hits):
        return "the project itself"
    names = [words.packages.packages[at].name for at in words.ways.to(case.hits[0].position)]
    if not names:
        return "another package"
    shown = [*names[: _SHOWN_WAY - 1], "…", names[-1]] if len(names) > _SHOWN_WAY else names
    return " > ".join(shown)


def _advice(words: _Words, case: _Case) -> str:
    """One text per package, so that its advisories are seen as one repair."""
    package = max((hit.package for hit in case.hits), key=lambda one: (len(one.version), one.version))
    if case.advisory.nature is Nature.MALICIOUS:
        return f"Remove {package.name} now, and treat every secret of the machines that installed it as stolen."
    upgrade = case.upgrade
    if not upgrade.version or case.advisory.id in upgrade.left:
        return f"No repaired version of {package.name} is published: replace it, or switch off what is affected and record it."
    how = command(words.dialect, package, upgrade.version)
    clears = "clears all of its advisories that were repaired" if upgrade.left else "has no known vulnerability"
    raised = f"Raise {package.name} to {upgrade.version}, the smallest version that {clears}" + (f": `{how}`." if how else ".")
    names = [words.packages.packages[at].name for at in words.ways.to(case.hits[0].position)]
    if len(names) > 1 and not package.direct:
        raised += f" It comes with {names[0]}: if that holds it back, raise {names[0]}."
    return raised


def _upgrade(hits: Sequence[Hit], holes: Sequence[Affects]) -> Upgrade:
    """For every version that is there: the largest of the smallest upgrades."""
    found = [smallest_upgrade(hit.package, holes) for hit in hits]
    ecosystem = hits[0].package.ecosystem
    version = max((one.version for one in found), key=lambda text: key_of(ecosystem, text) or b"")
    return Upgrade(version, frozenset().union(*(one.left for one in found)))


def _gaps(packages: PackageSet, gaps: Sequence[Gap]) -> Iterator[Sighting]:
    """What could not be compared with any advisory.

    What the file says of an entry is known by its sentence, which names the entry and no version, so that it can be an old gap; what this
    machine lacks is a gap of the whole input, and is new wherever the content is.
    """
    for line, sentence in dict.fromkeys(packages.problems):
        yield _gap("unpinned", one_line(sentence), line, sentence)
    for gap in {(gap.package.name, gap.sentence): gap for gap in gaps}.values():
        if gap.lack is Lack.NO_ADVISORIES:
            yield _gap(gap.lack, UnitKind.BLOB, 0, gap.sentence)
        else:
            yield _gap(gap.lack, one_line(gap.sentence), gap.package.line, gap.sentence)


def _gap(reason_class: str, unit: str, line: int, sentence: str) -> Sighting:
    return Sighting(
        rule=RuleId(f"{CHECK}/unchecked"),
        site=UncheckedSite(CHECK, unit, reason_class),
        severity=Severity.MEDIUM,
        message=sentence,
        span=Span(line, 1, line, 1) if line else None,
    )
