"""Drift as it happens, by the kernel's own word: at once, with who did it, and never less than a scan would find."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.deployment.mutations import ALL, plant
from tests.deployment.overlays import mounted

from assaymark.deployment.drift import fanotify, mounts, tree, upper, watching, who
from assaymark.deployment.drift.drifted import Cause, Drift
from assaymark.deployment.drift.stance import Found, Plain, Stance
from assaymark.errors import EngineMissing
from assaymark.model.assessment import Instant
from assaymark.subjects.manifest import Form, manifest_of

_STANCE = Stance(Plain(), Instant(0))


def drift(found: Found, cause: Cause | None) -> Drift:
    return _STANCE.drift("it", found, cause)


def can_watch() -> str:
    try:
        with fanotify.Fanotify() as made:
            made.watch("/tmp")
    except EngineMissing as error:
        return f"NOT PROVED: {error.what}: {error.why}"
    return ""


CANNOT = can_watch()
needs_kernel = pytest.mark.skipif(bool(CANNOT), reason=CANNOT or "it can")


class Watched:
    """A watch that is stepped through."""

    def __init__(self, look: watching.Look) -> None:
        self._more = True
        self._rounds = watching.watch(look, drift, self._patience)
        self.first = next(self._rounds)

    def _patience(self) -> float:
        return 0.05 if self._more else -1

    def until(self, wanted: Callable[[dict[tuple[str, str], Drift]], bool], seconds: float = 10) -> dict[tuple[str, str], Drift]:
        found: dict[tuple[str, str], Drift] = {}
        ends = time.monotonic() + seconds
        while not wanted(found):
            assert time.monotonic() < ends, f"only {sorted(found)}"
            found |= {(each.what, each.kind): each for each in next(self._rounds)}
        return found

    def quiet(self, rounds: int = 10) -> list[Drift]:
        return [each for _ in range(rounds) for each in next(self._rounds)]

    def end(self) -> None:
        self._more = False
        assert all(not each for each in self._rounds)


@contextmanager
def watched(look: watching.Look) -> Iterator[Watched]:
    made = Watched(look)
    yield made
    made.end()


def tree_look(root: Path) -> watching.TreeLook:
    expected = tree.Expected(manifest_of(str(root), Form.OWNED).text)
    return watching.TreeLook(str(root), expected, lambda: tree.look(str(root), expected).found)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return plant(tmp_path / "tree")


BY_WHOLE_LOOKS = {"hard-link"}
"""Of a kind that only a look at everything tells."""


@needs_kernel
@pytest.mark.timeout(60)
def test_every_kind_of_change_is_told_as_it_happens(tmp_path: Path) -> None:
    missed = {}
    for number, (name, (do, told)) in enumerate(ALL.items()):
        (tmp_path / str(number)).mkdir()
        root = plant(tmp_path / str(number))
        wanted = {(what, kind) for what, kind in told if kind not in BY_WHOLE_LOOKS and what != "usr/bin/tool-1"}
        with watched(tree_look(root)) as it:
            assert it.first == []
            try:
                do(root)
            except OSError:
                continue  # this cannot be done here
            try:
                it.until(lambda found, wanted=wanted: wanted <= found.keys(), seconds=3)  # type: ignore[misc]
            except AssertionError as error:
                missed[name] = str(error)
    assert missed == {}


@needs_kernel
def test_what_is_there_already_is_told_first_and_once(root: Path) -> None:
    look = tree_look(root)
    (root / "etc/conf").write_bytes(b"two\n")
    with watched(look) as it:
        assert [(each.what, each.kind, each.cause) for each in it.first] == [("etc/conf", "content", None)]
        (root / "etc/twin").write_bytes(b"two\n")
        assert it.until(bool).keys() == {("etc/twin", "content")}
        (root / "etc/conf").touch()
        assert it.quiet() == []


@needs_kernel
def test_what_was_put_back_is_told_anew_when_it_drifts_again(root: Path) -> None:
    with watched(tree_look(root)) as it:
        for _ in range(2):
            (root / "etc/conf").write_bytes(b"two\n")
            assert it.until(bool).keys() == {("etc/conf", "content")}
            (root / "etc/conf").write_bytes(b"one\n")
            assert it.quiet() == []


@needs_kernel
def test_who_did_it_is_told(root: Path) -> None:
    script = "import sys, time\nopen(sys.argv[1], 'w').close()\ntime.sleep(60)"
    with watched(tree_look(root)) as it, subprocess.Popen([sys.executable, "-c", script, str(root / "etc/new")]) as process:
        found = it.until(bool)["etc/new", "added"]
        process.kill()
    assert found.cause is not None
    assert (found.cause.pid, found.cause.uid) == (process.pid, os.geteuid())
    assert "etc/new" in found.cause.program


@needs_kernel
def test_a_process_that_has_ended_is_named_by_its_number_alone(root: Path) -> None:
    with watched(tree_look(root)) as it:
        process = subprocess.Popen(["/bin/sh", "-c", "exec 3>etc/new"], cwd=root)
        process.wait()
        found = it.until(bool)["etc/new", "added"]
    assert found.cause is not None
    assert (found.cause.pid, found.cause.uid, found.cause.program) == (process.pid, -1, "")


@needs_kernel
def test_what_happens_elsewhere_on_the_file_system_is_nobody_s_concern(root: Path, tmp_path: Path) -> None:
    with watched(tree_look(root)) as it:
        (tmp_path / "tree-elsewhere").mkdir()
        (tmp_path / "tree-elsewhere/conf").write_bytes(b"x")
        assert it.quiet() == []


def mount(*words: str) -> None:
    ran = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"NOT PROVED: nothing can be mounted here: {ran.stderr.strip()}")


@needs_kernel
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_what_is_mounted_below_is_watched_too(root: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    mount(*(["-t", "tmpfs", "tmpfs"] if kind == "tmpfs" else ["--bind", str(tmp_path / "elsewhere")]), str(root / "var/empty"))
    try:
        with watched(tree_look(root)) as it:
            assert it.first == []
            (root / "var/empty/x").write_bytes(b"")
            assert it.until(bool).keys() == {("var/empty/x", "added")}
            (root / "var/empty").chmod(0o700)
            assert it.until(bool).keys() == {("var/empty", "mode")}
    finally:
        subprocess.run(["umount", "-l", str(root / "var/empty")], check=False)


@needs_kernel
def test_what_is_mounted_below_and_tells_nothing_is_said(root: Path) -> None:
    mount("-t", "proc", "proc", str(root / "var/empty"))
    try:
        look = tree_look(root / "etc")
        assert list(look.mounted()) == []
        expected = tree.Expected(manifest_of(str(root / "etc"), Form.OWNED).text)
        with watched(watching.TreeLook(str(root), expected, tuple)) as it:
            assert [(each.what, each.kind) for each in it.first] == [("var/empty", "unseen")]
        data = tree.Expected(manifest_of(str(root / "etc"), Form.OWNED).text, [b"var/empty"])
        with watched(watching.TreeLook(str(root), data, tuple)) as it:
            assert it.first == []
    finally:
        subprocess.run(["umount", "-l", str(root / "var/empty")], check=False)


def test_mounts_are_those_below_with_every_byte_of_their_names(tmp_path: Path) -> None:
    listed = tmp_path / "mountinfo"
    listed.write_bytes(
        b"1 0 8:1 / / rw - ext4 x rw\n2 1 8:1 / /srv rw - ext4 x rw\n3 1 8:1 / /srv/a\\040b rw - x x rw\n4 1 0:1 / /srvx rw - x\nbad\n"
    )
    assert mounts.below("/srv", listed) == [b"a b"]
    assert mounts.below("/", listed) == [b"srv", b"srv/a b", b"srvx"]
    assert mounts.below("/", tmp_path / "none") == []


@needs_kernel
def test_lost_events_are_said_and_everything_is_looked_at_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with watched(tree_look(root)) as it:
        real = fanotify.Fanotify._events

        def overflown(self: fanotify.Fanotify, data: bytes) -> Iterator[fanotify.Happened]:
            list(real(self, data))
            lost = fanotify._HEAD.pack(fanotify._HEAD.size, 3, 0, fanotify._HEAD.size, fanotify._OVERFLOW, -1, 0)
            yield from real(self, lost)

        monkeypatch.setattr(fanotify.Fanotify, "_events", overflown)
        (root / "etc/conf").write_bytes(b"two\n")
        assert it.until(lambda found: len(found) > 1).keys() == {(".", "unseen"), ("etc/conf", "content")}


@needs_kernel
def test_a_container_s_changes_are_told_through_its_upper_directory(tmp_path: Path) -> None:
    with mounted(tmp_path) as made, watched(watching.UpperLook(str(made.upper), tuple(made.below), upper.noise())) as it:
        (made.merged / "etc/conf").write_bytes(b"two\n")
        assert it.until(bool).keys() == {("etc/conf", "changed")}
        (made.merged / "etc/keep").unlink()
        found = it.until(bool)
        assert found.keys() == {("etc/keep", "removed")}
        assert found["etc/keep", "removed"].cause is not None


@needs_kernel
def test_an_overlay_itself_says_that_it_tells_nothing(tmp_path: Path) -> None:
    with mounted(tmp_path) as made, fanotify.Fanotify() as kernel, pytest.raises(EngineMissing, match="cannot be watched") as refused:
        kernel.watch(str(made.merged))
    assert "upper directory" in refused.value.why


def as_nobody(do: Callable[[], str]) -> str:
    """What it says in a process of a user without rights."""
    here, there = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgid(65534)
            os.setuid(65534)
            os.write(there, do().encode())
        finally:
            os._exit(0)
    os.close(there)
    with os.fdopen(here) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.mark.skipif(os.geteuid() != 0, reason="it is refused already")
def test_without_the_right_it_is_refused_with_what_to_do() -> None:
    def refused() -> str:
        try:
            with fanotify.Fanotify() as made:
                made.watch("/tmp")
        except EngineMissing as error:
            return error.diagnosis()
        return "watched"

    said = as_nobody(refused)
    assert "CAP_SYS_ADMIN" in said
    assert "do this:" in said


def test_a_process_that_nobody_knows_is_unknown() -> None:
    assert who.process(0, None) == who.Process(0)
    assert who.process(1 << 30, None) == who.Process(1 << 30)
    assert who.process(os.getpid(), -1) == who.Process(os.getpid())


def test_a_command_line_is_cut_and_steers_no_terminal() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "\x1b[2J" + "x" * 1000]) as process:
        time.sleep(0.2)
        found = who.process(process.pid, None)
        process.kill()
    assert "\x1b" not in found.program
    assert len(found.program) <= who.MOST
