"""What Go's linker writes into every program: the version of Go and the modules, as ``go version -m`` prints them (Go 1.18 and later).

Found by its mark while a program goes by in pieces, so that a program of any size costs one look. Pure.
"""

from __future__ import annotations

MARK = b"\xff Go buildinf:"
LONGEST = 1 << 20
"""Of the text; programs with a thousand modules have 100 KB."""
_HEADER = 32
_INLINE = 0x2
_SENTINEL = 16
"""Bytes before and behind the modules, by which a running program finds them."""


class GoFinder:
    """Looks for the text in pieces that come one behind the other."""

    def __init__(self) -> None:
        self.text = b""
        """Version, then the modules; empty until they are found."""
        self._held = b""
        self._found = False

    def feed(self, piece: memoryview) -> None:
        """The next piece of the program."""
        if self.text:
            return
        data = self._held + bytes(piece)
        while True:
            at = 0 if self._found else data.find(MARK)
            if at < 0:
                self._held = data[-len(MARK) + 1 :]
                return
            data = data[at:]
            self._found = True
            wanted = _needed(data)
            if wanted > len(data) and wanted <= LONGEST:
                self._held = data
                return
            self._found = False
            self.text = _parsed(data) if wanted <= LONGEST else b""
            if self.text:
                self._held = b""
                return
            data = data[1:]


def _needed(data: bytes) -> int:
    """Bytes from the mark on until the text ends, as far as can be told; more than there are while it cannot."""
    if len(data) < _HEADER + 10:
        return _HEADER + 10
    first, at = _length(data, _HEADER)
    at += first
    if at > LONGEST:
        return LONGEST + 1
    if len(data) < at + 10:
        return at + 10
    second, at = _length(data, at)
    return at + second


def _parsed(data: bytes) -> bytes:
    if not data[15] & _INLINE:
        return b""  # before Go 1.18 there are addresses here, which only whoever loads the program can follow
    size, at = _length(data, _HEADER)
    version = data[at : at + size]
    size, at = _length(data, at + size)
    modules = data[at : at + size]
    if not version.startswith(b"go") or not version.isascii():
        return b""
    inner = modules[_SENTINEL:-_SENTINEL] if len(modules) > 2 * _SENTINEL else b""
    return version.split(b"\n")[0] + b"\n" + inner


def _length(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for count in range(10):
        byte = data[at + count]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at + count + 1
        shift += 7
    return LONGEST + 1, at + 10
