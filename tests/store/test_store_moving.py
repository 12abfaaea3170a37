"""From one machine to many, verified; and a copy of a running server."""

from __future__ import annotations

import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from assaymark.checks.application.dependencies.packages import Ecosystem, Package, PackageSet
from assaymark.cli import store as commands
from assaymark.errors import AssayError, SubjectUnreadable, UsageError
from assaymark.jobs.job import Job, JobState
from assaymark.jobs.open import open_queue
from assaymark.model.assessment import Instant, SubjectId
from assaymark.model.digest import Digest
from assaymark.server.moving import move_database
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.store import bulk, components, moving
from assaymark.store.backup import back_up
from assaymark.store.blobs import FolderBlobs, name_of
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate
from assaymark.store.tables import assessment, audit_event, component, setting, subject, team
from assaymark.store.trail import Action, record
from assaymark.store.verifying import verify

INPUT = Digest("git-sha1:" + "0" * 40)
Make = Callable[[str], str]


def quiet(_text: str) -> None:
    pass


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Service]:
    """A server on SQLite with something in it."""
    service = open_service(load({"HOME": str(tmp_path)}, data=str(tmp_path / "data")))
    migrate(service.database)
    packages = PackageSet(tuple(Package(f"p{n}", "1.0" if n % 2 else "odd one", Ecosystem.PYPI) for n in range(50)))
    with service.database.write() as connection:
        connection.execute(team.insert(), {"id": 7, "slug": "blue", "name": "Blau ☂", "created_at": 1})
        for number in range(1, 30):
            row = {"id": number, "kind": "branch", "key": str(number), "name": f"s{number}", "team": 7, "created_at": 1}
            connection.execute(subject.insert(), row)
            components.hold(connection, SubjectId(number), None, {"requirements.txt": (INPUT, packages)}, Instant(number))
        components.keep(service.blobs, packages)
        verdict = service.blobs.put(b'{"outcome": "pass"}')
        row = {"subject": 1, "state": "pass", "trigger": "push", "queued_at": 1, "verdict": verdict}
        connection.execute(assessment.insert(), row)
        for number in range(5):
            record(connection, Action(Instant(number), "ana", "thing.done", "success", details={"n": str(number)}))
        service.queue.put(connection, Job("assess", {"assessment": 1}, key="assess:1"))
        service.queue.put(connection, Job("assess", {"assessment": 2}, key="assess:2", priority=90))
    service.blobs.put(b"nobody needs this")
    yield service
    service.database.close()


@pytest.fixture
def target(make_database: Make) -> str:
    return make_database("postgresql")


def waiting(database: Database) -> set[str]:
    with database.read() as connection:
        return {row.job.key for row in open_queue(database).rows(connection, JobState.WAITING, before=None, limit=50)}


def invoke(*words: str) -> Result:
    return CliRunner().invoke(commands.command, list(words), catch_exceptions=True)


# --- rows ------------------------------------------------------------------------------------------------------------


def test_everything_is_there_afterwards_and_goes_on_there(full: Service, target: str) -> None:
    went = move_database(full, target, quiet)
    there = Database(target)
    with full.database.read() as old, there.read() as new:
        for table in moving.tables():
            assert moving.fingerprint(old, table) == moving.fingerprint(new, table)
        assert new.execute(sa.select(setting.c.name).where(setting.c.name == "store.moving")).first() is None
    assert went.rows > 100
    assert waiting(there) == {"assess:1", "assess:2"}
    with there.write() as connection:  # numbers go on after those that came
        made = connection.execute(subject.insert().returning(subject.c.id), {"kind": "tag", "key": "x", "name": "x", "created_at": 1})
        assert made.scalar_one() == 30
        record(connection, Action(Instant(9), "ana", "thing.done", "success"))
    assert verify(there, full.blobs, quiet).defects == []
    there.close()


def test_a_move_that_was_cut_off_goes_on(full: Service, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "PORTION", 7)
    monkeypatch.setattr(bulk, "portions", lambda items, size=7: PORTIONS(items, size))
    steps = [0]
    add = bulk.add

    def failing(*words: Any) -> None:
        steps[0] += 1
        if steps[0] in {3, 9, 15}:
            raise SubjectUnreadable("the network went away")
        add(*words)

    monkeypatch.setattr(bulk, "add", failing)
    failures = 0
    while True:
        try:
            move_database(full, target, quiet)
            break
        except SubjectUnreadable:
            failures += 1
    assert failures == 3
    there = Database(target)
    with there.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(component)).scalar_one() == 25
    assert waiting(there) == {"assess:1", "assess:2"}
    there.close()


PORTIONS = bulk.portions


def test_what_was_changed_between_two_halves_is_noticed(full: Service, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> None:
        raise SubjectUnreadable("the network went away")

    with monkeypatch.context() as patched:
        patched.setattr(moving, "fingerprint", stop)
        with pytest.raises(SubjectUnreadable):
            move_database(full, target, quiet)
    with full.database.write() as connection:
        connection.execute(team.update().values(name="Rot"))
    with pytest.raises(UsageError, match="team is not the same"):
        move_database(full, target, quiet)


def test_a_target_that_holds_something_is_refused_and_left_alone(full: Service, target: str) -> None:
    there = Database(target)
    migrate(there)
    with there.write() as connection:
        connection.execute(team.insert(), {"slug": "others", "name": "", "created_at": 1})
    with pytest.raises(UsageError, match="not empty"):
        move_database(full, target, quiet)
    with there.read() as connection:
        assert connection.execute(sa.select(team.c.slug)).scalars().all() == ["others"]
    there.close()


def test_half_a_move_from_elsewhere_is_refused(full: Service, target: str) -> None:
    there = Database(target)
    migrate(there)
    with there.write() as connection:
        connection.execute(setting.insert(), {"name": "store.moving", "value": '{"source":"another","done":{}}', "changed_at": 0})
    with pytest.raises(UsageError, match="another installation"):
        move_database(full, target, quiet)
    there.close()


def test_a_database_is_not_moved_into_itself(full: Service) -> None:
    with pytest.raises(UsageError, match="itself"):
        move_database(full, full.settings.database, quiet)


# --- content ---------------------------------------------------------------------------------------------------------


def test_all_content_is_copied_once(full: Service, tmp_path: Path) -> None:
    target = FolderBlobs(tmp_path / "elsewhere")
    assert moving.move_blobs(full.blobs, target, quiet) == (3, 0)
    assert moving.move_blobs(full.blobs, target, quiet) == (0, 3)
    assert list(target.every()) == list(full.blobs.every())


def test_content_that_was_changed_is_not_moved(full: Service, tmp_path: Path) -> None:
    digest = next(full.blobs.every())
    (full.settings.data / "blobs" / name_of(digest)[:2] / name_of(digest)).write_bytes(b"others")
    target = FolderBlobs(tmp_path / "elsewhere")
    with pytest.raises(SubjectUnreadable, match="was changed"):
        moving.move_blobs(full.blobs, target, quiet)
    assert not target.has(digest)


# --- verifying -------------------------------------------------------------------------------------------------------


def test_a_sound_store_has_no_defect(full: Service) -> None:
    found = verify(full.database, full.blobs, quiet)
    assert (found.defects, found.entries, found.kept, found.needed, found.unneeded) == ([], 5, 3, 2, 1)


def tampered(full: Service, *statements: str) -> None:
    """As somebody does who has the file and takes the guards away first."""
    link = sqlite3.connect(full.settings.data / "assaymark.db")
    for (name,) in link.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_event'").fetchall():
        link.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        link.execute(statement)
    link.commit()
    link.close()


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE audit_event SET actor = 'eve' WHERE id = 3", "entry 3 of the trail was changed"),
        ("UPDATE audit_event SET details = '{}' WHERE id = 2", "entry 2 of the trail was changed"),
        ("UPDATE audit_event SET details = 'no json' WHERE id = 2", "entry 2 of the trail was changed"),
        ("DELETE FROM audit_event WHERE id = 3", "entry 4 of the trail does not follow"),
        ("PRAGMA foreign_keys = OFF", ""),
        ("DELETE FROM team", "refers to a row of team"),
    ],
)
def test_what_was_tampered_with_is_told(full: Service, statement: str, told: str) -> None:
    tampered(full, statement)
    found = verify(full.database, full.blobs, quiet)
    assert any(told in each for each in found.defects) if told else not found.defects


def test_content_that_is_missing_or_changed_is_told(full: Service) -> None:
    with full.database.read() as connection:
        needed = list(moving.referenced(connection))
    for digest, text in zip(needed, [b"others", None], strict=True):
        path = full.settings.data / "blobs" / name_of(digest)[:2] / name_of(digest)
        path.unlink() if text is None else path.write_bytes(text)
    found = verify(full.database, full.blobs, quiet)
    assert sorted(each.partition(" ")[2] for each in found.defects) == ["is needed and not there", "was changed where it is kept"]


# --- a copy ----------------------------------------------------------------------------------------------------------


def test_a_copy_of_a_running_server_is_a_data_folder(full: Service, tmp_path: Path) -> None:
    file = tmp_path / "copies" / "today.tar"
    assert isinstance(full.blobs, FolderBlobs)
    with full.database.write() as connection:
        connection.execute(team.update().values(name="not committed"))
        kept = back_up(full.database, full.blobs, file)
    assert kept.blobs == 2
    assert file.stat().st_mode & 0o777 == 0o600
    with tarfile.open(file) as archive:
        names = archive.getnames()
        archive.extractall(tmp_path / "again", filter="data")
    assert not [name for name in names if "key" in name]
    again = open_service(load({"HOME": str(tmp_path)}, data=str(tmp_path / "again")))
    found = verify(again.database, again.blobs, quiet)
    assert (found.defects, found.entries, found.unneeded) == ([], 5, 0)
    with again.database.read() as connection:
        assert connection.execute(sa.select(team.c.name)).scalar() == "Blau ☂"
    again.database.close()


def test_a_copy_is_never_written_over_another_file(full: Service, tmp_path: Path) -> None:
    assert isinstance(full.blobs, FolderBlobs)
    (tmp_path / "today.tar").write_text("precious")
    with pytest.raises(UsageError, match="there already"):
        back_up(full.database, full.blobs, tmp_path / "today.tar")
    assert (tmp_path / "today.tar").read_text() == "precious"


def test_postgresql_is_told_to_use_its_own_tool(make_database: Make, tmp_path: Path) -> None:
    database = Database(make_database("postgresql"))
    with pytest.raises(UsageError) as caught:
        back_up(database, FolderBlobs(tmp_path / "blobs"), tmp_path / "x.tar")
    assert "pg_dump" in caught.value.diagnosis()
    database.close()


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_moves_verifies_and_backs_up(full: Service, target: str, tmp_path: Path) -> None:
    data = str(full.settings.data)
    moved = invoke("move", "--to", target, "--data", data)
    assert moved.exit_code == 0, moved.output
    assert "2 jobs wait there" in moved.output
    sound = invoke("verify", "--data", data, "--database", target)
    assert (sound.exit_code, "5 entries of the trail" in sound.output) == (0, True)
    assert invoke("backup", str(tmp_path / "x.tar"), "--data", data).exit_code == 0
    tampered(full, "DELETE FROM audit_event WHERE id = 3")
    assert invoke("verify", "--data", data).exit_code == 3


@pytest.mark.parametrize(
    "words", [("move",), ("move", "--to", "mysql://x/y"), ("move", "--storage", "file:///x"), ("verify", "--data", "/nowhere")]
)
def test_the_command_refuses_what_makes_no_sense(full: Service, words: tuple[str, ...]) -> None:
    words = words if "--data" in words else (*words, "--data", str(full.settings.data))
    result = invoke(*words)
    assert isinstance(result.exception, AssayError), result.output
    with full.database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(audit_event)).scalar_one() == 5
