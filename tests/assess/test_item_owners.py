"""Whose an item is, from a push to the list: CODEOWNERS, who wrote the lines, the team, and what somebody said by hand."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from tests.assess.conftest import BAD, WORSE, Once

from assaymark.model.access import Grant, Role
from assaymark.model.assessment import Instant, RepositoryId
from assaymark.model.happening import HappeningKind
from assaymark.server.work.owners import own_items
from assaymark.server.work.remotes import mirror_of
from assaymark.store import items, people, teams
from assaymark.store.item_keeping import Owner, own
from assaymark.store.items import Filter, ItemRow
from assaymark.store.tables import happening, item
from assaymark.subjects.blame import who_wrote


def commit(shop: Any, files: dict[str, bytes]) -> str:
    for name, content in files.items():
        path = shop.origin.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(shop.origin.commit())


def judged(shop: Any, head: str, before: str = "") -> int:
    """Push, assess, take stock, ask whose."""
    number = shop.push(head, before)
    shop.assess(number)
    shop.take_stock(number)
    of = shop.row(number).subject
    own_items(shop.service, {"subject": of}, Once())
    return int(of)


def listed(shop: Any) -> dict[str, ItemRow]:
    with shop.service.database.read() as link:
        return {row.title.rpartition(" in ")[2]: row for row in items.page(link, None, Filter())[0]}


def add_person(shop: Any, login: str, email: str = "", *, sees: bool = True) -> int:
    with shop.service.database.write() as link:
        made = people.add(link, people.Draft(login, email=email), at=Instant(0))
        assert made is not None
        if sees:
            teams.give(link, made, Grant(Role.DEVELOPER), source="local", at=Instant(0))
    return made


def test_codeowners_says_whose_an_item_is_and_the_account_is_found(shop: Any) -> None:
    ada = add_person(shop, "ada")
    head = commit(shop, {"web/a.py": BAD, "api/b.py": BAD, ".github/CODEOWNERS": b"* @org/all\n/web/ @ada\n"})
    judged(shop, head)
    rows = listed(shop)
    assert (rows["web"].owner, rows["web"].person, rows["web"].owner_source) == ("ada", ada, "codeowners")
    assert (rows["api"].owner, rows["api"].person, rows["api"].owner_source) == ("@org/all", None, "codeowners")


def test_without_codeowners_who_wrote_the_lines_is_the_owner(shop: Any) -> None:
    head = commit(shop, {"web/a.py": BAD})
    email = shop.origin.git("log", "-1", "--format=%ae").strip()
    judged(shop, head)
    assert (listed(shop)["web"].owner, listed(shop)["web"].owner_source) == (email, "blame")
    ada = add_person(shop, "ada", email.upper())
    with shop.service.database.write() as link:
        link.execute(item.update().values(basis=""))
    own_items(shop.service, {"subject": 1}, Once())
    assert (listed(shop)["web"].owner, listed(shop)["web"].person) == ("ada", ada)


def test_who_may_not_see_an_item_is_not_its_person(shop: Any) -> None:
    add_person(shop, "ada", sees=False)
    head = commit(shop, {"web/a.py": BAD, "CODEOWNERS": b"* @ada\n"})
    judged(shop, head)
    assert (listed(shop)["web"].owner, listed(shop)["web"].person) == ("@ada", None)


def test_an_owner_stays_with_the_next_push_and_changes_with_codeowners(shop: Any) -> None:
    first = commit(shop, {"web/a.py": BAD, "CODEOWNERS": b"* @one\n"})
    judged(shop, first)
    second = commit(shop, {"web/c.py": b"x = 1\n"})
    judged(shop, second, first)
    with shop.service.database.read() as link:
        spans = len(items.history(link, listed(shop)["web"].id))
    assert spans == 2  # opened, and given to @one
    third = commit(shop, {"CODEOWNERS": b"* @two\n"})
    judged(shop, third, second)
    assert listed(shop)["web"].owner == "@two"


def test_what_was_given_by_hand_stays(shop: Any) -> None:
    first = commit(shop, {"web/a.py": BAD})
    judged(shop, first)
    with shop.service.database.write() as link:
        own(link, listed(shop)["web"].id, Owner("hand", "grace"), shop.service.now())
    second = shop.origin.commit(CODEOWNERS=b"* @two\n")
    judged(shop, second, first)
    assert (listed(shop)["web"].owner, listed(shop)["web"].owner_source) == ("grace", "hand")


def test_opening_owning_and_closing_are_told_once_each(shop: Any) -> None:
    first = commit(shop, {"web/a.py": BAD, "CODEOWNERS": b"* @one\n"})
    judged(shop, first)
    second = commit(shop, {"web/a.py": b"x = 1\n"})
    judged(shop, second, first)
    third = commit(shop, {"web/a.py": b"x = 2\n"})
    judged(shop, third, second)
    with shop.service.database.read() as link:
        kinds = link.execute(sa.select(happening.c.kind).where(happening.c.kind.startswith("item.")).order_by(happening.c.id)).scalars()
        assert list(kinds) == [HappeningKind.ITEM_OPENED, HappeningKind.ITEM_ASSIGNED, HappeningKind.ITEM_CLOSED]


def test_a_merge_request_opens_no_item(shop: Any) -> None:
    base = commit(shop, {"web/a.py": b"x = 1\n"})
    judged(shop, base)
    shop.origin.git("checkout", "-q", "-b", "topic")
    head = commit(shop, {"web/a.py": WORSE})
    shop.assess(shop.request(head, base=base, ref="refs/heads/topic"))
    assert listed(shop) == {}


@pytest.mark.parametrize("name", ["-L1,1.py", "a b.py", "ü.py", ":(glob)x.py"])
def test_names_of_files_are_no_options_of_blame(shop: Any, name: str) -> None:
    head = commit(shop, {name: BAD, "other.py": BAD})
    shop.assess(shop.push(head))
    mirror = mirror_of(shop.service, RepositoryId(1))
    wrote = who_wrote(mirror, head, {name: [1, 5], "gone.py": [1], "/etc/passwd": [1], "other.py": [2, 99]}, 30)
    assert {place[0] for place in wrote} <= {name, "other.py"}
    assert (name, 1) in wrote
