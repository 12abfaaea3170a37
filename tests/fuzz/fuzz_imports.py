"""Readers of other tools' reports, each with the samples of its tests as seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tests.server.imports.import_samples import KEY
from tests.server.imports.test_imports_formats import BOM_XML, KINDS, ZAP_XML
from tests.server.migrations.migration_samples import dojo, page, track

from assaymark.checks.application.dependencies.matching.index import Index
from assaymark.model.identity import identify
from assaymark.model.rules import catalogue
from assaymark.server.imports.found import Ask, World
from assaymark.server.imports.kinds import DocumentKind, kind_of
from assaymark.server.imports.readers import read
from assaymark.server.migrations import defectdojo, dependency_track


def import_targets() -> Mapping[str, tuple[Callable[[bytes], object], tuple[bytes, ...]]]:
    """Name -> (target, seeds); one per kind, and one for whatever a document says it is."""
    seeds: dict[DocumentKind, list[bytes]] = {kind: [] for kind in DocumentKind}
    for document, kind in KINDS.values():
        seeds[kind].append(document if isinstance(document, bytes) else json.dumps(document).encode())
    every = tuple(row for rows in seeds.values() for row in rows)
    return {
        **{f"import {kind.value}": (_reader(kind), tuple(rows or every[:2])) for kind, rows in seeds.items()},
        "migration defectdojo": (lambda data: defectdojo.plan([data], World(key=KEY)), (*dojo(), page())),
        "migration dependency-track": (lambda data: dependency_track.plan([data], World(key=KEY)), tuple(track())),
        "import of any kind": (lambda data: _read(data, kind_of(data)), (*every, BOM_XML, ZAP_XML)),
    }


def _reader(kind: DocumentKind) -> Callable[[bytes], object]:
    return lambda data: _read(data, kind)


def _read(data: bytes, kind: DocumentKind) -> object:
    index: Index | None = None
    spoken = read(data, kind, (Ask(), World(key=KEY)), index)
    return identify(spoken.seen, catalogue())
