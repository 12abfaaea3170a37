"""From the indexes of layers to what an image holds: its entries, its buried files, and where each content stands. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from assaymark.formats.tar_headers import HARD_LINK, REGULAR, SYMLINK
from assaymark.model.digest import Digest, sha256
from assaymark.model.subject import Entry, EntryKind
from assaymark.subjects.image.described import GO, described, is_database
from assaymark.subjects.image.layer import Item, LayerIndex
from assaymark.subjects.image.tree import File, Tree
from assaymark.subjects.image.vendor import Vendors
from assaymark.subjects.listing import by_path, text

LARGE = 8 << 20
"""Bytes from which a binary is only listed: the default limit of what a check reads."""


class Listing(Struct, frozen=True):
    """The names of an image."""

    entries: list[Entry]
    buried: list[Entry]


class Places(Struct, frozen=True):
    """Where contents stand."""

    at: dict[str, tuple[int, int, int]]
    """Digest -> (layer, start in the unpacked layer, size); a start of -1 for what cannot be read. Without the vendor's files."""
    given: dict[str, bytes]
    """Contents that stand in no layer."""


def survey(indexes: Iterable[LayerIndex], config: bytes, shown: str) -> tuple[Listing, Places]:
    """Put the layers together, lowest first.

    Raises:
        SubjectUnreadable: when they do not fit together.
    """
    tree = Tree(shown)
    kept: dict[bytes, bytes] = {}
    built: dict[bytes, bytes] = {}
    for number, index in enumerate(indexes):
        tree.apply(number, index.items)
        kept |= index.kept
        built |= index.built
    is_vendor = Vendors(tree, kept.get)
    places = Places({}, {})
    entries = list(_described(described(tree, config, kept.get), places))
    live: set[bytes] = set()
    for name, node in tree.files():
        live.add(node.item.digest)
        entry = _entry(name, node, vendor=node.item.kind == REGULAR and (is_database(name) or is_vendor(name, node)))
        entries.append(entry)
        if entry.kind is EntryKind.FILE:
            _place(entry, node, places)
        if node.item.digest in built and entry.kind in {EntryKind.FILE, EntryKind.BINARY}:
            entries += _described({f"{entry.path}//{GO}": built[node.item.digest]}, places)
    gone = ((name, node) for (name, digest), node in tree.buried.items() if digest not in live and not is_vendor.were(name, node))
    buried = [_buried(name, node, places) for name, node in gone]
    return Listing(by_path(entries), by_path(entry for entry in buried if entry.kind is EntryKind.FILE)), places


def _described(contents: dict[str, bytes], places: Places) -> Iterator[Entry]:
    for path, content in contents.items():
        digest = sha256(content)
        places.given[digest] = content
        yield Entry(path=path, digest=digest, size=len(content))


def _buried(name: bytes, node: File, places: Places) -> Entry:
    entry = _entry(name, node, vendor=False)
    if entry.kind is EntryKind.FILE:
        _place(entry, node, places)
    return entry


def _entry(name: bytes, node: File, *, vendor: bool) -> Entry:
    item = node.item
    if item.kind == SYMLINK:
        return Entry(text(name), sha256(item.link), EntryKind.SYMLINK, len(item.link))
    if item.kind not in {REGULAR, HARD_LINK}:
        return Entry(text(name), sha256(b"special"), EntryKind.SPECIAL, 0)
    kind = EntryKind.VENDOR if vendor else EntryKind.BINARY if _is_large_binary(item) else EntryKind.FILE
    return Entry(text(name), Digest("sha256:" + item.digest.hex()), kind, item.size, executable=bool(item.mode & 0o100))


def _is_large_binary(item: Item) -> bool:
    return item.size > LARGE and not item.is_text


def _place(entry: Entry, node: File, places: Places) -> None:
    start = -1 if node.item.is_sparse else node.item.start
    places.at.setdefault(entry.digest, (node.layer, start, node.item.size))
