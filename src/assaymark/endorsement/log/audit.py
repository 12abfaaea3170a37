"""Whether a log that lies somewhere is what its checkpoints say: lines, tiles and roots are computed again, whoever kept them.

Guarantees: truncation, rewriting, gaps and tiles that do not follow from the lines are found, against the checkpoints that are given: a log
that was written anew as a whole is consistent in itself, and only a checkpoint that was kept elsewhere (pinned) tells. Memory is bounded:
one bundle of lines, one row of each level. Says each defect in a sentence, the first of them; knows nothing of what a line says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from assaymark.endorsement.log import merkle, tiles
from assaymark.endorsement.log.checkpoint import Checkpoint
from assaymark.endorsement.log.merkle import Frontier
from assaymark.endorsement.log.tiles import WIDTH, Fetch, Kind, Tile
from assaymark.errors import AssayError

MOST_TOLD = 50

Look = Callable[[int, bytes], str]
"""Given number and bytes of an entry: what is wrong with it, or nothing."""


class Head(Struct, frozen=True):
    """A checkpoint whose signature was looked at, and where it was kept."""

    checkpoint: Checkpoint
    place: str


class Found(Struct):
    """What an audit came to."""

    size: int
    root: bytes = b""
    heads: int = 0
    """Checkpoints that were compared."""
    defects: list[str] = []
    defect_count: int = 0

    @property
    def holds(self) -> bool:
        return not self.defect_count

    def defect(self, sentence: str) -> None:
        self.defect_count += 1
        if len(self.defects) < MOST_TOLD:
            self.defects.append(sentence)


def whole(size: int, fetch: Fetch, heads: Sequence[Head], look: Look | None = None) -> Found:
    """Compute everything again: `size` is how much is there, `fetch` gives each of its files."""
    found, frontier = Found(size), Frontier()
    waiting = sorted(heads, key=lambda head: head.checkpoint.size)
    found.heads = len(waiting)
    above: list[list[bytes]] = []
    for number in range(-(-size // WIDTH)):
        leaves = _leaves(Tile(Kind.ENTRIES, 0, number, min(WIDTH, size - number * WIDTH)), fetch, look, found)
        if leaves is None:
            return found  # what follows cannot be computed
        while waiting and waiting[0].checkpoint.size <= frontier.size + len(leaves):
            _compare(waiting.pop(0), frontier, leaves, found)
        frontier.extend(leaves)
        _tile(Tile(Kind.HASHES, 0, number, len(leaves)), leaves, fetch, found)
        if len(leaves) == WIDTH:
            _rise(_Climb(above, fetch, found), 0, number, tiles.root(leaves))
    for level, row in enumerate(above, 1):
        if row:
            _tile(Tile(Kind.HASHES, level, (size >> tiles.HEIGHT * level) // WIDTH, len(row)), row, fetch, found)
    for head in waiting:
        if head.checkpoint.size > size:
            found.defect(f"the log was cut off: it has {size} entries, and the checkpoint of {head.place} is of {head.checkpoint.size}")
        else:
            _compare(head, frontier, [], found)
    found.root = frontier.root()
    return found


def _leaves(tile: Tile, fetch: Fetch, look: Look | None, found: Found) -> list[bytes] | None:
    try:
        entries = tiles.unbundle(fetch(tile), tile.width)
    except AssayError as error:
        found.defect(f"entries from {tile.number * WIDTH} on cannot be read: {error.what}{f' ({error.why})' if error.why else ''}")
        return None
    for index, data in enumerate(entries, tile.number * WIDTH):
        problem = look(index, data) if look is not None else ""
        if problem:
            found.defect(f"entry {index}: {problem}")
    return merkle.leaf_hashes(entries)


def _compare(head: Head, before: Frontier, leaves: list[bytes], found: Found) -> None:
    """With the root at the checkpoint's size, which is reached within these leaves."""
    at = Frontier(before.size, before.hashes)
    at.extend(leaves[: head.checkpoint.size - before.size])
    if at.root() != head.checkpoint.root:
        found.defect(f"the log was rewritten: its first {head.checkpoint.size} entries are not those of the checkpoint of {head.place}")


class _Climb(NamedTuple):
    """What an audit has of the levels above the leaves."""

    above: list[list[bytes]]
    """Per level from 1 on: hashes of the tile that is not full yet."""
    fetch: Fetch
    found: Found


def _rise(climb: _Climb, level: int, number: int, root: bytes) -> None:
    """A tile is full: its root goes one level up, and perhaps fills a tile there."""
    if len(climb.above) == level:
        climb.above.append([])
    row = climb.above[level]
    row.append(root)
    if len(row) == WIDTH:
        _tile(Tile(Kind.HASHES, level + 1, number // WIDTH), row, climb.fetch, climb.found)
        climb.above[level] = []
        _rise(climb, level + 1, number // WIDTH, tiles.root(row))


def _tile(tile: Tile, row: Sequence[bytes], fetch: Fetch, found: Found) -> None:
    try:
        kept = tiles.split(fetch(tile), tile.width)
    except AssayError as error:
        found.defect(f"{tile.path} cannot be read: {error.what}{f' ({error.why})' if error.why else ''}")
        return
    for index, (each, computed) in enumerate(zip(kept, row, strict=True)):
        if each != computed:
            span = 1 << tiles.HEIGHT * tile.level
            first = (tile.number * WIDTH + index) * span
            found.defect(f"{tile.path}: its hash over the entries {first} to {first + span - 1} does not follow from them")
            return


def against(pinned: Iterable[Head], now: Checkpoint, subtree: merkle.Subtree) -> list[str]:
    """What speaks against it that the log goes on from each of these checkpoints: by consistency proofs, without reading its entries."""
    found = []
    for head in pinned:
        old = head.checkpoint
        if old.origin != now.origin:
            found.append(f"the checkpoint of {head.place} is of another log: {old.origin[:100]}")
        elif old.size > now.size:
            found.append(f"the log was cut off: it has {now.size} entries, and the checkpoint of {head.place} is of {old.size}")
        else:
            try:
                path = merkle.consistency(old.size, now.size, subtree)
            except AssayError as error:
                found.append(f"it cannot be shown that the log goes on from the checkpoint of {head.place}: {error.what}")
                continue
            if not merkle.is_consistent(old.size, now.size, old.root, now.root, path):
                found.append(f"the log was rewritten: its first {old.size} entries are not those of the checkpoint of {head.place}")
    return found
