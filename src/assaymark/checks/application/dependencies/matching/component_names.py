"""What a component is called in identities: its package URL without version and qualifiers."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from assaymark.checks.application.dependencies.bom.purl import PurlInvalid, purl_of
from assaymark.checks.application.dependencies.packages import Package


def component_name(package: Package) -> str:
    """The package URL; a name that cannot stand in one is generic, and still the same every time."""
    try:
        return str(purl_of(msgspec.structs.replace(package, version="", upstream="")))
    except PurlInvalid:
        return f"pkg:generic/{quote(f'{package.ecosystem}:{package.name}', safe=':')}"
