"""Bills of materials (CycloneDX and SPDX in JSON): components to be looked after from now on, and the advisories that speak of them today.

Read and matched by the dependencies check, so that a component in a bill and in a lock file is one finding.
"""

from __future__ import annotations

from assaymark.checks.application.dependencies.check import judge
from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.checks.application.dependencies.readers import Unreadable
from assaymark.checks.application.dependencies.readers import read as read_packages
from assaymark.errors import UsageError
from assaymark.model.check import Checked, Dialect, Input, Part
from assaymark.model.digest import sha256
from assaymark.model.identity import Seen
from assaymark.server.imports.found import PREFIX, Ask, Spoken, check_of, gap, slug
from assaymark.server.imports.kinds import DocumentKind


def read(data: bytes, kind: DocumentKind, ask: Ask, index: Index | None) -> Spoken:
    """What the bill says; its category tells several bills of one subject apart.

    Raises:
        UsageError: when it cannot be read.
    """
    dialect = Dialect(kind.value)
    try:
        packages = read_packages(dialect, data)
    except Unreadable as error:
        raise UsageError("the bill of materials cannot be read", why=error.reason, advice="export it anew as JSON") from error
    name = slug(ask.category, "bill")
    path = f"{PREFIX}{name}"
    check = check_of("bill", Ask(category=name))
    digest = sha256(data)
    sets = {path: (digest, packages)}
    if index is None:
        return Spoken(sets=sets, notes=("there are no advisories on this server yet, so the components were not compared with any",))
    seen: tuple[Seen, ...]
    outcome = judge(Input(digest, dialect, (Part("", data),)), index)
    if not isinstance(outcome, Checked):
        seen = (gap(check, ask.layer, path, outcome.reason),)
    else:
        seen = tuple(Seen(sighting, check, ask.layer, digest, path) for sighting in outcome.sightings)
    return Spoken(seen, checks=((check, ask.layer),), sets=sets)
