"""What is known of a pair, as text for people and as JSON for programs. A break-glass order stands in the first line of its generation.

JSON is under a format name and version, ``major.minor``: a member may be added in a minor version, none is renamed or removed. Times are
RFC 3339 in UTC; a time that is not there is an empty text.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from assaymark.deployment.drift.drifted import Drift
from assaymark.deployment.drivers.driver import Instance, Pair, Share
from assaymark.deployment.phoenix.breakglass import Row
from assaymark.deployment.phoenix.generation import Generation, State, Step
from assaymark.endorsement.approval import stamp
from assaymark.model.assessment import SECOND, Instant

FORMAT, VERSION = "assaymark/deployment", "1.0"
_TIMES = frozenset({"at", "until", "began", "moved", "live_since", "expires", "born"})
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


class Outcome(StrEnum):
    """Of a deploy."""

    LIVE = "live"
    KEPT = "kept"
    """It was live already, with the same configuration: nothing was done."""
    REFUSED = "refused"
    """The permit says no; nothing was launched."""
    UNPROVEN = "unproven"
    """Nothing was shown either way; nothing was launched."""
    ABORTED = "aborted"
    """It was launched, and went back; what ran before runs."""
    STOPPED = "stopped"
    """What ran is burnt, and nothing took its place."""
    PLANNED = "planned"
    """A rehearsal."""
    NOTHING = "nothing"
    """Nothing was on its way, or nothing runs that could be burnt."""


class Ended(Struct, frozen=True):
    """What became of a deploy."""

    pair: Pair
    outcome: Outcome
    generation: Generation | None = None
    steps: tuple[Step, ...] = ()
    """That it took."""
    plan: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Running(Struct, frozen=True):
    """What runs of a pair, as the journal and the platform say."""

    pair: Pair
    generations: tuple[Generation, ...]
    """The live one, what is on its way, and with ``--all`` every other; the newest first."""
    instances: tuple[Instance, ...] = ()
    serving: tuple[Share, ...] = ()
    problem: str = ""
    """Why the platform could not be asked; then there is only what the journal says."""
    untold: int = 0
    """Steps that no server has yet."""


class Orders(Struct, frozen=True):
    """Break-glass orders."""

    orders: tuple[Row, ...]


def document(found: Ended | Running | Sequence[Running] | Struct) -> bytes:
    """As JSON."""
    return msgspec.json.format(msgspec.json.encode(_document(found)), indent=2) + b"\n"


def line(kind: str, found: Any) -> bytes:
    """One event of a long run, as a line of JSON."""
    return msgspec.json.encode({"format": FORMAT, "version": VERSION, "event": kind, **_plain(found)}) + b"\n"


def ended(found: Ended) -> str:
    """For people."""
    lines = [*found.plan]
    if found.generation is not None:
        lines += _generation(found.generation, None)
    lines += [f"note: {each}" for each in found.notes]
    lines.append(f"{found.pair}: {found.outcome}")
    return "\n".join(lines) + "\n"


def step(found: Step) -> str:
    """One step, as it is taken."""
    words = [f"{stamp(found.at)} generation {found.generation} {found.state}"]
    if found.percent and found.state is State.SHIFTING:
        words.append(f"{found.percent} %")
    words += [each for each in (found.digest, found.endorsement and f"by {found.endorsement[:19]}…") if each]
    if found.breakglass:
        words.append(f"BREAK-GLASS until {stamp(found.until)}")
    if found.reason:
        words.append(f"({found.reason})")
    return _plain_text(" ".join(words))


def running(found: Sequence[Running], now: Instant) -> str:
    """For people."""
    lines: list[str] = []
    for each in found:
        lines.append(str(each.pair))
        if not each.generations:
            lines.append("  nothing runs")
        for generation in each.generations:
            lines += [f"  {text}" for text in _generation(generation, now)]
            lines += [f"    {_instance(one, generation)}" for one in each.instances if one.generation == generation.number]
        known = {generation.number for generation in each.generations}
        lines += [f"    {_instance(one, None)}" for one in each.instances if one.generation not in known]
        if each.serving:
            lines.append("  traffic: " + ", ".join(f"{share.percent} % to generation {share.generation}" for share in each.serving))
        if each.problem:
            lines.append(f"  the platform could not be asked: {each.problem}")
        if each.untold:
            lines.append(f"  {each.untold} steps were not told to the server yet")
    return _plain_text("\n".join(lines)) + "\n" if lines else "no pair has a journal here\n"


def drifted(found: Drift) -> str:
    """One difference."""
    seen = f"{found.where}: {found.kind} {found.what}: expected {found.expected or 'nothing'}, observed {found.observed or 'nothing'}"
    return _plain_text(f"{seen} [{found.weight}, {found.action}]")


def _generation(found: Generation, now: Instant | None) -> list[str]:
    words = [f"generation {found.number} {found.state}"]
    if found.pinned:
        words.append("PINNED")
    if found.breakglass:
        words.insert(0, "BREAK-GLASS")
    if found.live_since:
        words.append(f"since {stamp(found.live_since)}")
        if now is not None:
            words.append(f"({age(now - found.live_since)})")
    words.append(f"by {found.actor} ({found.why})")
    lines = [" ".join(words), f"  {found.image or found.digest}"]
    if found.digest not in found.image:
        lines.append(f"  {found.digest}")
    if found.endorsement:
        lines.append(f"  approved by {found.endorsement}")
    if found.breakglass:
        lines.append(f"  NOT APPROVED: runs by break-glass order {found.breakglass} until {stamp(found.until)}")
    if found.reason:
        lines.append(f"  because: {found.reason}")
    return lines


def age(span: int) -> str:
    """Rounded down, in the largest unit that says something."""
    seconds = max(span, 0) // SECOND
    for size, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def _instance(found: Instance, generation: Generation | None) -> str:
    state = "runs" if found.running else "DOES NOT RUN"
    odd = "" if generation is None or found.digest in {"", generation.digest} else f", ANOTHER DIGEST {found.digest}"
    return (
        f"{found.id} {state}{f' at {found.address}' if found.address else ''}{odd}{' (no journal knows it)' if generation is None else ''}"
    )


def _document(found: Any) -> dict[str, Any]:
    head: dict[str, Any] = {"format": FORMAT, "version": VERSION}
    return {**head, "pairs": [_plain(each) for each in found]} if isinstance(found, list | tuple) else {**head, **_plain(found)}


def _plain(found: Any) -> Any:
    return _timed(msgspec.to_builtins(found))


def _timed(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: (stamp(Instant(one)) if one else "") if _is_time(name, one) else _timed(one) for name, one in value.items()}
    return [_timed(each) for each in value] if isinstance(value, list | tuple) else value


def _is_time(name: str, value: Any) -> bool:
    return name in _TIMES and isinstance(value, int)


def _plain_text(text: str) -> str:
    """Names are strangers' words: nothing in them moves the cursor."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
