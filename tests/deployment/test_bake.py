"""Baking: the same input gives the same digest, nothing is followed out of its place, and what is written down is what is in it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.deployment import baking as kit

from assaymark.deployment.bake import carrying, layout, recipe, report
from assaymark.deployment.bake.baking import Baked, bake, mounted_image
from assaymark.deployment.bake.laying import lay
from assaymark.deployment.bake.programs import Programs
from assaymark.deployment.bake.recipe import Files, Image, Modes, Recipe, Rule, Special
from assaymark.deployment.bake.report import Base, Report
from assaymark.deployment.bake.standing import State, Told, standing
from assaymark.endorsement import revocation
from assaymark.endorsement.revocation import Revocation, Target
from assaymark.errors import SubjectNotFound, SubjectUnreadable, UsageError
from assaymark.subjects.manifest import Form, differences, manifest_of

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="NOT PROVED: owners are given to files as root only")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    return kit.storage(tmp_path_factory.mktemp("storage"))


@pytest.fixture(scope="module")
def baked(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Baked]:
    folder = tmp_path_factory.mktemp("baked")
    source = kit.source(folder / "source")
    return folder / "image", bake(str(source), recipe.read(kit.RECIPE.encode()), folder / "image", programs)


# --- images ----------------------------------------------------------------------------------------------------------


def test_the_same_input_elsewhere_later_and_with_another_umask_gives_the_same_digests(
    programs: Programs, baked: tuple[Path, Baked], tmp_path: Path
) -> None:
    source = kit.source(tmp_path / "another" / "place", umask=0o077, reverse=True)
    for name in ("bin/run", "srv/site/a.txt", "srv"):
        os.utime(source / name, (time.time() + 86_400, 1_000_000_000))
    before = os.umask(0o077)
    try:
        again = bake(str(source), recipe.read(kit.RECIPE.encode()), tmp_path / "image", programs)
    finally:
        os.umask(before)
    assert (again.image, again.manifest.digest, again.source) == (baked[1].image, baked[1].manifest.digest, baked[1].source)


def test_another_byte_gives_other_digests(programs: Programs, baked: tuple[Path, Baked], tmp_path: Path) -> None:
    source = kit.source(tmp_path / "source")
    (source / "srv/site/a.txt").write_text("A\n")
    again = bake(str(source), recipe.read(kit.RECIPE.encode()), tmp_path / "image", programs)
    assert again.image.digest != baked[1].image.digest
    assert [each.path for each in differences(baked[1].manifest.text, again.manifest.text)] == [b"srv/site/a.txt"]


def test_the_manifest_is_that_of_the_image_and_of_the_tree_that_is_written(
    programs: Programs, baked: tuple[Path, Baked], tmp_path: Path
) -> None:
    with mounted_image(baked[0], programs) as mounted:
        assert manifest_of(mounted, Form.OWNED).digest == baked[1].manifest.digest
        carrying.to_tree(mounted, tmp_path / "tree", baked[1].manifest.digest)
        with pytest.raises(UsageError, match="there already"):
            carrying.to_tree(mounted, tmp_path / "tree", baked[1].manifest.digest)
        with pytest.raises(SubjectUnreadable, match="would not be what was baked"):
            carrying.to_tree(mounted, tmp_path / "other", "sha256:" + "0" * 64)
    assert manifest_of(str(tmp_path / "tree"), Form.OWNED).digest == baked[1].manifest.digest
    assert not (tmp_path / "other").exists()
    assert (tmp_path / "tree/srv/site").stat().st_uid == 1000


def test_a_child_names_its_base_and_what_that_was_made_from(programs: Programs, baked: tuple[Path, Baked], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "child.txt").write_text("child\n")
    parent = baked[1].image.digest
    made = bake(str(source), _on(baked[0], parent, into="/srv"), tmp_path / "child", programs)
    assert (made.base.digest, made.base.layers, made.image.lineage) == (parent, 1, (parent,))
    assert made.image.layers[0] == baked[1].image.layers[0]
    grand = bake(str(source), _on(tmp_path / "child", made.image.digest, into="/opt"), tmp_path / "grandchild", programs)
    assert grand.image.lineage == (made.image.digest, parent)
    assert b'"p":"srv/child.txt"' in grand.manifest.text
    assert b'"p":"srv/site/index.html"' in grand.manifest.text


def test_a_base_that_is_not_there_by_its_digest_is_not_baked_on(programs: Programs, baked: tuple[Path, Baked], tmp_path: Path) -> None:
    source = kit.source(tmp_path / "source")
    with pytest.raises(SubjectNotFound, match="is not in"):
        bake(str(source), _on(baked[0], "sha256:" + "0" * 64), tmp_path / "image", programs)
    assert not (tmp_path / "image").exists()
    assert not programs.buildah("containers", "--quiet")


def test_a_blob_that_was_exchanged_is_found(baked: tuple[Path, Baked], tmp_path: Path) -> None:
    shutil.copytree(baked[0], tmp_path / "image")
    config = tmp_path / "image/blobs/sha256" / baked[1].image.config.partition(":")[2]
    config.write_bytes(config.read_bytes().replace(b"1000:1000", b"0000:0000"))
    with pytest.raises(SubjectUnreadable, match="damaged"):
        layout.read(tmp_path / "image")


def _on(place: Path, digest: str, into: str = "/") -> Recipe:
    return recipe.checked(Recipe(Image(name="localhost/shop/child", base=f"oci:{place}@{digest}"), Files(into=into)))


# --- laying ----------------------------------------------------------------------------------------------------------


@ROOT_ONLY
def test_owners_and_permissions_come_from_the_recipe_alone(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    kit.source(source)
    root.mkdir()
    (source / "bin/run").chmod(0o4711)
    os.chown(source / "srv", 5, 6)
    lay(str(source), str(root), Files(rule=(Rule(("srv/**",), owner="7:8", mode="0600"), Rule(("**/a.txt",), mode="0444"))), timestamp=9,
        exact=False)  # fmt: skip
    assert _seen(root / "bin/run") == (0o755, 0, 0)
    assert _seen(root / "srv") == (0o755, 0, 0)
    assert _seen(root / "srv/site/index.html") == (0o600, 7, 8)
    assert _seen(root / "srv/site/a.txt") == (0o444, 7, 8)
    assert (root / "bin/run").stat().st_mtime == 9


@ROOT_ONLY
def test_kept_permissions_come_with_capabilities_and_without_hard_links(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    kit.source(source)
    root.mkdir()
    capability = bytes.fromhex("0100000200040000000000000000000000000000")
    os.setxattr(source / "bin/run", "security.capability", capability)
    os.link(source / "bin/run", source / "bin/twin")
    (source / "srv").chmod(0o1777)
    lay(str(source), str(root), Files(owner="keep", modes=Modes.KEEP), timestamp=0, exact=False)
    assert os.getxattr(root / "bin/run", "security.capability") == capability
    assert ((root / "srv").stat().st_mode & 0o7777, (root / "bin/twin").stat().st_nlink) == (0o1777, 1)
    carrying.copied(str(source), tmp_path / "copy")
    assert manifest_of(str(tmp_path / "copy"), Form.OWNED).digest == manifest_of(str(source), Form.OWNED).digest
    assert (tmp_path / "copy/bin/twin").stat().st_nlink == 2, "an exact copy keeps that what is written by one name is read by both"


def test_no_link_of_a_base_is_followed_and_no_folder_of_it_is_hidden(tmp_path: Path) -> None:
    root, away = tmp_path / "root", tmp_path / "away"
    for folder in (root, away):
        folder.mkdir()
    (root / "bin").symlink_to(away)
    (root / "srv").mkdir()
    for name in ("link", "hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "link/bin").mkdir()
    (tmp_path / "link/bin/run").write_text("x")
    (tmp_path / "hidden/srv").write_text("x")
    with pytest.raises(UsageError, match="bin is a link"):
        _lay(tmp_path / "link", root)
    with pytest.raises(UsageError, match="srv is a folder"):
        _lay(tmp_path / "hidden", root)
    with pytest.raises(UsageError, match="bin is a link"):
        _lay(tmp_path / "hidden", root, into="/bin/x")
    assert not list(away.iterdir())


def test_what_is_no_file_is_refused_or_left_out_and_said(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    source.mkdir()
    root.mkdir()
    os.mkfifo(source / "pipe")
    with pytest.raises(UsageError, match="pipe is a device, fifo or socket"):
        _lay(source, root)
    assert _lay(source, root, special=Special.LEAVE_OUT) == ("pipe",)
    assert not list(root.iterdir())


def test_names_that_are_no_text_and_version_control_are_as_they_should(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "root"
    (source / ".git").mkdir(parents=True)
    (source / ".git/config").write_text("x")
    root.mkdir()
    (source / os.fsdecode(b"caf\xe9")).write_text("x")
    _lay(source, root)
    assert [os.fsencode(each.name) for each in root.iterdir()] == [b"caf\xe9"]


def _lay(source: Path, root: Path, into: str = "/", special: Special = Special.REFUSE) -> tuple[str, ...]:
    owner = f"{os.geteuid()}:{os.getegid()}"
    return lay(str(source), str(root), Files(into=into, special=special, owner=owner), timestamp=0, exact=False).left_out


def _seen(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


NAMES = st.binary(min_size=1, max_size=6).filter(lambda name: name not in {b".", b".."} and not set(name) & {0, 47})
TREES = st.recursive(
    st.one_of(st.binary(max_size=20), st.tuples(st.integers(0, 0o7777), st.binary(max_size=5)), NAMES.map(lambda name: ("link", name))),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@ROOT_ONLY
@given(tree=st.dictionaries(NAMES, TREES, max_size=4), owners=st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_a_copy_of_any_tree_is_the_tree(tree: dict[bytes, Any], owners: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(os.fsencode(folder), b"source")  # noqa: PTH118 - names that are no text
        _grown(source, tree, owners)
        carrying.copied(os.fsdecode(source), Path(folder) / "copy")
        assert manifest_of(str(Path(folder) / "copy"), Form.OWNED).text == manifest_of(os.fsdecode(source), Form.OWNED).text


def _grown(path: bytes, what: Any, owners: int) -> None:
    match what:
        case dict():
            os.mkdir(path)  # noqa: PTH102 - names that are no text
            for name, inner in what.items():
                _grown(path + b"/" + name, inner, owners + 1)
        case ("link", target):
            Path(os.fsdecode(path)).symlink_to(os.fsdecode(target))
        case (mode, content):
            _written(path, content)
            os.chown(path, owners, owners + 1)
            os.chmod(path, mode)  # noqa: PTH101 - as above
        case content:
            _written(path, content)


def _written(path: bytes, content: bytes) -> None:
    with open(path, "wb") as file:  # noqa: PTH123 - as above
        file.write(content)


# --- recipes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('[image]\nname = "web"\nbase = "debian:12"', "by its digest"),
        ('[image]\nname = "web"\nbase = "oci:@sha256:' + "0" * 64 + '"', "by its digest"),
        ('[image]\nname = "Web"', "name 'Web'"),
        ('[image]\nname = "web"\ncolour = "red"', "colour"),
        ('[image]\nname = "web"\nenvironment = {A = "$HOME"}', "holds a \\$"),
        ('[image]\nname = "web"\nenvironment = {"A=B" = "x"}', "variable"),
        ('[image]\nname = "web"\nuser = "a b"', "user"),
        ('[image]\nname = "web"\nports = ["http"]', "port"),
        ('[image]\nname = "web"\ntimestamp = -1', "timestamp"),
        ('[image]\nname = "web"\n[files]\nowner = "www-data:www-data"', "owner"),
        ('[image]\nname = "web"\n[files]\ninto = "/a/../b"', "without . and .."),
        ('[image]\nname = "web"\n[[files.rule]]\npaths = ["a"]', "says nothing"),
        ('[image]\nname = "web"\n[[files.rule]]\npaths = ["/a"]\nmode = "0644"', "begins with /"),
        ('[image]\nname = "web"\n[[files.rule]]\npaths = ["a"]\nmode = "rw"', "mode"),
        ("name =", "cannot be read"),
    ],
)
def test_a_recipe_that_cannot_be_meant_is_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        recipe.read(text.encode())
    assert re.search(why, caught.value.diagnosis()), caught.value.diagnosis()


def test_a_recipe_is_known_by_what_it_means() -> None:
    one = recipe.read(b'[image]\nname = "web"\nuser = "1:1"')
    other = recipe.read(b'# a comment\n[image]\nuser = "1:1"\nname = "web"\n[files]\ninto = "/"')
    assert one.digest == other.digest
    assert recipe.read(b'[image]\nname = "web"\nuser = "1:2"').digest != one.digest


# --- reports, and how a base stands ----------------------------------------------------------------------------------

A, B, C = ("sha256:" + letter * 64 for letter in "abc")


def _report(base: Base) -> Report:
    return Report("web", C, C, C, "linux/amd64", (), (), C, C, base=base)


def test_a_report_reads_back_and_anything_else_is_none() -> None:
    made = _report(Base(A, "debian", (B,), 2))
    assert report.parsed(report.written(made)) == made
    assert made.lineage == (A, B)
    text = report.written(made)
    for before, after in ((b"assaymark/bake", b"other"), (b'"1.0"', b'"2.0"'), (C.encode(), b"sha256:c"), (text, b"{")):
        with pytest.raises(UsageError, match=r"no report|by what is no"):
            report.parsed(text.replace(before, after))


@pytest.mark.parametrize(
    ("told", "state"),
    [
        (Told(), State.UNKNOWN),
        (Told(revoked={}), State.STANDS),
        (Told(revoked={}, newest=A), State.STANDS),
        (Told(newest=B), State.SUPERSEDED),
        (Told(refused=()), State.STANDS),
        (Told(refused=("it ended",)), State.WITHDRAWN),
        (Told(revoked=revocation.opened([Revocation(Target.SUBJECT, A, "bad", "2026-01-01T00:00:00Z")]), newest=B), State.WITHDRAWN),
        (Told(revoked=revocation.opened([Revocation(Target.COMPONENT, B, "bad", "2026-01-01T00:00:00Z")])), State.WITHDRAWN),
        (Told(revoked=revocation.opened([Revocation(Target.SUBJECT, C, "bad", "2026-01-01T00:00:00Z")])), State.STANDS),
        (Told(revoked={}, unseen=("the registry does not answer",)), State.UNKNOWN),
    ],
)
def test_a_base_stands_only_when_somebody_could_say_so(told: Told, state: State) -> None:
    assert standing(_report(Base(A, "debian", (B,), 2)), told).state is state


def test_what_stands_on_nothing_stands() -> None:
    assert standing(_report(Base()), Told(newest=B)).state is State.STANDS
