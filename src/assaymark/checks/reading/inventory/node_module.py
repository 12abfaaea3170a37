"""An installed npm package: the ``package.json`` in its folder.

Folders of a package that hold one only to say how to load them name nothing.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.reading.inventory.gathered import package_set
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.formats.undecodable import UNDECODABLE


class _Module(Struct):
    name: object = None
    version: object = None


def read_node_module(content: bytes) -> PackageSet:
    """The package.

    Raises:
        Unreadable: when it is no JSON, or names a package without a version.
    """
    try:
        module = msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Module)
    except UNDECODABLE as error:
        raise Unreadable("syntax", "The package.json is no JSON object; install the package again.") from error
    if not isinstance(module.name, str) or not module.name:
        return PackageSet(packages=())
    if not isinstance(module.version, str) or not module.version:
        return PackageSet(packages=(), problems=((1, f"{module.name[:100]} is installed and names no version"),))
    return package_set([Package(name=module.name, version=module.version, ecosystem=Ecosystem.NPM, line=1)])
