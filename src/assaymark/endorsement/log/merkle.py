"""The tree of RFC 6962, section 2.1: hashes, a frontier that grows, proofs, and their verification (RFC 9162, 2.1.3.2 and 2.1.4.2).

Guarantees: leaves and nodes are hashed apart, so that no node is taken for a leaf; a proof that is too long or too short is refused, not
only one that leads elsewhere. Hashes are 32 bytes of SHA-256. Where hashes of whole subtrees come from is the caller's (`Subtree`): memory,
rows, tiles. Knows nothing of what the leaves say.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

HASH = 32
EMPTY = sha256().digest()
"""Root of the tree without leaves."""

Subtree = Callable[[int, int], bytes]
"""Given a height and a number: hash of the whole subtree over leaves ``[number << height, number + 1 << height)``."""


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def leaf_hashes(data: Iterable[bytes]) -> list[bytes]:
    """Of many at once, in half the time of one by one."""
    hashed = sha256
    return [hashed(b"\0" + each).digest() for each in data]


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """Hashes one level up, of neighbours; a last one without a neighbour is left out."""
    hashed = sha256
    return [hashed(b"\1" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=False)]


class Frontier:
    """What has to be kept of a tree to go on with it: of each whole subtree at its right edge the hash, one per bit of its size."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """At a size, with the hashes of its whole subtrees, the largest first.

        Raises:
            ValueError: when these are not as many as the size needs.
        """
        if size < 0 or len(hashes) != size.bit_count() or any(len(each) != HASH for each in hashes):
            raise ValueError(f"a tree of {size} leaves has {max(size, 0).bit_count()} whole subtrees, not {len(hashes)}")
        heights = [height for height in range(size.bit_length()) if size >> height & 1]
        self._size = size
        self._at: dict[int, bytes] = dict(zip(reversed(heights), hashes, strict=True))

    @property
    def size(self) -> int:
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The largest subtree first."""
        return tuple(self._at[height] for height in sorted(self._at, reverse=True))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Append hashes of leaves."""
        row, height = list(leaves), 0
        self._size += len(row)
        while row:
            waiting = self._at.pop(height, None)
            if waiting is not None:
                row.insert(0, waiting)
            if len(row) % 2:
                self._at[height] = row[-1]
            row = parents(row)
            height += 1

    def append(self, data: Iterable[bytes]) -> None:
        """Append leaves."""
        self.extend(leaf_hashes(data))

    def root(self) -> bytes:
        found = b""
        for height in sorted(self._at):
            found = node_hash(self._at[height], found) if found else self._at[height]
        return found or EMPTY


class Tree:
    """A whole tree in memory: 64 bytes per leaf."""

    def __init__(self, data: Iterable[bytes] = ()) -> None:
        self._levels: list[list[bytes]] = [[]]
        self.append(data)

    @property
    def size(self) -> int:
        return len(self._levels[0])

    def append(self, data: Iterable[bytes]) -> None:
        """Append leaves."""
        self.extend(leaf_hashes(data))

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append hashes of leaves."""
        self._levels[0].extend(leaves)
        height = 0
        while len(self._levels[height]) > 1:
            if height + 1 == len(self._levels):
                self._levels.append([])
            above = self._levels[height + 1]
            above.extend(parents(self._levels[height][2 * len(above) :]))
            height += 1

    def subtree(self, height: int, number: int) -> bytes:
        """A `Subtree`."""
        return self._levels[height][number]


# --- of trees whose whole subtrees can be asked for ------------------------------------------------------------------


def root(size: int, subtree: Subtree) -> bytes:
    """Of the first so many leaves."""
    return _over(0, size, subtree) if size else EMPTY


def frontier(size: int, subtree: Subtree) -> Frontier:
    """Of the first so many leaves."""
    hashes, done = [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            hashes.append(subtree(height, done >> height))
            done += 1 << height
    return Frontier(size, hashes)


def inclusion(index: int, size: int, subtree: Subtree) -> tuple[bytes, ...]:
    """That this leaf stands in the tree of the first so many (RFC 6962, 2.1.1).

    Raises:
        ValueError: when it does not.
    """
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_over(middle, high, subtree))
            high = middle
        else:
            path.append(_over(low, middle, subtree))
            low = middle
    return tuple(reversed(path))


def consistency(first: int, second: int, subtree: Subtree) -> tuple[bytes, ...]:
    """That the tree of the first so many leaves is the beginning of the other (RFC 6962, 2.1.2).

    Raises:
        ValueError: when it cannot be.
    """
    if not 0 <= first <= second:
        raise ValueError(f"a tree of {first} is no beginning of one of {second}")
    path: list[bytes] = []
    low, high, known = 0, second, True
    while 0 < first != high - low:
        middle = low + _split(high - low)
        if first <= middle - low:
            path.append(_over(middle, high, subtree))
            high = middle
        else:
            path.append(_over(low, middle, subtree))
            first, low, known = first - (middle - low), middle, False
    if not known:
        path.append(_over(low, high, subtree))
    return tuple(reversed(path))


def _split(size: int) -> int:
    """The largest power of two below it."""
    return 1 << (size - 1).bit_length() - 1


def _over(low: int, high: int, subtree: Subtree) -> bytes:
    """Hash over these leaves; `low` is where a subtree of at least that size begins."""
    found, sizes = b"", high - low
    end = high
    for height in range(sizes.bit_length()):
        if sizes >> height & 1:
            end -= 1 << height
            whole = subtree(height, end >> height)
            found = node_hash(whole, found) if found else whole
    return found


# --- verification ----------------------------------------------------------------------------------------------------


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], at_root: bytes) -> bool:
    """Whether the path shows that a leaf of this hash stands there in the tree of that root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size or any(len(each) != HASH for each in path):
        return False
    number, last, found = index, size - 1, leaf
    for each in path:
        if last == 0:
            return False
        if number & 1 or number == last:
            found = node_hash(each, found)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            found = node_hash(found, each)
        number, last = number >> 1, last >> 1
    return last == 0 and hmac.compare_digest(found, at_root)


def is_consistent(first: int, second: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path shows that the first tree is the beginning of the second (RFC 9162, 2.1.4.2)."""
    if not 0 <= first <= second or any(len(each) != HASH for each in path):
        return False
    if first == second:
        return not path and hmac.compare_digest(first_root, second_root)
    if first == 0:
        return not path and hmac.compare_digest(first_root, EMPTY)
    steps = [first_root, *path] if first & first - 1 == 0 else list(path)
    if not steps:
        return False
    number, last = first - 1, second - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    old = new = steps[0]
    for each in steps[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            new = node_hash(new, each)
        number, last = number >> 1, last >> 1
    return last == 0 and hmac.compare_digest(old, first_root) and hmac.compare_digest(new, second_root)
