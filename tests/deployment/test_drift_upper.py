"""Containers: only their own directory is read, and everything that an overlay does to an image is understood."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.deployment.mutations import CAPABILITY, without
from tests.deployment.overlays import Overlay, laid, mounted, whiteout

from assaymark.deployment.drift import overlay as overlays
from assaymark.deployment.drift import upper
from assaymark.deployment.drivers.driver import Change
from assaymark.errors import SubjectUnreadable

ROOT = os.geteuid() == 0


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Overlay]:
    with mounted(tmp_path) as made:
        yield made


@pytest.fixture
def flat(tmp_path: Path) -> Overlay:
    return laid(tmp_path)


def seen(made: Overlay) -> set[tuple[str, str, str]]:
    return {(each.path, each.kind, each.detail) for each in upper.changes(str(made.upper), made.below)}


def paths(made: Overlay) -> set[tuple[str, str]]:
    return {(path, kind) for path, kind, _ in seen(made)}


def _other_folder(path: Path) -> None:
    """Removed and made anew: it hides what was in it."""
    shutil.rmtree(path)
    path.mkdir()
    (path / "new").write_bytes(b"")


def _same_again(path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data)
    path.chmod(0o644)


def _file_for(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_bytes(b"")


def _there_and_back(path: Path) -> None:
    path.chmod(0o600)
    path.chmod(0o644)


DONE: dict[str, tuple[Callable[[Path], object], set[tuple[str, str]]]] = {
    "nothing": (lambda _: None, set()),
    "content": (lambda m: (m / "etc/conf").write_bytes(b"other\n"), {("etc/conf", "changed")}),
    "content of the same size": (lambda m: (m / "etc/conf").write_bytes(b"two\n"), {("etc/conf", "changed")}),
    "mode": (lambda m: (m / "usr/bin/run").chmod(0o4755), {("usr/bin/run", "changed")}),
    "mode of a folder": (lambda m: (m / "etc").chmod(0o777), {("etc", "changed")}),
    "mode of the root": (lambda m: m.chmod(0o711), {(".", "changed")}),
    "owner": (lambda m: os.chown(m / "etc/conf", 1000, 1000), {("etc/conf", "changed")}),
    "capability": (lambda m: os.setxattr(m / "usr/bin/run", "security.capability", CAPABILITY), {("usr/bin/run", "changed")}),
    "link": (lambda m: without(m / "etc/link").symlink_to("keep"), {("etc/link", "changed")}),
    "link of the same target": (lambda m: without(m / "etc/link").symlink_to("conf"), set()),
    "new file": (lambda m: (m / "etc/new").write_bytes(b""), {("etc/new", "added")}),
    "new file deep down": (lambda m: (m / "srv/deep/er/new").write_bytes(b""), {("srv/deep/er/new", "added")}),
    "new folder": (lambda m: (m / "a/b").mkdir(parents=True), {("a", "added"), ("a/b", "added")}),
    "new name that is no text": (lambda m: (m / os.fsdecode(b"\xff")).write_bytes(b""), {("\\xff", "added")}),
    "new fifo": (lambda m: os.mkfifo(m / "f"), {("f", "added")}),
    "new device": (lambda m: os.mknod(m / "d", 0o020600, os.makedev(1, 3)), {("d", "added")}),
    "fifo for a file": (lambda m: os.mkfifo(without(m / "etc/conf")), {("etc/conf", "changed")}),
    "removed": (lambda m: (m / "etc/conf").unlink(), {("etc/conf", "removed")}),
    "removed folder": (lambda m: shutil.rmtree(m / "srv/deep"), {("srv/deep", "removed")}),
    "folder made anew": (lambda m: _other_folder(m / "srv"), {("srv/new", "added"), ("srv/page", "removed"), ("srv/deep", "removed")}),
    "file for a folder": (lambda m: _file_for(m / "srv/deep"), {("srv/deep", "changed")}),
    "renamed": (lambda m: (m / "etc/keep").rename(m / "etc/kept"), {("etc/keep", "removed"), ("etc/kept", "added")}),
    "touched": (lambda m: os.utime(m / "etc/conf", (1, 1)), set()),
    "written with the same bytes": (lambda m: (m / "etc/conf").write_bytes(b"one\n"), set()),
    "made anew with the same bytes": (lambda m: _same_again(m / "etc/conf"), set()),
    "mode there and back": (lambda m: _there_and_back(m / "etc/conf"), set()),
    "what was below the image's own layers": (lambda m: (m / "etc/conf").write_bytes(b"old\n"), {("etc/conf", "changed")}),
}  # fmt: skip


@pytest.mark.skipif(not ROOT, reason="NOT PROVED: only root mounts overlays")
@pytest.mark.parametrize("name", DONE)
def test_what_a_container_does_is_told_as_what_it_is(real: Overlay, name: str) -> None:
    do, told = DONE[name]
    do(real.merged)
    assert paths(real) == told


@pytest.mark.skipif(not ROOT, reason="NOT PROVED: only root mounts overlays")
def test_a_folder_that_was_moved_whole_is_told_with_its_origin(tmp_path: Path) -> None:
    with mounted(tmp_path, ",redirect_dir=on") as made:
        (made.merged / "srv").rename(made.merged / "www")
        assert seen(made) == {("srv", "removed", "folder 0755 of 0:0"), ("www", "added", "folder 0755 of 0:0 renamed from srv")}


@pytest.mark.skipif(not ROOT, reason="NOT PROVED: only root mounts overlays")
def test_a_file_whose_status_alone_was_copied_has_the_image_s_content(tmp_path: Path) -> None:
    with mounted(tmp_path, ",metacopy=on") as made:
        (made.merged / "usr/bin/run").chmod(0o4755)
        assert seen(made) == {("usr/bin/run", "changed", "mode 0755 -> 4755")}


@pytest.mark.skipif(not ROOT, reason="NOT PROVED: only root mounts overlays")
def test_an_overlay_of_a_user_marks_with_his_own_attributes(tmp_path: Path) -> None:
    with mounted(tmp_path, ",userxattr") as made:
        _other_folder(made.merged / "srv")
        assert paths(made) == {("srv/new", "added"), ("srv/page", "removed"), ("srv/deep", "removed")}


@pytest.mark.skipif(not ROOT, reason="only root makes whiteouts")
def test_what_a_layer_of_the_image_removed_is_not_there_to_be_removed_again(flat: Overlay) -> None:
    whiteout(flat.lowers[0] / "etc/gone-already")
    (flat.upper / "etc").mkdir()
    whiteout(flat.upper / "etc/gone-already")
    assert seen(flat) == set()
    (flat.upper / "etc/gone-already").unlink()
    (flat.upper / "etc/gone-already").write_bytes(b"")
    assert paths(flat) == {("etc/gone-already", "added")}


def test_whiteouts_by_name_are_understood_and_never_hide_anything(flat: Overlay) -> None:
    (flat.upper / "etc").mkdir()
    (flat.upper / "etc/.wh.conf").write_bytes(b"")
    (flat.upper / "etc/.wh.nothing").write_bytes(b"")
    assert paths(flat) == {("etc/conf", "removed"), ("etc/.wh.nothing", "added")}


def test_a_folder_that_is_opaque_by_name_hides_what_is_below(flat: Overlay) -> None:
    (flat.upper / "etc").mkdir()
    (flat.upper / "etc/.wh..wh..opq").write_bytes(b"")
    removed = {("etc/conf", "removed"), ("etc/keep", "removed"), ("etc/link", "removed"), ("etc/gone-already", "removed")}
    assert paths(flat) == {*removed, ("etc/.wh..wh..opq", "added")}


# --- noise of the runtime --------------------------------------------------------------------------------------------


def quiet(made: Overlay) -> None:
    """As podman and docker leave it behind."""
    for folder in ("etc", "proc", "sys", "dev", "run"):
        (made.upper / folder).mkdir(mode=0o755, exist_ok=True)
    for name in ("etc/hosts", "etc/hostname", "etc/resolv.conf", "run/.containerenv", ".dockerenv"):
        (made.upper / name).write_bytes(b"")
        (made.upper / name).chmod(0o755)
    (made.upper / "etc/mtab").symlink_to("/proc/mounts")


def test_what_the_runtime_lays_there_is_subtracted(flat: Overlay) -> None:
    quiet(flat)
    assert seen(flat) == set()


NOT_THE_RUNTIME: dict[str, tuple[Callable[[Path], object], tuple[str, str]]] = {
    "hosts with a line in it": (lambda u: (u / "etc/hosts").write_bytes(b"1.2.3.4 bank\n"), ("etc/hosts", "added")),
    "hosts that all may write": (lambda u: (u / "etc/hosts").chmod(0o777), ("etc/hosts", "added")),
    "hosts that is a link": (lambda u: without(u / "etc/hosts").symlink_to("/tmp/x"), ("etc/hosts", "added")),
    "hosts that is a fifo": (lambda u: os.mkfifo(without(u / "etc/hosts")), ("etc/hosts", "added")),
    "hosts with set-uid": (lambda u: (u / "etc/hosts").chmod(0o4755), ("etc/hosts", "added")),
    "a second name of hosts": (lambda u: os.link(u / "etc/hosts", u / "etc/x"), ("etc/hosts", "added")),
    "another link": (lambda u: without(u / "etc/mtab").symlink_to("/proc/self/mounts"), ("etc/mtab", "added")),
    "a file beside": (lambda u: (u / "run/x").write_bytes(b""), ("run/x", "added")),
    "a file below a mount": (lambda u: (u / "proc/x").write_bytes(b""), ("proc/x", "added")),
    "a folder that all may write": (lambda u: (u / "run").chmod(0o777), ("run", "added")),
    "the same name elsewhere": (lambda u: (u / "hosts").write_bytes(b""), ("hosts", "added")),
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_THE_RUNTIME)
def test_nothing_hides_where_the_runtime_writes(flat: Overlay, name: str) -> None:
    quiet(flat)
    do, told = NOT_THE_RUNTIME[name]
    do(flat.upper)
    assert told in paths(flat)


@pytest.mark.skipif(not ROOT, reason="only root gives files away")
def test_another_owner_than_the_root_s_is_no_runtime(flat: Overlay) -> None:
    quiet(flat)
    os.chown(flat.upper / "etc/hosts", 1000, 1000)
    assert paths(flat) == {("etc/hosts", "added")}


def test_places_where_something_was_asked_to_be_mounted_are_subtracted_and_no_others(flat: Overlay) -> None:
    (flat.upper / "conf/app").mkdir(parents=True)
    (flat.upper / "conf/app/settings").write_bytes(b"")
    (flat.upper / "conf/other").write_bytes(b"")
    subtracted = upper.noise(["/conf/app/settings"])
    assert {each.path for each in upper.changes(str(flat.upper), flat.below, subtracted)} == {"conf/other"}
    assert {each.path for each in upper.changes(str(flat.upper), flat.below)} == {"conf", "conf/app", "conf/app/settings", "conf/other"}


# --- what cannot be seen ---------------------------------------------------------------------------------------------


def test_more_changes_than_are_listed_are_said(flat: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upper, "MOST", 5)
    for number in range(20):
        (flat.upper / f"{number:02}").write_bytes(b"")
    found = upper.changes(str(flat.upper), flat.below)
    assert len(found) == 6
    assert found[-1] == Change("changes", "unseen", "changes: more than 5, the others are not listed")


def test_what_cannot_be_read_is_said(flat: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    (flat.upper / "etc").mkdir()
    (flat.upper / "etc/conf").write_bytes(b"two\n")
    (flat.upper / "etc/new").write_bytes(b"")
    real = os.open

    def refused(path: object, flags: int, *rest: object, **more: object) -> int:
        if path == b"conf":
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refused)
    found = upper.looked(str(flat.upper), flat.below)
    assert [each.path for each in found.changes] == ["etc/new"]
    assert found.unseen == ("etc/conf: Permission denied",)


def test_marks_that_only_root_may_read_are_said(flat: Overlay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upper, "_sees_marks", lambda _: False)
    assert "CAP_SYS_ADMIN" in upper.looked(str(flat.upper), flat.below).unseen[0]


def test_a_link_in_the_upper_directory_leads_nowhere(flat: Overlay, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"x")
    (flat.upper / "srv").symlink_to(tmp_path / "outside")
    assert {each[:2] for each in seen(flat)} == {("srv", "changed")}


def test_a_directory_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubjectUnreadable):
        upper.changes(str(tmp_path / "none"), [])


def test_no_descriptor_is_left_open(flat: Overlay) -> None:
    quiet(flat)
    (flat.upper / "etc/.wh.conf").write_bytes(b"")
    (flat.upper / "etc/.wh..wh..opq").write_bytes(b"")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        upper.changes(str(flat.upper), flat.below)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_lower_directories_are_seen_as_one(flat: Overlay) -> None:
    roots = [os.open(each, os.O_RDONLY) for each in flat.lowers]
    try:
        assert overlays.Below(roots).names(b"etc") == {b"conf", b"keep", b"gone-already", b"link"}
        assert overlays.Below(roots).names(b"") == {b"etc", b"usr", b"srv"}
        assert overlays.Below(roots).names(b"etc/conf/x") == set()
    finally:
        for each in roots:
            os.close(each)
