"""What is due: decided from ledger, terms, permit and drifts alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_sample import BEGINNING, ONE, PAIR, TERMS, TWO, Place

from assaymark.deployment.drift.drifted import Action, Drift, Weight
from assaymark.deployment.drivers.driver import instance_id
from assaymark.deployment.phoenix import keep
from assaymark.deployment.phoenix.generation import Ledger, State, Step, Why, told
from assaymark.deployment.phoenix.keep import Deed, due
from assaymark.deployment.phoenix.permit import Permitted, Standing
from assaymark.deployment.phoenix.round import Means, Wanted, one
from assaymark.deployment.phoenix.terms import Policy
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant

HOUR = 3600 * SECOND
WAY = (State.VERIFIED, State.LAUNCHED, State.HEALTHY, State.SHIFTED, State.SOAKED)


def history(*generations: tuple[str, Why], hours: float = 0.1, **wanted: Any) -> Ledger:
    """These digests were live one after another, so many hours apart; the last one is."""
    steps: list[Step] = []

    def step(number: int, state: State, at: float, **more: Any) -> None:
        steps.append(Step(len(steps) + 1, Instant(BEGINNING + int(at * HOUR)), number, state, "ada", **more))

    for number, (digest, why) in enumerate(generations, 1):
        at = (number - 1) * hours
        step(number, State.WANTED, at, digest=digest, image=f"web@{digest}", why=why, **wanted)
        for state in WAY:
            step(number, state, at)
        if number > 1:
            step(number - 1, State.RETIRED, at)
        step(number, State.LIVE, at)
    return told(PAIR, steps)


def after(hours: float) -> Instant:
    return Instant(BEGINNING + int(hours * HOUR))


OK = Permitted(ok=True, standing=Standing.APPROVED)
DRIFT = Drift("i", "/bin/sh", "content", "a", "b", Weight.CRITICAL, Action.REPLACE)


def not_ok(standing: Standing) -> Permitted:
    return Permitted(ok=False, standing=standing, reasons=("because",))


def test_nothing_is_due_where_all_is_as_it_should_be() -> None:
    assert due(history((ONE, Why.DEPLOY)), TERMS, {ONE: OK}, (), after(1)) is None
    assert due(Ledger(PAIR), TERMS, {}, (), after(1)) is None


def test_drift_is_answered_with_the_same_digest_as_a_new_generation() -> None:
    found = due(history((ONE, Why.DEPLOY)), TERMS, {ONE: OK}, (DRIFT,), after(1))
    assert found is not None
    assert found.wish is not None
    assert (found.deed, found.why, found.wish.digest, found.wish.image) == (Deed.REPLACE, Why.DRIFT, ONE, f"web@{ONE}")


def test_what_is_pinned_stays_pinned_when_it_is_replaced() -> None:
    found = due(history((ONE, Why.ROLLBACK), pinned=True), TERMS, {ONE: OK}, (DRIFT,), after(1))
    assert found is not None
    assert found.wish is not None
    assert found.wish.pinned


def test_age_is_counted_from_when_it_became_live() -> None:
    ledger, terms = history((ONE, Why.DEPLOY)), replace(TERMS, max_age_hours=24)
    assert due(ledger, terms, {ONE: OK}, (), after(23.9)) is None
    found = due(ledger, terms, {ONE: OK}, (), after(25.1))
    assert found is not None
    assert (found.deed, found.why) == (Deed.REPLACE, Why.AGE)
    assert due(ledger, replace(terms, max_age_hours=0), {ONE: OK}, (), after(99_999)) is None
    aged = replace(DRIFT, kind="age")
    found = due(ledger, replace(TERMS, on_age=Policy.ALERT), {ONE: OK}, (aged,), after(1))
    assert found is not None
    assert (found.deed, found.why) == (Deed.ALERT, Why.AGE)


def test_looked_away_from_is_looked_away_from_and_an_alert_is_one() -> None:
    ledger = history((ONE, Why.DEPLOY))
    assert due(ledger, TERMS, {ONE: OK}, (replace(DRIFT, action=Action.IGNORE),), after(1)) is None
    found = due(ledger, TERMS, {ONE: OK}, (replace(DRIFT, action=Action.ALERT),), after(1))
    assert found is not None
    assert found.deed is Deed.ALERT


@pytest.mark.parametrize(("policy", "deed"), [(Policy.REPLACE, Deed.REPLACE), (Policy.STOP, Deed.STOP), (Policy.ALERT, Deed.ALERT)])
def test_a_revocation_is_answered_as_the_terms_say(policy: Policy, deed: Deed) -> None:
    ledger = history((ONE, Why.DEPLOY), (TWO, Why.DEPLOY))
    found = due(ledger, replace(TERMS, on_revoked=policy), {TWO: not_ok(Standing.REVOKED), ONE: OK}, (), after(1))
    assert found is not None
    assert (found.deed, found.why) == (deed, Why.REVOKED)
    assert found.wish is None or found.wish.digest == ONE


@pytest.mark.parametrize(("policy", "deed"), [(Policy.STOP, Deed.STOP), (Policy.ALERT, Deed.ALERT)])
def test_where_nothing_approved_is_there_it_is_stopped_or_said(policy: Policy, deed: Deed) -> None:
    ledger = history((ONE, Why.DEPLOY), (TWO, Why.DEPLOY))
    stands = {TWO: not_ok(Standing.REVOKED), ONE: not_ok(Standing.REVOKED)}
    found = due(ledger, replace(TERMS, without_approved=policy), stands, (), after(1))
    assert found is not None
    assert found.deed is deed


def test_what_is_merely_unproven_takes_nothing_away() -> None:
    ledger = history((ONE, Why.DEPLOY), (TWO, Why.DEPLOY))
    for policy in Policy:
        terms = replace(TERMS, on_revoked=policy, on_expired=policy, on_drift=policy)
        found = due(ledger, terms, {TWO: not_ok(Standing.UNPROVEN), ONE: OK}, (DRIFT,), after(1))
        assert found is not None
        assert found.deed is Deed.ALERT


def test_an_approval_that_ended_by_itself_is_said_first() -> None:
    ledger = history((ONE, Why.DEPLOY), (TWO, Why.DEPLOY))
    stands = {TWO: not_ok(Standing.EXPIRED), ONE: OK}
    for policy, deed in ((Policy.ALERT, Deed.ALERT), (Policy.STOP, Deed.STOP), (Policy.REPLACE, Deed.REPLACE)):
        found = due(ledger, replace(TERMS, on_expired=policy), stands, (), after(1))
        assert found is not None
        assert found.deed is deed


def test_replacements_are_bounded_within_their_hours() -> None:
    terms = replace(TERMS, most_replacements=2, replacement_hours=1)
    ledger = history((ONE, Why.DEPLOY), (ONE, Why.DRIFT), (ONE, Why.DRIFT))
    found = due(ledger, terms, {ONE: OK}, (DRIFT,), after(0.5))
    assert found is not None
    assert (found.deed, "2 replacements" in found.reason) == (Deed.ALERT, True)
    found = due(ledger, terms, {ONE: OK}, (DRIFT,), after(1.15))
    assert found is not None
    assert found.deed is Deed.REPLACE


@given(
    st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.sampled_from(Why)), min_size=1, max_size=6),
    st.dictionaries(st.sampled_from([ONE, TWO]), st.sampled_from(Standing)),
    st.lists(st.sampled_from(Action), max_size=3),
    st.sampled_from(Policy), st.integers(0, 3000),
)  # fmt: skip
def test_only_what_is_permitted_is_ever_wished_for(
    lived: list[tuple[str, Why]], stands: dict[str, Standing], actions: list[Action], policy: Policy, hours: int
) -> None:
    ledger = history(*lived)
    permitted = {name: Permitted(ok=each in {Standing.APPROVED, Standing.BREAKGLASS}, standing=each) for name, each in stands.items()}
    terms = replace(TERMS, on_drift=policy, on_revoked=policy, on_age=policy, on_expired=policy)
    found = due(ledger, terms, permitted, [replace(DRIFT, action=each) for each in actions], after(hours))
    if found is not None and found.wish is not None:
        assert permitted[found.wish.digest].ok
        assert found.deed is Deed.REPLACE
    if found is not None and found.deed is Deed.STOP:
        assert ledger.live is not None
        assert policy is Policy.STOP


def test_others_are_asked_about_only_when_what_runs_has_to_go() -> None:
    ledger, asked = history((ONE, Why.DEPLOY), (TWO, Why.DEPLOY)), []

    def permit(digest: str, _pair: object, _now: Instant, /) -> Permitted:
        asked.append(digest)
        return OK if digest == ONE or good else not_ok(Standing.REVOKED)

    good = True
    keep.asked(keep.candidates(ledger), ledger, permit, after(1))
    assert asked == [TWO]
    good = False
    keep.asked(keep.candidates(ledger), ledger, permit, after(1))
    assert asked == [TWO, TWO, ONE]


def test_a_rollback_goes_to_what_was_live() -> None:
    ledger = history((ONE, Why.DEPLOY), (TWO, Why.DEPLOY), (TWO, Why.DRIFT))
    assert keep.rolled_back(ledger).number == 1
    assert keep.rolled_back(ledger, 2).digest == TWO
    assert keep.rolled_back(ledger, digest=ONE).number == 1
    for wrong in ({"number": 9}, {"digest": "sha256:" + "9" * 64}):
        with pytest.raises(UsageError):
            keep.rolled_back(ledger, **wrong)
    with pytest.raises(UsageError):
        keep.rolled_back(history((ONE, Why.DEPLOY)))


def test_where_a_platform_rolls_instances_come_and_go_and_only_too_few_are_told(tmp_path: Path) -> None:
    platform = FolderPlatform(tmp_path / "platform", rolls=True)
    place = Place(tmp_path, platform, replace(TERMS, canary=(), min_healthy=1))
    place.deploy(ONE)
    with place.journal() as journal:
        ledger = journal.ledger
    (platform.folder / "instances" / instance_id(PAIR, 1, 1)).unlink()
    assert keep.looked(ledger, platform, place.terms, after(1)).drifts == ()
    (platform.folder / "instances" / instance_id(PAIR, 1, 2)).unlink()
    (found,) = keep.looked(ledger, platform, place.terms, after(1)).drifts
    assert (found.where, found.observed, found.action) == (str(PAIR), "0 running", Action.ALERT)


def test_an_instance_that_is_gone_is_a_drift_and_is_replaced_by_a_generation(tmp_path: Path) -> None:
    platform = FolderPlatform(tmp_path / "platform")
    place = Place(tmp_path, platform)
    place.deploy(ONE)
    platform.change(instance_id(PAIR, 1, 1), running=False)
    (platform.folder / "instances" / instance_id(PAIR, 1, 2)).unlink()
    with place.journal() as journal:
        done = one(journal, Means(platform, place.terms, place.permit, place.clock))
    assert sorted(each.where for each in done.drifts) == [instance_id(PAIR, 1, 1), instance_id(PAIR, 1, 2)]
    assert done.ended is not None
    assert (done.ended.number, done.ended.state, done.ended.why) == (2, State.LIVE, Why.DRIFT)
    with place.journal() as journal:
        again = one(journal, Means(platform, place.terms, place.permit, place.clock))
    assert (again.due, again.ended, again.good) == (None, None, True)


@pytest.mark.parametrize(
    ("standing", "policy", "state"),
    [
        (Standing.REVOKED, Policy.REPLACE, State.STOPPED),
        (Standing.REVOKED, Policy.ALERT, State.LIVE),
        (Standing.UNPROVEN, Policy.REPLACE, State.STOPPED),
        (None, Policy.REPLACE, State.LIVE),
    ],
)
def test_a_server_that_says_to_stop_is_heard_where_the_keeper_finds_the_same(
    tmp_path: Path, standing: Standing | None, policy: Policy, state: State
) -> None:
    platform = FolderPlatform(tmp_path / "platform")
    place = Place(tmp_path, platform, replace(TERMS, on_revoked=policy))
    place.deploy(ONE)
    place.permit.back |= {ONE: standing} if standing else {}
    with place.journal() as journal:
        one(journal, Means(platform, place.terms, place.permit, place.clock), Wanted(stop=True, why="revoked"))
        assert journal.ledger.generations[1].state is state
