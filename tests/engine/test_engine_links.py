"""Units that are closures: a folder with all that its files refer to."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from tests.engine.conftest import Toy

from assaymark.engine.links import MOST_LINKS, look_up
from assaymark.engine.plan import Plan, Side, plan, sides
from assaymark.engine.units import closures
from assaymark.model.check import UnitKind
from assaymark.testing.memory import MemoryComparison, MemoryFacts, MemorySubject


class Linked(Toy):
    """A toy whose contents are lists of folders."""

    def __init__(self) -> None:
        super().__init__("dirs", UnitKind.DIRECTORY, ".tf")
        self.asked: list[bytes] = []

    def links(self, content: bytes) -> Iterable[str]:
        self.asked.append(content)
        if content == b"broken":
            raise RuntimeError("a defect")
        return content.decode().split()


def planned(check: Linked, base: MemorySubject, head: MemorySubject, memory: MemoryFacts | None = None) -> Plan:
    listings = [list(base.entries()), list(head.entries())]
    found = look_up([check], listings, [base.reader(), head.reader()], memory)
    changed = sides(MemoryComparison(base, head).changes())
    old, new = (Side(side.entries, listing, links=found) for side, listing in zip(changed, listings, strict=True))
    return plan([check], old, new)


FILES = {"live/a.tf": b"../modules/app", "modules/app/a.tf": b"../net", "modules/net/a.tf": b"", "other/a.tf": b"\n"}


def test_a_unit_holds_what_its_folder_reaches_under_relative_names() -> None:
    made = planned(Linked(), MemorySubject({}), MemorySubject(FILES))
    names = {placed.path: [m.name for m in ref.members] for placed, ref in zip(made.head, made.inputs, strict=True)}
    assert names == {
        "live": ["../modules/app/a.tf", "../modules/net/a.tf", "a.tf"],
        "modules/app": ["../net/a.tf", "a.tf"],
        "modules/net": ["a.tf"],
        "other": ["a.tf"],
    }


def test_a_change_in_a_linked_folder_asks_for_its_users_and_nobody_else() -> None:
    made = planned(Linked(), MemorySubject(FILES), MemorySubject({**FILES, "modules/net/a.tf": b" "}))
    assert {placed.path for placed in made.head} == {"live", "modules/app", "modules/net"} == {placed.path for placed in made.base}


def test_a_link_that_comes_makes_another_unit_even_if_no_folder_of_it_is_new() -> None:
    made = planned(Linked(), MemorySubject(FILES), MemorySubject({**FILES, "other/a.tf": b"../live"}))
    assert [(placed.path) for placed in made.head] == ["other"]
    (ref,) = (ref for ref in made.inputs if ref.source == 1)
    assert len(ref.members) == 4


def test_what_is_known_is_not_read_again() -> None:
    memory, check = MemoryFacts(), Linked()
    base, head = MemorySubject(FILES), MemorySubject({**FILES, "other/a.tf": b"../live"})
    first = planned(check, base, base, memory)
    asked = len(check.asked)
    again = planned(check, base, head, memory)
    assert asked == len(set(FILES.values())), "equal contents are asked once"
    assert check.asked[asked:] == [b"../live"]
    assert (first.head, again) == ((), planned(Linked(), base, head))


def test_a_defect_of_the_check_leaves_units_to_their_folders() -> None:
    made = planned(Linked(), MemorySubject({}), MemorySubject({"a/a.tf": b"broken", "b/a.tf": b""}))
    assert {placed.path for placed in made.head} == {"a", "b"}


@pytest.mark.parametrize(
    ("folders", "reached"),
    [
        ({"a": ["../b"], "b": ["../a"]}, {"a": ("a", "b"), "b": ("a", "b")}),
        ({"a": ["."], "": ["./a"]}, {"a": ("a",), "": ("", "a")}),
        ({"a": ["..", "../../../../etc", "/etc", "../gone", "x\0y"], "": []}, {"a": ("", "a"), "": ("",)}),
        ({"a/b": ["./../b/./c//"], "a/b/c": ["../.."], "a": []}, {"a/b": ("a", "a/b", "a/b/c"), "a/b/c": ("a", "a/b/c"), "a": ("a",)}),
    ],
)
def test_circles_and_escapes_are_no_error(folders: dict[str, list[str]], reached: dict[str, tuple[str, ...]]) -> None:
    assert closures(folders) == reached


def test_a_deep_chain_of_folders_is_followed_without_recursion() -> None:
    chain = {f"{n}": [f"../{n + 1}"] for n in range(3000)} | {"3000": []}
    assert len(closures({k: chain[k] for k in ("0", *map(str, range(1, 3001)))})["0"]) == 3001


def test_a_content_with_very_many_links_is_cut() -> None:
    subject = MemorySubject({"a.tf": " ".join(f"./{n}" for n in range(MOST_LINKS * 2)).encode()})
    found = look_up([Linked()], [list(subject.entries())], [subject.reader()], None)
    assert [len(links) for by in found.values() for links in by.values()] == [MOST_LINKS]
