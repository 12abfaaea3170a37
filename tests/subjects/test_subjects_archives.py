"""Archives, honest and hostile."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from assaymark.errors import SubjectNotFound, SubjectUnreadable
from assaymark.model.digest import sha256
from assaymark.model.subject import Content, EntryKind, Subject
from assaymark.subjects import archive as limits
from assaymark.subjects import tarred, zipped
from assaymark.subjects.archive import ArchiveSubject
from assaymark.subjects.resolve import ArchiveRequest, open_comparison

FILES = {"pkg/a.py": b"print(1)\n", "pkg/b/c.txt": b"x" * 5000, "empty": b""}
Info = tarfile.TarInfo


def member(name: str, **fields: object) -> Info:
    info = Info(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def tar_of(*members: tuple[Info, bytes], fmt: int = tarfile.PAX_FORMAT) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=fmt, encoding="utf-8", errors="surrogateescape") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return target.getvalue()


def plain_tar() -> bytes:
    return tar_of(*((member(name), data) for name, data in FILES.items()))


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return target.getvalue()


def subject(folder: Path, data: bytes, name: str = "archive") -> ArchiveSubject:
    path = folder / name
    path.write_bytes(data)
    return ArchiveSubject(str(path))


def read(found: Subject, *, limit: int = 1 << 20) -> dict[str, Content]:
    entries = {entry.digest: entry.path for entry in found.entries()}
    reader = found.reader().open()
    return {entries[content.digest]: content for content in reader.read(list(entries), limit=limit)}


PACKS: dict[str, Callable[[bytes], bytes]] = {
    "zip": bytes,
    "tar": bytes,
    "tar.gz": gzip.compress,
    "tar.xz": lzma.compress,
    "tar.bz2": bz2.compress,
}

FORMATS: dict[str, Callable[[], bytes]] = {
    "zip": lambda: zip_of(FILES),
    "stored zip": lambda: zip_of(FILES, zipfile.ZIP_STORED),
    "lzma zip": lambda: zip_of(FILES, zipfile.ZIP_LZMA),
    "self-extracting zip": lambda: b"#!/bin/sh\nexit\n" * 50 + zip_of(FILES),
    "tar": plain_tar,
    "tar.gz": lambda: gzip.compress(plain_tar()),
    "tar.bz2": lambda: bz2.compress(plain_tar()),
    "tar.xz": lambda: lzma.compress(plain_tar()),
    "tar.xz in two streams": lambda: lzma.compress(plain_tar()[:3000]) + b"\0\0\0\0" + lzma.compress(plain_tar()[3000:]),
    "tar.gz in two members": lambda: gzip.compress(plain_tar()[:3000]) + gzip.compress(plain_tar()[3000:]),
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read_without_unpacking(tmp_path: Path, form: str) -> None:
    found = subject(tmp_path, FORMATS[form]())
    assert [entry.path for entry in found.entries()] == sorted(FILES)
    assert {entry.path: entry.digest for entry in found.entries()} == {name: sha256(data) for name, data in FILES.items()}
    assert {name: content.data for name, content in read(found).items()} == FILES
    assert read(found, limit=100)["pkg/b/c.txt"].problem == "too-large"
    assert found.file("pkg/a.py", limit=100) == b"print(1)\n"
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_archives_are_compared_with_archives_folders_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.zip").write_bytes(zip_of({**FILES, "empty": b"not empty\n"}))
    (tmp_path / "new.tgz").write_bytes(gzip.compress(plain_tar()))
    (tmp_path / "folder").mkdir()
    comparison = open_comparison(ArchiveRequest(path="new.tgz", base="old.zip"), cwd=str(tmp_path))
    assert [change.after.path for change in comparison.changes() if change.after] == ["empty"]
    assert comparison.touched_lines([("empty", "empty")]) == {"empty": []}
    assert len(open_comparison(ArchiveRequest(path="new.tgz", base="folder"), cwd=str(tmp_path)).changes()) == 3
    assert len(open_comparison(ArchiveRequest(path="new.tgz"), cwd=str(tmp_path)).changes()) == 3
    with pytest.raises(SubjectNotFound):
        open_comparison(ArchiveRequest(path="absent.tgz"), cwd=str(tmp_path))


@pytest.mark.parametrize("name", ["../up", "a/../../up", "/etc/passwd", "..", "C:\\x", "a\\..\\..\\up", "\\\\server\\share"])
@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_traversal_names_are_refused(tmp_path: Path, name: str, pack: str) -> None:
    data = zip_of({"fine": b"", name: b"x"}) if pack == "zip" else tar_of((member(name), b"x"))
    with pytest.raises(SubjectUnreadable) as caught:
        subject(tmp_path, data)
    assert "outside" in caught.value.why


def test_a_member_below_a_link_is_refused_in_any_order(tmp_path: Path) -> None:
    link = member("dir", type=tarfile.SYMTYPE, linkname="/etc")
    for members in ([(link, b""), (member("dir/passwd"), b"x")], [(member("dir/passwd"), b"x"), (link, b"")]):
        with pytest.raises(SubjectUnreadable) as caught:
            subject(tmp_path, tar_of(*members))
        assert "below a link" in caught.value.why


def test_links_devices_and_hard_links_of_a_tar(tmp_path: Path) -> None:
    found = subject(
        tmp_path,
        tar_of(
            (member("real", mode=0o755), b"content"),
            (member("soft", type=tarfile.SYMTYPE, linkname="../../etc/passwd"), b""),
            (member("hard", type=tarfile.LNKTYPE, linkname="real"), b""),
            (member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
            (member("pipe", type=tarfile.FIFOTYPE), b""),
        ),
    )
    entries = {entry.path: entry for entry in found.entries()}
    assert entries["soft"].kind is EntryKind.SYMLINK
    assert entries["soft"].digest == sha256(b"../../etc/passwd")
    assert entries["hard"].digest == entries["real"].digest == sha256(b"content")
    assert entries["null"].kind is entries["pipe"].kind is EntryKind.SPECIAL
    assert read(found)["soft"].data == b"../../etc/passwd"
    with pytest.raises(SubjectUnreadable) as caught:
        subject(tmp_path, tar_of((member("hard", type=tarfile.LNKTYPE, linkname="absent"), b"")))
    assert "hard link" in caught.value.why


def test_a_name_that_occurs_twice_hides_nothing(tmp_path: Path) -> None:
    found = subject(tmp_path, tar_of((member("a"), b"first"), (member("a"), b"second"), (member("./a"), b"third")))
    assert {name: content.data for name, content in read(found).items()} == {
        "a": b"first",
        "a (occurrence 2)": b"second",
        "a (occurrence 3)": b"third",
    }


def test_undecodable_and_hostile_names(tmp_path: Path) -> None:
    names = [b"\xff\xfe".decode("utf-8", "surrogateescape"), "a\nb", "\x1b[2J"]
    found = subject(tmp_path, tar_of(*((member(name), b"x") for name in names), fmt=tarfile.GNU_FORMAT))
    assert [entry.path for entry in found.entries()] == sorted(names)


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.xz", "tar.bz2"])
def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    monkeypatch.setattr(limits, "RATIO_FLOOR", 1 << 20)
    zeros = bytes(8 << 20)
    data = zip_of({"bomb": zeros}) if form == "zip" else tar_of((member("bomb"), zeros))
    pack = PACKS[form]
    with pytest.raises(SubjectUnreadable) as caught:
        subject(tmp_path, pack(data))
    assert "times its size" in caught.value.why


def test_limits_on_bytes_and_members(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_BYTES", 1000)
    for data in (zip_of(FILES), plain_tar()):
        with pytest.raises(SubjectUnreadable) as caught:
            subject(tmp_path, data)
        assert "larger than" in caught.value.why
    monkeypatch.undo()
    monkeypatch.setattr(limits, "MAX_ENTRIES", 2)
    for data in (zip_of(FILES), plain_tar()):
        with pytest.raises(SubjectUnreadable) as caught:
            subject(tmp_path, data)
        assert "more than 2 members" in caught.value.why


def test_a_zip_with_an_enormous_directory_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipped, "MAX_DIRECTORY", 100)
    with pytest.raises(SubjectUnreadable) as caught:
        subject(tmp_path, zip_of(FILES))
    assert "directory" in caught.value.why


def test_an_enormous_header_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarred, "HEADER_BYTES", 64 << 10)
    info = member("a")
    info.pax_headers = {"comment": "x" * (1 << 20)}
    with pytest.raises(SubjectUnreadable) as caught:
        subject(tmp_path, tar_of((member("first"), bytes(200_000)), (info, b"")))
    assert "headers" in caught.value.why


def test_a_damaged_header_does_not_hide_what_follows(tmp_path: Path) -> None:
    data = bytearray(tar_of((member("a"), b"x" * 512), (member("b"), b"y"), (member("c"), b"z"), fmt=tarfile.USTAR_FORMAT))
    data[1024 + 10] ^= 0xFF
    with pytest.raises(SubjectUnreadable) as caught:
        subject(tmp_path, bytes(data))
    assert "no intact archive" in caught.value.why


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.8])
def test_a_cut_off_archive_is_an_error(tmp_path: Path, form: str, keep: float) -> None:
    files = {f"f{number}": os.urandom(3000) for number in range(20)}
    data = zip_of(files) if form == "zip" else tar_of(*((member(name), content) for name, content in files.items()))
    pack = PACKS[form]
    packed = pack(data)
    with pytest.raises(SubjectUnreadable):
        subject(tmp_path, packed[: int(len(packed) * keep)])


def test_a_damaged_member_of_a_zip_is_unreadable_and_the_others_are_read(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a": b"aaaa", "b": b"bbbb"}, zipfile.ZIP_STORED))
    data[data.index(b"aaaa")] ^= 1
    found = read(subject(tmp_path, bytes(data)))
    assert (found["a"].problem, found["b"].data) == ("unreadable", b"bbbb")


def test_an_encrypted_member_is_unreadable(tmp_path: Path) -> None:
    data = bytearray(zip_of({"a": b"aaaa"}, zipfile.ZIP_STORED))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(magic) + offset] |= 1
    assert read(subject(tmp_path, bytes(data)))["a"].problem == "unreadable"


@pytest.mark.parametrize(
    ("head", "why"),
    [(b"\x28\xb5\x2f\xfd", "zstd"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a\x07", "rar"), (b"", "archive"), (b"text\n", "archive")],
)
def test_what_is_not_read_is_said(tmp_path: Path, head: bytes, why: str) -> None:
    with pytest.raises(SubjectUnreadable) as caught:
        subject(tmp_path, head)
    assert why in caught.value.why


def test_an_archive_inside_an_archive_is_a_file(tmp_path: Path) -> None:
    assert [entry.path for entry in subject(tmp_path, zip_of({"inner.zip": zip_of(FILES)})).entries()] == ["inner.zip"]


def test_an_archive_that_changes_after_it_was_listed(tmp_path: Path) -> None:
    found = subject(tmp_path, zip_of({"a": b"before"}))
    entries = list(found.entries())
    for data in (zip_of({"a": b"after!"}), b"gone", zip_of({})):
        (tmp_path / "archive").write_bytes(data)
        assert [content.problem for content in found.reader().open().read([entries[0].digest], limit=100)] == ["changed"]


def test_an_xz_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    try:
        packed = lzma.compress(plain_tar(), filters=filters)
    except MemoryError:
        pytest.skip("not enough memory to make it")
    with pytest.raises(SubjectUnreadable):
        subject(tmp_path, packed)
