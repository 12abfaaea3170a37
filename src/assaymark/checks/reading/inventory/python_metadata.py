"""An installed Python distribution: ``METADATA`` or ``PKG-INFO`` (core metadata). One file, one package."""

from __future__ import annotations

import re

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.reading.inventory.gathered import package_set, text_of
from assaymark.checks.reading.yaml_tree import Unreadable

_FIELD = re.compile(rb"^(Name|Version):[ \t]*(\S.*?)[ \t\r]*$", re.MULTILINE | re.IGNORECASE)
_HEAD = 1 << 20
"""The fields stand before the description, which may be long."""


def read_dist_info(content: bytes) -> PackageSet:
    """The distribution.

    Raises:
        Unreadable: when it names itself or its version not.
    """
    head = re.split(rb"\r?\n\r?\n", content[:_HEAD], maxsplit=1)[0]
    fields: dict[bytes, tuple[str, int]] = {}
    for found in _FIELD.finditer(head):
        fields.setdefault(found[1].lower(), (text_of(found[2]), head.count(b"\n", 0, found.start()) + 1))
    if len(fields) < 2:
        raise Unreadable("format", "The metadata name no distribution and version; install it again.")
    name, line = fields[b"name"]
    normal = re.sub(r"[-_.]+", "-", name).lower()
    return package_set([Package(name=normal, version=fields[b"version"][0], ecosystem=Ecosystem.PYPI, line=line)])
