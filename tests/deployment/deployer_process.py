"""A deployer that kills itself, as a process of its own: for each point that a deploy passes, a child is ended there by SIGKILL, and others
resume what it left. Prints one line of JSON per point.

    python -m tests.deployment.deployer_process FOLDER routes|rolls|- BEFORE WISHED [sick] [twice]

FOLDER gets one folder per point. BEFORE is deployed first (`-`: nothing), WISHED is what is killed; `sick`: it never becomes healthy;
`twice`: the one that resumes is killed too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct
from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_laws import broken, ledger, unsettled
from tests.deployment.phoenix_sample import Place, digest

from assaymark.deployment.phoenix import run
from assaymark.deployment.phoenix.run import Wish
from assaymark.deployment.phoenix.terms import Terms

QUICK = Terms(
    "folder", "registry.example/shop/web", count=2, canary=(10, 50), canary_seconds=0, soak_seconds=1, probe_seconds=2, probe_successes=2
)


class Story(Struct, frozen=True):
    """What is deployed, and what goes wrong."""

    rolls: bool
    before: str
    wished: str
    sick: bool
    twice: bool


class Killer:
    """Ends this process at the n-th point."""

    def __init__(self, at: int) -> None:
        self.at, self.passed = at, 0

    def __call__(self, _name: str) -> None:
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


def place_of(folder: Path, story: Story, point: Callable[[str], None]) -> tuple[Place, FolderPlatform]:
    platform = FolderPlatform(folder / "platform", point=point, rolls=story.rolls)
    platform.healthy = lambda each: not (story.sick and each.digest == digest(story.wished))
    terms = QUICK if not story.rolls else Terms("folder", QUICK.image, count=2, soak_seconds=1, probe_seconds=2, probe_successes=2)
    return Place(folder, platform, terms), platform


def deploy(folder: Path, story: Story, wished: str, at: int) -> None:
    killer = Killer(at)
    place, platform = place_of(folder, story, killer)
    wish = Wish(digest(wished), f"{place.terms.image}@{digest(wished)}", "ada")
    with place.journal() as journal:
        journal.watchers.append(lambda step: killer(f"wrote {step.state}"))
        run.upgrade(journal, platform, wish, place.terms, place.permit, place.clock)


def resume(folder: Path, story: Story, at: int) -> None:
    killer = Killer(at)
    place, platform = place_of(folder, story, killer)
    with place.journal() as journal:
        journal.watchers.append(lambda step: killer(f"wrote {step.state}"))
        run.resume(journal, platform, place.terms, place.permit, place.clock)


def killed_at(folder: Path, story: Story, point: int) -> dict[str, Any]:
    """What became of a deploy that was killed at this point and then resumed."""
    if story.before != "-":
        assert in_child(partial(deploy, folder, story, story.before, 0)) == 0
    ended = in_child(partial(deploy, folder, story, story.wished, point))
    place, platform = place_of(folder, story, lambda _: None)
    found, served = ledger(place), [each.generation for each in platform.routes()]
    if story.twice:  # a little later each time
        in_child(partial(resume, folder, story, 1 + point % 7))
    assert in_child(partial(resume, folder, story, 0)) == 0
    after = ledger(place)
    return {
        "point": point,
        "killed": ended == signal.SIGKILL,
        "state": str(found.moving.state) if found.moving else "none",
        "served": served,
        "live": after.live.digest[7:8] if after.live else "",
        "generations": len(after.generations),
        "wrong": broken(place, platform, was_live=story.before != "-") + unsettled(place, platform),
    }


def main() -> None:
    folder, kind, before, wished, *more = sys.argv[1:]
    story = Story(kind == "rolls", before, wished, "sick" in more, "twice" in more)
    point = 0
    while True:
        point += 1
        said = killed_at(Path(folder) / str(point), story, point)
        sys.stdout.write(json.dumps(said) + "\n")
        if not said["killed"]:
            return


if __name__ == "__main__":
    main()
