"""The transparency log in both databases."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from assaymark.endorsement.log import entry, merkle, tiles
from assaymark.endorsement.log.entry import Entry, EntryType
from assaymark.endorsement.log.tiles import Kind, Tile
from assaymark.errors import UsageError
from assaymark.model.assessment import Instant
from assaymark.store import log, trail
from assaymark.store.database import Database
from assaymark.store.tables import log_entry, log_tile

NOW = Instant(1_796_000_000_123_456)


def entries(number: int, first: int = 0) -> list[Entry]:
    return [
        Entry(EntryType.ENDORSE, Instant(NOW + index), "ada", (f"sha256:{index:064x}",), f"sha256:{index + 1:064x}")
        for index in range(first, first + number)
    ]


def lines(database: Database) -> list[bytes]:
    with database.read() as link:
        return list(log.lines(link, 0, 1 << 40))


def test_numbers_have_no_gaps_and_lines_say_their_number(database: Database) -> None:
    with database.write() as link:
        assert log.append(link, entries(3)) == (0, 1, 2)
        assert log.append(link, []) == ()
    with database.write() as link:
        assert log.append(link, entries(2)) == (3, 4)
    assert [entry.read(each).seq for each in lines(database)] == [0, 1, 2, 3, 4]


def test_what_is_taken_back_leaves_no_gap(database: Database) -> None:
    def fail() -> None:
        with database.write() as link:
            log.append(link, entries(300))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.write() as link:
        assert log.append(link, entries(1)) == (0,)
        assert link.execute(sa.select(sa.func.count()).select_from(log_tile)).scalar() == 0


@pytest.mark.parametrize("portions", [(1, 254, 1, 1, 300), (256,), (255, 2, 511, 1), (700,), (66_000,)])
def test_the_tree_of_rows_is_the_tree_of_the_lines(database: Database, portions: tuple[int, ...]) -> None:
    for each in portions:
        with database.write() as link:
            log.append(link, entries(each))
    said = lines(database)
    tree = merkle.Tree(said)
    with database.read() as link:
        size = log.size(link)
        assert size == sum(portions) == len(said)
        found = log.subtree(link, size)
        assert merkle.root(size, found) == merkle.root(size, tree.subtree)
        for index in {0, size // 3, size - 1}:
            assert merkle.inclusion(index, size, found) == merkle.inclusion(index, size, tree.subtree)
        for first in {1, size // 2 + 1, size}:
            assert merkle.consistency(first, size, log.subtree(link, size)) == merkle.consistency(first, size, tree.subtree)
        for tile in tiles.every(min(size, 1000)):
            data = log.file_of(link, tile)
            if tile.kind is Kind.ENTRIES:
                assert tiles.unbundle(data, tile.width) == said[tile.number * 256 : tile.number * 256 + tile.width]


def test_a_partial_tile_can_still_be_read_when_it_became_full(database: Database) -> None:
    with database.write() as link:
        log.append(link, entries(300))
    with database.read() as link:
        full = log.hashes(link, Tile(Kind.HASHES, 0, 0))
        assert log.hashes(link, Tile(Kind.HASHES, 0, 0, 7)) == full[: 7 * 32]


def test_nothing_is_appended_when_one_entry_cannot_be_written(database: Database) -> None:
    with database.write() as link, pytest.raises(UsageError, match="no digest"):
        log.append(link, [*entries(2), Entry(EntryType.REVOKE, NOW, "ada", ("what",))])
    assert lines(database) == []


@pytest.mark.parametrize("statement", ["UPDATE log_entry SET line = 'other'", "DELETE FROM log_entry", "UPDATE log_tile SET level = 3",
                                       "DELETE FROM log_tile", "DELETE FROM log_subject"])  # fmt: skip
def test_the_database_itself_refuses_changes(database: Database, statement: str) -> None:
    with database.write() as link:
        log.append(link, entries(257))
    with pytest.raises(sa.exc.DBAPIError, match="what happened cannot be changed"), database.write() as link:
        link.execute(sa.text(statement))


def test_writers_at_once_get_numbers_of_their_own(database: Database) -> None:
    """Half of them write to the trail first, half to the log: nobody waits for ever."""
    failed: list[Any] = []

    def write(number: int) -> None:
        try:
            for _ in range(10):
                with database.write() as link:
                    action = trail.Action(NOW, "ada", "thing.done", "success")
                    if number % 2:
                        trail.record(link, action)
                    log.append(link, entries(7))
                    if not number % 2:
                        trail.record(link, action)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert not failed
    assert [entry.read(each).seq for each in lines(database)] == list(range(420))
    with database.read() as link:
        assert merkle.root(420, log.subtree(link, 420)) == merkle.root(420, merkle.Tree(lines(database)).subtree)


def test_lines_are_found_by_what_they_are_about(database: Database) -> None:
    with database.write() as link:
        log.append(link, entries(5))
        log.append(link, [Entry(EntryType.REVOKE, NOW, "bob", (f"sha256:{2:064x}",), f"sha256:{3:064x}")])
    with database.read() as link:
        about = log.page(link, log.Filter(subject=f"sha256:{2:064x}"), before=None, limit=10)
        assert [each.seq for each in about] == [5, 2]
        assert [each.seq for each in log.page(link, log.Filter(type=EntryType.REVOKE), before=None, limit=10)] == [5]
        found = log.endorsed(link, f"sha256:{3:064x}")
        assert found is not None
        assert found.seq == 2
        assert [each.seq for each in log.page(link, log.Filter(), before=3, limit=2)] == [2, 1]
        assert log.page(link, log.Filter(teams=frozenset()), before=None, limit=10) == []
        assert log.get(link, 99) is None
        rows = link.execute(sa.select(log_entry.c.seq)).scalars().all()
    assert list(rows) == [0, 1, 2, 3, 4, 5]
