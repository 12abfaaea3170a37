"""A worker process of the tests: handlers that do what a test wants of them, and write down what they did in the table `setting`.

Run as a program: ``python jobs_process.py <database> <pace as JSON> <slots>``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from assaymark.jobs.job import Terms
from assaymark.jobs.nursery import Nursery
from assaymark.jobs.open import open_queue
from assaymark.jobs.runner import Attempt, Perform
from assaymark.jobs.worker import Pace, Worker
from assaymark.store.database import Database
from assaymark.store.tables import setting

TERMS = Terms(wills={"mortal": "note"}, most_scheduled=1)


class Handlers:
    """One method per kind."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def perform(self, kind: str, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        getattr(self, kind)(arguments, attempt)

    def _note(self, name: str, value: object) -> None:
        with self._database.write() as connection:
            connection.execute(
                setting.insert(), {"name": f"{name}.{time.monotonic_ns()}", "value": str(value), "changed_at": time.time_ns()}
            )

    def note(self, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        self._note(arguments["name"], f"attempt {attempt.number}{' last' if attempt.is_last else ''}")

    def where(self, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
        self._note(arguments["name"], os.getpid())

    def nice(self, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
        self._note(arguments["name"], os.nice(0))

    def raising(self, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        if attempt.number <= arguments.get("times", 100):
            raise ValueError(f"no good: {arguments['name']}")
        self.note(arguments, attempt)

    def statement(self, _arguments: Mapping[str, Any], _attempt: Attempt) -> None:
        with self._database.write() as connection:
            connection.exec_driver_sql("SELECT 'a value that nobody should see' FROM nowhere")

    def crashing(self, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        if attempt.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        self.note(arguments, attempt)

    mortal = crashing

    def sleeping(self, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        self._note(f"{arguments['name']}.begun", os.getpid())
        time.sleep(arguments.get("tenths", 600) / 10)
        self.note(arguments, attempt)

    def family(self, arguments: Mapping[str, Any], _attempt: Attempt) -> None:
        child = subprocess.Popen(["sleep", "60"])
        self._note(f"{arguments['name']}.begun", child.pid)
        child.wait()

    def polite(self, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        self._note(f"{arguments['name']}.begun", os.getpid())
        while not attempt.should_stop():
            time.sleep(0.02)
        self._note(arguments["name"], "stopped")
        raise RuntimeError("stopped")

    def talking(self, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        sys.stdout.write("a word to the log\n")
        os.write(2, b"and one past Python\n")
        self.note(arguments, attempt)

    def hushing(self, arguments: Mapping[str, Any], attempt: Attempt) -> None:
        """A handler that closes what it was given to write to."""
        os.close(1)
        os.close(2)
        self.sleeping(arguments, attempt)


class Trade:
    def __init__(self, url: str) -> None:
        self._url = url

    def warm(self) -> None:
        """Fails, which must not matter."""
        raise OSError("nothing can be prepared")

    def open(self) -> Perform:
        return Handlers(self._url).perform


def main() -> None:
    url, pace, slots = sys.argv[1:4]
    nursery = Nursery(Trade(url))
    queue = open_queue(Database(url), TERMS)
    worker = Worker(queue, nursery, slots=int(slots), pace=msgspec.json.decode(pace, type=Pace), lifeline=0)
    sys.exit(0 if worker.run() else 1)


if __name__ == "__main__":
    main()
