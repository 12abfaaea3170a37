"""Instances against their generation, and what the terms make of a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from assaymark.deployment.drift import instances
from assaymark.deployment.drift.drifted import Action, Drift, Weight
from assaymark.deployment.drift.instance import drifts
from assaymark.deployment.drift.spelling import spelled
from assaymark.deployment.drift.stance import Found, Ignored, Plain, Stance, weight_of
from assaymark.deployment.drivers.driver import Change, DriverFailed, Instance, Observation, Pair
from assaymark.deployment.phoenix.generation import Generation, Ledger, State, Why
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant

NOW = Instant(1_800_000_000 * SECOND)
DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
PAIR = Pair("production", "web")
GENERATION = Generation(
    3, State.LIVE, DIGEST, f"web@{DIGEST}", "sha256:" + "c" * 64, Why.DEPLOY, "ann", NOW, NOW, instances=("one", "two")
)  # fmt: skip
SEEN = Observation("one", DIGEST, GENERATION.configuration, NOW)


class Terms(Struct, frozen=True):
    max_age_hours: int = 24
    drift: Plain = Plain()


def told(seen: Observation, terms: Terms = Terms()) -> dict[str, Drift]:  # noqa: B008 - frozen
    return {each.kind: each for each in drifts(seen, GENERATION, terms, NOW)}


def test_an_instance_that_is_as_it_was_launched_says_nothing() -> None:
    assert told(SEEN) == {}


@pytest.mark.parametrize(
    ("seen", "kind", "weight", "observed"),
    [
        (Observation("one", OTHER), "digest", Weight.CRITICAL, OTHER),
        (Observation("one"), "unseen", Weight.HIGH, "the platform does not say what runs"),
        (Observation("one", DIGEST, OTHER), "configuration", Weight.HIGH, OTHER),
        (Observation("one", DIGEST, changes=(Change("usr/bin/x", "added", "file"),)), "added", Weight.CRITICAL, "file"),
        (Observation("one", DIGEST, changes=(Change("etc/x", "removed", "file"),)), "removed", Weight.HIGH, "nothing"),
        (Observation("one", DIGEST, changes=(Change("tmp/x", "changed", "content"),)), "changed", Weight.LOW, "content"),
        (Observation("one", DIGEST, processes=("sh -c x",)), "process", Weight.CRITICAL, "sh -c x"),
        (Observation("one", DIGEST, mounts=("/var/run/docker.sock",)), "mount", Weight.HIGH, "/var/run/docker.sock"),
        (Observation("one", DIGEST, unseen=("changes: no overlay",)), "unseen", Weight.HIGH, "changes: no overlay"),
        (Observation("one", DIGEST, born=Instant(NOW - 25 * 3600 * SECOND)), "age", Weight.MEDIUM, "25 hours"),
    ],
)
def test_every_difference_is_a_drift(seen: Observation, kind: str, weight: Weight, observed: str) -> None:
    found = told(seen)
    assert found.keys() == {kind}
    assert (found[kind].where, found[kind].weight, found[kind].observed) == ("one", weight, observed)


def test_a_digest_that_could_not_be_seen_is_told_once() -> None:
    assert len(drifts(Observation("one", unseen=("digest: no answer",)), GENERATION, Terms(), NOW)) == 1


def test_the_heaviest_comes_first() -> None:
    seen = Observation("one", OTHER, changes=(Change("tmp/x", "added"),), born=Instant(1))
    assert [each.weight for each in drifts(seen, GENERATION, Terms(), NOW)] == [Weight.CRITICAL, Weight.MEDIUM, Weight.LOW]


def test_no_age_is_too_high_where_none_is_asked_for() -> None:
    assert told(Observation("one", DIGEST, born=Instant(1)), Terms(max_age_hours=0)) == {}


# --- what is done about it -------------------------------------------------------------------------------------------


def action(kind: str, what: str, says: Plain) -> tuple[Action, int]:
    found = Stance(says, NOW).drift("x", Found(what, kind, "a", "b"))
    return found.action, found.until


def test_drift_is_replaced_unless_the_terms_say_to_alert() -> None:
    assert action("content", "x", Plain()) == (Action.REPLACE, 0)
    assert action("content", "x", Plain(kinds={"content": Action.ALERT})) == (Action.ALERT, 0)
    assert action("mode", "x", Plain(Action.ALERT)) == (Action.ALERT, 0)


def test_what_could_not_be_looked_at_asks_for_people() -> None:
    assert action("unseen", "x", Plain()) == (Action.ALERT, 0)
    assert action("unseen", "x", Plain(kinds={"unseen": Action.REPLACE})) == (Action.REPLACE, 0)


def test_drift_is_looked_away_from_until_an_instant_and_not_a_moment_longer() -> None:
    end = "2027-01-15T08:00:00Z"
    assert action("content", "var/x", Plain(ignore=(Ignored("var/*", "2030-01-01T00:00:00+00:00"),)))[0] is Action.IGNORE
    at_the_end = Stance(Plain(ignore=(Ignored("x", end),)), Instant(NOW)).drift("w", Found("x", "content", "", ""))
    assert (at_the_end.action, at_the_end.until) == (Action.REPLACE, 0)


def test_nobody_looks_away_without_an_end() -> None:
    assert action("content", "x", Plain(Action.IGNORE)) == (Action.ALERT, 0)
    assert action("content", "x", Plain(kinds={"content": Action.IGNORE})) == (Action.ALERT, 0)


@pytest.mark.parametrize(("pattern", "what", "meant"), [
    ("etc/x", "etc/x", True), ("etc/x", "etc/xy", False), ("etc/*", "etc/x", True), ("etc/*", "etcx", False), ("*", "etc/x", True),
    ("etc/?", "etc/x", False),
])  # fmt: skip
def test_what_is_looked_away_from_is_exact_or_a_beginning(pattern: str, what: str, meant: bool) -> None:
    says = Plain(ignore=(Ignored(pattern, "2030-01-01T00:00:00Z"),))
    assert (action("content", what, says)[0] is Action.IGNORE) is meant


@pytest.mark.parametrize("until", ["", "never", "2030-01-01", "2030-01-01T00:00:00"])
def test_an_end_that_is_none_is_refused(until: str) -> None:
    with pytest.raises(UsageError, match=r"no instant|no time zone"):
        Stance(Plain(ignore=(Ignored("x", until),)), NOW)


@pytest.mark.parametrize(("what", "weight"), [
    ("usr/bin/ls", Weight.CRITICAL), ("etc/shadow", Weight.CRITICAL), ("root/.ssh/authorized_keys", Weight.CRITICAL),
    ("etc/cron.d/x", Weight.CRITICAL), ("opt/app/main.py", Weight.CRITICAL), ("etc/nginx/nginx.conf", Weight.HIGH),
    ("srv/index.html", Weight.HIGH), ("var/log/x", Weight.LOW), ("usr/share/doc/x", Weight.LOW), ("data/x", Weight.MEDIUM),
    ("tmp/x.so", Weight.CRITICAL), ("etc/shadow\nx", Weight.HIGH),
])  # fmt: skip
def test_what_runs_or_says_who_may_weighs_most(what: str, weight: Weight) -> None:
    assert weight_of(Found(what, "content", "", "")) is weight


def test_what_is_told_has_a_bound() -> None:
    found = Stance(Plain(), NOW).drift("x", Found("x", "content", "a" * 10_000, "b" * 10_000))
    assert len(found.expected) == len(found.observed) == 500


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_two_paths_never_have_one_text_and_it_can_be_printed(one: bytes, other: bytes) -> None:
    assert (spelled(one) == spelled(other)) is (one == other)
    assert spelled(one).isprintable()


# --- all instances of a pair -----------------------------------------------------------------------------------------


class Platform:
    """A driver that only answers."""

    def __init__(self, listed: Sequence[Instance] | None, seen: Mapping[str, Observation]) -> None:
        self._listed, self._seen = listed, seen

    def list(self, _: Pair) -> Sequence[Instance]:
        if self._listed is None:
            raise DriverFailed("the platform is down", why="no route")
        return self._listed

    def observe(self, _: Pair, instance: str) -> Observation:
        if instance not in self._seen:
            raise DriverFailed("it ended meanwhile")
        return self._seen[instance]


def looked(listed: Sequence[Instance] | None, seen: Mapping[str, Observation]) -> set[tuple[str, str, str]]:
    ledger = Ledger(PAIR, {3: GENERATION}, 7)
    found = instances.look(Platform(listed, seen), ledger, Terms(), NOW)  # type: ignore[arg-type]
    return {(each.where, each.kind, each.observed) for each in found.drifts}


ONE, TWO = Instance("one", 3, DIGEST), Instance("two", 3, DIGEST)
BOTH = {"one": SEEN, "two": Observation("two", DIGEST, GENERATION.configuration, NOW)}


def test_all_instances_are_looked_at() -> None:
    assert looked([ONE, TWO], BOTH) == set()
    assert looked([ONE, TWO], {**BOTH, "two": Observation("two", OTHER)}) == {("two", "digest", OTHER)}


def test_an_instance_that_no_generation_knows_is_a_drift() -> None:
    assert looked([ONE, TWO, Instance("old", 2, OTHER)], BOTH) == {("old", "instance", f"{OTHER} of generation 2")}


def test_an_instance_that_is_missing_or_stands_still_is_a_drift() -> None:
    assert looked([ONE], BOTH) == {("two", "instance", "nothing")}
    assert looked([ONE, Instance("two", 3, DIGEST, running=False)], BOTH) == {("two", "instance", "nothing")}


def test_a_platform_that_does_not_answer_is_told_and_is_no_good_sign() -> None:
    assert looked(None, BOTH) == {("production/web", "unseen", "the platform is down: no route")}
    assert looked([ONE, TWO], {"one": SEEN}) == {("two", "unseen", "it ended meanwhile")}
