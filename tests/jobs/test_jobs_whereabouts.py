from __future__ import annotations

import os
import subprocess
import sys

import pytest

from assaymark.jobs import whereabouts
from assaymark.jobs.job import Job, WorkQueue
from assaymark.jobs.whereabouts import is_gone, own_name
from assaymark.store.database import Database

TAKE = """
import sys
from assaymark.jobs.open import open_queue
from assaymark.store.database import Database

queue = open_queue(Database(sys.argv[1]))
assert queue.claim(queue.enter()) is not None
"""


def test_who_is_here_is_not_gone_and_each_name_is_new() -> None:
    assert not is_gone(own_name())
    assert own_name() != own_name()


def test_who_ended_is_gone() -> None:
    words = [sys.executable, "-c", "from assaymark.jobs.whereabouts import own_name; print(own_name())"]
    name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert is_gone(name)


def test_another_process_of_the_same_number_is_not_the_same() -> None:
    place, pid, begun, token = own_name().split(".")
    assert is_gone(f"{place}.{pid}.{int(begun) + 1}.{token}")


@pytest.mark.parametrize("name", ["", "a", "1.2.3.4", "elsewhere.{here}.1.x", "...", "a.b.c.d", ".999999.5.x"])
def test_of_a_name_from_elsewhere_it_says_nothing(name: str) -> None:
    name = name.format(here=os.getpid())
    assert not is_gone(name)


def test_who_is_hidden_is_not_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    name = own_name()
    monkeypatch.setattr(whereabouts, "_begun", lambda _pid: None)
    assert not is_gone(name)


def test_a_number_that_is_none_says_nothing() -> None:
    place = own_name().partition(".")[0]
    assert not is_gone(f"{place}.²x.5.y")
    assert not is_gone(f"{place}..5.y")
    assert not is_gone(f"{place}.{10**30}.5.y")


def test_the_jobs_of_a_killed_process_wait_for_no_lease_on_one_machine(database: Database, queue: WorkQueue) -> None:
    with database.write() as connection:
        queue.put(connection, Job("look", {}))
    words = [sys.executable, "-c", TAKE, database.url.render_as_string(hide_password=False)]
    subprocess.run(words, check=True)
    assert queue.reap(60) == (1 if database.is_sqlite else 0)
