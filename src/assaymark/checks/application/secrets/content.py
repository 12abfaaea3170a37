"""Bytes as text: what is readable, and where an offset stands for a person.

Guarantees that offsets into `readable(...)` and the spans of `Lines` belong together, whatever bytes are inside.
Does not guess single-byte encodings: bytes that are no UTF-8 count as one column each.
"""

from __future__ import annotations

from assaymark.model.finding import Span

BINARY_PROBE = 8192
"""Git's own rule: a NUL in the first 8 KiB (git says 8000 bytes) makes a file binary."""

_BOMS = ((b"\xff\xfe\x00\x00", "utf-32-le"), (b"\x00\x00\xfe\xff", "utf-32-be"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))


def readable(content: bytes) -> bytes | None:
    """The text as UTF-8 (or the bytes as they are), without byte order mark; None when it is binary."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")):
        for mark, encoding in _BOMS:
            if content.startswith(mark):
                return content[len(mark) :].decode(encoding, "replace").encode("utf-8", "replace")
    if b"\0" in content[:BINARY_PROBE]:
        return None
    return content[3:] if content.startswith(b"\xef\xbb\xbf") else content


class TooManyPlaces(Exception):  # noqa: N818 - an outcome of looking, not a failure of the program
    """A text asks for more work than is bounded. Nothing is said of it then: half an answer would look like a whole one."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"More than {most:,} lines look as if they could hold a credential: this is bulk data. Split the file, or exclude it by policy."
        )


class Lines:
    """Line numbers and columns of a text. Fast when asked in ascending order: newlines are counted from the last answer on."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._known = (0, 1)

    def number(self, offset: int) -> int:
        """Line of an offset, from 1."""
        place, number = self._known
        if offset < place:
            place, number = 0, 1
        number += self._data.count(b"\n", place, offset)
        self._known = (offset, number)
        return number

    def bounds(self, offset: int) -> tuple[int, int]:
        """First offset and end (without line break) of the line that holds an offset."""
        start = self._data.rfind(b"\n", 0, offset) + 1
        end = self._data.find(b"\n", offset)
        return start, len(self._data) if end < 0 else end

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1; columns in code points."""
        start = self._data.rfind(b"\n", 0, offset) + 1
        return self.number(offset), 1 + len(self._data[start:offset].decode("utf-8", "surrogateescape"))

    def span(self, start: int, end: int) -> Span:
        """The region between two offsets."""
        return Span(*self.position(start), *self.position(end))


def line_around(data: bytes, offset: int, reach: int) -> tuple[int, int]:
    """Bounds of the line that holds an offset, cut to `reach` bytes on each side: a minified file is one line."""
    floor = max(0, offset - reach)
    ceiling = min(len(data), offset + reach)
    start = data.rfind(b"\n", floor, offset) + 1 or floor
    end = data.find(b"\n", offset, ceiling)
    return start, ceiling if end < 0 else end
