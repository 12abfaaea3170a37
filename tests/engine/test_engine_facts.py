from __future__ import annotations

import os
import random
import resource
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assaymark.engine import outcome as outcomes
from assaymark.engine.facts import SCHEMA, FactsStore
from assaymark.engine.outcome import CLEAN, decode, encode, fact_key, is_fact
from assaymark.model.check import Checked, Dialect, Outcome, Unchecked
from assaymark.model.digest import Digest, sha256
from assaymark.model.finding import CheckId, CodeSite, RuleId, Sighting
from assaymark.model.severity import Severity

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[2]

KEY = fact_key(CheckId("toy"), "1", "k")


def key(number: int) -> bytes:
    return KEY(Dialect("py"), sha256(str(number).encode()))


def outcome(number: int) -> Checked:
    """Something that can be told from every other number's."""
    if number % 3 == 0:
        return CLEAN
    statement = f"{number}" * (1 if number % 3 == 1 else 400)
    return Checked((Sighting(RuleId("toy/bad"), CodeSite((), statement), Severity.HIGH, "bad"),))


def fill(store: FactsStore, *numbers: int) -> None:
    store.put([(key(number), encode(outcome(number))) for number in numbers])


def known(store: FactsStore, *numbers: int) -> dict[int, object]:
    found = store.get([key(number) for number in numbers])
    return {number: found[key(number)] for number in numbers if key(number) in found}


def file_of(folder: Path) -> Path:
    return max(folder.glob(f"facts-{SCHEMA}.*.db"), key=lambda path: int(path.name.split(".")[1]))


def open_db(store: FactsStore) -> sqlite3.Connection:
    assert store._db is not None
    return store._db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "facts"


@pytest.fixture
def store(folder: Path) -> Iterator[FactsStore]:
    made = FactsStore(str(folder))
    yield made
    made.close()


def test_what_was_put_is_found_by_the_next_run(store: FactsStore, folder: Path) -> None:
    fill(store, *range(2000))
    store.close()
    again = FactsStore(str(folder))
    assert known(again, *range(3000)) == {number: outcome(number) for number in range(2000)}
    assert again.notices() == ()
    again.close()


def test_an_outcome_survives_its_encoding() -> None:
    for value in (CLEAN, outcome(1), outcome(2), Unchecked("syntax", "does not parse", 3), Checked(skipped="binary")):
        assert decode(encode(value)) == value


@given(st.lists(st.tuples(*[st.text(max_size=4)] * 5), unique=True, max_size=20))
@settings(max_examples=100, deadline=None)
def test_different_facts_have_different_keys(rows: list[tuple[str, ...]]) -> None:
    keys = {fact_key(CheckId(a), b, c)(Dialect(d), Digest(e)) for a, b, c, d, e in rows}
    assert len(keys) == len(rows)


@pytest.mark.parametrize(
    "word", ["timeout", "memory", "engine-failed", "engine-missing", "missing", "changed", "size", "unreadable", "cancelled", "a-new-word"]
)
def test_what_may_be_otherwise_tomorrow_is_no_fact(word: str) -> None:
    assert not is_fact(Unchecked(word, "…"))


@pytest.mark.parametrize(
    "value", [CLEAN, outcome(1), Checked(skipped="binary"), *(Unchecked(word, "…") for word in sorted(outcomes.DETERMINISTIC))]
)
def test_what_follows_from_the_content_is_a_fact(value: Outcome) -> None:
    assert is_fact(value)


def test_the_store_is_private(store: FactsStore, folder: Path) -> None:
    fill(store, 1)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_folder_that_others_may_write_is_not_believed(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    store = FactsStore(str(folder))
    fill(store, 1)
    assert known(store, 1) == {}
    assert "can be written by other users" in store.notices()[0]


def test_a_file_that_others_may_write_is_not_believed(store: FactsStore, folder: Path) -> None:
    fill(store, 1)
    store.close()
    file_of(folder).chmod(0o666)
    again = FactsStore(str(folder))
    assert known(again, 1) == {}
    assert "can be written by other users" in again.notices()[0]


def test_a_link_in_place_of_the_file_is_not_followed(store: FactsStore, folder: Path, tmp_path: Path) -> None:
    fill(store, 1)
    store.close()
    file_of(folder).rename(tmp_path / "elsewhere.db")
    (folder / f"facts-{SCHEMA}.1.db").symlink_to(tmp_path / "elsewhere.db")
    again = FactsStore(str(folder))
    assert known(again, 1) == {}
    assert "no plain file" in again.notices()[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_folder_is_not_believed(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    store = FactsStore(str(folder))
    assert known(store, 1) == {}
    assert "belongs to another user" in store.notices()[0]


@pytest.mark.parametrize(
    "content", [b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000], ids=["empty", "text", "torn"]
)
def test_no_database_is_replaced_with_a_notice(folder: Path, content: bytes) -> None:
    folder.mkdir(mode=0o700)
    file = folder / f"facts-{SCHEMA}.1.db"
    file.write_bytes(content)
    file.chmod(0o600)
    store = FactsStore(str(folder))
    assert known(store, 1) == {}
    fill(store, 1)
    assert known(store, 1) == {1: outcome(1)}
    assert "begun anew" in store.notices()[0]
    assert file_of(folder).name == f"facts-{SCHEMA}.2.db"
    store.close()


@pytest.mark.parametrize(
    "statement",
    [
        "PRAGMA user_version=99",
        "CREATE TABLE other(x)",
        "DROP TABLE fact",
        "CREATE TRIGGER t AFTER INSERT ON fact BEGIN DELETE FROM fact; END",
    ],
)
def test_another_schema_is_replaced(store: FactsStore, folder: Path, statement: str) -> None:
    fill(store, 1)
    store.close()
    db = sqlite3.connect(file_of(folder))
    db.execute(statement)
    db.commit()
    db.close()
    again = FactsStore(str(folder))
    assert known(again, 1) == {}
    fill(again, 2)
    assert known(again, 2) == {2: outcome(2)}
    again.close()


def test_a_value_under_anothers_key_is_a_miss(store: FactsStore, folder: Path) -> None:
    fill(store, 1, 3)
    store.close()
    db = sqlite3.connect(file_of(folder))
    (value,) = db.execute("SELECT value FROM fact WHERE key = ?", (key(3),)).fetchone()
    db.execute("UPDATE fact SET value = ? WHERE key = ?", (value, key(1)))
    db.commit()
    db.close()
    again = FactsStore(str(folder))
    assert known(again, 1, 3) == {3: outcome(3)}
    again.close()


def damage(folder: Path, chance: random.Random, *, truncate: bool) -> None:
    victims = [path for path in folder.iterdir() if path.stat().st_size]
    for _ in range(chance.randint(1, 40)):
        path = chance.choice(victims)
        with path.open("r+b") as file:
            file.seek(chance.randrange(path.stat().st_size))
            file.write(chance.randbytes(chance.choice([1, 2, 16, 512])))
    if truncate:
        os.truncate(file_of(folder), chance.randrange(file_of(folder).stat().st_size))


def test_a_schema_that_is_no_text_is_damage(folder: Path) -> None:
    store = FactsStore(str(folder))
    fill(store, 1)
    store.close()
    path = file_of(folder)
    content = path.read_bytes()
    at = content.index(b"CREATE TABLE fact")
    path.write_bytes(content[:at] + b"CREATE TABL\xff\xfe\xff fa" + content[at + 17 :])
    again = FactsStore(str(folder))
    assert known(again, 1) == {}
    fill(again, 2)
    assert known(again, 2) == {2: outcome(2)}
    again.close()


@given(st.randoms(use_true_random=False), st.booleans(), st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_damage_gives_a_wrong_answer_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, chance: random.Random, truncate: bool, unfinished: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged") / "facts"
    first = FactsStore(str(folder))
    fill(first, *range(300))
    if unfinished:  # a write-ahead log that was never merged, as after a kill
        copy = folder.parent / "copy"
        copy.mkdir(mode=0o700)
        for path in folder.glob("*.db*"):
            (copy / path.name).write_bytes(path.read_bytes())
            (copy / path.name).chmod(0o600)
        first.close()
        folder = copy
    first.close()
    damage(folder, chance, truncate=truncate)
    for _ in range(2):
        store = FactsStore(str(folder))
        for number, found in known(store, *range(400)).items():
            assert found == outcome(number)
        fill(store, *range(300, 350))
        for number, found in known(store, *range(400)).items():
            assert found == outcome(number)
        store.settle()
        store.close()


def test_two_stores_on_one_file_share_and_a_rebuild_by_one_does_not_disturb_the_other(folder: Path) -> None:
    one, two = FactsStore(str(folder)), FactsStore(str(folder))
    fill(one, 1)
    assert known(two, 1) == {1: outcome(1)}
    fill(two, 2)
    one._begin_anew()
    assert known(one, 1, 2) == {}
    fill(one, 4)
    fill(two, 5)
    assert known(two, 1, 2, 5) == {number: outcome(number) for number in (1, 2, 5)}
    two.close()
    assert known(one, 4) == {4: outcome(4)}
    one.close()
    third = FactsStore(str(folder))
    assert known(third, 4) == {4: outcome(4)}
    third.close()


WRITER = """
import sys
sys.path[:0] = [{root!r}, {source!r}]
from tests.engine.test_engine_facts import *
store = FactsStore({folder!r})
start = {start}
for step in range({steps}):
    fill(store, *range(start, start + 50))
    wrong = [n for n, found in known(store, *range(start, start + 500)).items() if found != outcome(n)]
    assert not wrong, wrong
    start += 50
    print(step, flush=True)
assert store.notices() == (), store.notices()
"""


def writer(folder: Path, start: int, steps: int) -> subprocess.Popen[bytes]:
    program = WRITER.format(root=str(ROOT), source=str(ROOT / "src"), folder=str(folder), start=start, steps=steps)
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_processes_share_the_store(folder: Path) -> None:
    writers = [writer(folder, 5000 * number, 20) for number in range(2)]
    for process in writers:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    store = FactsStore(str(folder))
    assert len(known(store, *range(10000))) == 2000
    store.close()


def kill_and_look(folder: Path, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    for turn in range(rounds):
        process = writer(folder, 1000 * turn, 10_000)
        assert process.stdout is not None
        said = process.stdout.readline()
        time.sleep(chance.random() * 0.2)
        process.kill()
        said += process.communicate(timeout=10)[0]
        store = FactsStore(str(folder))
        finished = len(said.split())
        found = known(store, *range(1000 * turn, 1000 * turn + min(1000, 50 * finished)))
        assert len(found) == min(1000, 50 * finished)
        assert all(found[number] == outcome(number) for number in found)
        assert store.notices() == ()
        store.close()


def test_a_kill_while_writing_loses_nothing_that_was_written(folder: Path) -> None:
    kill_and_look(folder, 2, 1)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_many_kills_while_writing_lose_nothing_that_was_written(folder: Path) -> None:
    kill_and_look(folder, 100, 2)


def limited(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    program = f"import sys\nsys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'src')!r}]\nfrom tests.engine.test_engine_facts import *\n"
    program += f"store = FactsStore({str(folder)!r})\n{code}"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)


def test_a_full_disk_means_no_memory_and_no_error(folder: Path) -> None:
    code = "resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))\n"
    code += "for step in range(20):\n    fill(store, *range(step * 100, step * 100 + 100))\n"
    code += "assert all(found == outcome(n) for n, found in known(store, *range(2000)).items())\nprint(store.notices())"
    done = limited(folder, code)
    assert done.returncode == 0, done.stderr
    assert "running without memory" in done.stdout
    store = FactsStore(str(folder))
    assert all(found == outcome(number) for number, found in known(store, *range(2000)).items())
    fill(store, 1)
    assert known(store, 1) == {1: outcome(1)}
    store.close()


def test_a_disk_that_takes_nothing_means_no_memory_and_no_error(folder: Path) -> None:
    done = limited(folder, "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\nfill(store, 1)\nprint(known(store, 1), store.notices())")
    assert done.returncode == 0, done.stderr
    assert "running without memory" in done.stdout
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 100


@pytest.mark.parametrize("place", ["/proc/facts", "/dev/null/facts"])
def test_a_place_that_takes_no_folder_means_no_memory_and_no_error(place: str) -> None:
    store = FactsStore(place)
    fill(store, 1)
    assert known(store, 1) == {}
    assert len(store.notices()) == 1


def test_a_locked_store_is_waited_for_and_then_done_without(store: FactsStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store, 1)
    open_db(store).execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(file_of(folder), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    fill(store, 2)
    other.execute("ROLLBACK")
    other.close()
    assert "locked" in store.notices()[0]
    again = FactsStore(str(folder))
    assert known(again, 1) == {1: outcome(1)}
    again.close()


def test_a_forked_child_leaves_the_parents_store_alone(store: FactsStore) -> None:
    fill(store, 1)
    child = os.fork()
    if child == 0:
        try:
            alone = known(store, 1) == {}
            store.put([(key(2), encode(outcome(2)))])
            store.close()
        finally:
            os._exit(0 if alone else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    fill(store, 4)
    assert known(store, 1, 2, 4) == {1: outcome(1), 4: outcome(4)}


def test_the_longest_unused_goes_first_when_there_is_too_much(folder: Path) -> None:
    day = [100]
    store = FactsStore(str(folder), limit_bytes=400_000, today=lambda: day[0])
    old, new = range(1, 1500, 3), range(2000, 2600)
    fill(store, *old)
    day[0] = 120
    fill(store, *new)
    used = list(old)[:50]
    known(store, *used)
    for start in range(5000, 9000, 500):
        fill(store, *range(start, start + 500))
        day[0] += 1
        store.settle()
    db = sqlite3.connect(file_of(folder))
    pages, free = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count"))
    db.close()
    assert (pages - free) * 4096 <= 400_000
    assert not known(store, *list(old)[50:])
    assert len(known(store, *range(8500, 9000))) > 400
    assert store.notices() == ()
    store.close()


def test_a_second_run_within_the_week_writes_nothing(folder: Path) -> None:
    day = [100]
    store = FactsStore(str(folder), today=lambda: day[0])
    fill(store, 1)
    for later, stamp in ((101, 100), (106, 100), (107, 107)):
        day[0] = later
        known(store, 1)
        store.settle()
        assert open_db(store).execute("SELECT used FROM fact").fetchone() == (stamp,)
    store.close()


def test_a_store_beyond_its_limit_stops_growing_and_says_so(folder: Path) -> None:
    store = FactsStore(str(folder), limit_bytes=50_000)
    for start in range(0, 5000, 500):
        fill(store, *range(start, start + 500))
    assert "is full" in store.notices()[0]


def test_how_fast_it_is(store: FactsStore, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = range(0, 300_000, 3)
    rows = [(key(number), encode(outcome(number))) for number in numbers]
    times = [time.perf_counter()]
    for start in range(0, len(rows), 4096):
        store.put(rows[start : start + 4096])
    times.append(time.perf_counter())
    found = store.get([row[0] for row in rows])
    times.append(time.perf_counter())
    assert len(found) == len(rows)
    with capsys.disabled():
        sys.stdout.write(f"\n100,000 facts: put {times[1] - times[0]:.2f} s, get {times[2] - times[1]:.2f} s\n")
