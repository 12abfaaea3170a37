"""Issue 7, trees: from a folder over bake and endorsement to what runs, all by `assay` as installed. Swaps under load, kills of the
deployer, refusals, every kind of change. By bubblewrap and by runc.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from acceptance.harness import ROOT, Shell, prove
from acceptance.issue7.rootfs_site import PAIR, Host, host
from tests.deployment import baking, rooted
from tests.deployment.load import Load

from assaymark.deployment.drivers.driver import Share
from assaymark.deployment.drivers.rootfs.driver import opened
from assaymark.deployment.drivers.rootfs.place import Place

SWAPS, KILLS = 8, 14
BOTH = pytest.mark.parametrize("runtime", ["bubblewrap", "runc"])


@pytest.fixture
def make(shell: Shell, tmp_path: Path) -> Iterator[Callable[[str], Host]]:
    made: list[Host] = []

    def making(runtime: str) -> Host:
        rooted.need(runtime)
        baking.storage(tmp_path / "storage")
        made.append(host(shell, tmp_path, runtime))
        return made[-1]

    yield making
    for each in made:
        each.clear()


@BOTH
@pytest.mark.timeout(900)
def test_eight_swaps_under_constant_load_fail_no_request(make: Callable[[str], Host], runtime: str) -> None:
    here = make(runtime)
    digests = here.bake("one"), here.bake("two")
    said = here.deploy(digests[0])
    assert said.code == 0, said.out + said.err
    took = []
    with Load(here.listen, path="/index.html") as load:
        for swap in range(SWAPS):
            began = time.monotonic()
            said = here.deploy(digests[(swap + 1) % 2])
            assert said.code == 0, said.out + said.err
            took.append(time.monotonic() - began)
            assert here.serving() == [Share(swap + 2, 100)]
            assert {(each.generation, each.running) for each in here.instances()} == {(swap + 2, True)}
    requests = sum(load.answers.values())
    print(f"{runtime}: {requests} requests, {len(load.failed)} failed, a replacement took {sorted(took)[len(took) // 2]:.2f} s")
    assert load.failed == []
    assert requests > 100 * SWAPS
    assert set(load.answers) == {"one", "two"}


@BOTH
@pytest.mark.timeout(900)
def test_a_deployer_that_is_killed_leaves_one_generation_that_serves_and_nothing_twice(make: Callable[[str], Host], runtime: str) -> None:
    here, chance = make(runtime), random.Random(7)
    digests = here.bake("one"), here.bake("two")
    assert here.deploy(digests[0]).code == 0
    began = time.monotonic()
    assert here.deploy(digests[1]).code == 0
    whole, killed = time.monotonic() - began, 0
    with Load(here.listen, path="/index.html") as load:
        for number in range(KILLS):
            killed += here.killed(digests[number % 2], chance.uniform(0.1, 1.0) * whole)
            said = here.resume()
            assert said.code in (0, 2), said.out + said.err
            (only,) = here.serving()
            assert only.percent == 100
            found = here.instances()
            assert {(each.generation, each.running) for each in found} == {(only.generation, True)}
            assert len(found) == len({each.address for each in found}) == here.supervisors() == 2
    print(f"{runtime}: killed {killed} times, {sum(load.answers.values())} requests, {len(load.failed)} failed")
    assert killed > KILLS // 2
    assert load.failed == []


@pytest.mark.timeout(600)
def test_only_what_is_endorsed_and_not_revoked_is_run(make: Callable[[str], Host]) -> None:
    here = make("bubblewrap")
    good, never = here.bake("good"), here.bake("never", endorsed=False)
    assert here.deploy(never).code in (1, 5)
    assert here.instances() == []
    assert here.deploy(good).code == 0
    before = here.instances()
    tree = here.folder / "trees" / good.partition(":")[2]
    (tree / "srv/index.html").write_text("changed on its way")
    said = here.assay("deploy", "production", "web", good, "--again")
    assert said.code != 0
    assert "not what was endorsed" in said.out + said.err
    assert here.instances() == before
    (tree / "srv/index.html").write_text("good")
    here.revoke(good)
    began = time.monotonic()
    assert here.assay("deploy", "production", "web", good, "--again").code == 1
    assert time.monotonic() - began < 10


@pytest.mark.timeout(600)
def test_a_tree_that_somebody_tampers_with_is_replaced_by_what_was_endorsed(make: Callable[[str], Host]) -> None:
    here = make("bubblewrap")
    digest = here.bake("good")
    assert here.deploy(digest).code == 0
    keeping = ("phoenix", "production", "web", "--once")
    before = here.instances()
    assert here.assay(*keeping).code == 0
    assert here.instances() == before, "what is as it was endorsed is left alone"
    running = Place(str(here.folder / "state"), PAIR).generation(1) / "tree"
    (running / "srv/index.html").write_text("evil")
    with Load(here.listen, path="/index.html") as load:
        said = here.assay(*keeping)
        time.sleep(0.3)
    assert said.code == 0, said.out + said.err
    assert here.serving() == [Share(2, 100)]
    assert {(each.generation, each.running) for each in here.instances()} == {(2, True)}
    assert not running.exists(), "what was tampered with is burnt"
    assert load.failed == []
    assert load.answers["good"] > 0


MUTATIONS: dict[str, Callable[[Path], object]] = {
    "content": lambda tree: (tree / "srv/index.html").write_text("other"),
    "content of the same size and time": lambda tree: _same(tree / "srv/index.html"),
    "mode": lambda tree: (tree / "etc/app.conf").chmod(0o600),
    "setuid": lambda tree: (tree / "bin/busybox").chmod(0o4755),
    "owner": lambda tree: os.chown(tree / "etc/app.conf", 5, -1),
    "group": lambda tree: os.chown(tree / "etc/app.conf", -1, 5),
    "capability": lambda tree: os.setxattr(tree / "bin/busybox", "security.capability", bytes.fromhex("01000002" + "00040000" + "00" * 12)),
    "target of a link": lambda tree: _link(tree / "bin/ls", "/bin/evil"),
    "file to link": lambda tree: _link(tree / "etc/app.conf", "passwd"),
    "file to fifo": lambda tree: _fifo(tree / "etc/app.conf"),
    "new file": lambda tree: (tree / "srv/new").write_text("x"),
    "new folder": lambda tree: (tree / "srv/folder").mkdir(),
    "new hard link": lambda tree: os.link(tree / "bin/busybox", tree / "bin/twin"),
    "name that is no text": lambda tree: Path(os.fsdecode(os.fsencode(tree) + b"/srv/caf\xe9")).write_text("x"),
    "removed": lambda tree: (tree / "etc/app.conf").unlink(),
    "folder's mode": lambda tree: (tree / "tmp").chmod(0o1777),
    "device": lambda tree: os.mknod(tree / "etc/null", 0o20666, os.makedev(1, 3)),
}


def _link(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _same(path: Path) -> None:
    before = path.stat()
    path.write_text("eno")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_every_kind_of_change_of_a_running_tree_is_seen_and_none_that_is_not_there(tmp_path: Path) -> None:
    rooted.need("bubblewrap")
    place, digest = rooted.tree(tmp_path / "tree")
    driver = opened(rooted.options(tmp_path / "state"))
    for number, (name, change) in enumerate(MUTATIONS.items(), 1):
        (found,) = driver.launch(rooted.launch(place, digest, generation=number))
        seen = driver.observe(PAIR, found.id)
        assert (seen.digest, seen.changes, seen.processes, seen.mounts, seen.unseen) == (digest, (), (), (), ()), name
        change(Place(str(tmp_path / "state"), PAIR).generation(number) / "tree")
        seen = driver.observe(PAIR, found.id)
        assert seen.changes, name
        assert seen.digest != digest, name
        driver.burn(PAIR, found.id)


@pytest.mark.timeout(600)
def test_the_laws_of_the_driver_hold_by_runc_too() -> None:
    rooted.need("runc")
    said = prove("tests/deployment/test_driver_rootfs.py", "tests/deployment/test_driver_exec.py", ASSAYMARK_BOTH_RUNTIMES="1")
    assert "passed" in said


def test_another_user_than_root_runs_a_tree_of_his_own() -> None:
    """By bubblewrap alone, where the kernel lets users have namespaces."""
    rooted.need("bubblewrap")
    tried = subprocess.run(["unshare", "--user", "--map-root-user", "true"], check=False, capture_output=True, user=65534, group=65534)
    if tried.returncode:
        pytest.skip("NOT PROVED: users may not have namespaces here")
    interpreter = next((each for each in (sys.executable, "/usr/bin/python3") if _as_nobody(each, "import msgspec") is not None), "")
    if not interpreter:
        pytest.skip("NOT PROVED: no interpreter here can be used by another user with what the product needs")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        said = _as_nobody(interpreter, _OF_NOBODY.replace("FOLDER", folder))
    assert said is not None
    assert said.split() == ["65534", "k"]


_OF_NOBODY = """
import json, time
from pathlib import Path
from tests.deployment import rooted
from assaymark.deployment.drivers.driver import Configuration
from assaymark.deployment.drivers.rootfs.driver import opened
here = Path("FOLDER")
place, digest = rooted.tree(here / "tree")
script = "id -u; cat /run/secrets/KEY; exec sleep 60"
driver = opened(rooted.options(here / "state", command=json.dumps(["/bin/sh", "-c", script]), probe="none"))
configuration = Configuration("sha256:" + "c" * 64, secrets={"KEY": "k"})
(found,) = driver.launch(rooted.launch(place, digest, configuration=configuration))
time.sleep(1)
seen = driver.observe(rooted.PAIR, found.id)
assert not (seen.changes or seen.processes or seen.mounts or seen.unseen), seen
print(next(here.glob("state/*/i/*/log")).read_text())
driver.burn(rooted.PAIR, found.id)
assert not list(here.glob("state/*/[gi]*/*"))
"""


def _as_nobody(interpreter: str, text: str) -> str | None:
    """What it prints; None when it cannot."""
    path = os.pathsep.join(each for each in (*sys.path, str(ROOT)) if each)
    try:
        ran = subprocess.run(
            [interpreter, "-c", text], check=False, capture_output=True, text=True, user=65534, group=65534, extra_groups=[], cwd="/",
            env={"PATH": os.environ["PATH"], "PYTHONPATH": path}, timeout=60,
        )  # fmt: skip
    except OSError:
        return None
    if ran.returncode:
        print(ran.stderr[-2000:])
    return ran.stdout if ran.returncode == 0 else None
