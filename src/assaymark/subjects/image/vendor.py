"""Which files of an image are the vendor's: brought by an installed package and still as it brought them.

A program's own files are what its author can repair; thousands of others come with the distribution, and are judged by their packages'
versions. So that nothing hides among them, a name in a package's list is not enough:
* the content has the digest that the list gives; or
* it is binary, no list gives a SHA-256, and the layer that brought it is one in which the package manager wrote its records; or
* it is CPython's standard library, from the layer that brought the interpreter.

Everything else, such as a configuration file that was edited, is the image's own. Damaged lists make files count as the image's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from assaymark.formats.package_lists import apk_files, conffiles, md5sums, record
from assaymark.formats.rpm import DamagedHeader, files, headers
from assaymark.formats.sqlite_pages import NotSqlite
from assaymark.formats.tar_headers import REGULAR
from assaymark.subjects.image.tree import File, Tree

_DPKG = b"var/lib/dpkg/"
_RECORDS = (_DPKG, b"lib/apk/db/", b"usr/lib/apk/db/", b"var/lib/rpm/", b"usr/lib/sysimage/rpm/")
"""Folders of package managers' own files."""
_INTERPRETER = re.compile(rb"((?:.*/)?)bin/(python3\.\d+)t?\Z")


class Vendors:
    """Tells the vendor's files from the image's own."""

    def __init__(self, tree: Tree, kept: Callable[[bytes], bytes | None]) -> None:
        """Reads the lists in the finished tree; `kept` gives contents by digest."""
        self._owned: dict[bytes, tuple[bytes, ...]] = {}
        self._manager_layers: set[int] = set()
        self._libraries: dict[bytes, int] = {}
        for name, node in tree.files():
            if node.item.kind != REGULAR:
                continue
            found = _INTERPRETER.match(name)
            if found:
                self._libraries[found[1] + b"lib/" + found[2] + b"/"] = node.layer
            if name.startswith(_RECORDS):
                self._manager_layers.add(node.layer)
            content = kept(node.item.digest)
            if content is not None:
                self._learn(tree, name, content)

    def __call__(self, name: bytes, node: File) -> bool:
        """Whether this file is the vendor's."""
        item = node.item
        digests = self._owned.get(name)
        if digests is not None:
            if item.digest in digests or (item.is_text and (item.proof[:16] in digests or item.proof[16:] in digests)):
                return True
            return not item.is_text and node.layer in self._manager_layers and all(len(digest) < 32 for digest in digests)
        if name.startswith(_RECORDS):
            return node.layer in self._manager_layers
        return any(
            name.startswith(library) and b"-packages/" not in name and node.layer == layer for library, layer in self._libraries.items()
        )

    def _learn(self, tree: Tree, name: bytes, content: bytes) -> None:
        for owned, digest in _owned(name, content):
            real = tree.real_name(owned)
            self._owned[real] = (*self._owned.get(real, ()), digest)


def _owned(name: bytes, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if name.endswith(b".md5sums"):
        yield from md5sums(content)
    elif name.startswith(_DPKG):
        yield from conffiles(content)
    elif name.endswith(b"apk/db/installed"):
        yield from apk_files(content)
    elif name.endswith(b"/RECORD"):
        folder = name.rpartition(b"/")[0].rpartition(b"/")[0]
        yield from ((folder + b"/" + owned, digest) for owned, digest in record(content) if not owned.startswith((b"/", b"..")))
    elif name.endswith(b".sqlite"):
        try:
            for header in headers(content):
                yield from files(header)
        except (NotSqlite, DamagedHeader):
            return
