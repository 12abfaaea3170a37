"""Workers that are killed at any point: the assessment still ends, once."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from typing import Any

import sqlalchemy as sa

from assaymark.server.service import open_service
from assaymark.server.settings import Settings
from assaymark.server.work.assess import assess
from assaymark.server.work.inventory import inventory
from assaymark.store import tables


class _Attempt:
    def __init__(self, number: int) -> None:
        self.number, self.is_last = number, False

    def should_stop(self) -> bool:
        return False


def _work(settings: Settings, kind: str, arguments: dict[str, Any], number: int, begun: Any) -> None:
    service = open_service(settings)
    begun.set()
    (assess if kind == "assess" else inventory)(service, arguments, _Attempt(number))


def _killed(shop: Any, kind: str, arguments: dict[str, Any], chance: random.Random) -> None:
    """Some attempts that are killed, and one that is not."""
    context = multiprocessing.get_context("spawn")
    for number in range(1, 5):
        begun = context.Event()
        child = context.Process(target=_work, args=(shop.service.settings, kind, arguments, number, begun))
        child.start()
        begun.wait(60)
        time.sleep(chance.uniform(0.0, 0.6))
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
    last = context.Event()
    child = context.Process(target=_work, args=(shop.service.settings, kind, arguments, 5, last))
    child.start()
    child.join(120)
    assert child.exitcode == 0


def test_a_verdict_is_recorded_once_whatever_is_killed(shop: Any) -> None:
    chance = random.Random(20)
    first = shop.origin.commit(a=shop.fine)
    shop.assess(shop.push(first))
    number = shop.push(shop.origin.commit(b=shop.bad), before=first)
    _killed(shop, "assess", {"assessment": int(number)}, chance)
    row = shop.row(number)
    assert (row.state, row.new_findings) == ("fail", 1)
    _killed(shop, "inventory", {"subject": row.subject, "head": row.head}, chance)
    o = tables.occurrence.c
    asked = sa.select(o.finding, o.path, o.ordinal, sa.func.count()).where(o.subject == row.subject, o.closed_at.is_(None))
    with shop.service.database.read() as link:
        rows = link.execute(asked.group_by(o.finding, o.path, o.ordinal)).all()
    assert rows
    assert {row[3] for row in rows} == {1}, "nothing is open twice"
