"""Targets of images: what a stranger's archive reaches before and inside the checks."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import zstandard

from assaymark.checks.reading.inventory import DIALECTS, Unreadable, read
from assaymark.formats.go_program import MARK, GoFinder
from assaymark.formats.package_lists import apk_files, conffiles, md5sums, record
from assaymark.formats.parts import DamagedParts, join, split
from assaymark.formats.rpm import DamagedHeader, RpmHeader, files, package
from assaymark.formats.sqlite_pages import NotSqlite, rows
from assaymark.formats.tar_headers import DamagedTar, parse, records
from assaymark.model.check import Dialect
from assaymark.subjects.image.layer import index_layer
from assaymark.subjects.image.subject import ImageSubject
from assaymark.subjects.image.survey import survey

Kind = TypeVar("Kind")

CONFIG = b'{"config": {"User": "", "Env": ["A=b"], "ExposedPorts": {"22/tcp": {}}}, "history": [{"created_by": "ADD http://x/y /z"}]}'
FILES = (
    b'{"rows":[{"path":"a","kind":"file","mode":2541,"uid":0,"gid":0,"capabilities":true,"size":1}],"left_behind":{"apt":1048576},"more":0}'
)
STATUS = b"Package: a\nStatus: install ok installed\nVersion: 1-2\nSource: b (3)\n\nPackage: c\nVersion: 1\n"
APK = b"P:a\nV:1-r0\no:b\nF:bin\nR:x\nZ:Q1p78yvTLG094tHE1+dToJGbmYzQE=\n\n"


def image_targets(fuzzed: Callable[..., Kind]) -> dict[str, Kind]:
    """All of them, as `fuzz_targets.Fuzzed`."""
    header = _rpm_header()
    return {
        "tar header": fuzzed(lambda d: parse(d[:512], {}), (_layer()[:512],), (DamagedTar,)),
        "tar records": fuzzed(records, (b"12 path=ab/c\n10 size=4\n",), (DamagedTar,)),
        "image layer": fuzzed(_index, (_layer(), gzip.compress(_layer()), zstandard.ZstdCompressor().compress(_layer()))),
        "image archive": fuzzed(_archive, (_docker(),)),
        "sqlite pages": fuzzed(lambda d: list(rows(d, "Packages")), (_sqlite(header),), (NotSqlite,)),
        "rpm header": fuzzed(_rpm, (header,), (DamagedHeader,)),
        "package lists": fuzzed(
            lambda d: [list(lists(d)) for lists in (md5sums, conffiles, apk_files, record)],
            (STATUS, APK, b"a,sha256=" + b"x" * 43 + b",1\n"),
        ),
        "parts": fuzzed(split, (join({"a": b"b", "c": b"d"}),), (DamagedParts,)),
        "go program": fuzzed(_go, (MARK + b"\x08\x02" + bytes(16) + b"\x04go1.\x22" + b"x" * 34,)),
        **{f"inventory {d}": fuzzed(_inventory(d), _SEEDS[d], (Unreadable,)) for d in DIALECTS},
    }


_SEEDS = {
    "dpkg-status": (STATUS, join({"status": STATUS, "os-release": b'ID=debian\nVERSION_ID="12"\n'})),
    "apk-installed": (APK, join({"installed": APK, "os-release": b"ID=alpine\nVERSION_ID=3.19.1\n"})),
    "rpm-sqlite": (b"SQLite format 3\0" + bytes(1000),),
    "dist-info": (b"Metadata-Version: 2.1\nName: a\nVersion: 1\n\ntext\n",),
    "node-module": (b'{"name": "a", "version": "1"}',),
    "jar": (b"PK\x05\x06" + bytes(18),),
    "go-buildinfo": (b"go1.22\nmod\ta\tv1\th1:x\n=>\tb\tv2\th1:y\n",),
}


def _inventory(dialect: str) -> Callable[[bytes], object]:
    return lambda data: read(Dialect(dialect), data)


def _go(data: bytes) -> object:
    finder = GoFinder()
    for at in range(0, len(data), 7):
        finder.feed(memoryview(data)[at : at + 7])
    return finder.text


def _rpm(data: bytes) -> object:
    header = RpmHeader(data)
    return list(files(header)), package(header)


def _index(data: bytes) -> object:
    """The diff-id is made to fit, so that what lies behind it is reached; a packed stream that is damaged is refused before."""
    plain = data
    if data.startswith(b"\x1f\x8b"):
        with contextlib.suppress(OSError, EOFError, ValueError, zlib.error):
            plain = gzip.decompress(data)
    else:
        data = plain = _with_checksums(data)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        diff_id = "sha256:" + hashlib.sha256(plain).hexdigest()
        found = index_layer(file.fileno(), 0, len(data), diff_id=diff_id, shown="layer")
    return survey([found, found], CONFIG, "image")


def _with_checksums(data: bytes) -> bytes:
    """Headers that were changed get the right checksum again; otherwise nothing behind it would be reached."""
    changed = bytearray(data)
    for at in range(0, len(changed) - 511, 512):
        if changed[at + 257 : at + 262] == b"ustar":
            changed[at + 148 : at + 156] = b" " * 8
            changed[at + 148 : at + 156] = b"%06o\0 " % sum(changed[at : at + 512])
    return bytes(changed)


_FOLDER = tempfile.mkdtemp()


def _archive(data: bytes) -> object:
    path = Path(_FOLDER) / f"{os.getpid()}.tar"
    path.write_bytes(data)
    found = ImageSubject(str(path), cache="")
    return list(found.reader().open().read([entry.digest for entry in found.entries()], limit=1 << 20))


def _layer() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, link in (
            ("d", tarfile.DIRTYPE, ""),
            ("d/l", tarfile.SYMTYPE, "../d"),
            ("d/l/f", tarfile.REGTYPE, ""),
            ("h", tarfile.LNKTYPE, "d/f"),
            ("d/.wh.x", tarfile.REGTYPE, ""),
            ("n" * 150, tarfile.REGTYPE, ""),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, 12 if kind == tarfile.REGTYPE else 0
            archive.addfile(info, io.BytesIO(b"x = 1\ny = 2\n"))
    return target.getvalue()


def _docker() -> bytes:
    layer = _layer()
    config = json.dumps({"rootfs": {"diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}).encode()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l.tar"]}]).encode()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in (("manifest.json", manifest), ("c.json", config), ("l.tar", layer)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def _rpm_header() -> bytes:
    tags: list[tuple[int, int, list[bytes]]] = [
        (1000, 6, [b"alpha\0"]),
        (1001, 6, [b"1.2\0"]),
        (1002, 6, [b"3\0"]),
        (1035, 8, [b"00ff\0"]),
        (1116, 4, [bytes(4)]),
        (1117, 8, [b"f\0"]),
        (1118, 8, [b"/usr/\0"]),
    ]
    index, store = b"", b""
    for tag, kind, values in tags:
        index += b"".join(number.to_bytes(4, "big") for number in (tag, kind, len(store), len(values)))
        store += b"".join(values)
    return len(tags).to_bytes(4, "big") + len(store).to_bytes(4, "big") + index + store


def _sqlite(blob: bytes) -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("pragma page_size=512")
    database.execute("create table Packages (hnum integer primary key, blob blob)")
    database.executemany("insert into Packages (blob) values (?)", [(blob * 4,)] * 5)
    database.commit()
    data = database.serialize()
    database.close()
    return data
