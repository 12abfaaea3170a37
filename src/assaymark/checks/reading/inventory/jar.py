"""Java archives: what Maven wrote into them (``META-INF/maven/**/pom.properties``), also in archives inside archives.

An archive that says nothing of its origin gives nothing: its file name is not seen here, and guessing by it would be one.
Guarantees: bounded in members, bytes and depth; nothing is written anywhere.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterator

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.checks.reading.inventory.gathered import package_set, text_of
from assaymark.checks.reading.yaml_tree import Unreadable

MOST_MEMBERS = 100_000
MOST_BYTES = 256 << 20
"""Of inner archives, unpacked."""
DEEPEST = 3
"""A library in a web archive in an enterprise archive."""
_PROPERTIES = re.compile(r"META-INF/maven/[^/]+/[^/]+/pom\.properties\Z")
_LINE = re.compile(rb"^\s*(groupId|artifactId|version)\s*[=:]\s*(\S+)\s*$", re.MULTILINE)
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, RuntimeError, zlib.error, IndexError, OverflowError)


def read_jar(content: bytes) -> PackageSet:
    """The libraries in it.

    Raises:
        Unreadable: when it is damaged or too large.
    """
    try:
        return package_set(_packages(content, [MOST_MEMBERS, MOST_BYTES], 0))
    except _DAMAGED as error:
        raise Unreadable("format", f"The archive is damaged: {str(error)[:100]}; build it again.") from error


def _packages(data: bytes, left: list[int], depth: int) -> Iterator[Package]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        left[0] -= len(members)
        if left[0] < 0:
            raise Unreadable("size", f"The archive has more than {MOST_MEMBERS} members.")
        for member in members:
            if _PROPERTIES.search(member.filename):
                yield from _package(_content(archive, member, left))
            elif depth < DEEPEST and member.filename.endswith((".jar", ".war")):
                yield from _packages(_content(archive, member, left), left, depth + 1)


def _content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, left: list[int]) -> bytes:
    if member.file_size > left[1]:
        raise Unreadable("size", f"The archive's inner archives have more than {MOST_BYTES >> 20} MiB.")
    with archive.open(member) as file:
        data = file.read(left[1] + 1)
    left[1] -= len(data)
    if left[1] < 0:
        raise Unreadable("size", f"The archive's inner archives have more than {MOST_BYTES >> 20} MiB.")
    return data


def _package(data: bytes) -> Iterator[Package]:
    values = {key: text_of(value) for key, value in _LINE.findall(data)}
    group, artifact, version = (values.get(key, "") for key in (b"groupId", b"artifactId", b"version"))
    if group and artifact and version and "${" not in version:
        yield Package(name=f"{group}:{artifact}", version=version, ecosystem=Ecosystem.MAVEN)
