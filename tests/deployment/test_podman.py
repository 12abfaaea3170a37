"""The driver podman with real containers: what is launched, who is refused, what is seen, and what goes from one to the next."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deployment import podmans
from tests.deployment.edges import asked, client, close_clients, free_address
from tests.deployment.load import Load
from tests.deployment.podmans import Image

from assaymark.deployment.drivers.driver import Configuration, DriverFailed, Launch, Pair, Share, instance_id
from assaymark.deployment.drivers.podman import launching
from assaymark.deployment.drivers.podman.driver import PodmanDriver, opened
from assaymark.deployment.drivers.podman.launching import CONFIGURATION, DIGEST, GENERATION, labels_of
from assaymark.deployment.drivers.podman.memory import place
from assaymark.deployment.drivers.podman.options import read
from assaymark.errors import UsageError

pytestmark = pytest.mark.enable_socket
NOTHING = Configuration("sha256:" + "0" * 64)


@pytest.fixture(scope="module")
def images() -> Iterator[tuple[Image, Image]]:
    podmans.needed()
    made = podmans.image("one"), podmans.image("two")
    yield made
    for each in made:
        each.remove()


@pytest.fixture
def pair() -> Pair:
    return podmans.new_pair()


@pytest.fixture
def listen() -> Iterator[str]:
    yield free_address()
    close_clients()


def launch(pair: Pair, generation: int, image: Image, given: Configuration = NOTHING, count: int = 1) -> Launch:
    return Launch(pair, generation, image.reference, image.digest, count, given)


def until_healthy(driver: PodmanDriver, pair: Pair, generation: int) -> None:
    until = time.monotonic() + 20
    for each in driver.list(pair):
        while each.generation == generation and not (health := driver.probe(pair, each.id)).ok:
            assert time.monotonic() < until, health
            time.sleep(0.01)


def test_generations_follow_each_other_without_a_failed_request(
    images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path
) -> None:
    with podmans.driver(pair, tmp_path, listen) as driver:
        driver.launch(launch(pair, 1, images[0]))
        until_healthy(driver, pair, 1)
        driver.shift(pair, [Share(1, 100)])
        with Load(listen) as load:
            load.wait_for("one")
            driver.launch(launch(pair, 2, images[1]))
            until_healthy(driver, pair, 2)
            driver.shift(pair, [Share(1, 50), Share(2, 50)])
            assert {(each.generation, each.percent) for each in driver.serving(pair)} == {(1, 50), (2, 50)}
            load.wait_for("two", 20)
            driver.shift(pair, [Share(2, 100)])
            assert driver.serving(pair) == (Share(2, 100),)
            old = instance_id(pair, 1, 1)
            assert driver.drain(pair, old, 10)
            ones = load.answers["one"]
            driver.burn(pair, old)
            driver.burn(pair, old)
            load.wait_for("two", 20)
        assert load.failed == []
        assert load.answers["one"] == ones
        assert [each.generation for each in driver.list(pair)] == [2]
        driver.shift(pair, ())
        assert driver.serving(pair) == ()
        assert asked(client(listen))[0] == 503


def test_launching_again_changes_nothing_and_another_thing_under_the_name_is_refused(
    images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path
) -> None:
    with podmans.driver(pair, tmp_path, listen) as driver:
        first = driver.launch(launch(pair, 1, images[0], count=2))
        assert [each.id for each in first] == [instance_id(pair, 1, 1), instance_id(pair, 1, 2)]
        assert {(each.digest, each.configuration, each.generation) for each in first} == {(images[0].digest, NOTHING.digest, 1)}
        assert driver.launch(launch(pair, 1, images[0], count=2)) == first
        if os.geteuid() == 0:  # or the bridge takes another address with the next container, and the others lose their way to it
            assert Path("/sys/class/net/podman0/addr_assign_type").read_text().strip() == "3"
        with pytest.raises(DriverFailed, match="something else"):
            driver.launch(launch(pair, 1, images[1]))
        with pytest.raises(DriverFailed, match="something else"):
            driver.launch(launch(pair, 1, images[0], Configuration("sha256:" + "1" * 64)))
        podmans.podman("kill", first[0].id)
        ended = next(each for each in driver.list(pair) if each.id == first[0].id)
        assert not ended.running
        assert not driver.probe(pair, ended.id).ok
        with pytest.raises(DriverFailed, match="does not run"):
            driver.observe(pair, ended.id)
        again = driver.launch(launch(pair, 1, images[0], count=2))
        assert again[0].born > first[0].born  # made from nothing, not started again
        assert again[1] == first[1]


def test_what_is_not_the_digest_is_not_launched(images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path) -> None:
    one, two = images
    with podmans.driver(pair, tmp_path, listen, pull="never") as driver:
        for reference, digest in (
            (one.name, one.digest),  # a tag
            (one.reference, two.digest),
            (f"localhost/nowhere@{one.digest.replace('a', 'b')}", one.digest.replace("a", "b")),
        ):
            with pytest.raises(DriverFailed):
                driver.launch(Launch(pair, 1, reference, digest, 1, NOTHING))
        assert driver.list(pair) == ()


def test_a_container_gets_what_is_given_from_outside_and_may_do_nothing_else(
    images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path
) -> None:
    file = tmp_path / "app.conf"
    file.write_text("from outside")
    given = Configuration(NOTHING.digest, {"WORD": "two words = 1"}, {"token": "hunter2-secret"}, {"/etc/app.conf": str(file)})
    with podmans.driver(pair, tmp_path / "edge", listen, tmpfs="/tmp:size=1m") as driver:
        found = driver.launch(launch(pair, 1, images[0], given))[0]
        script = 'cat /proc/1/status; touch /x; touch /tmp/x && cat /run/secrets/token /etc/app.conf; echo " $WORD"'
        inside = podmans.podman("exec", found.id, "/bin/sh", "-c", script)
        said = dict(line.split(":", 1) for line in inside.splitlines() if ":" in line)
        assert {int(said[name], 16) for name in ("CapEff", "CapBnd", "CapPrm", "CapInh", "CapAmb")} == {0}
        assert said["NoNewPrivs"].strip() == "1"
        assert inside.endswith("hunter2-secretfrom outside two words = 1")
        there = podmans.podman("inspect", found.id)
        limits = json.loads(there)[0]["HostConfig"]
        assert (limits["Memory"], limits["PidsLimit"], limits["ReadonlyRootfs"]) == (256 << 20, 128, True)
        assert "hunter2" not in there
        assert b"hunter2" not in _commands()
        seen = driver.observe(pair, found.id)
        assert (seen.changes, seen.processes, seen.mounts, seen.unseen) == ((), (), (), ())
        assert (seen.digest, seen.configuration) == (images[0].digest, NOTHING.digest)
        driver.burn(pair, found.id)
        assert not list(place().glob(f"assaymark-secrets-*/{found.id}"))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (Configuration(NOTHING.digest, {"A": "1\nB=2"}), "more than one line"),
        (Configuration(NOTHING.digest, {}, {"../x": "1"}), "no name"),
        (Configuration(NOTHING.digest, {}, {}, {"/a": "/nowhere/at/all"}), "is not there"),
        (Configuration(NOTHING.digest, {}, {}, {"/a,destination=/b": "/etc"}), "cannot be mounted"),
    ],
)
def test_what_cannot_be_given_without_showing_or_bending_it_is_refused(given: Configuration, why: str) -> None:
    with pytest.raises(DriverFailed, match=why), launching.given(read({"port": "1", "listen": "127.0.0.1:1"}), "x", given):
        pytest.fail("it was given")


def _commands() -> bytes:
    found = b""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += each.read_bytes()
        except OSError:
            continue
    return found


def test_what_somebody_does_to_a_container_is_seen(images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path) -> None:
    with podmans.driver(pair, tmp_path, listen, writable="yes", user="0") as driver:
        found = driver.launch(launch(pair, 1, images[0]))[0]
        assert driver.observe(pair, found.id).changes == ()
        podmans.podman("exec", found.id, "/bin/sh", "-c", "echo bad > /srv/index.html; touch /srv/new; rm /bin/chmod")
        podmans.podman("exec", "--detach", found.id, "/bin/sleep", "77")
        pid = json.loads(podmans.podman("inspect", found.id))[0]["State"]["Pid"]
        subprocess.run(["nsenter", "-t", str(pid), "-m", "/bin/mount", "-t", "tmpfs", "tmpfs", "/tmp"], check=True)
        began = time.perf_counter()
        seen = driver.observe(pair, found.id)
        taken = time.perf_counter() - began
        assert {(each.path, each.kind) for each in seen.changes} == {
            ("srv/index.html", "changed"),
            ("srv/new", "added"),
            ("bin/chmod", "removed"),
        }
        assert [each.partition(" (")[0] for each in seen.processes] == ["/bin/sleep 77"]
        assert [each.partition(" ")[0] for each in seen.mounts] == ["/tmp"]
        assert seen.digest == images[0].digest
        assert taken < 0.2, "a container that is known already is looked at without podman"


def test_a_container_with_more_rights_has_another_configuration(
    images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path
) -> None:
    with podmans.driver(pair, tmp_path, listen) as driver:
        instance = instance_id(pair, 1, 1)
        names = {**labels_of(pair), GENERATION: "1", CONFIGURATION: NOTHING.digest, DIGEST: images[0].digest}
        labels = [f"--label={name}={value}" for name, value in names.items()]
        free = ["--cap-add=SYS_ADMIN", "--pid=host", "--pull=never"]
        podmans.podman("run", "--detach", "--name", instance, *labels, *free, images[0].reference)
        seen = driver.observe(pair, instance)
        assert seen.configuration != NOTHING.digest
        assert all(
            each in seen.configuration for each in ("SYS_ADMIN", "a writable root", "host's pid namespace", "memory without a bound")
        )


def test_the_service_of_podman_tells_the_same_as_its_command(images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path) -> None:
    there = tmp_path / "podman.sock"
    service = subprocess.Popen(["podman", "system", "service", "--time", "0", f"unix://{there}"], stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while not there.exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        with podmans.driver(pair, tmp_path / "edge", listen, socket=str(there)) as driver:
            found = driver.launch(launch(pair, 1, images[0]))
            by_command = opened({"port": "8080", "listen": listen, "edge_folder": str(tmp_path / "edge"), "socket": "none"})
            assert driver.list(pair) == by_command.list(pair) == found
            assert driver.observe(pair, found[0].id) == by_command.observe(pair, found[0].id)
            with pytest.raises(DriverFailed, match="is not there"):
                driver.observe(pair, instance_id(pair, 9, 1))
            driver.burn(pair, found[0].id)
            assert driver.list(pair) == by_command.list(pair) == ()
            absent = "sha256:" + "a" * 64
            made = opened({"port": "8080", "listen": listen, "socket": str(there), "pull": "never"})
            with pytest.raises(DriverFailed, match="is not here"):
                made.launch(Launch(pair, 2, f"localhost/nowhere@{absent}", absent, 1, NOTHING))
    finally:
        service.terminate()
        service.wait()
    with pytest.raises(DriverFailed, match="does not answer"):
        opened({"port": "8080", "listen": listen, "socket": str(there)}).list(pair)


def test_a_podman_that_a_killed_deployer_left_is_waited_for(images: tuple[Image, Image], pair: Pair, listen: str, tmp_path: Path) -> None:
    with podmans.driver(pair, tmp_path, listen) as driver:
        script = (
            "import os,sys,threading,signal,time\n"
            "from tests.deployment.podmans import Image\n"
            "from assaymark.deployment.drivers.podman.driver import opened\n"
            "from assaymark.deployment.drivers.driver import Launch,Pair,Configuration\n"
            f"made=opened({{'port':'8080','listen':{listen!r},'edge_folder':{str(tmp_path)!r}}})\n"
            "from assaymark.deployment.drivers.podman import leftover\n"
            f"pair=Pair({pair.environment!r},{pair.component!r})\n"
            "def watch():\n"
            "    while not leftover.launching('--label=assaymark.component='+pair.component): time.sleep(0.001)\n"
            "    os.kill(os.getpid(), signal.SIGKILL)\n"
            "threading.Thread(target=watch, daemon=True).start()\n"
            f"made.launch(Launch(pair,1,{images[0].reference!r},{images[0].digest!r},1,Configuration({NOTHING.digest!r})))\n"
        )
        import sys  # noqa: PLC0415 - only here

        ran = subprocess.run([sys.executable, "-c", script], check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        assert ran.returncode == -9
        fresh = opened({"port": "8080", "listen": listen, "edge_folder": str(tmp_path)})
        assert [each.id for each in fresh.list(pair)] == [instance_id(pair, 1, 1)]
        assert driver.launch(launch(pair, 1, images[0]))[0].running


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"listen": "127.0.0.1:1"}, "port"),
        ({"port": "80", "listen": "web:1"}, "no address"),
        ({"port": "80", "listen": "127.0.0.1:1", "priviledged": "no"}, "priviledged"),
        ({"port": "80", "listen": "127.0.0.1:1", "edge": "nginx"}, "edge is builtin or haproxy"),
        ({"port": "80", "listen": "127.0.0.1:1", "memory": "lots"}, "memory"),
        ({"port": "80", "listen": "127.0.0.1:1", "tmpfs": "--privileged"}, "tmpfs"),
        ({"port": "80", "listen": "127.0.0.1:1", "user": "root --privileged"}, "user"),
        ({"port": "80", "listen": "127.0.0.1:1", "probe_path": "/ HTTP/1.1\r\nX: y"}, "probe_path"),
        ({"port": "80", "listen": "127.0.0.1:1", "command": "'"}, "command"),
        ({"port": "80", "listen": "127.0.0.1:1", "network": "host"}, "no address of its own"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options: dict[str, str], why: str) -> None:
    with pytest.raises(UsageError) as refused:
        opened(options)
    assert why in refused.value.diagnosis()
