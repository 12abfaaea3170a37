"""One pass over a layer: is it what its name says, and what does it hold?

Guarantees
* the SHA-256 of the unpacked stream is the layer's diff-id, or the layer is refused;
* every member is listed with name, kind, rights, owner, size, target and the SHA-256 of its content; nothing is written anywhere;
* what a few well-known names hold (`KEPT`) is kept, within bounds, because the image cannot be understood without it.

Names are as the archive writes them, cleaned of ``.`` and ``..``; what they mean in the image is decided by
`assaymark.subjects.image.tree`. Hashing runs beside unpacking in threads that end with the pass: whoever forks later has none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from queue import Queue
from threading import Thread

from msgspec import Struct

from assaymark.errors import SubjectUnreadable
from assaymark.formats.go_program import GoFinder
from assaymark.formats.tar_headers import (
    BLOCK,
    EXTENSIONS,
    HARD_LINK,
    LONG_LINK,
    LONG_NAME,
    PAX,
    PAX_GLOBAL,
    REGULAR,
    DamagedTar,
    Header,
    is_end,
    parse,
    records,
)
from assaymark.subjects.archive import MAX_ENTRIES, refused
from assaymark.subjects.image.unpacking import unpacked
from assaymark.subjects.listing import printable_name, text

EXTENSION_BYTES = 1 << 20
"""Of one extended header: file systems end names at 4 KiB, and extended attributes of honest files are a few kilobytes."""
KEPT_BYTES = 256 << 20
"""Of all contents kept: the package database of a large rpm image has 60 MB."""
LONGEST_NAME = 4096
HEAD = 8192
"""Bytes in which a NUL tells a binary; the same as for the checks that read text."""

KEPT = re.compile(
    rb"var/lib/dpkg/(?:status|status\.d/[^/]+|info/[^/]+\.md5sums)\Z"
    rb"|(?:usr/)?lib/apk/db/installed\Z"
    rb"|(?:var|usr)/lib/(?:sysimage/)?rpm/(?:rpmdb\.sqlite(?:-wal)?|Packages(?:\.db)?)\Z"
    rb"|(?:etc|usr/lib)/os-release\Z"
    rb"|(?:.*/)?(?:site|dist)-packages/[^/]+\.dist-info/RECORD\Z"
)
"""Package managers' own records: which packages there are, and which files are theirs."""


class Item(Struct, array_like=True, frozen=True):
    """One member of a layer."""

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    size: int
    start: int
    """Where its content begins in the unpacked layer."""
    link: bytes
    digest: bytes
    """SHA-256 of the content; empty for what has none."""
    proof: bytes
    """For text: MD5 and SHA-1, in which package managers say what their files are; empty for binary content."""
    flags: int

    @property
    def is_sparse(self) -> bool:
        return bool(self.flags & SPARSE)

    @property
    def is_text(self) -> bool:
        return bool(self.proof)


SPARSE, CAPABLE = 1, 2


class LayerIndex(Struct, frozen=True):
    """What a layer holds."""

    diff_id: str
    """``sha256:<hex>`` of the unpacked stream."""
    size: int
    """Bytes of the unpacked stream."""
    items: list[Item]
    kept: dict[bytes, bytes]
    """Content by its SHA-256, for names in `KEPT`."""
    built: dict[bytes, bytes]
    """What Go programs say they were built from, by the SHA-256 of the program."""


def index_layer(file: int, offset: int, length: int, *, diff_id: str, shown: str) -> LayerIndex:
    """Read a layer once.

    Args:
        file: the open file that holds it.
        offset: where it begins there.
        length: its packed bytes.
        diff_id: what it must be.
        shown: what errors call it.

    Raises:
        SubjectUnreadable: when it is damaged, hostile, or not what its diff-id says.
    """
    stream = _Hashed(unpacked(file, offset, length, shown))
    try:
        scan = _Scan(stream, shown)
        try:
            scan.run()
        except DamagedTar as error:
            raise refused(shown, f"it is no intact archive: {error}", "fetch it again") from error
        found = stream.finish()
    finally:
        stream.close()
    if found != diff_id:
        raise mismatch(shown, diff_id, found)
    return LayerIndex(diff_id=diff_id, size=stream.total, items=scan.items, kept=scan.kept, built=scan.built)


def verify_layer(file: int, offset: int, length: int, *, diff_id: str, shown: str) -> None:
    """Only compare a layer with its diff-id: what it holds is known.

    Raises:
        SubjectUnreadable: like `index_layer`.
    """
    seal = hashlib.sha256()
    for piece in unpacked(file, offset, length, shown):
        seal.update(piece)
    found = "sha256:" + seal.hexdigest()
    if found != diff_id:
        raise mismatch(shown, diff_id, found)


def mismatch(shown: str, expected: str, found: str) -> SubjectUnreadable:
    """The error for content that is not what its name says."""
    return refused(
        shown,
        f"its content is {found[:19]}… and not {expected[:19]}… as the image says",
        "fetch the image again; if it stays so, do not run it",
    )


class _Hashed:
    """A stream of pieces that is unpacked in one thread and hashed in another, while the caller looks at it."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._ready: Queue[bytes | BaseException | None] = Queue(4)
        self._sealing: Queue[bytes | None] = Queue(4)
        self._seal = hashlib.sha256()
        self._stopped = False
        self.total = 0
        self._threads = (Thread(target=self._unpack, daemon=True), Thread(target=self._hash, daemon=True))
        for thread in self._threads:
            thread.start()

    def _unpack(self) -> None:
        try:
            for piece in self._pieces:
                if self._stopped:
                    break
                self._sealing.put(piece)
                self._ready.put(piece)
        except BaseException as error:  # noqa: BLE001 - handed to whoever reads
            self._ready.put(error)
        finally:
            self._sealing.put(None)
            self._ready.put(None)

    def _hash(self) -> None:
        while (piece := self._sealing.get()) is not None:
            self._seal.update(piece)

    def next(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            SubjectUnreadable: what unpacking met.
        """
        piece = self._ready.get()
        if isinstance(piece, BaseException):
            raise piece
        if piece is None:
            self._ready.put(None)
            return b""
        self.total += len(piece)
        return piece

    def finish(self) -> str:
        """The digest, after the rest of the stream."""
        while self.next():
            pass
        self._threads[1].join()
        return "sha256:" + self._seal.hexdigest()

    def close(self) -> None:
        """End both threads, wherever they are."""
        self._stopped = True
        while self._threads[0].is_alive():
            while not self._ready.empty():
                self._ready.get()
            self._threads[0].join(0.001)
        self._threads[1].join()


class _Scan:
    """The walk over a layer's members."""

    def __init__(self, stream: _Hashed, shown: str) -> None:
        self._stream = stream
        self._shown = shown
        self._piece = memoryview(b"")
        self._at = 0
        """Position in the piece."""
        self._before = 0
        """Bytes of the stream before the piece."""
        self._kept_bytes = 0
        self.items: list[Item] = []
        self.kept: dict[bytes, bytes] = {}
        self.built: dict[bytes, bytes] = {}

    def run(self) -> None:
        """List every member; stops at the end mark, or where the stream ends between two members.

        Half an end mark with something behind it is damage, as it is for container runtimes: nothing hides there.
        """
        whole: dict[bytes, bytes] = {}
        extended: dict[bytes, bytes] = {}
        while True:
            block = self._take(BLOCK)
            if not block:
                return
            if is_end(block):
                second = self._take(BLOCK)
                if second and not is_end(second):
                    raise DamagedTar("it goes on behind half an end mark")
                return
            header = parse(block, extended)
            if header.kind in EXTENSIONS:
                self._extension(header, extended, whole)
                continue
            while header.more_sparse:
                header.more_sparse = self._exactly(BLOCK)[504] != 0
            self.items.append(self._item(header))
            extended = dict(whole)
            if len(self.items) > MAX_ENTRIES:
                raise refused(self._shown, f"it has more than {MAX_ENTRIES} members")

    def _extension(self, header: Header, extended: dict[bytes, bytes], whole: dict[bytes, bytes]) -> None:
        if header.size > EXTENSION_BYTES:
            raise refused(self._shown, f"an extended header is longer than {EXTENSION_BYTES >> 20} MiB")
        data = self._exactly(header.padded)[: header.size]
        match header.kind:
            case key if key == LONG_NAME:
                extended[b"path"] = data.partition(b"\0")[0]
            case key if key == LONG_LINK:
                extended[b"linkpath"] = data.partition(b"\0")[0]
            case key if key == PAX:
                extended.update(records(data))
            case key if key == PAX_GLOBAL:
                whole.update(records(data))
                extended.update(whole)

    def _item(self, header: Header) -> Item:
        name = self._confined(header.name)
        start = self._before + self._at
        digest = proof = b""
        link = header.link
        if len(link) > LONGEST_NAME:
            raise refused(self._shown, f"a link in it is longer than {LONGEST_NAME} bytes")
        if header.kind == REGULAR:
            digest, proof = self._content(header, name)
        elif header.size:
            self._skip(header.padded)
        if header.kind == HARD_LINK:
            link = self._confined(link)
        flags = (SPARSE if header.sparse else 0) | (CAPABLE if header.capabilities else 0)
        return Item(name, header.kind, header.mode, header.uid, header.gid, header.size, start, link, digest, proof, flags)

    def _confined(self, name: bytes) -> bytes:
        """A name relative to the image's root."""
        if len(name) > LONGEST_NAME:
            raise refused(self._shown, f"a name in it is longer than {LONGEST_NAME} bytes")
        if b"\0" in name:
            raise refused(self._shown, "a name in it holds a NUL byte")
        if b"//" not in name and b"." not in name and not name.startswith(b"/"):
            return name.rstrip(b"/")
        parts: list[bytes] = []
        for part in name.split(b"/"):
            if part == b".." and not parts:
                raise refused(self._shown, f"its member {printable_name(text(name))} would be written outside of it")
            if part == b"..":
                parts.pop()
            elif part not in {b"", b"."}:
                parts.append(part)
        return b"/".join(parts)

    def _content(self, header: Header, name: bytes) -> tuple[bytes, bytes]:
        """The digest of a content, and for text the digests of other kinds; keeps what is in `KEPT`."""
        keep = bytearray() if header.size <= KEPT_BYTES and KEPT.match(name) else None
        left = header.size
        first = self._view(left)
        # A head that is cut short by the end of a piece only means a longer look at a binary, never a text that is not proved.
        is_text = 0 not in bytes(first[:HEAD])
        seals = [hashlib.sha256()]
        if is_text:
            seals += [hashlib.md5(usedforsecurity=False), hashlib.sha1(usedforsecurity=False)]
        go = GoFinder() if not is_text and header.mode & 0o111 else None
        view = first
        while True:
            for seal in seals:
                seal.update(view)
            if keep is not None:
                keep += view
            if go is not None:
                go.feed(view)
            left -= len(view)
            if not left:
                break
            view = self._view(left)
        self._skip(header.padded - header.size)
        digest = seals[0].digest()
        if keep is not None:
            self._keep(self.kept, digest, bytes(keep))
        if go is not None and go.text:
            self._keep(self.built, digest, go.text)
        return digest, seals[1].digest() + seals[2].digest() if is_text else b""

    def _keep(self, where: dict[bytes, bytes], digest: bytes, content: bytes) -> None:
        if digest in where:
            return
        self._kept_bytes += len(content)
        if self._kept_bytes > KEPT_BYTES:
            raise refused(self._shown, f"its package databases are larger than {KEPT_BYTES >> 20} MiB")
        where[digest] = content

    # --- bytes ----------------------------------------------------------------------------------------------------------

    def _view(self, most: int) -> memoryview:
        """Up to so many bytes, without copying; at least one unless none are asked for."""
        if not most:
            return memoryview(b"")
        if self._at == len(self._piece) and not self._more():
            raise DamagedTar("it ends within a member")
        view = self._piece[self._at : self._at + most]
        self._at += len(view)
        return view

    def _more(self) -> bool:
        self._before += len(self._piece)
        self._piece = memoryview(self._stream.next())
        self._at = 0
        return bool(self._piece)

    def _take(self, size: int) -> bytes:
        """So many bytes, or none at the end of the stream."""
        if self._at + size <= len(self._piece):
            block = bytes(self._piece[self._at : self._at + size])
            self._at += size
            return block
        if self._at == len(self._piece) and not self._more():
            return b""
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            data += self._view(size - len(data))
        return bytes(data)

    def _skip(self, size: int) -> None:
        while size:
            size -= len(self._view(size))
