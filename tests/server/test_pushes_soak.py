"""The server's own workers judge real commits while they are killed at random and the database goes away in the middle.

Every push ends in exactly one terminal state (the database refuses a second one), and what is recorded of each branch is what is in it:
nothing lost, nothing doubled.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.jobs.soaking import Fleet, settle, shaky_database, size, storm

from assaymark.jobs.job import JobState
from assaymark.model.assessment import TERMINAL, AssessmentState
from assaymark.model.trigger import RemoteRepository, Trigger, TriggerKind
from assaymark.server.service import Service, open_service
from assaymark.server.settings import load
from assaymark.server.work.intake import Source, accept
from assaymark.store.tables import assessment, connection, delivery, finding, occurrence, subject

SIZE = size(30, 30)
BRANCHES = max(10, SIZE.pushes // 3)
"""Newer pushes of a branch supersede older ones that wait: enough branches that most are judged."""
BEGIN = """blob
mark :1
data 7
# shop

reset refs/heads/main
commit refs/heads/main
mark :2
committer Ada <ada@example.org> 1700000000 +0000
data 5
begin
M 100644 :1 README.md

"""
CHANGE = """blob
mark :1
data {length}
{text}
commit refs/heads/{branch}
mark :2
committer Ada <ada@example.org> {time} +0000
data 6
change
from {base}
M 100644 :1 shop/part{number}.py

"""
WEAK = "import subprocess\n\n\ndef run_{number}(words: str) -> int:\n    return subprocess.call(words + '{number}', shell=True)\n"
SOUND = "def add_{number}(one: int, other: int) -> int:\n    return one + other + {number}\n"


def is_weak(number: int) -> bool:
    return number % 3 == 0


class Forge:
    """A bare repository, to which every push adds one commit on one of its branches."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(folder)], check=True)
        self._import(BEGIN)
        self.heads = {f"b{number}": self.head("main") for number in range(BRANCHES)}
        self.pushes: dict[int, Trigger] = {}

    def _import(self, script: str) -> None:
        subprocess.run(["git", "-C", str(self.folder), "fast-import", "--quiet", "--force"], input=script.encode(), check=True)

    def head(self, branch: str) -> str:
        words = ["git", "-C", str(self.folder), "rev-parse", f"refs/heads/{branch}"]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def push(self, number: int) -> Trigger:
        """The same trigger however often it is asked for."""
        if number not in self.pushes:
            branch = f"b{number % BRANCHES}"
            text = (WEAK if is_weak(number) else SOUND).format(number=number)
            before = self.heads[branch]
            self._import(CHANGE.format(length=len(text), text=text, branch=branch, base=before, number=number, time=1_700_000_001 + number))
            self.heads[branch] = after = self.head(branch)
            remote = RemoteRepository("group/shop", f"file://{self.folder}", default_branch="main")
            self.pushes[number] = Trigger(TriggerKind.PUSH, repository=remote, ref=f"refs/heads/{branch}", before=before, after=after)
        return self.pushes[number]


def deliver(service: Service, forge: Forge, number: int) -> None:
    """As the webhook does: once per delivery, all in one transaction."""
    trigger = forge.push(number)
    with service.database.write() as link:
        known = sa.select(delivery.c.id).where(delivery.c.connection == 1, delivery.c.delivery == str(number))
        if link.execute(known).first() is None:
            row = {"connection": 1, "delivery": str(number), "event": "push", "digest": "", "received_at": 0, "outcome": "accepted"}
            made = link.execute(delivery.insert().returning(delivery.c.id), row).scalar_one()
            accept(service, link, trigger, source=Source(connection_id=1, delivery_id=made))


def is_over(service: Service) -> bool:
    with service.database.read() as link:
        states = set(link.execute(sa.select(assessment.c.state)).scalars())
        idle = not any(service.queue.rows(link, state, before=None, limit=1) for state in (JobState.WAITING, JobState.RUNNING))
    return idle and states <= TERMINAL


def recorded(service: Service) -> dict[str, Any]:
    """What the database says afterwards."""
    with service.database.read() as link:
        states = Counter(link.execute(sa.select(assessment.c.state)).scalars())
        per_delivery = Counter(link.execute(sa.select(assessment.c.delivery)).scalars())
        weak = sa.select(subject.c.ref, finding.c.fingerprint, occurrence.c.ordinal).select_from(occurrence)
        weak = weak.join(subject, subject.c.id == occurrence.c.subject).join(finding, finding.c.id == occurrence.c.finding)
        weak = weak.where(occurrence.c.closed_at.is_(None), occurrence.c.path.like("shop/part%"), occurrence.c.rule == "ruff/S602")
        found = Counter((row.ref, row.fingerprint, row.ordinal) for row in link.execute(weak))
        dead = [row.error for row in service.queue.rows(link, JobState.DEAD, before=None, limit=100)]
    return {"states": states, "per_delivery": per_delivery, "found": found, "dead": dead}


@pytest.mark.soak
@pytest.mark.timeout(SIZE.seconds * 4 + 600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_push_gets_exactly_one_verdict_whoever_is_killed(kind: str, tmp_path: Path) -> None:
    with shaky_database(kind, tmp_path) as (url, outage):
        given = {"HOME": str(tmp_path), "ASSAYMARK_LOCAL_REPOSITORIES": str(tmp_path), "ASSAYMARK_DATABASE": url}
        service = open_service(load(given, data=str(tmp_path / "data")))
        with service.database.write() as link:
            link.execute(connection.insert(), {"id": 1, "kind": "git", "name": "forge", "created_at": 0})
        forge = Forge(tmp_path / "shop.git")
        words = ["worker", "--data", str(tmp_path / "data"), "--lease", "4", "--grace", "2"]
        command = [sys.executable, "-c", "from assaymark.cli.main import main; main()", *words]
        fleet = Fleet(command, tmp_path / "log", {**os.environ, **given})
        try:
            storm(SIZE, lambda number: deliver(service, forge, number), fleet, outage)
            settle(lambda: is_over(service), fleet, 180 + SIZE.seconds)
        finally:
            fleet.close()
        after = recorded(service)
        service.database.close()
    states = after["states"]
    shown = {key: dict(after[key]) for key in ("states",)} | {"dead": len(after["dead"]), "kills": dict(fleet.kills)}
    sys.stdout.write(f"{kind}: {SIZE.pushes} pushes, {shown}\n")
    log = (tmp_path / "log").read_text()[-4000:]
    assert fleet.kills.total() >= min(SIZE.seconds / 12, 50)
    assert set(states) <= TERMINAL, log
    assert states.total() == SIZE.pushes
    assert len(after["per_delivery"]) == SIZE.pushes
    assert set(after["per_delivery"].values()) == {1}
    assert states[AssessmentState.PASS] + states[AssessmentState.FAIL] >= BRANCHES, log
    assert set(after["found"].values()) == {1}, "a finding is open twice"
    expected = Counter(f"refs/heads/b{number % BRANCHES}" for number in range(SIZE.pushes) if is_weak(number))
    assert Counter(ref for ref, _, _ in after["found"]) == expected, log
