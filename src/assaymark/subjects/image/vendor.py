"""Which files of an image are the vendor's: brought by an installed package and still as it brought them.

A program's own files are what its author can repair; thousands of others come with the distribution, and are judged by their packages'
versions. So that nothing hides among them, a name in a package's list is not enough:
* the content has the digest that the list gives; or
* it is binary, no list gives a SHA-256, and the layer that brought it is one in which the package manager wrote its records; or
* it is CPython's standard library, from the layer that brought the interpreter.

A deleted or replaced file was the vendor's when a list that stood there before says so: an upgrade leaves thousands of them behind.

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
_RECORD = b".dist-info/RECORD"
_INVENTORY = re.compile(rb"(?:\.dist-info/METADATA|/package\.json|\.[jwe]ar)\Z")
"""What says which package this is: pip's packages are judged by these files, the distribution's by its database."""
_INTERPRETER = re.compile(rb"((?:.*/)?)bin/(python3\.\d+)t?\Z")


class Vendors:
    """Tells the vendor's files from the image's own."""

    def __init__(self, tree: Tree, kept: Callable[[bytes], bytes | None]) -> None:
        """Reads the lists in the finished tree; `kept` gives contents by digest."""
        self._owned: dict[bytes, tuple[bytes, ...]] = {}
        self._lists: set[bytes] = set()
        self._libraries: dict[bytes, int] = {}
        for name, node in tree.files():
            if node.item.kind != REGULAR:
                continue
            found = _INTERPRETER.match(name)
            if found:
                self._libraries[found[1] + b"lib/" + found[2] + b"/"] = node.layer
            content = kept(node.item.digest)
            if content is not None:
                self._learn(tree, name, content, self._owned)
        written = [*tree.files(), *((name, node) for (name, _), node in tree.buried.items())]
        self._manager_layers = {node.layer for name, node in written if name.startswith(_RECORDS)}
        self._former: dict[bytes, tuple[bytes, ...]] = {}
        for (name, _), node in tree.buried.items():
            content = kept(node.item.digest)
            if content is not None:
                self._learn(tree, name, content, self._former)

    def were(self, name: bytes, node: File) -> bool:
        """Whether a file that is no more was the vendor's."""
        return self._is_in(self._former.get(name), node) or self(name, node)

    def __call__(self, name: bytes, node: File) -> bool:
        """Whether this file is the vendor's."""
        digests = self._owned.get(name)
        if digests is not None:
            return self._is_in(digests, node)
        if name.startswith(_RECORDS):
            return node.layer in self._manager_layers
        return name in self._lists or any(
            name.startswith(library) and b"-packages/" not in name and node.layer == layer for library, layer in self._libraries.items()
        )

    def _is_in(self, digests: tuple[bytes, ...] | None, node: File) -> bool:
        item = node.item
        if digests is None:
            return False
        if item.digest in digests or (item.is_text and (item.proof[:16] in digests or item.proof[16:] in digests)):
            return True
        return not item.is_text and node.layer in self._manager_layers and all(len(digest) < 32 for digest in digests)

    def _learn(self, tree: Tree, name: bytes, content: bytes, where: dict[bytes, tuple[bytes, ...]]) -> None:
        for owned, digest in _owned(name, content):
            real = tree.real_name(owned)
            where[real] = (*where.get(real, ()), digest)
            if name.endswith(_RECORD):
                self._lists.add(name)


def _owned(name: bytes, content: bytes) -> Iterator[tuple[bytes, bytes]]:
    if name.endswith(b".md5sums"):
        yield from md5sums(content)
    elif name.startswith(_DPKG):
        yield from conffiles(content)
    elif name.endswith(b"apk/db/installed"):
        yield from apk_files(content)
    elif name.endswith(_RECORD):
        folder = name.rpartition(b"/")[0].rpartition(b"/")[0]
        names = ((owned, digest) for owned, digest in record(content) if not _INVENTORY.search(owned))
        yield from ((folder + b"/" + owned, digest) for owned, digest in names if not owned.startswith((b"/", b"..")))
    elif name.endswith(b".sqlite"):
        try:
            for header in headers(content):
                yield from files(header)
        except (NotSqlite, DamagedHeader):
            return
