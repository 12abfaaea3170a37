"""Read-only trees: every law of the door by bubblewrap and by runc; what is not as endorsed is not run, and what somebody does is seen."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import msgspec
import pytest
from tests.deployment import driver_contract, rooted

from assaymark.deployment.drivers.driver import Configuration, DriverFailed, Instance, Share
from assaymark.deployment.drivers.rootfs import options as settings
from assaymark.deployment.drivers.rootfs.driver import RootfsDriver, opened
from assaymark.deployment.drivers.rootfs.place import Place, Supervisor, is_held, write
from assaymark.errors import UsageError

PAIR = rooted.PAIR
BOTH = pytest.mark.parametrize("runtime", ["bubblewrap", "runc"])
FIRST = pytest.mark.parametrize("runtime", ["bubblewrap", "runc"] if os.environ.get("ASSAYMARK_BOTH_RUNTIMES") else ["bubblewrap"])
"""What acceptance asks of both."""
pytestmark = [pytest.mark.enable_socket]
Make = Callable[..., RootfsDriver]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Opens the driver; whatever it launched is burnt afterwards."""
    made: list[RootfsDriver] = []

    def opening(runtime: str = "bubblewrap", **more: str) -> RootfsDriver:
        rooted.need(runtime)
        made.append(opened(rooted.options(tmp_path / "state", runtime, **more)))
        return made[-1]

    yield opening
    for driver in made[:1]:
        for each in driver.list(PAIR):
            driver.burn(PAIR, each.id)
    left = list((tmp_path / "state").glob("*/[ig]*/*"))
    assert not left, "burning leaves nothing"


@pytest.fixture
def tree(tmp_path: Path) -> tuple[Path, str]:
    rooted.need("bubblewrap")
    return rooted.tree(tmp_path / "tree")


@BOTH
def test_it_keeps_the_laws_of_the_door(make: Make, tree: tuple[Path, str], runtime: str) -> None:
    make(runtime)
    driver_contract.kept(make(runtime), lambda number: rooted.launch(*tree, generation=number, count=2), PAIR, again=lambda: make(runtime))


@BOTH
def test_it_serves_read_only_without_rights_and_with_what_was_given(
    make: Make, tree: tuple[Path, str], tmp_path: Path, runtime: str
) -> None:
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", 1000, 1000)
    (tmp_path / "outside.conf").write_text("outside")
    (tmp_path / "outside.conf").chmod(0o644)
    script = (
        "touch /x 2>/tmp/error; echo $? > /data/wrote; id -u > /data/user; cat /run/secrets/PASSWORD > /data/secret; env > /data/env;"
        "cat /etc/app.conf > /data/conf; cat /proc/self/status > /data/status; ls /proc > /data/processes; exec sleep 60"
    )
    driver = make(runtime, command=json.dumps(["/bin/sh", "-c", script]), user="1000:1000", data=f"{tmp_path / 'data'}:/data", probe="none")
    configuration = Configuration(
        "sha256:" + "c" * 64, {"COLOUR": "red"}, {"PASSWORD": "only for tests"}, {"/etc/app.conf": str(tmp_path / "outside.conf")}
    )
    (found,) = driver.launch(rooted.launch(*tree, configuration=configuration))
    _soon(lambda: (tmp_path / "data/processes").exists() and bool((tmp_path / "data/processes").read_text()))
    read = {each.name: each.read_text() for each in (tmp_path / "data").iterdir()}
    assert (read["wrote"], read["user"], read["secret"], read["conf"]) == ("1\n", "1000\n", "only for tests", "outside")
    variables = read["env"].splitlines()
    assert "COLOUR=red" in variables
    assert f"PORT={found.address.rpartition(':')[2]}" in variables
    assert "only for tests" not in read["env"]
    status = dict(line.split(":\t", 1) for line in read["status"].splitlines() if ":\t" in line)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    assert len([name for name in read["processes"].split() if name.isdigit()]) <= 4, "it sees its own processes alone"
    seen = driver.observe(PAIR, found.id)
    assert (seen.changes, seen.processes, seen.mounts, seen.unseen) == ((), (), (), ())
    assert "only for tests" not in _written(tmp_path / "state")
    assert "only for tests" not in _command_lines()


def test_what_is_not_as_endorsed_is_not_run(make: Make, tree: tuple[Path, str]) -> None:
    driver = make()
    (tree[0] / "srv/index.html").write_text("another")
    with pytest.raises(DriverFailed, match="is not what was endorsed"):
        driver.launch(rooted.launch(*tree))
    (tree[0] / "srv/index.html").write_text("one")
    (tree[0] / "bin/busybox").chmod(0o4755)
    with pytest.raises(DriverFailed, match="is not what was endorsed"):
        driver.launch(rooted.launch(*tree))
    assert list(driver.list(PAIR)) == []


@pytest.mark.parametrize("image", ["{tree}", "{tree}:latest", "tree@{digest}", "/nowhere@{digest}", "{tree}@sha256:" + "0" * 64])
def test_only_a_digest_is_launched(make: Make, tree: tuple[Path, str], image: str) -> None:
    asked = msgspec.structs.replace(rooted.launch(*tree), image=image.format(tree=tree[0], digest=tree[1]))
    with pytest.raises(DriverFailed, match=r"is not launched|no tree"):
        make().launch(asked)


def test_a_folder_of_trees_is_looked_into_by_digest(make: Make, tmp_path: Path) -> None:
    rooted.need("bubblewrap")
    place, digest = rooted.tree(tmp_path / "draft")
    (tmp_path / "trees").mkdir()
    place.rename(tmp_path / "trees" / digest.partition(":")[2])
    (found,) = make().launch(rooted.launch(tmp_path / "trees", digest))
    assert _get(found) == "one"


def test_a_tree_without_the_places_for_mounts_says_which(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    driver = make(data=f"{tmp_path}:/var/data", tmpfs="/tmp /cache")
    with pytest.raises(DriverFailed, match="the tree has no /cache, /var/data"):
        driver.launch(rooted.launch(*tree))


@FIRST
def test_what_somebody_does_is_seen(make: Make, tree: tuple[Path, str], tmp_path: Path, runtime: str) -> None:
    driver = make(runtime, user="1000:1000")
    (found,) = driver.launch(rooted.launch(*tree))
    inside = Place(str(tmp_path / "state"), PAIR).generation(1) / "tree"
    (inside / "srv/index.html").write_text("two")
    (inside / "bin/new").write_text("x")
    (inside / "etc/app.conf").unlink()
    (inside / "bin/busybox").chmod(0o4755)
    seen = driver.observe(PAIR, found.id)
    assert {(each.path, each.kind) for each in seen.changes} == {
        ("srv/index.html", "changed"), ("bin/new", "added"), ("etc/app.conf", "removed"), ("bin/busybox", "changed"),
    }  # fmt: skip
    assert {each.path: each.detail for each in seen.changes}["bin/busybox"] == "mode"
    assert seen.digest not in {"", tree[1]}
    (fresh,) = driver.launch(rooted.launch(*tree, generation=2))
    assert _get(fresh) == "one", "a new generation does not inherit what was done to the old one"
    assert driver.observe(PAIR, fresh.id).changes == ()
    with pytest.raises(DriverFailed, match="was changed"):
        driver.launch(rooted.launch(*tree, count=2))


@FIRST
def test_who_comes_in_from_outside_is_seen(make: Make, tree: tuple[Path, str], tmp_path: Path, runtime: str) -> None:
    driver = make(runtime)
    (found,) = driver.launch(rooted.launch(*tree))
    pid = _inside(driver, tmp_path, found)
    entered = subprocess.Popen(["nsenter", "-t", str(pid), "-m", "-p", "--", "/bin/sleep", "60"], start_new_session=True)
    try:
        _soon(lambda: driver.observe(PAIR, found.id).processes == ("/bin/sleep 60",))
    finally:
        os.killpg(entered.pid, signal.SIGKILL)
        entered.wait()
    mounted = subprocess.run(["nsenter", "-t", str(pid), "-m", "--", "/bin/busybox", "mount", "-t", "tmpfs", "x", "/srv"], check=False)
    if mounted.returncode == 0:
        assert any(each.startswith("/srv (tmpfs") for each in driver.observe(PAIR, found.id).mounts)


def test_a_manifest_that_was_exchanged_is_told(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    driver = make()
    (found,) = driver.launch(rooted.launch(*tree))
    (Place(str(tmp_path / "state"), PAIR).generation(1) / "manifest").write_text('{"form":"owned","manifest":1}\n')
    assert any("not the one that was endorsed" in each for each in driver.observe(PAIR, found.id).unseen)


@FIRST
def test_what_ended_is_told_and_never_started_again_by_itself(make: Make, tree: tuple[Path, str], runtime: str) -> None:
    driver = make(runtime, command=json.dumps(["/bin/sh", "-c", "sleep 0.4; echo gone; exit 7"]), probe="none")
    (found,) = driver.launch(rooted.launch(*tree))
    assert found.running
    _soon(lambda: not driver.list(PAIR)[0].running)
    health = driver.probe(PAIR, found.id)
    assert (health.ok, health.text) == (False, "it ended with 7")
    assert "it does not run" in driver.observe(PAIR, found.id).unseen[0]


def test_what_cannot_start_says_why_and_leaves_nothing(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    driver = make(command=json.dumps(["/bin/nothing"]))
    with pytest.raises(DriverFailed) as caught:
        driver.launch(rooted.launch(*tree))
    assert "did not start" in caught.value.diagnosis()
    assert "nothing" in caught.value.why
    assert list(driver.list(PAIR)) == []
    assert not list((tmp_path / "state").glob("*/i/*"))


def test_an_instance_survives_its_deployer_and_not_its_supervisor(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    driver = make()
    words = rooted.options(tmp_path / "state")
    text = (
        "import os, signal, sys\nfrom tests.deployment import rooted\nfrom assaymark.deployment.drivers.rootfs.driver import opened\n"
        f"opened({words!r}).launch(rooted.launch({str(tree[0])!r}, {tree[1]!r}))\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, "-c", text], check=False, env={**os.environ, "PYTHONPATH": path}, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (found,) = driver.list(PAIR)
    assert _get(found) == "one"
    assert list(driver.launch(rooted.launch(*tree))) == [found], "it is adopted, not started again"
    place = Place(str(tmp_path / "state"), PAIR)
    stands = place.supervisor(found.id)
    assert stands is not None
    os.kill(stands.pid, signal.SIGKILL)
    _soon(lambda: not is_held(place.instance(found.id)))
    assert not driver.list(PAIR)[0].running
    with pytest.raises(OSError, match="refused"):
        _get(found)
    (again,) = driver.launch(rooted.launch(*tree))
    assert (again.id, again.running) == (found.id, True)


@FIRST
def test_one_that_does_not_listen_to_its_end_is_killed(make: Make, tree: tuple[Path, str], runtime: str) -> None:
    driver = make(runtime, command=json.dumps(["/bin/sh", "-c", "trap '' TERM; while true; do sleep 0.1; done"]), probe="none")
    (found,) = driver.launch(rooted.launch(*tree))
    began = time.monotonic()
    driver.burn(PAIR, found.id)
    assert time.monotonic() - began < 8
    assert list(driver.list(PAIR)) == []


def test_it_is_asked_to_end_before_it_is_killed(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o777)
    (tmp_path / "data").chmod(0o777)
    script = "trap 'echo bye > /data/bye; exit 0' TERM; : > /data/ready; while true; do sleep 0.05; done"
    driver = make(command=json.dumps(["/bin/sh", "-c", script]), probe="none", data=f"{tmp_path / 'data'}:/data", stop_seconds="5")
    (found,) = driver.launch(rooted.launch(*tree))
    _soon((tmp_path / "data/ready").exists)
    driver.burn(PAIR, found.id)
    assert (tmp_path / "data/bye").read_text() == "bye\n"


def test_what_it_writes_is_kept_to_a_bound(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    script = "i=0; while [ $i -lt 60 ]; do cat /bin/busybox; i=$((i+1)); done; echo the end; exec sleep 60"
    driver = make(command=json.dumps(["/bin/sh", "-c", script]), probe="none")
    (found,) = driver.launch(rooted.launch(*tree))
    folder = Place(str(tmp_path / "state"), PAIR).instance(found.id)
    _soon(lambda: b"".join(each.read_bytes() for each in sorted(folder.glob("log"))).endswith(b"the end\n"), seconds=30)
    assert sum(each.stat().st_size for each in folder.glob("log*")) < 3 << 20


def test_drained_means_that_no_connection_is_left(make: Make, tree: tuple[Path, str]) -> None:
    driver = make()
    (found,) = driver.launch(rooted.launch(*tree))
    _soon(lambda: driver.probe(PAIR, found.id).ok)
    driver.shift(PAIR, [Share(1, 100)])
    with pytest.raises(DriverFailed, match="last that serves"):
        driver.drain(PAIR, found.id, 0.1)
    (other,) = driver.launch(rooted.launch(*tree, generation=2))
    driver.shift(PAIR, [Share(2, 100)])
    host, _, port = found.address.rpartition(":")
    with socket.create_connection((host, int(port))) as held:
        held.sendall(b"GET / HTTP/1.1\r\n")  # begun, and not ended
        assert not driver.drain(PAIR, found.id, 0.2)
    _soon(lambda: driver.drain(PAIR, found.id, 1.0))
    driver.burn(PAIR, found.id)
    with pytest.raises(DriverFailed, match="cannot serve"):
        driver.shift(PAIR, [Share(1, 100)])
    assert list(driver.serving(PAIR)) == [Share(2, 100)]
    assert other.running


def test_a_generation_that_is_something_else_is_refused(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    driver = make()
    driver.launch(rooted.launch(*tree))
    other = rooted.tree(tmp_path / "other", "two")
    with pytest.raises(DriverFailed, match="is something else"):
        driver.launch(rooted.launch(*other))
    with pytest.raises(DriverFailed, match="is something else"):
        driver.launch(rooted.launch(*tree, configuration=Configuration("sha256:" + "d" * 64)))


def test_two_deployers_at_once_start_each_instance_once(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    make()
    words = rooted.options(tmp_path / "state")
    text = (
        "from tests.deployment import rooted\nfrom assaymark.deployment.drivers.rootfs.driver import opened\n"
        f"print(*(each.address for each in opened({words!r}).launch(rooted.launch({str(tree[0])!r}, {tree[1]!r}, count=3))))\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    made = [subprocess.Popen([sys.executable, "-c", text], env=env, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [each.communicate(timeout=60)[0].split() for each in made]
    assert said[0] == said[1] == said[2]
    assert len(set(said[0])) == 3


def test_a_stranger_with_the_supervisors_number_is_not_ended(
    make: Make, tree: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assaymark.deployment.drivers.rootfs.driver._OVER", 0.2)
    driver = make()
    (found,) = driver.launch(rooted.launch(*tree))
    place = Place(str(tmp_path / "state"), PAIR)
    stands = place.supervisor(found.id)
    assert stands is not None
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        write(place.instance(found.id) / "supervisor.json", Supervisor(stranger.pid, stands.began))
        with pytest.raises(DriverFailed, match="does not end"):
            driver.burn(PAIR, found.id)
        assert stranger.poll() is None
        stranger.kill()
    monkeypatch.undo()
    write(place.instance(found.id) / "supervisor.json", stands)


def test_an_edge_in_front_is_told_whole(make: Make, tree: tuple[Path, str], tmp_path: Path) -> None:
    pytest.importorskip("assaymark.deployment.edge.door", reason="NOT PROVED: the edge is not there")
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{tried.getsockname()[1]}"
    driver = make(listen=listen, edge_folder=str(tmp_path / "edge"))
    try:
        (first,) = driver.launch(rooted.launch(*tree))
        _soon(lambda: driver.probe(PAIR, first.id).ok)
        assert list(driver.serving(PAIR)) == []
        driver.shift(PAIR, [Share(1, 100)])
        assert _get(msgspec.structs.replace(first, address=listen)) == "one"
        (second,) = driver.launch(rooted.launch(*tree, generation=2))
        _soon(lambda: driver.probe(PAIR, second.id).ok)
        driver.shift(PAIR, [Share(1, 50), Share(2, 50)])
        assert set(driver.serving(PAIR)) == {Share(1, 50), Share(2, 50)}
        driver.shift(PAIR, [Share(2, 100)])
        assert driver.drain(PAIR, first.id, 2.0)
        assert list(driver.serving(PAIR)) == [Share(2, 100)]
    finally:
        for each in Path("/proc").glob("[0-9]*/cmdline"):
            words = each.read_bytes() if each.exists() else b""
            if b"assaymark.deployment.edge" in words and os.fsencode(tmp_path) in words:
                os.kill(int(each.parent.name), signal.SIGKILL)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"command": "/bin/run"}, "no list of words"),
        ({"command": '["run"]'}, "absolute path"),
        ({"colour": "red"}, "colour"),
        ({"runtime": "docker"}, "runtime"),
        ({"user": "www-data"}, "user is"),
        ({"ports": "9-1"}, "ports is"),
        ({"ports": "0-70000"}, "ports is"),
        ({"data": "/a"}, "data is"),
        ({"data": "/a:/../b"}, "without . and .."),
        ({"network": "none", "probe": "http"}, "probe is"),
        ({"network": "none", "listen": "127.0.0.1:80"}, "needs instances with ports"),
        ({"edge": "builtin"}, "listens at listen"),
        ({"memory": "much"}, "memory is"),
        ({"stop_seconds": "-1"}, "stop_seconds"),
        ({"probe_path": "/a b"}, "probe_path"),
    ],
)
def test_settings_that_make_no_sense_are_told(change: dict[str, str], why: str, tmp_path: Path) -> None:
    rooted.need("bubblewrap")
    with pytest.raises(UsageError) as caught:
        settings.read({**rooted.options(tmp_path), **change})
    assert why in caught.value.diagnosis(), caught.value.diagnosis()


# --- looking ---------------------------------------------------------------------------------------------------------


def _get(found: Instance) -> str:
    host, _, port = found.address.rpartition(":")
    ends = time.monotonic() + 2
    while True:
        link = HTTPConnection(host, int(port), timeout=5)
        try:
            link.request("GET", "/")
            return link.getresponse().read().decode()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        finally:
            link.close()


def _soon(claim: Callable[[], bool], seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.05)


def _inside(driver: RootfsDriver, folder: Path, found: Instance) -> int:
    place = Place(str(folder / "state"), PAIR)
    record = place.record(found.id)
    assert record is not None
    pid = driver._inside(place, record)
    assert pid is not None
    return pid


def _written(folder: Path) -> str:
    return "".join(
        each.read_bytes().decode("utf-8", "replace") for each in folder.rglob("*") if each.is_file() and "tree" not in each.parts
    )


def _command_lines() -> str:
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(each.read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue
    return "".join(found)
