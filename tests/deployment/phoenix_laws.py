"""What holds at any moment, whatever happened before: looked for in the history of a folder platform and in the journal beside it."""

from __future__ import annotations

from tests.deployment.folder_platform import FolderPlatform
from tests.deployment.phoenix_sample import PAIR, Place

from assaymark.deployment.drivers.driver import Share
from assaymark.deployment.phoenix.generation import Ledger, State, told
from assaymark.deployment.phoenix.journal import steps_of


def ledger(place: Place) -> Ledger:
    """As the journal on the disk tells it; raises when it breaks a law of its own."""
    return told(PAIR, steps_of(place.state, PAIR))


def broken(place: Place, platform: FolderPlatform, *, was_live: bool) -> list[str]:
    """Which laws the history and the journal break. `was_live`: one was live when it began, so that never nobody may serve."""
    wrong = history_breaks(platform, was_live=was_live)
    found = ledger(place)
    numbers = [step.generation for step in steps_of(place.state, PAIR) if step.state is State.WANTED]
    if numbers != sorted(set(numbers)):
        wrong.append(f"numbers do not rise: {numbers}")
    if sum(each.state is State.LIVE for each in found.generations.values()) > 1:
        wrong.append("two are live")
    return wrong


def history_breaks(platform: FolderPlatform, *, was_live: bool) -> list[str]:
    """Which laws the history of a platform breaks."""
    wrong = []
    burnt: set[str] = set()
    there: set[str] = set()
    serving: tuple[Share, ...] = ()
    begun = not was_live
    for event in platform.history():
        if event.what == "burn":
            burnt.update(event.ids)
            there -= {*event.ids}
            empty = [share.generation for share in serving if not any(f"-g{share.generation}-" in each for each in there)]
            wrong += [f"generation {number} serves, and the last of it was burnt" for number in empty]
        elif event.what == "launch":
            there |= {*event.ids}
            wrong += [f"{each} was burnt and returns" for each in event.ids if each in burnt]
        else:
            if serving and not event.shares and not begun:
                wrong.append("there was a moment with nobody behind the edge")
            if event.shares and sum(each.percent for each in event.shares) != 100:
                wrong.append(f"shares {event.shares} are not the whole")
            if len(event.shares) > 2:
                wrong.append(f"{event.shares} serve together")
            serving = event.shares
            begun = begun and not serving
    return wrong


def unsettled(place: Place, platform: FolderPlatform) -> list[str]:
    """What is not as it must be when nothing is on its way."""
    return at_rest(ledger(place), platform)


def at_rest(found: Ledger, platform: FolderPlatform) -> list[str]:
    """The same, of a ledger."""
    wrong = [f"generation {found.moving.number} is still on its way"] if found.moving else []
    live = found.live
    there = {each.id: each.generation for each in platform.list(PAIR)}
    if platform.routes() != ((Share(live.number, 100),) if live else ()):
        wrong.append(f"{platform.routes()} serve, live is {live.number if live else None}")
    if live and sorted(there) != sorted(live.instances):
        wrong.append(f"{sorted(there)} are there, generation {live.number} has {sorted(live.instances)}")
    if not live and there:
        wrong.append(f"nothing is live, and {sorted(there)} are there")
    if returning := found.burnt & there.keys():
        wrong.append(f"{returning} are burnt and there")
    return wrong
