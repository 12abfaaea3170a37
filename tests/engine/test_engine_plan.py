from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.conftest import Toy

from assaymark.engine.batches import batches, split
from assaymark.engine.executor import Work
from assaymark.engine.limits import Limits
from assaymark.engine.plan import Side, needs_listing, plan, sides
from assaymark.engine.units import Member, Unit, unit_digest
from assaymark.model.check import UnitKind
from assaymark.model.digest import Digest, sha256
from assaymark.model.subject import Entry, EntryKind
from assaymark.testing.memory import MemoryComparison, MemorySubject


def whole(subject: MemorySubject) -> Side:
    entries = list(subject.entries())
    return Side(entries=entries, whole=entries)


def test_equal_content_under_many_names_is_one_input(make_toy: type[Toy]) -> None:
    made = plan([make_toy()], Side(), whole(MemorySubject({"a.py": b"x", "b.py": b"x", "c.py": b"y"})))
    assert len(made.inputs) == 2
    assert [placed.path for placed in made.head] == ["a.py", "b.py", "c.py"]


def test_equal_content_in_two_dialects_is_two_inputs(make_toy: type[Toy]) -> None:
    made = plan([make_toy()], Side(), whole(MemorySubject({"a.py": b"x", "b.sh": b"x"})))
    assert {ref.key.dialect for ref in made.inputs} == {"py", "sh"}


def test_a_move_asks_for_nothing_twice(make_toy: type[Toy]) -> None:
    comparison = MemoryComparison(MemorySubject({"old.py": b"x"}), MemorySubject({"new.py": b"x"}))
    made = plan([make_toy()], *sides(comparison.changes()))
    assert len(made.inputs) == 1
    assert [placed.path for placed in made.base] == ["old.py"]
    assert [placed.path for placed in made.head] == ["new.py"]


def test_links_submodules_and_special_files_are_counted_and_not_read(make_toy: type[Toy]) -> None:
    more = [
        Entry("link", sha256(b"1"), EntryKind.SYMLINK),
        Entry("module", Digest("git-sha1:" + "1" * 40), EntryKind.SUBMODULE),
        Entry("fifo", sha256(b"2"), EntryKind.SPECIAL),
        Entry("big.bin", sha256(b"pointer"), EntryKind.LFS, 7),
    ]
    made = plan([make_toy()], Side(), whole(MemorySubject({"a.py": b"x"}, more=more)))
    assert [placed.path for placed in made.head] == ["a.py", "big.bin"]
    assert made.skipped == (("special", 1), ("submodule", 1), ("symlink", 1))


def test_a_directory_is_one_input_of_its_selected_files(make_toy: type[Toy]) -> None:
    check = make_toy("dirs", UnitKind.DIRECTORY, ".tf")
    made = plan([check], Side(whole=()), whole(MemorySubject({"m/a.tf": b"1", "m/b.tf": b"2", "m/readme": b"3", "n/a.tf": b"1"})))
    assert [(placed.path, len(ref.members)) for placed, ref in zip(made.head, made.inputs, strict=True)] == [("m", 2), ("n", 1)]


def test_a_directory_whose_other_file_changed_is_asked_about_whole_and_untouched_ones_are_not(make_toy: type[Toy]) -> None:
    base, head = (
        MemorySubject({"m/a.tf": b"1", "m/b.tf": b"2", "n/c.tf": b"3"}),
        MemorySubject({"m/a.tf": b"1", "m/b.tf": b"9", "n/c.tf": b"3"}),
    )
    check = make_toy("dirs", UnitKind.DIRECTORY, ".tf")
    changed = sides(MemoryComparison(base, head).changes())
    assert needs_listing([check], *changed)
    with pytest.raises(ValueError, match="whole listings"):
        plan([check], *changed)
    listed = [Side(side.entries, list(subject.entries())) for side, subject in zip(changed, (base, head), strict=True)]
    made = plan([check], *listed)
    assert [placed.path for placed in (*made.base, *made.head)] == ["m", "m"]
    assert {len(ref.members) for ref in made.inputs} == {2}
    everything = plan([check], *listed, everything=True)
    assert [placed.path for placed in everything.head] == ["m", "n"]


def test_a_change_that_no_wide_check_selects_needs_no_listing(make_toy: type[Toy]) -> None:
    comparison = MemoryComparison(MemorySubject({"a.py": b"1"}), MemorySubject({"a.py": b"2"}))
    assert not needs_listing([make_toy(), make_toy("dirs", UnitKind.DIRECTORY, ".tf")], *sides(comparison.changes()))


@pytest.mark.parametrize("kind", [UnitKind.PACKAGE_SET, UnitKind.LAYER, UnitKind.HOST, UnitKind.ENDPOINT, UnitKind.EVENT_BATCH])
def test_a_subjects_own_units_are_planned_for_the_checks_that_ask(make_toy: type[Toy], kind: UnitKind) -> None:
    member = Member("part", sha256(b"x"), 1)
    unit = Unit(kind, "web/unit", unit_digest(kind, [member]), (member,))
    made = plan([make_toy("own", kind), make_toy()], Side(), Side(units=[unit]))
    assert [(placed.key.check, placed.path) for placed in made.head] == [("own", "web/unit")]


names = st.text("ab/", min_size=1, max_size=4)


@given(st.dictionaries(names, st.binary(max_size=2), max_size=8), st.dictionaries(names, st.binary(max_size=2), max_size=8))
@settings(max_examples=100, deadline=None)
def test_planning_the_changes_places_what_differs_of_planning_everything(base: dict[str, bytes], head: dict[str, bytes]) -> None:
    before, after = MemorySubject(base), MemorySubject(head)
    some = plan([Toy()], *sides(MemoryComparison(before, after).changes()))
    everything = plan([Toy()], whole(before), whole(after), everything=True)
    assert set(some.base) - set(some.head) == set(everything.base) - set(everything.head)
    assert set(some.head) - set(some.base) == set(everything.head) - set(everything.base)
    assert len({ref.key for ref in everything.inputs}) == len(everything.inputs)


@given(st.lists(st.tuples(names, st.sampled_from("abcdef")), unique_by=lambda pair: pair[0], max_size=6))
@settings(max_examples=100, deadline=None)
def test_a_units_digest_depends_on_names_and_digests_but_not_on_order(pairs: list[tuple[str, str]]) -> None:
    members = [Member(name, sha256(content.encode())) for name, content in pairs]
    digest = unit_digest(UnitKind.TREE, members)
    assert digest == unit_digest(UnitKind.TREE, members[::-1])
    assert digest != unit_digest(UnitKind.DIRECTORY, members)
    assert digest != unit_digest(UnitKind.TREE, [*members, Member("new", sha256(b""))])


def work_of(sizes: list[int], limits: Limits, make_toy: type[Toy]) -> Work:
    checks = [make_toy("in"), make_toy("out")]
    checks[1].starts_processes = True
    entries = [Entry(f"{number}.py", sha256(str(number).encode()), size=size) for number, size in enumerate(sizes)]
    made = plan(checks, Side(), Side(entries=entries))
    return Work(made.inputs, {check.id: check for check in checks}, (), limits)


@given(st.lists(st.integers(-1, 3 << 20), min_size=1, max_size=200), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_every_input_is_in_one_batch_and_all_checks_of_a_content_in_the_same(sizes: list[int], workers: int) -> None:
    work = work_of(sizes, Limits(tiny_inputs=4, tiny_bytes=1000), Toy)
    made = batches(work, range(len(work.inputs)), workers)
    assert sorted(index for batch in made for index in batch.indices) == list(range(len(work.inputs)))
    if len(work.inputs) > 4:
        homes = [{work.inputs[index].key.digest for index in batch.indices} for batch in made]
        assert sum(len(home) for home in homes) == len(sizes)
    assert [batch.size for batch in made] == sorted((batch.size for batch in made), reverse=True) or len(work.inputs) <= 4


def test_little_work_is_one_batch_per_kind_of_waiting(make_toy: type[Toy]) -> None:
    work = work_of([10, 20, 30], Limits(), make_toy)
    assert [len(batch.indices) for batch in batches(work, range(6), 2)] == [3, 3]
    assert [len(batch.indices) for batch in batches(work, range(6), 1)] == [6]


@given(st.integers(2, 3000))
@settings(max_examples=50, deadline=None)
def test_splitting_makes_smaller_batches_of_the_same_inputs(count: int) -> None:
    work = work_of([1] * (count // 2 + 1), Limits(), Toy)
    parts = split(work, range(count))
    assert [index for batch in parts for index in batch.indices] == list(range(count))
    assert all(len(batch.indices) < count for batch in parts)
