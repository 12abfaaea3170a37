"""Which name is read by which reader.

Guarantees: judging by name imports no reader; `read` gives a package set or raises `Unreadable`, whatever the bytes. Package databases
may come alone, as they stand in a folder, or joined with the release that they are of, as an image offers them
(``image//packages/<manager>``): only then is the distribution known, and alone their packages are listed with the gap that this is.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

from assaymark.checks.application.dependencies.packages import PackageSet
from assaymark.checks.reading.yaml_tree import Unreadable
from assaymark.model.check import Dialect

__all__ = ["DIALECTS", "Unreadable", "dialect_of", "read"]

_HERE = __name__.rpartition(".")[0]
DIALECTS: dict[str, str] = {
    "dpkg-status": "dpkg:read_dpkg",
    "apk-installed": "apk:read_apk",
    "rpm-sqlite": "rpm:read_rpm",
    "dist-info": "python_metadata:read_dist_info",
    "node-module": "node_module:read_node_module",
    "jar": "jar:read_jar",
    "go-buildinfo": "go_buildinfo:read_go_buildinfo",
}
"""Dialect -> ``module:function`` in this folder."""

_OFFERED = {"image//packages/dpkg": "dpkg-status", "image//packages/apk": "apk-installed", "image//packages/rpm": "rpm-sqlite"}
_ENDINGS: tuple[tuple[str, str, str], ...] = (
    ("status", r"(?:^|/)var/lib/dpkg/status\Z", "dpkg-status"),
    ("installed", r"(?:^|/)lib/apk/db/installed\Z", "apk-installed"),
    ("rpmdb.sqlite", r"(?:^|/)(?:var|usr)/lib/(?:sysimage/)?rpm/rpmdb\.sqlite\Z", "rpm-sqlite"),
    ("/METADATA", r"(?:^|/)[^/]+\.dist-info/METADATA\Z", "dist-info"),
    ("PKG-INFO", r"(?:^|/)[^/]+\.egg-info/PKG-INFO\Z", "dist-info"),
    (".egg-info", r"-packages/[^/]+\.egg-info\Z", "dist-info"),
    ("/package.json", r"(?:^|/)node_modules/(?:@[^/]+/)?[^/@]+/package\.json\Z", "node-module"),
    (".jar", r"\.jar\Z", "jar"),
    (".war", r"\.war\Z", "jar"),
    (".ear", r"\.ear\Z", "jar"),
    ("//go-buildinfo", r"//go-buildinfo\Z", "go-buildinfo"),
)
"""(ending, pattern of the path, dialect): the ending is looked at first because it costs least, and a pattern is
compiled when a name has its ending."""
_ANY = tuple(ending for ending, _, _ in _ENDINGS)


def dialect_of(path: str) -> Dialect | None:
    """How a file of this name is read, or None when it is no inventory. Cheap: judged by name only."""
    if path in _OFFERED:
        return Dialect(_OFFERED[path])
    if not path.endswith(_ANY):
        return None
    return next((Dialect(dialect) for ending, pattern, dialect in _ENDINGS if path.endswith(ending) and re.search(pattern, path)), None)


def read(dialect: Dialect, content: bytes) -> PackageSet:
    """The packages that the content names.

    Raises:
        Unreadable: with a reason class, a sentence and a line (0 when the format does not tell).
        KeyError: when there is no such dialect.
    """
    module, _, function = DIALECTS[dialect].partition(":")
    reader: Callable[[bytes], PackageSet] = getattr(importlib.import_module(f"{_HERE}.{module}"), function)
    return reader(content)
