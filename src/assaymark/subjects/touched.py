"""Which lines of the new side a change wrote. For display and blame only: it never decides whether a finding is new.

Lines end with a line feed; ranges count from 1 and include both ends. Binary content has no lines. Bounded: content that is too large or
too different for an exact answer gives one range that covers every change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

Ranges = list[tuple[int, int]]

DIFF_CELLS = 4_000_000
"""Lines before times lines after, beyond which the differing middle is one range: difflib is quadratic in the worst case."""

_BINARY_HEAD = 8000
"""git's own rule: a NUL byte in the first 8,000 bytes."""


def is_binary(data: bytes) -> bool:
    """What git takes for binary."""
    return b"\0" in data[:_BINARY_HEAD]


def between(before: bytes, after: bytes) -> Ranges:
    """Line ranges of `after` that are not in `before`."""
    if before == after or is_binary(after):
        return []
    old, new = [] if is_binary(before) else _lines(before), _lines(after)
    start, stop = _common(old, new)
    old_middle, new_middle = old[start : len(old) - stop], new[start : len(new) - stop]
    if not new_middle:
        return []
    if not old_middle or len(old_middle) * len(new_middle) > DIFF_CELLS:
        return [(start + 1, start + len(new_middle))]
    return _middle(old_middle, new_middle, start)


def _lines(data: bytes) -> list[bytes]:
    *lines, last = data.split(b"\n")
    ended = [line + b"\n" for line in lines]
    return [*ended, last] if last else ended


def _common(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[int, int]:
    """How many lines both begin and end with."""
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and old[start] == new[start]:
        start += 1
    stop = 0
    while stop < shorter - start and old[-1 - stop] == new[-1 - stop]:
        stop += 1
    return start, stop


def _middle(old: Sequence[bytes], new: Sequence[bytes], offset: int) -> Ranges:
    from difflib import SequenceMatcher  # noqa: PLC0415 - not on the path of a hook

    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(offset + b1 + 1, offset + b2) for tag, _, _, b1, b2 in blocks if tag in {"insert", "replace"}]


def whole(after: bytes) -> Ranges:
    """The range of a file that is all new."""
    return between(b"", after)


def in_patches(patch: bytes, files: Iterable[tuple[str, int]]) -> dict[str, Ranges]:
    """Ranges from the patch text of ``git diff-* --patch -U0``.

    Args:
        patch: patch sections in the order of `files`. Names are not read from it: they are quoted there in several ways.
        files: path and number of sections (2 where a file became a link or the reverse: git writes a removal and an addition).
    """
    sections = _sections(patch)
    found: dict[str, Ranges] = {}
    for path, count in files:
        ranges = found.setdefault(path, [])
        for _ in range(count):
            ranges.extend(next(sections, []))
    return found


def _sections(patch: bytes) -> Iterator[Ranges]:
    """One list of ranges per ``diff --git`` header; lines of content always begin with a sign."""
    current: Ranges | None = None
    for line in patch.split(b"\n"):
        if line.startswith(b"diff --git "):
            if current is not None:
                yield current
            current = []
        elif line.startswith(b"@@ ") and current is not None:
            start, count = _written(line)
            if count > 0:
                current.append((start, start + count - 1))
    if current is not None:
        yield current


_HUNK = re.compile(rb"@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")


def _written(hunk: bytes) -> tuple[int, int]:
    """Start and number of the lines that a hunk writes; nothing for what is no header of a hunk."""
    header = _HUNK.match(hunk)
    return (int(header[1]), int(header[2] or 1)) if header else (0, 0)
