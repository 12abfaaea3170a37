from __future__ import annotations

from assaymark.model.assessment import Instant
from assaymark.store import outbox
from assaymark.store.database import Database
from assaymark.store.outbox import Message, Note


def _put(database: Database, *notes: Note, at: int = 0) -> None:
    with database.write() as connection:
        for note in notes:
            outbox.write(connection, note, at=Instant(at))


def _due(database: Database, at: int = 0) -> list[Message]:
    with database.read() as connection:
        return list(outbox.due(connection, Instant(at), most=10))


def test_a_later_message_of_a_stream_overtakes_the_earlier(database: Database) -> None:
    _put(database, Note("status", "a", "1"), Note("status", "a", "2"), Note("comment", "a", "3"), Note("status", "b", "4"))
    assert [each.message for each in _due(database)] == ["2", "3", "4"]


def test_only_one_process_begins_an_attempt(database: Database) -> None:
    _put(database, Note("status", "a", "1"))
    (message,) = _due(database)
    with database.write() as connection:
        assert outbox.begin(connection, message, Instant(0))
        assert not outbox.begin(connection, message, Instant(0))


def test_what_failed_waits_and_is_given_up_in_the_end(database: Database) -> None:
    _put(database, Note("status", "a", "1"))
    at, pauses = 0, []
    while due := _due(database, at):
        with database.write() as connection:
            assert outbox.begin(connection, due[0], Instant(at))
            outbox.failed(connection, due[0], Instant(at), "no answer", may_pass=True)
        with database.read() as connection:
            later = outbox.next_due(connection)
        if later is None:
            break
        assert _due(database, later - 1) == []
        pauses.append(later - at)
        at = later
    assert len(pauses) == outbox.ATTEMPTS - 1
    assert pauses == sorted(set(pauses))


def test_what_cannot_pass_is_given_up_at_once(database: Database) -> None:
    _put(database, Note("status", "a", "1"))
    (message,) = _due(database)
    with database.write() as connection:
        outbox.begin(connection, message, Instant(0))
        outbox.failed(connection, message, Instant(0), "forbidden", may_pass=False)
        assert outbox.next_due(connection) is None


def test_the_number_of_a_comment_is_remembered_per_stream(database: Database) -> None:
    with database.write() as connection:
        assert outbox.remembered(connection, "a") == ("", "")
        outbox.remember(connection, "a", "7", "d1", Instant(0))
        outbox.remember(connection, "a", "7", "d2", Instant(1))
        assert outbox.remembered(connection, "a") == ("7", "d2")
