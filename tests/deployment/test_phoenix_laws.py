"""Laws that hold whatever happens: any order of steps, any bytes in a journal, any failures and kills on the way."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.deployment.deployer_process import QUICK
from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_laws import broken, ledger, unsettled
from tests.deployment.phoenix_sample import PAIR, Place, digest, scratch

from assaymark.deployment.drivers.driver import DriverFailed, instance_id
from assaymark.deployment.phoenix.generation import ENDED, Ledger, State, Step, after
from assaymark.deployment.phoenix.journal import JOURNAL, Journal, steps_of
from assaymark.deployment.phoenix.permit import Standing
from assaymark.deployment.phoenix.round import Means, one
from assaymark.deployment.phoenix.terms import Policy
from assaymark.errors import AssayError, UsageError
from assaymark.model.assessment import Instant

steps = st.builds(
    Step, st.integers(1, 12), st.just(Instant(1)), st.integers(1, 4), st.sampled_from(State), st.just("ada"),
    born=st.lists(st.sampled_from("abcd"), max_size=2, unique=True).map(tuple),
    burnt=st.lists(st.sampled_from("abcd"), max_size=2, unique=True).map(tuple),
)  # fmt: skip


@settings(max_examples=150)
@given(st.lists(steps, max_size=60), st.data())
def test_no_steps_talk_a_ledger_into_breaking_its_laws(offered: list[Step], data: st.DataObject) -> None:
    found = Ledger(PAIR)
    for step in offered:
        numbered = Step(found.steps + 1, step.at, step.generation, step.state, step.actor, born=step.born, burnt=step.burnt)
        try:
            become = after(found, data.draw(st.sampled_from([step, numbered])))
        except UsageError:
            continue
        assert become.steps == found.steps + 1
        assert sum(each.state is State.LIVE for each in become.generations.values()) <= 1
        assert sum(each.state not in ENDED | {State.LIVE} for each in become.generations.values()) <= 1
        for number, before in found.generations.items():
            assert before.state not in ENDED or become.generations[number] == before
        fresh = become.generations.keys() - found.generations.keys()
        assert all(number > found.highest for number in fresh)
        assert found.burnt <= become.burnt
        found = become


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("written")
    made = Place(folder, FolderPlatform(folder / "platform"), QUICK)
    made.deploy(digest("1"))
    made.deploy(digest("2"))
    return made


@settings(max_examples=40)
@given(st.data())
def test_a_journal_cut_anywhere_is_a_beginning_of_what_was(written: Place, data: st.DataObject) -> None:
    whole = (Journal(written.state, PAIR).folder / JOURNAL).read_bytes()
    steps = steps_of(written.state, PAIR)
    with scratch() as folder:
        journal = Journal(folder, PAIR)
        journal.folder.mkdir()
        cut = data.draw(st.integers(0, len(whole)))
        (journal.folder / JOURNAL).write_bytes(whole[:cut])
        with journal.open():
            assert journal.steps == steps[: whole[:cut].count(b"\n")]


@settings(max_examples=40)
@given(st.data())
def test_a_journal_with_a_changed_byte_before_its_last_line_is_refused(written: Place, data: st.DataObject) -> None:
    whole = bytearray((Journal(written.state, PAIR).folder / JOURNAL).read_bytes())
    last = whole.rstrip(b"\n").rfind(b"\n")
    at = data.draw(st.integers(0, last - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    with scratch() as folder:
        journal = Journal(folder, PAIR)
        journal.folder.mkdir()
        (journal.folder / JOURNAL).write_bytes(whole)
        with pytest.raises(AssayError), journal.open():
            pass


class KilledError(BaseException):
    """As a kill: nothing of ours catches it."""


class Fate:
    """What happens at the points of one deploy."""

    def __init__(self, kill: int, failures: frozenset[int]) -> None:
        self.kill, self.failures, self.passed = kill, failures, 0

    def __call__(self, _name: str) -> None:
        self.passed += 1
        if self.passed == self.kill:
            raise KilledError
        if self.passed in self.failures:
            raise DriverFailed("the platform has a bad day")


deploys = st.tuples(
    st.sampled_from("123"),
    st.booleans(),
    st.integers(0, 70),
    st.frozensets(st.integers(1, 70), max_size=6),
    st.sampled_from(["", "", "1", "2", "3"]),
)
"""Digest, whether it is sick, where the deployer is killed (0: nowhere), where the platform fails, what is taken back before."""


@settings(max_examples=120)
@given(st.booleans(), st.lists(deploys, min_size=1, max_size=5))
def test_whatever_fails_on_the_way_the_laws_hold_and_it_comes_to_rest(
    rolls: bool, wishes: list[tuple[str, bool, int, frozenset[int], str]]
) -> None:
    with scratch() as folder:
        platform = FolderPlatform(folder / "platform", rolls=rolls)
        place = Place(folder, platform, QUICK)
        place.terms = replace(QUICK, canary=()) if rolls else QUICK
        assert place.deploy(digest("0")).state is State.LIVE
        for letter, sick, kill, failures, back in wishes:
            ill = digest(letter) if sick else ""
            platform.healthy = lambda each, ill=ill: each.digest != ill  # type: ignore[misc]
            if back:
                place.permit.back[digest(back)] = Standing.REVOKED
            before, platform.point = ledger(place).highest, Fate(kill, failures)
            with suppress(KilledError, DriverFailed):
                place.deploy(digest(letter))
            assert broken(place, platform, was_live=True) == []
            platform.point = Fate(kill and kill // 3, frozenset())
            with suppress(KilledError, DriverFailed):
                place.resume()
            platform.point = lambda _: None
            place.resume()
            assert broken(place, platform, was_live=True) + unsettled(place, platform) == []
            found = ledger(place)
            assert found.live is not None
            if found.highest > before and (sick or digest(letter) in place.permit.back):
                assert found.generations[found.highest].state is State.ABORTED


@settings(max_examples=80)
@given(
    st.sampled_from(["drift", "gone", "revoked", "stop", "all revoked"]), st.integers(0, 60), st.integers(0, 20),
    st.frozensets(st.integers(1, 60), max_size=4),
)  # fmt: skip
def test_whatever_fails_in_a_round_of_the_keeper_the_next_ones_finish_it(
    what: str, kill: int, again: int, failures: frozenset[int]
) -> None:
    with scratch() as folder:
        platform = FolderPlatform(folder / "platform")
        stops = {"stop": {"on_revoked": Policy.STOP}, "all revoked": {"without_approved": Policy.STOP}}.get(what, {})
        place = Place(folder, platform, replace(QUICK, most_replacements=100, **stops))
        place.deploy(digest("1"))
        place.deploy(digest("2"))
        match what:
            case "drift":
                platform.change(instance_id(PAIR, 2, 1), digest=digest("6"))
            case "gone":
                (platform.folder / "instances" / instance_id(PAIR, 2, 2)).unlink()
            case _:
                place.permit.back |= {digest(each): Standing.REVOKED for each in ("12" if what == "all revoked" else "2")}
        means = Means(platform, place.terms, place.permit, place.clock)
        for fate in (Fate(kill, failures), Fate(again, frozenset())):
            platform.point = fate
            with suppress(KilledError, DriverFailed), place.journal() as journal:
                one(journal, means)
        platform.point = lambda _: None
        for _ in range(3):
            with place.journal() as journal:
                last = one(journal, means)
        assert (last.due, last.ended) == (None, None)
        wrong = broken(place, platform, was_live=True) + unsettled(place, platform)
        assert [each for each in wrong if not stops or "nobody behind the edge" not in each] == []
        live = ledger(place).live
        assert (live.digest if live else "") == {"drift": digest("2"), "gone": digest("2"), "revoked": digest("1")}.get(what, "")
