"""A tree as files (C2SP tlog-tiles): tiles of up to 256 hashes, bundles of up to 256 entries, and the paths at which they lie.

Guarantees: a path means one tile, and is read only as it would be written; a bundle is read whole or refused. `Reader` gives hashes of
whole subtrees out of tiles, each of which is fetched once. Full tiles never change; partial ones belong to a size of the tree.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum

from msgspec import Struct

from assaymark.endorsement.log import merkle
from assaymark.errors import SubjectUnreadable

WIDTH = 256
HEIGHT = 8
MOST_LEVEL = 7
"""Trees of 2^64 leaves need no more."""
MOST_ENTRY = (1 << 16) - 1
CHECKPOINT = "checkpoint"
_PATH = re.compile(r"tile/(0|[1-9][0-9]?|entries)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)


class Kind(StrEnum):
    HASHES = "hashes"
    ENTRIES = "entries"


class Tile(Struct, frozen=True):
    """One file of hashes, or of entries (then the level is 0)."""

    kind: Kind
    level: int
    number: int
    width: int = WIDTH

    @property
    def is_full(self) -> bool:
        return self.width == WIDTH

    @property
    def path(self) -> str:
        """Below the log's address."""
        groups = [f"{self.number % 1000:03d}"]
        rest = self.number // 1000
        while rest:
            groups.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        kind = "entries" if self.kind is Kind.ENTRIES else str(self.level)
        return f"tile/{kind}/{'/'.join(groups)}{'' if self.is_full else f'.p/{self.width}'}"


def at(path: str) -> Tile | None:
    """The tile at this path; None when it is the path of none."""
    found = _PATH.fullmatch(path) if len(path) <= 200 else None
    if found is None:
        return None
    kind, number, width = found[1], int(found[2].replace("x", "").replace("/", "")), int(found[3] or WIDTH)
    tile = Tile(Kind.ENTRIES, 0, number, width) if kind == "entries" else Tile(Kind.HASHES, int(kind), number, width)
    return tile if tile.path == path else None


def width_in(size: int, tile: Tile) -> int:
    """How many hashes (or entries) that tile has in a tree of this size; 0 when it is not in it."""
    return max(0, min(WIDTH, (size >> HEIGHT * tile.level) - tile.number * WIDTH))


def is_in(size: int, tile: Tile) -> bool:
    """Whether a log of this size can have served it: a full one, or a partial one of this or of a smaller size."""
    return width_in(size, tile) >= tile.width


def every(size: int) -> Iterator[Tile]:
    """All files of a tree of this size, without the checkpoint: entries first, then each level of hashes."""
    for kind in (Kind.ENTRIES, Kind.HASHES):
        level = 0
        while (count := size >> HEIGHT * level) and (kind is Kind.HASHES or level == 0):
            for number in range(-(-count // WIDTH)):
                yield Tile(kind, level, number, min(WIDTH, count - number * WIDTH))
            level += 1


def root(hashes: Sequence[bytes]) -> bytes:
    """Of a full tile: the hash that stands for it one level up."""
    row = list(hashes)
    while len(row) > 1:
        row = merkle.parents(row)
    return row[0]


def split(data: bytes, width: int) -> list[bytes]:
    """Hashes of a tile.

    Raises:
        SubjectUnreadable: when these are not so many.
    """
    if len(data) != width * merkle.HASH:
        raise SubjectUnreadable(f"a tile of {width} hashes has {len(data)} bytes", why=f"it would have {width * merkle.HASH}")
    return [data[start : start + merkle.HASH] for start in range(0, len(data), merkle.HASH)]


def bundle(entries: Sequence[bytes]) -> bytes:
    """Entries, each after its length in two bytes.

    Raises:
        ValueError: when one is too long.
    """
    if any(len(each) > MOST_ENTRY for each in entries):
        raise ValueError(f"an entry has at most {MOST_ENTRY} bytes")
    return b"".join(len(each).to_bytes(2) + each for each in entries)


def unbundle(data: bytes, width: int) -> list[bytes]:
    """Entries of a bundle.

    Raises:
        SubjectUnreadable: when these are not so many, or something is left.
    """
    found, start = [], 0
    for _ in range(width):
        end = start + 2 + int.from_bytes(data[start : start + 2])
        if start + 2 > len(data) or end > len(data):
            break
        found.append(data[start + 2 : end])
        start = end
    if len(found) != width or start != len(data):
        raise SubjectUnreadable(
            f"a bundle does not hold {width} entries", why=f"{len(found)} were read, and {len(data) - start} bytes are left"
        )
    return found


Fetch = Callable[[Tile], bytes]


class Reader:
    """Hashes of whole subtrees, out of the tiles of a tree of one size."""

    def __init__(self, size: int, fetch: Fetch) -> None:
        self._size, self._fetch = size, fetch
        self._rows: dict[tuple[int, int], list[list[bytes]]] = {}

    def subtree(self, height: int, number: int) -> bytes:
        """A `merkle.Subtree`.

        Raises:
            SubjectUnreadable: when a tile is not what it should be.
        """
        level, above = divmod(height, HEIGHT)
        tile, within = divmod(number << above, WIDTH)
        rows = self._rows.get((level, tile))
        if rows is None:
            rows = self._rows[level, tile] = [self._read(level, tile)]
        while len(rows) <= above:
            rows.append(merkle.parents(rows[-1]))
        return rows[above][within >> above]

    def _read(self, level: int, number: int) -> list[bytes]:
        whole = Tile(Kind.HASHES, level, number)
        width = width_in(self._size, whole)
        return split(self._fetch(Tile(Kind.HASHES, level, number, width)), width)
