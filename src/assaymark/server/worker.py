"""A worker's process: forked runners first, then the queue, then work until told to stop.

`assay worker` runs it in the foreground, on as many machines as one likes; `assay serve` starts it as a process of its own, which ends when
the server does.
"""

from __future__ import annotations

import os
import select
import sys
import time

import structlog
from sqlalchemy.exc import OperationalError

from assaymark.errors import AssayError
from assaymark.jobs.job import Terms
from assaymark.jobs.nursery import Nursery
from assaymark.jobs.open import open_queue, prepare
from assaymark.jobs.worker import Pace, Worker
from assaymark.server.logs import set_up
from assaymark.server.settings import Settings, load, make_data
from assaymark.server.work.trade import ServerTrade
from assaymark.server.work.wills import WILLS
from assaymark.store.database import Database
from assaymark.store.migrations.apply import migrate

_log = structlog.get_logger("assaymark.worker")
_LONGEST_PAUSE = 5.0


def work(settings: Settings, *, slots: int = 1, pace: Pace | None = None, lifeline: int | None = None) -> int:
    """Until SIGTERM or SIGINT; the exit code. Waits for a database that is not there yet."""
    set_up()
    make_data(settings)
    nursery = Nursery(ServerTrade(settings))
    database = Database(settings.database)
    if not _await(database, lifeline):
        nursery.close()
        return 1
    worker = Worker(open_queue(database, Terms(wills=WILLS)), nursery, slots=slots, pace=pace, lifeline=lifeline)
    try:
        return 0 if worker.run() else 1
    finally:
        database.close()


def _await(database: Database, lifeline: int | None) -> bool:
    """Bring the schema up, as soon as there is something to bring up; False when whoever started this is gone meanwhile."""
    pause = 0.25
    while True:
        try:
            migrate(database)
            prepare(database)
        except OperationalError as error:
            _log.warning("database unreachable", reason=str(error.orig).partition("\n")[0], again_in=pause)
            if lifeline is None:
                time.sleep(pause)
            elif select.select([lifeline], [], [], pause)[0]:
                return False
            pause = min(_LONGEST_PAUSE, pause * 2)
        else:
            return True


def main() -> None:
    """As `assay serve` starts it: settings come by the environment, standard input ends when the server does."""
    try:
        code = work(load(os.environ), lifeline=0)
    except AssayError as error:
        print(error.diagnosis(), file=sys.stderr)  # noqa: T201 - the top of this process
        code = error.exit_code
    sys.exit(code)


if __name__ == "__main__":
    main()
