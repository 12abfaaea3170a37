"""Images as subjects: layers upon layers, what is deleted, what is hostile, and what is remembered."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import random
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.images.image_builder import (
    PACKS,
    config_of,
    docker_archive,
    file,
    folder,
    hard,
    link,
    member,
    oci_archive,
    oci_blobs,
    oci_folder,
    sha,
    tar_of,
)

from assaymark.errors import AssayError, SubjectNotFound, SubjectUnreadable
from assaymark.model.subject import Buries, Content, EntryKind
from assaymark.subjects.image import layer as layer_limits
from assaymark.subjects.image import places as place_limits
from assaymark.subjects.image import proving
from assaymark.subjects.image import tree as tree_limits
from assaymark.subjects.image.places import looks_like_image
from assaymark.subjects.image.subject import ImageSubject
from assaymark.subjects.resolve import ImageRequest, open_comparison

BASE = (folder("etc"), file("etc/conf", b"one\n"), file("etc/other", b"other\n"), folder("app"), file("app/run", b"#!/bin/sh\n", 0o755))


def names(subject: ImageSubject) -> dict[str, EntryKind]:
    return {entry.path: entry.kind for entry in subject.entries() if "//" not in entry.path}


def contents(subject: ImageSubject, *, limit: int = 1 << 20) -> dict[str, Content]:
    paths = {entry.digest: entry.path for entry in (*subject.entries(), *subject.buried())}
    reader = subject.reader().open()
    try:
        return {paths[content.digest]: content for content in reader.read(list(paths), limit=limit)}
    finally:
        reader.close()


def of_layers(tmp_path: Path, *layers: Sequence[tuple[tarfile.TarInfo, bytes]], cache: str = "") -> ImageSubject:
    return ImageSubject(str(docker_archive(tmp_path / "image.tar", [tar_of(*members) for members in layers])), cache=cache)


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("make", [oci_folder, oci_archive], ids=["folder", "archive"])
def test_every_form_gives_the_same_names_and_contents(tmp_path: Path, pack: str, make: Callable[..., Path]) -> None:
    layers = [tar_of(*BASE, file("big", bytes(range(256)) * 20_000)), tar_of(file("etc/conf", b"two\n"))]
    found = ImageSubject(str(make(tmp_path / "image", layers, pack)), cache=str(tmp_path / "cache"))
    plain = ImageSubject(str(docker_archive(tmp_path / "image.tar", layers)))
    assert list(found.entries()) == list(plain.entries())
    assert found.ref.digest == plain.ref.digest
    assert {path: content.data for path, content in contents(found, limit=9 << 20).items()} == {
        path: content.data for path, content in contents(plain, limit=9 << 20).items()
    }
    assert contents(found)["etc/conf"].data == b"two\n"
    assert contents(found)["big"].problem == "too-large"


def test_packed_archive_is_an_image_too(tmp_path: Path) -> None:
    plain = docker_archive(tmp_path / "image.tar", [tar_of(*BASE)])
    packed = tmp_path / "image.tar.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert looks_like_image(str(packed))
    assert list(ImageSubject(str(packed)).entries()) == list(ImageSubject(str(plain)).entries())
    assert contents(ImageSubject(str(packed)))["etc/conf"].data == b"one\n"


def test_packed_archive_of_something_else_is_none(tmp_path: Path) -> None:
    for number, members in enumerate(([folder("."), file("./a", b"a")], [file("manifest.json", b"{}")], [file("blobs", b"x")])):
        path = tmp_path / f"{number}.tar.gz"
        path.write_bytes(gzip.compress(tar_of(*members)))
        assert not looks_like_image(str(path))
    layer = tar_of(*BASE)
    blobs = oci_blobs([layer])
    for number, first in enumerate(["index.json", "oci-layout", min(name for name in blobs if "/" in name)]):
        path = tmp_path / f"image{number}.tar.gz"
        ordered = [first, *(name for name in blobs if name != first)]
        path.write_bytes(gzip.compress(tar_of(folder("."), *(file(f"./{name}", blobs[name]) for name in ordered))))
        assert looks_like_image(str(path))


def test_whiteouts_take_away_what_lower_layers_gave_and_nothing_of_their_own(tmp_path: Path) -> None:
    upper = (file("etc/new", b"new"), file("etc/.wh.conf"), file("app/.wh..wh..opq"), file("app/own", b"own"), file(".wh..wh.plnk/1.2"))
    found = of_layers(tmp_path, BASE, upper)
    assert set(names(found)) == {"etc/new", "etc/other", "app/own"}
    assert isinstance(found, Buries)
    assert [entry.path for entry in found.buried()] == ["app/run", "etc/conf"]
    assert contents(found)["etc/conf"].data == b"one\n"


def test_opaque_mark_behind_its_own_files_does_not_take_them(tmp_path: Path) -> None:
    found = of_layers(tmp_path, BASE, (file("app/own", b"own"), file("app/.wh..wh..opq")))
    assert "app/own" in names(found)
    assert "app/run" not in names(found)


def test_replaced_content_is_buried_unless_it_stands_elsewhere(tmp_path: Path) -> None:
    found = of_layers(tmp_path, BASE, (file("etc/conf", b"two\n"), file("etc/other", b"changed"), file("copy", b"other\n")))
    assert [entry.path for entry in found.buried()] == ["etc/conf"]


def test_folder_replaced_by_a_file_buries_what_was_in_it(tmp_path: Path) -> None:
    found = of_layers(tmp_path, BASE, (file("etc", b"a file now"),))
    assert set(names(found)) == {"etc", "app/run"}
    assert {entry.path for entry in found.buried()} == {"etc/conf", "etc/other"}


def test_member_below_a_link_lands_where_the_link_leads(tmp_path: Path) -> None:
    lower = (folder("usr/lib"), link("lib", "usr/lib"), link("abs", "/usr/lib"), link("out", "../../../usr/lib"))
    found = of_layers(tmp_path, lower, (file("lib/a", b"a"), file("abs/b", b"b"), file("out/c", b"c")))
    assert set(names(found)) == {"usr/lib/a", "usr/lib/b", "usr/lib/c", "lib", "abs", "out"}


def test_links_in_circles_and_to_nothing_are_names_and_members_below_them_are_refused(tmp_path: Path) -> None:
    circle = (link("a", "b"), link("b", "a"), link("self", "self/x"), link("nowhere", "/does/not/exist"))
    assert set(names(of_layers(tmp_path, circle)).values()) == {EntryKind.SYMLINK}
    with pytest.raises(SubjectUnreadable, match="is not read") as caught:
        of_layers(tmp_path, circle, (file("a/x", b"x"),))
    assert "circles" in caught.value.why


def test_hard_link_is_the_file_that_it_names_also_of_a_lower_layer(tmp_path: Path) -> None:
    found = of_layers(tmp_path, BASE, (hard("twin", "etc/conf"), file("etc/conf", b"two\n")))
    assert contents(found)["twin"].data == b"one\n"
    with pytest.raises(SubjectUnreadable) as caught:
        of_layers(tmp_path, BASE, (hard("twin", "etc/none"),))
    assert "hard link" in caught.value.why


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/../out", "a/b/../../../out"])
def test_name_that_leaves_the_image_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SubjectUnreadable) as caught:
        of_layers(tmp_path, (file(name, b"x"),))
    assert "outside" in caught.value.why


def test_nothing_hides_behind_half_an_end_mark(tmp_path: Path) -> None:
    layer = tar_of(file("a", b"a")).rstrip(b"\0")
    layer += bytes(-len(layer) % 512)
    assert set(names(ImageSubject(str(docker_archive(tmp_path / "cut.tar", [layer]))))) == {"a"}
    with pytest.raises(SubjectUnreadable) as caught:
        ImageSubject(str(docker_archive(tmp_path / "hiding.tar", [layer + bytes(512) + tar_of(file("b", b"b"))])))
    assert "end mark" in caught.value.why


def test_absolute_and_dotted_names_are_the_ones_that_a_runtime_makes(tmp_path: Path) -> None:
    found = of_layers(tmp_path, (file("/etc/a", b"a"), file("./etc//b", b"b"), file("etc/x/../c", b"c"), file("etc/a", b"later")))
    assert set(names(found)) == {"etc/a", "etc/b", "etc/c"}
    assert contents(found)["etc/a"].data == b"later"


def test_devices_are_special_and_sparse_files_say_that_they_cannot_be_read(tmp_path: Path) -> None:
    pax = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "hole", "GNU.sparse.realsize": "9"}
    sparse = member("GNUSparseFile.0/hole", size=4, pax_headers=pax), b"0\n\n\n"
    found = of_layers(tmp_path, ((member("dev/x", type=tarfile.CHRTYPE), b""), sparse))
    assert names(found) == {"dev/x": EntryKind.SPECIAL, "hole": EntryKind.FILE}
    assert contents(found)["hole"].problem == "unreadable"


def test_long_and_foreign_names_survive(tmp_path: Path) -> None:
    long = "d/" * 80 + "n" * 150
    for fmt in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        layer = tar_of(file(long, b"1"), file("b\udcff", b"2"), link("l", "t" * 200), fmt=fmt)
        found = ImageSubject(str(docker_archive(tmp_path / f"{fmt}.tar", [layer])), cache=str(tmp_path / "cache"))
        assert set(names(found)) == {long, "b\udcff", "l"}


def test_layer_that_is_not_what_the_image_says_is_refused(tmp_path: Path) -> None:
    honest, forged = tar_of(*BASE), tar_of(file("etc/conf", b"forged"))
    for make in (docker_archive, oci_folder):
        with pytest.raises(SubjectUnreadable) as caught:
            ImageSubject(str(make(tmp_path / make.__name__, [forged], config=config_of([honest]))))
        assert "as the image says" in caught.value.why


def test_forged_blob_is_refused_although_its_honest_twin_was_read_before(tmp_path: Path) -> None:
    honest, forged = tar_of(*BASE), tar_of(file("etc/conf", b"forged"))
    cache = str(tmp_path / "cache")
    blobs = oci_blobs([honest])
    ImageSubject(str(oci_folder(tmp_path / "honest", [honest])), cache=cache)
    place = oci_folder(tmp_path / "forged", [honest])
    (layer,) = [name for name, data in blobs.items() if data[:2] == b"\x1f\x8b"]
    (place / layer).write_bytes(gzip.compress(forged))
    with pytest.raises(SubjectUnreadable):
        ImageSubject(str(place), cache=cache)


def test_digest_of_packed_bytes_that_lies_does_not_teach_the_memory(tmp_path: Path) -> None:
    honest, evil = tar_of(*BASE), tar_of(file("evil", b"evil"))
    cache = str(tmp_path / "cache")
    blobs = oci_blobs([honest])
    packed = next(data for data in blobs.values() if data[:2] == b"\x1f\x8b")
    lie = gzip.compress(evil)
    manifest = next(data for data in blobs.values() if b'"layers"' in data and b'"config"' in data).replace(
        sha(packed).encode(), sha(lie).encode()
    )
    place = oci_folder(tmp_path / "lying", [honest])
    (place / "blobs/sha256" / sha(manifest)).write_bytes(manifest)
    (place / "blobs/sha256" / sha(lie)).write_bytes(packed)
    index = json.loads((place / "index.json").read_bytes())
    index["manifests"][0]["digest"] = f"sha256:{sha(manifest)}"
    (place / "index.json").write_text(json.dumps(index))
    with pytest.raises(SubjectUnreadable):
        ImageSubject(str(place), cache=cache)


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_bomb_ends_in_a_refusal(tmp_path: Path, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = tar_of(file("zeros", bytes(100 << 20)))
    with pytest.raises(SubjectUnreadable) as caught:
        ImageSubject(str(oci_folder(tmp_path / "bomb", [bomb], pack)))
    assert "200 times its size" in caught.value.why


@pytest.mark.parametrize("pack", PACKS)
def test_layer_that_is_cut_off_is_refused(tmp_path: Path, pack: str) -> None:
    layer = tar_of(*BASE, file("big", os.urandom(50_000)))
    packed = PACKS[pack](layer)
    for cut in (1, 100, len(packed) // 2, len(packed) - 3):
        blobs = oci_blobs([layer], pack)
        place = oci_folder(tmp_path / f"{pack}{cut}", [layer], pack)
        name = next(name for name, data in blobs.items() if data == packed)
        (place / name).write_bytes(packed[:cut])
        with pytest.raises(SubjectUnreadable):
            ImageSubject(str(place))


def test_too_many_members_long_headers_and_deep_names_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer_limits, "MAX_ENTRIES", 3)
    with pytest.raises(SubjectUnreadable, match="is not read"):
        of_layers(tmp_path, BASE)
    monkeypatch.undo()
    with pytest.raises(SubjectUnreadable):
        of_layers(tmp_path, ((member("x", pax_headers={"comment": "c" * (2 << 20)}), b""),))
    with pytest.raises(SubjectUnreadable):
        of_layers(tmp_path, (file("d/" * (tree_limits.DEEPEST + 1) + "x", b"x"),))
    monkeypatch.setattr(tree_limits, "MOST_STEPS", 100)
    with pytest.raises(SubjectUnreadable) as caught:
        of_layers(tmp_path, tuple(link(f"l{n}", f"l{n + 1}/x") for n in range(30)), tuple(file(f"l{n}/.wh.y") for n in range(30)))
    assert "tangled" in caught.value.why


def test_archive_of_several_images_asks_which_one(tmp_path: Path) -> None:
    layers = [tar_of(file("one", b"1")), tar_of(file("two", b"2"))]
    rows, members = [], []
    for number, layer in enumerate(layers):
        config = config_of([layer])
        rows.append({"Config": f"{sha(config)}.json", "RepoTags": [f"app:{number}"], "Layers": [f"{number}.tar"]})
        members += [file(f"{sha(config)}.json", config), file(f"{number}.tar", layer)]
    path = tmp_path / "both.tar"
    path.write_bytes(tar_of(*members, file("manifest.json", json.dumps(rows).encode())))
    with pytest.raises(SubjectNotFound) as caught:
        ImageSubject(str(path))
    assert "app:0, app:1" in caught.value.why
    found = open_comparison(ImageRequest(f"{path}#app:1"))
    assert [entry.path for entry in found.head.entries() if "//" not in entry.path] == ["two"]
    with pytest.raises(SubjectNotFound):
        open_comparison(ImageRequest(f"{path}#app:2"))


def test_archive_of_something_else_is_no_image(tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    other.write_bytes(tar_of(file("manifest.json", b'{"name": "an extension"}'), file("x", b"x")))
    assert not looks_like_image(str(other))
    assert not looks_like_image(str(tmp_path / "none"))
    (tmp_path / "short.tar").write_bytes(b"x" * 100)
    assert not looks_like_image(str(tmp_path / "short.tar"))


def test_known_image_is_listed_without_reading_a_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = str(tmp_path / "cache")
    path = oci_folder(tmp_path / "image", [tar_of(*BASE)])
    for below in path.rglob("*"):
        os.utime(below, (1_700_000_000, 1_700_000_000))
    monkeypatch.setattr("assaymark.subjects.image.remembered._RACY_NS", -(10**18))
    first = ImageSubject(str(path), cache=cache)
    calls: list[str] = []
    monkeypatch.setattr(proving, "_read", lambda layer, *_: calls.append(layer.diff_id))
    again = ImageSubject(str(path), cache=cache)
    assert list(again.entries()) == list(first.entries())
    assert list(again.buried()) == list(first.buried())
    assert calls == []
    assert contents(again)["etc/conf"].data == b"one\n"


def test_damaged_memory_is_no_memory(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = str(docker_archive(tmp_path / "image.tar", [tar_of(*BASE)]))
    first = list(ImageSubject(path, cache=str(cache)).entries())
    for kept in (cache / "images").iterdir():
        data = bytearray(kept.read_bytes())
        data[-1] ^= 1
        kept.write_bytes(data)
    assert list(ImageSubject(path, cache=str(cache)).entries()) == first
    for kept in (cache / "images").iterdir():
        kept.write_bytes(b"")
    assert list(ImageSubject(path, cache=str(cache)).entries()) == first


def test_layer_of_another_image_is_known_by_its_diff_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, base = str(tmp_path / "cache"), tar_of(*BASE)
    ImageSubject(str(docker_archive(tmp_path / "one.tar", [base])), cache=cache)
    indexed: list[str] = []
    honest = layer_limits.index_layer

    def counted(*args: int, diff_id: str, shown: str) -> object:
        indexed.append(diff_id)
        return honest(*args, diff_id=diff_id, shown=shown)

    monkeypatch.setattr(proving, "index_layer", counted)
    ImageSubject(str(docker_archive(tmp_path / "two.tar", [base, tar_of(file("x", b"x"))])), cache=cache)
    assert len(indexed) == 1


def test_image_that_changes_while_it_is_read_says_so(tmp_path: Path) -> None:
    path = docker_archive(tmp_path / "image.tar", [tar_of(*BASE)])
    found = ImageSubject(str(path))
    path.write_bytes(path.read_bytes().replace(b"one\n", b"two\n"))
    assert contents(found)["etc/conf"].problem == "changed"


def test_outer_archive_with_too_many_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place_limits, "MOST_MEMBERS", 2)
    with pytest.raises(SubjectUnreadable):
        ImageSubject(str(docker_archive(tmp_path / "image.tar", [tar_of(*BASE)])))


PARTS = st.sampled_from(["a", "b", "lib", ".wh.a", ".wh..wh..opq", "..", ".", ""])
NAMES = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
MEMBERS = st.one_of(
    st.builds(file, NAMES, st.sampled_from([b"", b"x", b"y" * 600])),
    st.builds(folder, NAMES),
    st.builds(link, NAMES, NAMES),
    st.builds(hard, NAMES, NAMES),
)


@settings(max_examples=150, deadline=None)
@given(layers=st.lists(st.lists(MEMBERS, max_size=6), min_size=1, max_size=3), pack=st.sampled_from(["tar", "gzip", "zstd"]))
def test_any_layers_are_listed_the_same_whatever_packs_and_remembers_them_or_refused(
    tmp_path_factory: pytest.TempPathFactory, layers: list[list[tuple[tarfile.TarInfo, bytes]]], pack: str
) -> None:
    place = tmp_path_factory.mktemp("any")
    made = [tar_of(*members) for members in layers]
    answers = []
    for path, cache in (
        (docker_archive(place / "image.tar", made), ""),
        (oci_folder(place / "oci", made, pack), str(place / "cache")),
        (oci_archive(place / "oci.tar", made, pack), str(place / "cache")),
    ):
        try:
            found = ImageSubject(str(path), cache=cache)
            answers.append((list(found.entries()), list(found.buried()), {p: c.data for p, c in contents(found).items()}))
        except AssayError as error:
            answers.append(type(error).__name__)  # type: ignore[arg-type]
    assert answers[0] == answers[1] == answers[2]


FILES = st.dictionaries(
    st.sampled_from([f"{a}/{b}" for a in ("etc", "app", "usr/bin") for b in "abcde"]), st.binary(max_size=40), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(files=FILES, cuts=st.lists(st.integers(0, 15), max_size=3), chance=st.randoms())
def test_squashing_splitting_and_reordering_layers_changes_no_entry(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], cuts: list[int], chance: random.Random
) -> None:
    """So that a finding, which knows only a content and its name, stays what it is when an image is built in another way."""
    place = tmp_path_factory.mktemp("squash")
    members = [file(name, data, 0o4755) for name, data in files.items()]
    whole = ImageSubject(str(docker_archive(place / "whole.tar", [tar_of(*members)])))
    chance.shuffle(members)
    edges = sorted({0, *(min(cut, len(members)) for cut in cuts), len(members)})
    layers = [tar_of(*members[a:b]) for a, b in itertools.pairwise(edges)]
    split = ImageSubject(str(docker_archive(place / "split.tar", layers)))
    changing = {"image//config.json"}  # it names the layers
    assert [e for e in split.entries() if e.path not in changing] == [e for e in whole.entries() if e.path not in changing]
    assert split.buried() == whole.buried() == []
