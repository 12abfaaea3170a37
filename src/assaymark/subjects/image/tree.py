"""Layers, one upon the other: the files of an image, and those that a later layer took away.

The rules are those of the OCI image specification (layer.md) as container runtimes apply them:

* a later member replaces an earlier one of its name; a folder upon a folder keeps what is in it, upon anything else it replaces it;
* ``.wh.<name>`` takes the name away that lower layers gave, ``.wh..wh..opq`` everything that lower layers gave to its folder; neither
  touches what its own layer brings, in whatever order; further ``.wh..wh.`` names are bookkeeping of old drivers and no files;
* a member below a link to a folder lands where the link leads, which is never outside of the image;
* a hard link is the file that its target names at that moment.

Guarantees: bounded work for cycles of links and deep names; nothing is read or written. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from assaymark.formats.tar_headers import FOLDER, HARD_LINK, REGULAR, SYMLINK
from assaymark.subjects.archive import refused
from assaymark.subjects.image.layer import Item
from assaymark.subjects.listing import printable_name, text

MOST_LINKS = 40
"""Links followed for one name: the limit of Linux."""
DEEPEST = 512
"""Folders above a file: twice the deepest tree of node_modules that was ever seen."""

MOST_STEPS = 20_000_000
"""Parts of names looked at while links are followed, for a whole image; large ones need a few hundred thousand."""

_WHITEOUT, _BOOKKEEPING, _OPAQUE = b".wh.", b".wh..wh.", b".wh..wh..opq"


class File(Struct, frozen=True):
    """A name that is no folder, with the layer that brought it."""

    layer: int
    item: Item


class Folder(Struct):
    """A folder; `item` is None where an archive names only what is below."""

    layer: int
    item: Item | None
    names: dict[bytes, File | Folder]


Node = File | Folder


class Tree:
    """The files of an image while its layers are applied, lowest first."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._root = Folder(-1, None, {})
        self._above = b""
        self._folder: Folder | None = None
        self._steps = MOST_STEPS
        self._real: dict[bytes, bytes | None] = {}
        self.buried: dict[tuple[bytes, bytes], File] = {}
        """(name, digest) of files that were there and are no more; the image still carries them."""

    def apply(self, layer: int, items: Sequence[Item]) -> None:
        """Put a layer upon what is there.

        Raises:
            SubjectUnreadable: for a hard link to nothing, and for names that no runtime would unpack.
        """
        self._real.clear()
        for item in items:
            above, _, last = item.name.rpartition(b"/")
            if last.startswith(_WHITEOUT):
                self._white_out(above, last)
        self._forget()
        for item in items:
            above, _, last = item.name.rpartition(b"/")
            if last.startswith(_WHITEOUT) or b"/" + _BOOKKEEPING in b"/" + item.name:
                continue
            if not item.name:
                self._root.item = item if item.kind == FOLDER else self._root.item
                continue
            self._put(layer, item, self._parent(layer, above), last)
        self._forget()

    def files(self) -> Iterator[tuple[bytes, File]]:
        """Every name that is no folder."""
        for name, node in self.walk():
            if isinstance(node, File):
                yield name, node

    def walk(self) -> Iterator[tuple[bytes, Node]]:
        """Every name, folders before what is in them."""
        yield from _below(b"", self._root)

    def look_up(self, name: bytes) -> File | None:
        """The file that a name leads to, links followed."""
        found = self._resolve(name)
        node = self._at(found) if found is not None else None
        return node if isinstance(node, File) else None

    def real_name(self, name: bytes) -> bytes:
        """A name with the links above its last part replaced by what they lead to; as it is when they lead nowhere."""
        above, slash, last = name.rpartition(b"/")
        if above not in self._real:
            self._real[above] = self._resolve(above)
        found = self._real[above]
        return name if found is None or not slash else (found + b"/" + last if found else last)

    # --- applying -------------------------------------------------------------------------------------------------------

    def _white_out(self, above: bytes, last: bytes) -> None:
        folder = self._find_folder(above)
        if folder is None:
            return
        prefix = above + b"/" if above else b""
        if last == _OPAQUE:
            for name, node in folder.names.items():
                self._bury(prefix + name, node)
            folder.names.clear()
        elif not last.startswith(_BOOKKEEPING):
            name = last.removeprefix(_WHITEOUT)
            if name in folder.names:
                self._bury(prefix + name, folder.names.pop(name))

    def _put(self, layer: int, item: Item, folder: Folder, last: bytes) -> None:
        old = folder.names.get(last)
        if item.kind == FOLDER:
            if isinstance(old, Folder):
                old.item = item
                return
            new: Node = Folder(layer, item, {})
        elif item.kind == HARD_LINK:
            new = self._target(item)
        else:
            new = File(layer, item)
        if old is not None:
            self._bury(item.name, old)
            if isinstance(old, Folder) or item.kind in {SYMLINK, FOLDER}:
                self._forget()
        folder.names[last] = new

    def _target(self, item: Item) -> File:
        folder = self._find_folder(item.link.rpartition(b"/")[0])
        node = folder.names.get(item.link.rpartition(b"/")[2]) if folder else None
        if not isinstance(node, File):
            raise refused(self._shown, f"its member {printable_name(text(item.name))} is a hard link to something that is not in it")
        return node

    def _bury(self, name: bytes, node: Node) -> None:
        if isinstance(node, File):
            if node.item.kind == REGULAR:
                self.buried.setdefault((name, node.item.digest), node)
            return
        for below, inner in _below(name, node):
            if isinstance(inner, File):
                self._bury(below, inner)

    # --- finding folders ------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        self._folder = None

    def _parent(self, layer: int, above: bytes) -> Folder:
        """The folder for a member, made where the archive does not name it; neighbours ask for the same one again and again."""
        if self._folder is None or self._above != above:
            self._folder = self._made(layer, above)
            self._above = above
        return self._folder

    def _made(self, layer: int, above: bytes) -> Folder:
        folder = self._root
        path: list[bytes] = []
        parts = above.split(b"/")[::-1] if above else []
        if len(parts) > DEEPEST:
            raise refused(self._shown, f"a name in it has more than {DEEPEST} folders")
        while parts:
            part = parts.pop()
            node = folder.names.get(part)
            if isinstance(node, File) and node.item.kind == SYMLINK:
                found = self._resolve(b"/".join([*path, part]))
                if found is None:
                    name = printable_name(text(b"/".join([*path, part])))
                    raise refused(self._shown, f"it has members below {name}, a link that leads in circles or to nothing")
                path = found.split(b"/") if found else []
                folder = self._walk_to(path)
                continue
            path.append(part)
            if not isinstance(node, Folder):
                if node is not None:
                    self._bury(b"/".join(path), node)
                node = folder.names[part] = Folder(layer, None, {})
            folder = node
        return folder

    def _walk_to(self, path: Sequence[bytes]) -> Folder:
        folder = self._root
        for part in path:
            node = folder.names.get(part)
            if not isinstance(node, Folder):
                node = folder.names[part] = Folder(-1, None, {})  # where a link leads that nothing has made yet
            folder = node
        return folder

    def _find_folder(self, name: bytes) -> Folder | None:
        found = self._resolve(name)
        node = self._at(found) if found is not None else None
        return node if isinstance(node, Folder) else None

    def _resolve(self, name: bytes) -> bytes | None:
        """A name without links; None for a circle. What does not exist is taken as it is written."""
        done: list[bytes] = []
        nodes: list[Node | None] = [self._root]
        todo = name.split(b"/")[::-1] if name else []
        links = 0
        while todo:
            part = todo.pop()
            self._steps -= 1
            if self._steps < 0:
                raise refused(self._shown, "its links are tangled, as in images that are made to exhaust whoever reads them")
            if part in {b"", b"."}:
                continue
            if part == b"..":
                del done[-1:], nodes[max(1, len(nodes) - 1) :]
                continue
            above = nodes[-1]
            node = above.names.get(part) if isinstance(above, Folder) else None
            if isinstance(node, File) and node.item.kind == SYMLINK:
                links += 1
                if links > MOST_LINKS or len(todo) > DEEPEST:
                    return None
                if node.item.link.startswith(b"/"):
                    done, nodes = [], [self._root]
                todo += node.item.link.split(b"/")[::-1]
                continue
            done.append(part)
            nodes.append(node)
        return b"/".join(done)

    def _at(self, path: bytes) -> Node | None:
        node: Node = self._root
        for part in path.split(b"/") if path else ():
            inner = node.names.get(part) if isinstance(node, Folder) else None
            if inner is None:
                return None
            node = inner
        return node


def _below(name: bytes, folder: Folder) -> Iterator[tuple[bytes, Node]]:
    """Without recursion: names may be deeper than Python's stack."""
    waiting: list[tuple[bytes, Node]] = [(name, folder)]
    first = True
    while waiting:
        above, node = waiting.pop()
        if not first:
            yield above, node
        first = False
        if isinstance(node, Folder):
            prefix = above + b"/" if above else b""
            waiting.extend((prefix + inner, below) for inner, below in node.names.items())
