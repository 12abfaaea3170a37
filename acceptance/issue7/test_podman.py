"""Real containers, behind a real edge, deployed by the real command: swaps under load, kills at every point, refusals, revocations.

Not proved where podman cannot run: everything here skips and says so.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from acceptance.issue7.podman_site import QUICK, Site, site, stopped
from tests.deployment import podmans
from tests.deployment.edges import end
from tests.deployment.load import Load
from tests.deployment.podmans import Image

from assaymark.deployment.drivers.driver import Share
from assaymark.deployment.edge.control import Edge
from assaymark.deployment.phoenix.generation import State
from assaymark.deployment.phoenix.journal import Journal, steps_of

SWAPS = 8
REFUSED_SECONDS = 2.0
TRIES = 5
ON_THE_WAY = {State.WANTED, State.VERIFIED, State.LAUNCHED, State.HEALTHY, State.SHIFTING, State.SHIFTED, State.SOAKED}


@pytest.fixture(scope="module")
def images() -> Iterator[tuple[Image, Image, Image]]:
    podmans.needed()
    made = podmans.image("one"), podmans.image("two"), podmans.image("never-approved")
    yield made
    for each in made:
        each.remove()


def alone(here: Site, generation: int) -> None:
    """One generation serves, and nothing else runs."""
    assert here.serving() == (Share(generation, 100),)
    assert {(each.generation, each.running) for each in here.instances()} == {(generation, True)}


def live(here: Site) -> int:
    found = Journal(here.folder / "state", here.pair).read().ledger
    assert found.moving is None
    assert found.live is not None
    return found.live.number


@pytest.mark.parametrize("edge", ["builtin", "haproxy"])
def test_eight_swaps_under_constant_load_fail_no_request(images: tuple[Image, Image, Image], tmp_path: Path, edge: str) -> None:
    with site(tmp_path, edge) as here:
        here.approve(*images[:2])
        assert here.deploy(images[0]).code == 0
        with Load(here.listen) as load, Load(here.listen, keeping=1, anew=1, path="/cgi-bin/slow") as slow:
            for swap in range(SWAPS):
                said = here.deploy(images[(swap + 1) % 2])
                assert said.code == 0, said
                alone(here, swap + 2)
                load.wait_for(images[(swap + 1) % 2].word, 10)
        print(f"{edge}: {load.requests} requests and {slow.requests} slow ones, {len(load.failed) + len(slow.failed)} failed,", end=" ")
        print(f"p99 {load.percentile(0.99):.0f} ms")
        assert load.failed + slow.failed == []
        assert load.requests > 100 * SWAPS
        assert slow.requests > SWAPS


@pytest.mark.parametrize("edge", ["builtin", "haproxy"])
def test_killed_at_every_point_and_resumed_one_generation_serves_and_none_is_missed(
    images: tuple[Image, Image, Image], tmp_path: Path, edge: str
) -> None:
    """Also between kill and resume somebody serves: the load goes on all the time, and no request of it fails."""
    killed: set[State] = set()
    with site(tmp_path, edge) as here:
        here.approve(*images[:2])
        assert here.deploy(images[0]).code == 0
        with Load(here.listen) as load:
            point, going = 0, True
            while going:
                point += 1
                before = live(here)
                runs = load_word(here)
                wanted = images[1] if runs == images[0].digest else images[0]
                said = here.deploy(wanted, kill_at=point)
                going = said.code == -signal.SIGKILL
                assert going or said.code == 0, said
                moving = Journal(here.folder / "state", here.pair).read().ledger.moving
                killed |= {moving.state} if moving else set()
                shares = here.serving()
                assert sum(each.percent for each in shares) == 100, "between kill and resume nobody serves"
                assert {each.generation for each in shares} <= {before, before + 1}
                said = here.resume()
                assert said.code == 0, (point, said)
                alone(here, live(here))
                assert live(here) in {before, before + 1}
            failed = list(load.failed)
        print(f"{edge}: killed at {point - 1} points, in the states {sorted(killed)}; {load.requests} requests, {len(failed)} failed")
        assert failed == []
        assert killed == ON_THE_WAY
        assert point > 20


def load_word(here: Site) -> str:
    """Digest of what is live."""
    found = Journal(here.folder / "state", here.pair).read().ledger.live
    assert found is not None
    return found.digest


@pytest.mark.parametrize("milliseconds", [20, 80, 150, 250])
def test_a_first_generation_whose_launch_is_killed_is_found_or_made_once(
    images: tuple[Image, Image, Image], tmp_path: Path, milliseconds: int
) -> None:
    """Killed from outside while podman is at it: what its podman makes afterwards is found, not made twice."""
    with site(tmp_path) as here:
        here.approve(images[0])
        began = here.begin("deploy", here.pair.environment, here.pair.component, images[0].reference)
        until = time.monotonic() + 30
        while not any(each.state is State.VERIFIED for each in steps_of(here.folder / "state", here.pair)) and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(milliseconds / 1000)
        began.kill()
        began.communicate()
        assert here.resume().code == 0
        alone(here, 1)


def test_an_edge_that_is_killed_rises_with_the_same_generation(images: tuple[Image, Image, Image], tmp_path: Path) -> None:
    with site(tmp_path) as here:
        here.approve(*images[:2])
        assert here.deploy(images[0]).code == 0
        end(Edge(tmp_path / "edge"), signal.SIGKILL)
        assert here.keep().code in {0, 1}
        alone(here, 1)
        with Load(here.listen) as load:
            load.wait_for("one", 20)
        assert load.failed == []


def test_what_is_not_approved_is_refused_and_nothing_of_it_ever_runs(images: tuple[Image, Image, Image], tmp_path: Path) -> None:
    with site(tmp_path) as here:
        here.approve(images[0])
        assert here.deploy(images[0]).code == 0
        with Load(here.listen) as load:
            said = here.deploy(images[2])
            load.wait_for("one", 20)
        assert said.code in {1, 5}, said
        alone(here, 1)
        assert load.answers.keys() == {"one"}
        assert load.failed == []
        tag = here.run("deploy", here.pair.environment, here.pair.component, images[0].name)
        assert tag.code == 2
        assert "digest" in tag.err


def test_a_revoked_digest_is_replaced_by_what_is_approved_and_no_new_deploy_passes(
    images: tuple[Image, Image, Image], tmp_path: Path
) -> None:
    with site(tmp_path) as here:
        here.approve(*images[:2])
        assert here.deploy(images[0]).code == 0
        assert here.deploy(images[1]).code == 0
        keeper = here.begin("phoenix", here.pair.environment, here.pair.component, "--every", "0.2")
        try:
            with Load(here.listen) as load:
                load.wait_for("two", 10)
                time.sleep(2)  # the keeper is up
                here.revoke(images[1])
                revoked = time.monotonic()
                load.wait_for("one", 1, seconds=60)
                replaced = time.monotonic() - revoked
                until = time.monotonic() + 60
                while here.serving() != (Share(3, 100),) or len(here.instances()) > 1:
                    assert time.monotonic() < until, (here.serving(), here.instances())
                    time.sleep(0.05)
        finally:
            stopped(keeper)
        print(f"the revoked one was replaced after {replaced:.2f} s; {load.requests} requests, {len(load.failed)} failed")
        assert load.failed == []
        alone(here, 3)
        said = here.deploy(images[1])
        assert said.code == 1, said
        assert "revoked" in said.out + said.err


def test_after_a_revocation_new_deploys_stop_within_two_seconds(images: tuple[Image, Image, Image], tmp_path: Path) -> None:
    """From the revocation lying in the trust folder to the refusal of a deploy that began after it, the start of the command included."""
    with site(tmp_path) as here:
        here.approve(*images[:2])
        assert here.deploy(images[0]).code == 0
        here.revoke(images[1])
        taken = []
        for _ in range(TRIES):  # others use the machine too: what it takes by itself is the least of some
            began = time.monotonic()
            said = here.deploy(images[1])
            taken.append(time.monotonic() - began)
            assert said.code == 1, said
        print(f"refused after {', '.join(f'{each:.2f}' for each in taken)} s, at a load of {os.getloadavg()[0]:.0f}")
        assert min(taken) < REFUSED_SECONDS
        alone(here, 1)


def test_a_deploy_that_is_on_its_way_when_its_digest_is_revoked_is_aborted(images: tuple[Image, Image, Image], tmp_path: Path) -> None:
    with site(tmp_path, terms=QUICK.replace("soak_seconds = 0.1", "soak_seconds = 3")) as here:
        here.approve(*images[:2])
        assert here.deploy(images[0]).code == 0
        with Load(here.listen) as load:
            began = here.begin("deploy", here.pair.environment, here.pair.component, images[1].reference)
            load.wait_for("two", 1, seconds=60)
            here.revoke(images[1])
            began.wait(60)
            began.communicate()
            load.wait_for("one", 10)
        assert began.returncode == 1
        alone(here, 1)
        assert load.failed == []


def test_a_revoked_digest_without_another_is_stopped_where_the_terms_say_so(images: tuple[Image, Image, Image], tmp_path: Path) -> None:
    with site(tmp_path, terms=f'on_revoked = "stop"\n{QUICK}') as here:
        here.approve(images[0])
        assert here.deploy(images[0]).code == 0
        here.revoke(images[0])
        said = here.keep()
        assert said.code == 0, said
        assert here.instances() == ()
        assert here.serving() == ()


def test_tampering_is_found_and_the_phoenix_replaces_what_was_touched(images: tuple[Image, Image, Image], tmp_path: Path) -> None:
    with site(tmp_path) as here:
        here.approve(images[0])
        assert here.deploy(images[0]).code == 0
        assert here.keep().code == 0
        alone(here, 1)  # untouched: nothing was replaced
        (touched,) = here.instances()
        podmans.podman("exec", "--detach", touched.id, "/bin/sleep", "1000")
        with Load(here.listen) as load:
            said = here.keep()
        assert said.code == 0, said
        drifts = [each for line in said.out.splitlines() for each in json.loads(line)["round"]["drifts"]]
        assert [(each["kind"], each["where"]) for each in drifts] == [("process", touched.id)]
        alone(here, 2)
        assert load.failed == []
