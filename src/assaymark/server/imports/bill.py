"""Bills of materials (CycloneDX in JSON and XML, SPDX 2 and 3): components to be looked after from now on, the advisories that speak of
them today, the vulnerabilities that the bill brings along, and what its author says of them.

Read and matched by the dependencies check, so that a component in a bill and in a lock file is one finding.
"""

from __future__ import annotations

from msgspec.structs import replace

from assaymark.checks.application.dependencies.check import judge
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.application.dependencies.readers import Unreadable
from assaymark.checks.application.dependencies.readers import read as read_packages
from assaymark.errors import UsageError
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.identity import Seen
from assaymark.server.imports import vulnerabilities
from assaymark.server.imports.components import seen_of
from assaymark.server.imports.found import PREFIX, Ask, Spoken, World, check_of, gap, slug
from assaymark.server.imports.kinds import DocumentKind
from assaymark.server.imports.markup import as_json
from assaymark.server.imports.triples import as_spdx2
from assaymark.server.imports.vex import of_cyclonedx

_DIALECTS = {
    DocumentKind.CYCLONEDX: Dialect("cyclonedx"),
    DocumentKind.CYCLONEDX_XML: Dialect("cyclonedx"),
    DocumentKind.SPDX: Dialect("spdx"),
    DocumentKind.SPDX3: Dialect("spdx"),
}


def read(data: bytes, kind: DocumentKind, given: tuple[Ask, World], index: Index | None) -> Spoken:
    """What the bill says; its category tells several bills of one subject apart.

    Raises:
        UsageError: when it cannot be read.
    """
    data = as_json(data) if kind is DocumentKind.CYCLONEDX_XML else as_spdx2(data) if kind is DocumentKind.SPDX3 else data
    dialect = _DIALECTS[kind]
    try:
        packages = read_packages(dialect, data)
    except Unreadable as error:
        raise UsageError("the bill of materials cannot be read", why=error.reason, advice="export it anew as JSON") from error
    document = vulnerabilities.document_of(data) if dialect == "cyclonedx" else vulnerabilities.Document()
    told = _told(data, document, given)
    if told.checks and not document.components:
        return told  # a document about vulnerabilities alone: it holds nothing to be looked after
    return _joined(_matched(data, dialect, (packages, given[0]), index), told)


def _matched(data: bytes, dialect: Dialect, given: tuple[PackageSet, Ask], index: Index | None) -> Spoken:
    packages, ask = given
    name = slug(ask.category, "bill")
    path = f"{PREFIX}{name}"
    check = check_of("bill", Ask(category=name))
    digest = sha256(data)
    sets = {path: (digest, packages)}
    if index is None:
        return Spoken(sets=sets, notes=("there are no advisories on this server yet, so the components were not compared with any",))
    outcome = judge(Input(digest, dialect, (Part("", data),)), index)
    if isinstance(outcome, Checked):
        seen = tuple(Seen(sighting, check, ask.layer, digest, path) for sighting in outcome.sightings)
    else:
        seen = (gap(check, ask.layer, path, outcome.reason),)
    return Spoken(seen, checks=((check, ask.layer),), sets=sets)


def _told(data: bytes, document: vulnerabilities.Document, given: tuple[Ask, World]) -> Spoken:
    """Of the vulnerabilities in the document itself."""
    ask, world = given
    if not document.vulnerabilities:
        return Spoken()
    purls = vulnerabilities.purls_of(document)
    check = check_of(vulnerabilities.tool_of(document), ask)
    path = f"{PREFIX}{slug(ask.category, 'bill')}"
    rows = list(vulnerabilities.vulnerable(document, purls))
    unknown = vulnerabilities.unknown(document, purls)
    notes = (f"{unknown} statements about components that the bill does not describe were left out",) if unknown else ()
    # At the place where our own matching puts what it finds in this bill, so that both are one.
    seen = tuple(replace(one, path=path) for one in seen_of(check, rows, ask, world))
    return Spoken(seen, checks=((check, ask.layer),), statements=of_cyclonedx(data, purls), notes=notes)


def _joined(one: Spoken, other: Spoken) -> Spoken:
    return Spoken(
        seen=(*one.seen, *other.seen),
        checks=(*one.checks, *other.checks),
        sets=one.sets,
        statements=other.statements,
        notes=(*one.notes, *other.notes),
    )
