"""One upgrade: what is launched, watched, routed and burnt, and what sends it back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_laws import broken, ledger, unsettled
from tests.deployment.phoenix_sample import FOUR, ONE, PAIR, THREE, TWO, Place

from assaymark.deployment.drivers.driver import DriverFailed, Instance, Share, instance_id
from assaymark.deployment.phoenix import run
from assaymark.deployment.phoenix.generation import State, Why
from assaymark.deployment.phoenix.journal import JOURNAL, Journal, steps_of
from assaymark.deployment.phoenix.permit import Standing
from assaymark.deployment.phoenix.terms import ConfigurationTerms
from assaymark.errors import Busy, SubjectUnreadable, UsageError

BYE = run.Farewell("dora", "the shop closes")


@pytest.fixture
def platform(tmp_path: Path) -> FolderPlatform:
    return FolderPlatform(tmp_path / "platform")


@pytest.fixture
def place(tmp_path: Path, platform: FolderPlatform) -> Place:
    return Place(tmp_path, platform)


def shifts(platform: FolderPlatform) -> list[dict[int, int]]:
    return [{each.generation: each.percent for each in event.shares} for event in platform.history() if event.what == "shift"]


def failing(at: str, times: int = 1) -> Callable[[str], None]:
    """Raises at a point, so many times."""
    left = [times]

    def point(name: str) -> None:
        if name == at and left[0]:
            left[0] -= 1
            raise DriverFailed(f"no {at}")

    return point


def test_a_deploy_launches_watches_shifts_and_burns_the_one_before(place: Place, platform: FolderPlatform) -> None:
    assert place.deploy(ONE).state is State.LIVE
    assert place.deploy(TWO).state is State.LIVE
    found = ledger(place)
    assert [each.state for each in found.generations.values()] == [State.RETIRED, State.LIVE]
    assert shifts(platform)[-5:] == [{1: 90, 2: 10}, {1: 50, 2: 50}, {2: 100}, {2: 100}, {2: 100}]
    assert sorted(each.id for each in platform.list(PAIR)) == [instance_id(PAIR, 2, 1), instance_id(PAIR, 2, 2)]
    assert found.burnt == {instance_id(PAIR, 1, 1), instance_id(PAIR, 1, 2)}
    assert broken(place, platform, was_live=False) + unsettled(place, platform) == []


def test_what_may_not_run_is_never_launched(place: Place, platform: FolderPlatform) -> None:
    place.permit.back[ONE] = Standing.REVOKED
    ended = place.deploy(ONE)
    assert (ended.state, "taken back" in ended.reason) == (State.ABORTED, True)
    assert platform.history() == []


@pytest.mark.parametrize("asked", [2, 3, 4, 5])
def test_a_revocation_at_any_question_sends_the_new_one_back(place: Place, platform: FolderPlatform, asked: int) -> None:
    place.deploy(ONE)
    before, permit = len(place.permit.asked), place.permit
    original = type(permit).__call__

    class Revoking(type(permit)):  # type: ignore[misc]
        def __call__(self, digest, pair, now):  # type: ignore[no-untyped-def]
            if len(self.asked) - before + 1 == asked:
                self.back[TWO] = Standing.REVOKED
            return original(self, digest, pair, now)

    permit.__class__ = Revoking
    ended = place.deploy(TWO)
    assert ended.state is State.ABORTED
    assert platform.routes() == (Share(1, 100),)
    assert broken(place, platform, was_live=False) + unsettled(place, platform) == []


def test_it_is_asked_before_the_launch_before_each_shift_and_before_the_old_one_is_burnt(place: Place) -> None:
    place.deploy(ONE)
    before = len(place.permit.asked)
    place.deploy(TWO)
    # verified (and launched within the same second), 10 %, 50 %, all, soaked
    assert len(place.permit.asked) - before == 5


def test_what_does_not_become_healthy_is_burnt_and_the_old_one_never_loses_traffic(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    platform.healthy = lambda each: each.digest != TWO
    ended = place.deploy(TWO)
    assert (ended.state, "0 of 2 answer" in ended.reason) == (State.ABORTED, True)
    assert shifts(platform)[-1] == {1: 100}
    assert all(2 not in each for each in shifts(platform))
    assert unsettled(place, platform) == []


def test_what_falls_ill_while_it_soaks_gives_everything_back(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    platform.healthy = lambda each: each.digest != TWO or platform.routes() != (Share(2, 100),)
    assert place.deploy(TWO).state is State.ABORTED
    assert shifts(platform)[-1] == {1: 100}
    assert broken(place, platform, was_live=False) + unsettled(place, platform) == []


def test_one_bad_round_while_it_soaks_is_no_reason(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    rounds = iter([True] * 20 + [False] * 2 + [True] * 1000)
    platform.healthy = lambda each: each.digest != TWO or next(rounds)
    assert place.deploy(TWO).state is State.LIVE


def test_fewer_may_answer_where_the_terms_say_so(place: Place, platform: FolderPlatform) -> None:
    platform.healthy = lambda each: each.id.endswith("-1")
    assert place.deploy(ONE).state is State.ABORTED
    assert place.deploy(ONE, min_healthy=1).state is State.LIVE


def test_an_instance_of_another_digest_is_never_given_traffic(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)

    def swap(name: str) -> None:
        if name == "probe":
            platform.point = lambda _: None
            platform.change(instance_id(PAIR, 2, 1), digest=FOUR)

    platform.point = swap
    ended = place.deploy(TWO)
    assert (ended.state, FOUR in ended.reason) == (State.ABORTED, True)
    assert all(2 not in each for each in shifts(platform))


@pytest.mark.parametrize("at", ["before launch", "within launch", "after launch", "before shift", "after shift"])
def test_a_platform_that_fails_on_the_way_sends_it_back(place: Place, platform: FolderPlatform, at: str) -> None:
    place.deploy(ONE)
    platform.point = failing(at)
    assert place.deploy(TWO).state is State.ABORTED
    assert broken(place, platform, was_live=False) + unsettled(place, platform) == []


def test_a_driver_that_refuses_its_settings_leaves_nothing_half_done(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)

    def refuse(name: str) -> None:
        if name == "before launch":
            raise UsageError("the option port is no number")

    platform.point = refuse
    ended = place.deploy(TWO)
    assert (ended.state, "port" in ended.reason) == (State.ABORTED, True)
    platform.point = lambda _: None
    assert place.deploy(TWO).state is State.LIVE


def test_what_replaces_something_drifted_or_revoked_gets_all_at_once(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    for why in (Why.DRIFT, Why.REVOKED, Why.AGE):
        place.deploy(TWO, why=why)
    assert all(len(each) <= 1 for each in shifts(platform))


def test_a_platform_that_fails_on_the_way_back_is_asked_again(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    platform.healthy = lambda each: each.digest != TWO
    platform.point = failing("before burn", 3)
    with pytest.raises(DriverFailed):
        place.deploy(TWO)
    assert platform.routes() == (Share(1, 100),)
    with pytest.raises(DriverFailed):
        place.resume()
    with pytest.raises(DriverFailed):
        place.resume()
    assert place.resume().state is State.ABORTED  # type: ignore[union-attr]
    assert unsettled(place, platform) == []


def test_a_pinned_generation_gives_way_to_nobody_until_it_is_released(place: Place) -> None:
    place.deploy(ONE)
    place.deploy(TWO)
    assert place.deploy(ONE, why=Why.ROLLBACK, pinned=True).number == 3
    with pytest.raises(UsageError, match="pinned"):
        place.deploy(TWO)
    assert place.deploy(ONE, why=Why.AGE, pinned=True).pinned
    with place.journal() as journal:
        assert not run.release(journal, "ada", place.clock).pinned
    assert place.deploy(TWO).number == 5


def test_a_rollback_to_what_was_taken_back_is_refused(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    place.deploy(TWO)
    place.permit.back[ONE] = Standing.REVOKED
    assert place.deploy(ONE, why=Why.ROLLBACK, pinned=True).state is State.ABORTED
    assert platform.routes() == (Share(2, 100),)


def test_a_second_deployer_of_the_pair_is_refused_at_once(place: Place) -> None:
    with place.journal(), pytest.raises(Busy) as caught:
        place.journal()
    assert caught.value.exit_code == 3
    with place.journal():
        pass


def test_configuration_that_changed_since_the_wish_is_not_launched(place: Place, platform: FolderPlatform, tmp_path: Path) -> None:
    place.terms = replace(place.terms, configuration=ConfigurationTerms({"MODE": "a"}))
    place.deploy(ONE)

    platform.point = _killing("before launch")
    with pytest.raises(KilledError):
        place.deploy(TWO)
    platform.point = lambda _: None
    place.terms = replace(place.terms, configuration=ConfigurationTerms({"MODE": "b"}))
    ended = place.resume()
    assert ended is not None
    assert (ended.state, "configuration" in ended.reason) == (State.ABORTED, True)
    assert unsettled(place, platform) == []


class KilledError(BaseException):
    """As a kill: nothing of ours catches it."""


def _killing(at: str) -> Callable[[str], None]:
    def point(name: str) -> None:
        if name == at:
            raise KilledError

    return point


def test_no_secret_reaches_the_journal_also_when_a_platform_repeats_it(place: Place, platform: FolderPlatform, tmp_path: Path) -> None:
    word = "correct horse battery"
    (tmp_path / "secret").touch(0o600)
    (tmp_path / "secret").write_text(word)
    given = ConfigurationTerms(secrets={"PASSWORD": f"file:{tmp_path / 'secret'}"})
    place.terms = replace(place.terms, configuration=given)

    def leak(name: str) -> None:
        if name == "before launch":
            raise DriverFailed(f"run --password {word}: refused")

    platform.point = leak
    ended = place.deploy(ONE)
    assert "***" in ended.reason
    platform.point = _killing("probe")
    with pytest.raises(KilledError):
        place.deploy(TWO)

    def tell(name: str) -> None:
        if name == "probe":
            raise UsageError(f"probed with {word}")

    platform.point = tell
    resumed = place.resume()
    assert resumed is not None
    assert "***" in resumed.reason
    for path in place.state.rglob("*"):
        assert not path.is_file() or word.encode() not in path.read_bytes()


def test_a_canary_needs_a_driver_that_divides(tmp_path: Path) -> None:
    place = Place(tmp_path, FolderPlatform(tmp_path / "platform", rolls=True))
    with pytest.raises(UsageError, match="divide"):
        place.deploy(ONE)
    assert steps_of(place.state, PAIR) == ()


def test_going_back_on_a_platform_that_rolls_launches_the_old_digest_again(tmp_path: Path) -> None:
    platform = FolderPlatform(tmp_path / "platform", rolls=True)
    place = Place(tmp_path, platform)
    place.terms = replace(place.terms, canary=())
    place.deploy(ONE)
    platform.healthy = lambda each: each.digest != TWO
    assert place.deploy(TWO).state is State.ABORTED
    found = ledger(place)
    assert found.live is not None
    assert found.live.number == 1
    assert not found.burnt & set(found.live.instances)
    assert broken(place, platform, was_live=False) + unsettled(place, platform) == []


def test_what_no_journal_knows_is_burnt_once_something_else_serves(place: Place, platform: FolderPlatform) -> None:
    (platform.folder / "instances" / "stranger").write_bytes(b'{"id":"stranger","generation":7,"digest":"sha256:0"}')
    ended = place.deploy(ONE)
    assert (ended.number, ended.state) == (8, State.LIVE)
    assert unsettled(place, platform) == []
    (platform.folder / "instances" / "another").write_bytes(b'{"id":"another","generation":3,"digest":"sha256:0"}')
    assert place.resume() is None
    assert unsettled(place, platform) == []


def test_an_edge_that_forgot_is_told_again(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    (platform.folder / "routes").unlink()
    place.resume()
    assert platform.routes() == (Share(1, 100),)


@pytest.mark.parametrize("at", ["before shift", "after shift", "list", "before burn", "after burn"])
def test_stopping_takes_all_away_and_is_gone_on_with(place: Place, platform: FolderPlatform, at: str) -> None:
    place.deploy(ONE)
    platform.point = failing(at)
    with place.journal() as journal, pytest.raises(DriverFailed):
        run.stop(journal, platform, place.terms, place.clock, BYE)
    assert ledger(place).generations[1].state is State.STOPPING
    place.resume()
    assert ledger(place).generations[1].state is State.STOPPED
    with place.journal() as journal:
        assert [(each.state, each.actor) for each in journal.steps[-2:]] == [(State.STOPPING, "dora"), (State.STOPPED, "dora")]
        with pytest.raises(UsageError, match="can be stopped"):
            run.stop(journal, platform, place.terms, place.clock, BYE)
    assert platform.routes() == ()
    assert unsettled(place, platform) == []
    assert place.deploy(THREE).number == 2


def test_a_journal_that_was_changed_in_the_middle_is_refused(place: Place) -> None:
    place.deploy(ONE)
    path = Journal(place.state, PAIR).folder / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[3:]]))
    with pytest.raises(SubjectUnreadable, match="line 3"):
        place.journal()
    path.write_bytes(b"".join(lines).replace(b"1111", b"2222", 1))
    with pytest.raises(SubjectUnreadable, match="line 2"):
        place.journal()


def test_a_line_that_a_kill_cut_short_never_happened(place: Place) -> None:
    place.deploy(ONE)
    path = Journal(place.state, PAIR).folder / JOURNAL
    data = path.read_bytes()
    path.write_bytes(data[:-30])
    with place.journal() as journal:
        assert journal.ledger.live is None
    assert path.read_bytes().endswith(b"\n")
    assert place.resume().state is State.LIVE  # type: ignore[union-attr]


def test_what_adopts_an_instance_looks_at_its_configuration(place: Place, platform: FolderPlatform) -> None:
    place.deploy(ONE)
    name = instance_id(PAIR, 2, 1)
    made = Instance(name, 2, TWO, "sha256:" + "f" * 64)

    def plant(point: str) -> None:
        if point == "before launch":
            platform._write(platform.folder / "instances" / name, msgspec.json.encode(made))

    platform.point = plant
    ended = place.deploy(TWO)
    assert (ended.state, "configuration" in ended.reason) == (State.ABORTED, True)
