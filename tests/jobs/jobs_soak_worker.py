"""A worker of the soak: it judges pushes as the server does, except that the judgement is a pause.

The effect of a job is one transaction: the assessment ends if it has not ended, and a mark is written that counts how often it ended.
"""

from __future__ import annotations

import random
import sys
import time
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from assaymark.jobs.job import Terms
from assaymark.jobs.nursery import Nursery
from assaymark.jobs.open import open_queue
from assaymark.jobs.runner import Attempt, Perform
from assaymark.jobs.worker import Pace, Worker
from assaymark.model.assessment import AssessmentState
from assaymark.store.database import Database
from assaymark.store.tables import assessment, setting

TERMS = Terms(wills={"judge": "abandon"})
OPEN = (AssessmentState.QUEUED, AssessmentState.RUNNING)


class Trade:
    def __init__(self, url: str) -> None:
        self._url = url

    def warm(self) -> None:
        """Nothing is slow here."""

    def open(self) -> Perform:
        database = Database(self._url)
        chance = random.Random()

        def perform(kind: str, arguments: Mapping[str, Any], attempt: Attempt) -> None:
            number = arguments["assessment"]
            if kind == "judge":
                with database.write() as connection:
                    begun = assessment.update().where(assessment.c.id == number, assessment.c.state.in_(OPEN))
                    connection.execute(begun.values(state=AssessmentState.RUNNING, attempts=attempt.number))
                time.sleep(chance.random() * 0.4)
            end(database, number, AssessmentState.PASS if kind == "judge" else AssessmentState.UNPROVEN)

        return perform


def end(database: Database, number: int, state: AssessmentState) -> None:
    with database.write() as connection:
        query = sa.select(assessment.c.state).where(assessment.c.id == number).with_for_update()
        if connection.execute(query).scalar_one() in OPEN:
            values = {"state": state, "finished_at": time.time_ns() // 1000}
            connection.execute(assessment.update().where(assessment.c.id == number).values(**values))
            connection.execute(setting.insert(), {"name": f"end.{number}.{uuid.uuid4().hex}", "value": str(state), "changed_at": 0})


def main() -> None:
    url, pace = sys.argv[1:3]
    nursery = Nursery(Trade(url))
    worker = Worker(open_queue(Database(url), TERMS), nursery, pace=msgspec.json.decode(pace, type=Pace), lifeline=0)
    sys.exit(0 if worker.run() else 1)


if __name__ == "__main__":
    main()
