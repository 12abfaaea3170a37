"""A deployer that kills itself, as a process of its own: for each point that a deploy passes, one child is ended there by SIGKILL, and others
resume what it left. Prints one line of JSON per point.

    python -m tests.deployment.deployer_process FOLDER rolls|routes BEFORE WISHED [PERMITTED]

FOLDER gets one folder per point. BEFORE is deployed first and WISHED is what is killed; `-` for none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_laws import broken, ledger, unsettled
from tests.deployment.phoenix_sample import Place, digest

from assaymark.deployment.phoenix import run
from assaymark.deployment.phoenix.run import Wish
from assaymark.deployment.phoenix.terms import Terms


class Killer:
    """Ends this process at the n-th point."""

    def __init__(self, at: int) -> None:
        self.at, self.passed, self.names = at, 0, []

    def __call__(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], None]) -> int:
    """Signal that ended a process which did this, 0 when it came to its end."""
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    assert os.WEXITSTATUS(status) == 0, "the deployer failed by itself"
    return 0


def place_of(folder: Path, kind: str, point: Callable[[str], None]) -> tuple[Place, FolderPlatform]:
    platform = FolderPlatform(folder / "platform", point=point, rolls=kind == "rolls")
    terms = Terms("folder", "registry.example/shop/web", count=2, canary=() if platform.rolls else (10, 50), drain_seconds=1)
    return Place(folder, platform, terms), platform


def deploy(folder: Path, kind: str, wished: str, at: int, sick: bool) -> None:
    killer = Killer(at)
    place, platform = place_of(folder, kind, killer)
    platform.healthy = lambda each: not (sick and each.digest == digest(wished))
    with place.journal() as journal:
        journal.watchers.append(lambda step: killer(f"wrote {step.state}"))
        run.upgrade(journal, platform, Wish(digest(wished), f"{place.terms.image}@{digest(wished)}", "ada"), place.terms, place.permit, place.clock)


def resume(folder: Path, kind: str, sick: str, at: int) -> None:
    killer = Killer(at)
    place, platform = place_of(folder, kind, killer)
    platform.healthy = lambda each: not (sick and each.digest == digest(sick))
    with place.journal() as journal:
        journal.watchers.append(lambda step: killer(f"wrote {step.state}"))
        run.resume(journal, platform, place.terms, place.permit, place.clock)


def main(folder: Path, kind: str, before: str, wished: str, sick: bool, twice: bool) -> None:
    point = 0
    while True:
        point += 1
        here = folder / str(point)
        if before != "-":
            assert in_child(lambda: deploy(here, kind, before, 0, sick=False)) == 0
        ended = in_child(lambda: deploy(here, kind, wished, point, sick))
        place, platform = place_of(here, kind, lambda _: None)
        found = ledger(place)
        state = str(found.moving.state) if found.moving else "none"
        served = [each.generation for each in platform.routes()]
        if twice:  # the one that resumes is killed too, a little later each time
            in_child(lambda: resume(here, kind, wished if sick else "", 1 + point % 7))
        assert in_child(lambda: resume(here, kind, wished if sick else "", 0)) == 0
        found = ledger(place)
        print(
            json.dumps(
                {
                    "point": point,
                    "killed": ended == signal.SIGKILL,
                    "state": state,
                    "served": served,
                    "live": found.live.digest[7:8] if found.live else "",
                    "generations": len(found.generations),
                    "wrong": broken(place, platform, was_live=before != "-") + unsettled(place, platform),
                }
            ),
            flush=True,
        )
        if not ended:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4], "sick" in sys.argv, "twice" in sys.argv)
