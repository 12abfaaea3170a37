"""A tree against its endorsed manifest: every kind of change is found as what it is, and an untouched tree says nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.deployment.mutations import ALL, HARMLESS, MUTATIONS, OF_ROOT, Mutation, plant

from assaymark.deployment.drift import tree as trees
from assaymark.deployment.drift.drifted import Action, Weight
from assaymark.deployment.drift.remembered import DAY, Remembered, drawn
from assaymark.deployment.drift.spelling import spelled
from assaymark.deployment.drift.stance import Plain, Stance
from assaymark.errors import UsageError
from assaymark.model.assessment import SECOND, Instant
from assaymark.subjects.manifest import Form, differences, manifest_of

ROOT = os.geteuid() == 0
NOW = Instant(1_800_000_000 * SECOND)
LATER = Instant(4_000_000_000 * SECOND)
"""After every time that a file of these tests has, so that all are remembered."""
drift = partial(Stance(Plain(), NOW).drift, "tree")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return plant(tmp_path / "tree")


def endorsed(tree: Path) -> trees.Expected:
    return trees.Expected(manifest_of(str(tree), Form.OWNED).text)


def found(tree: Path, expected: trees.Expected, remembered: Remembered | None = None) -> set[tuple[str, str]]:
    return {(each.what, each.kind) for each in trees.scan(str(tree), expected, drift, remembered).drifts}


def mutate(tree: Path, mutation: Mutation) -> set[tuple[str, str]]:
    try:
        mutation[0](tree)
    except OSError as error:
        pytest.skip(f"this cannot be done here: {error}")
    return mutation[1]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", MUTATIONS)
def test_every_kind_of_change_is_found_as_what_it_is(tree: Path, name: str) -> None:
    expected = endorsed(tree)
    told = mutate(tree, MUTATIONS[name])
    assert found(tree, expected) == told


@pytest.mark.skipif(not ROOT, reason="only root can do this")
@pytest.mark.parametrize("name", OF_ROOT)
def test_what_only_root_can_change_is_found(tree: Path, name: str) -> None:
    expected = endorsed(tree)
    told = mutate(tree, OF_ROOT[name])
    assert found(tree, expected) == told


@pytest.mark.parametrize("name", HARMLESS)
def test_what_changes_nothing_says_nothing(tree: Path, name: str) -> None:
    expected = endorsed(tree)
    HARMLESS[name](tree)
    assert found(tree, expected) == set()


@pytest.mark.parametrize("name", ALL)
def test_it_is_found_as_well_by_who_remembers_hashes(tree: Path, tmp_path: Path, name: str) -> None:
    if name in OF_ROOT and not ROOT:
        pytest.skip("only root can do this")
    expected, memory = endorsed(tree), tmp_path / "memory"
    first = Remembered(memory, LATER)
    assert found(tree, expected, first) == set()
    first.save()
    told = mutate(tree, ALL[name])
    second = Remembered(memory, LATER)
    assert found(tree, expected, second) == told
    assert second.recalled


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(sorted(MUTATIONS.keys() - {"fifo for a file"})), max_size=6))
def test_a_scan_says_what_two_manifests_say(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    tree = plant(tmp_path_factory.mktemp("tree"))  # who writes into a fifo waits for a reader: not for combinations
    before = manifest_of(str(tree), Form.OWNED).text
    for name in names:
        try:
            MUTATIONS[name][0](tree)
        except (OSError, shutil.SameFileError):
            continue  # what it changes is not there any more
    after = manifest_of(str(tree), Form.OWNED).text
    paths = {each.what for each in trees.scan(str(tree), trees.Expected(before), drift).drifts}
    assert paths == {spelled(each.path) for each in differences(before, after)}


def test_a_file_with_a_name_elsewhere_is_told_when_it_is_asked_for(tree: Path, tmp_path: Path) -> None:
    expected = endorsed(tree)
    os.link(tree / "etc/conf", tmp_path / "kept")
    assert found(tree, expected) == set()
    said = trees.scan(str(tree), expected, drift, outside=True).drifts
    assert [(each.what, each.kind, each.observed) for each in said] == [("etc/conf", "hard-link", "1 more name outside of the tree")]


def test_what_cannot_be_read_is_told_and_the_rest_is_compared(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = endorsed(tree)
    (tree / "etc/twin").write_bytes(b"two\n")
    real = os.open

    def refused(path: object, flags: int, *rest: object, **more: object) -> int:
        if path in {b"conf", b"deep"}:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refused)
    said = trees.scan(str(tree), expected, drift)
    assert {(each.what, each.kind) for each in said.drifts} == {("etc/conf", "unseen"), ("deep", "unseen"), ("etc/twin", "content")}
    assert said.unseen == 2
    assert {each.action for each in said.drifts if each.kind == "unseen"} == {Action.ALERT}


def test_data_is_not_compared_and_what_only_begins_like_it_is(tree: Path) -> None:
    expected = trees.Expected(manifest_of(str(tree), Form.OWNED).text, [b"/var/empty/", b"tmp"])
    (tree / "var/empty/x").write_bytes(b"")
    (tree / "tmp/x").write_bytes(b"")
    (tree / "tmpx").write_bytes(b"")
    assert found(tree, expected) == {("tmpx", "added")}


def test_what_gives_power_weighs_most(tree: Path) -> None:
    expected = endorsed(tree)
    (tree / "usr/bin/run").chmod(0o4755)
    (tree / "deep/a/b/c/leaf").write_bytes(b"other")
    (tree / "tmp/x").write_bytes(b"")
    said = trees.scan(str(tree), expected, drift).drifts
    assert [(each.what, each.weight) for each in said] == [
        ("usr/bin/run", Weight.CRITICAL), ("deep/a/b/c/leaf", Weight.MEDIUM), ("tmp/x", Weight.LOW),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"", "no manifest"),
        (b"\xff\n", "no manifest"),
        (b'{"form":"owned","manifest":2}\n', "version 1"),
        (b'{"form":"owned","manifest":1}', "version 1"),
        (b'{"form":"portable","manifest":1}\n', "checkout"),
        (b'{"form":"owned","manifest":1}\n{"t":"d","p":"."}\n{"t":"d","p":"."}\n', "no manifest"),
    ],
)
def test_what_is_no_manifest_of_what_runs_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        trees.Expected(text)


@pytest.mark.parametrize(
    "more", [b"nonsense", b'{"t":"f","p":"etc/conf"}', b'{"t":"f","pb64":"%"}', b'{"t":"f","p":"gone"}\n{"t":"d","p":"gone"}']
)
def test_a_manifest_with_a_strange_line_is_refused(tree: Path, more: bytes) -> None:
    expected = trees.Expected(manifest_of(str(tree), Form.OWNED).text + more + b"\n")
    with pytest.raises(UsageError, match="no manifest"):
        trees.scan(str(tree), expected, drift)


# --- remembering -----------------------------------------------------------------------------------------------------


def remember(tree: Path, memory: Path, now: Instant, *, full: bool = False) -> Remembered:
    made = Remembered(memory, now, full=full)
    trees.scan(str(tree), endorsed(tree), drift, made)
    made.save()
    return made


def test_what_was_changed_a_moment_ago_is_not_remembered(tree: Path, tmp_path: Path) -> None:
    import time  # noqa: PLC0415

    now = Instant(time.time_ns() // 1000)
    remember(tree, tmp_path / "memory", now)
    assert remember(tree, tmp_path / "memory", now).recalled == 0


def test_everything_is_read_once_in_each_period_and_when_the_clock_went_back(tree: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    assert remember(tree, memory, LATER).full
    assert not remember(tree, memory, LATER).full
    assert remember(tree, memory, Instant(LATER - 1)).full
    assert remember(tree, memory, Instant(LATER + 2 * DAY)).full
    assert remember(tree, memory, Instant(LATER + 2 * DAY), full=True).full


@given(st.integers(0, 10**18), st.integers(0, DAY - 1))
def test_the_instant_lies_in_the_next_period_and_is_drawn(now: int, chance: int) -> None:
    at = drawn(Instant(now), DAY, lambda _: chance)
    assert at // DAY == now // DAY + 1
    assert at % DAY == chance


def spoilt_by_others(path: Path) -> None:
    path.chmod(0o666)


def spoilt_by_damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def spoilt_by_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def spoilt_by_another_version(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[1] = 99
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [spoilt_by_others, spoilt_by_damage, spoilt_by_a_link, spoilt_by_another_version])
def test_a_memory_that_may_not_be_believed_remembers_nothing(tree: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    memory = tmp_path / "memory"
    remember(tree, memory, LATER)
    spoil(memory)
    assert remember(tree, memory, LATER).recalled == 0


def test_a_memory_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        Remembered(tmp_path / "no" / "memory", NOW).save()
