"""Rows of one table of an SQLite database, from its bytes: https://www.sqlite.org/fileformat2.html, sections 1 and 2.

Pure, and no SQL: a hostile database has no views, triggers or expressions to run here. Guarantees: every page is read at most once, so
the work is bounded by the size. Not read: indexes, tables without rowid, text in other encodings than UTF-8, and what only stands in a
write-ahead log.
"""

from __future__ import annotations

from collections.abc import Iterator

Value = int | bytes | None
"""Text comes as its bytes; numbers with a fraction as None."""

_MAGIC = b"SQLite format 3\0"
_INNER, _LEAF = 5, 13
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}


class NotSqlite(ValueError):  # noqa: N818 - a state of the bytes
    """No database, or a damaged one."""


def rows(data: bytes, table: str) -> Iterator[tuple[int, tuple[Value, ...]]]:
    """(rowid, columns) of a table.

    Raises:
        NotSqlite: when it is damaged or has no such table.
    """
    try:
        yield from _Pages(data).table(table)
    except (IndexError, RecursionError) as error:
        raise NotSqlite("the database is damaged") from error


class _Pages:
    def __init__(self, data: bytes) -> None:
        if len(data) < 512 or not data.startswith(_MAGIC):
            raise NotSqlite("it is no SQLite database")
        self._data = data
        self._size = int.from_bytes(data[16:18], "big")
        self._size = 65536 if self._size == 1 else self._size
        if self._size < 512 or self._size & (self._size - 1):
            raise NotSqlite("its page size is impossible")
        self._usable = self._size - data[20]
        if self._usable < 480:
            raise NotSqlite("its pages have no room")
        self._seen: set[int] = set()

    def table(self, name: str) -> Iterator[tuple[int, tuple[Value, ...]]]:
        for _, columns in self._walk(1):
            if len(columns) >= 4 and columns[0] == b"table" and columns[1] == name.encode() and isinstance(columns[3], int):
                yield from self._walk(columns[3])
                return
        raise NotSqlite(f"it has no table {name}")

    def _page(self, number: int) -> bytes:
        if number in self._seen:
            raise NotSqlite("its pages lead in circles")
        self._seen.add(number)
        start = (number - 1) * self._size
        page = self._data[start : start + self._size] if number > 0 else b""
        if len(page) < self._size:
            raise NotSqlite("it ends too early")
        return page

    def _walk(self, root: int) -> Iterator[tuple[int, tuple[Value, ...]]]:
        waiting = [root]
        while waiting:
            number = waiting.pop()
            page = self._page(number)
            head = 100 if number == 1 else 0
            count = int.from_bytes(page[head + 3 : head + 5], "big")
            if page[head] == _INNER:
                cells = [self._pointer(page, head + 12 + 2 * n) for n in range(count)]
                children = [int.from_bytes(page[cell : cell + 4], "big") for cell in cells]
                waiting += [int.from_bytes(page[head + 8 : head + 12], "big"), *reversed(children)]
            elif page[head] == _LEAF:
                for n in range(count):
                    yield self._cell(page, self._pointer(page, head + 8 + 2 * n))
            else:
                raise NotSqlite("a page of the table is of another kind")

    @staticmethod
    def _pointer(page: bytes, at: int) -> int:
        return int.from_bytes(page[at : at + 2], "big")

    def _cell(self, page: bytes, at: int) -> tuple[int, tuple[Value, ...]]:
        length, at = _varint(page, at)
        row, at = _varint(page, at)
        most = self._usable - 35
        if length <= most:
            payload = page[at : at + length]
        else:
            least = (self._usable - 12) * 32 // 255 - 23
            local = least + (length - least) % (self._usable - 4)
            local = local if local <= most else least
            payload = page[at : at + local] + self._overflow(int.from_bytes(page[at + local : at + local + 4], "big"), length - local)
        if len(payload) < length:
            raise NotSqlite("a row ends too early")
        return row, _record(payload)

    def _overflow(self, number: int, left: int) -> bytes:
        if left > len(self._data):
            raise NotSqlite("a row is longer than the database")
        parts = []
        while left > 0:
            page = self._page(number)
            part = page[4 : min(self._usable, left + 4)]
            parts.append(part)
            left -= len(part)
            number = int.from_bytes(page[:4], "big")
        return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for count in range(9):
        byte = data[at + count]
        if count == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + count + 1
    raise NotSqlite("a number is too long")


def _record(payload: bytes) -> tuple[Value, ...]:
    end, at = _varint(payload, 0)
    body = end
    values: list[Value] = []
    while at < end:
        kind, at = _varint(payload, at)
        size = _INTEGERS.get(kind, 8 if kind == 7 else (kind - 12) // 2 if kind >= 12 else 0)
        part = payload[body : body + size]
        if len(part) < size:
            raise NotSqlite("a column ends too early")
        body += size
        if kind in _INTEGERS:
            values.append(int.from_bytes(part, "big", signed=True))
        elif kind in {8, 9}:
            values.append(kind - 8)
        else:
            values.append(part if kind >= 12 else None)
    return tuple(values)
