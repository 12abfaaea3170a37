"""Dart's ``pubspec.lock``. Packages of an SDK come with it and are no packages; the format does not tell who brings whom."""

from __future__ import annotations

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet, Source
from assaymark.checks.application.dependencies.readers.gathering import Gathering
from assaymark.checks.application.dependencies.readers.plain_yaml import tables

_SOURCES = {"hosted": Source.REGISTRY, "git": Source.GIT, "path": Source.PATH}


def read_pub(content: bytes) -> PackageSet:
    """The packages of the file.

    Raises:
        Unreadable: when it is no lock file of pub.
    """
    gathering = Gathering(knows_direct=True)
    for document in tables(content):
        packages = document.table("packages")
        for key in packages:
            entry = packages.table(key)
            kind = entry.text("source")
            if kind == "sdk":
                continue
            description = entry.table("description")
            direct = entry.text("dependency").startswith("direct")
            name = description.text("name") if kind == "hosted" else ""
            digest = description.text("sha256")
            package = Package(
                name or key,
                entry.text("version"),
                Ecosystem.PUB,
                packages.lines.get(key, 0),
                direct,
                entry.text("dependency") == "direct dev",
                _SOURCES.get(kind, Source.URL),
                "",
                (f"sha256:{digest}",) if len(digest) == 64 else (),
            )
            gathering.add(package)
    return gathering.finished()
