"""exec: a program of any language is the driver. What it claims is believed as far as it says what its platform says.

Guarantees: each call is one run, bounded in time and size; an answer that is none, an instance of another generation, a launch that gives
another digest or fewer instances than asked are failures; nothing that the program writes is shown unmasked on a terminal.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import Capabilities, DriverFailed, Health, Instance, Launch, Observation, Pair, Share
from assaymark.deployment.drivers.exec import protocol, running
from assaymark.deployment.drivers.exec.protocol import ANSWERS, Call, Failed
from assaymark.endorsement import strict_json
from assaymark.errors import EngineMissing, UsageError

_WHOLE = 100
_SHOWN = 500
_OWN = frozenset({"program", "seconds", "launch_seconds", "pass"})


class Options(Struct, frozen=True):
    """Settings of the driver itself; every other option goes to the program."""

    program: tuple[str, ...]
    """Absolute path, and words that always follow it."""
    seconds: float = 60.0
    launch_seconds: float = 600.0
    passed: Mapping[str, str] = {}
    """Of the deployer's environment, by name."""
    given: Mapping[str, str] = {}


def opened(options: Mapping[str, str]) -> ExecDriver:
    """The driver with its settings.

    Raises:
        UsageError: when a setting is missing or makes no sense.
        EngineMissing: when the program is not there.
    """
    program = _program(options.get("program", ""))
    names = options.get("pass", "").split()
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise UsageError(f"the variable {missing[0]} is not set", why="the option pass names it", advice="set it for the deployer")
    given = {name: value for name, value in options.items() if name not in _OWN}
    seconds, launch = (_seconds(options, name, usual) for name, usual in (("seconds", 60.0), ("launch_seconds", 600.0)))
    return ExecDriver(Options(program, seconds, launch, {name: os.environ[name] for name in names}, given))


class ExecDriver:
    """See `assaymark.deployment.drivers.driver.Driver`."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def capabilities(self) -> Capabilities:
        return cast("Capabilities", self._asked(protocol.Capable(options=self._options.given), Capabilities))

    def list(self, pair: Pair) -> Sequence[Instance]:
        found = self._asked(protocol.List(pair=pair, options=self._options.given), tuple[Instance, ...])
        return _distinct(found)

    def launch(self, asked: Launch) -> Sequence[Instance]:
        call = protocol.LaunchCall(asked=asked, options=self._options.given)
        found = _distinct(self._asked(call, tuple[Instance, ...], self._options.launch_seconds))
        for each in found:
            if each.generation != asked.generation or each.digest not in {"", asked.digest}:
                what = f"{each.id} is generation {each.generation} of {each.digest or 'nothing that is said'}"
                raise DriverFailed(what, why=f"generation {asked.generation} of {asked.digest} was to be launched")
        if len(found) != asked.count:
            raise DriverFailed(f"{len(found)} instances were launched, not {asked.count}")
        return found

    def probe(self, pair: Pair, instance: str) -> Health:
        return cast("Health", self._asked(protocol.Probe(pair=pair, instance=instance, options=self._options.given), Health))

    def shift(self, pair: Pair, shares: Sequence[Share]) -> None:
        self._asked(protocol.Shift(pair=pair, shares=tuple(shares), options=self._options.given), None)

    def serving(self, pair: Pair) -> Sequence[Share]:
        call = protocol.Serving(pair=pair, options=self._options.given)
        found: tuple[Share, ...] = self._asked(call, tuple[Share, ...])
        if found and sum(each.percent for each in found) != _WHOLE:
            raise DriverFailed("the shares that serve are not 100 together", why=f"they are {[each.percent for each in found]}")
        return found

    def drain(self, pair: Pair, instance: str, seconds: float) -> bool:
        call = protocol.Drain(pair=pair, instance=instance, seconds=seconds, options=self._options.given)
        return cast("bool", self._asked(call, bool, self._options.seconds + seconds))

    def burn(self, pair: Pair, instance: str) -> None:
        self._asked(protocol.Burn(pair=pair, instance=instance, options=self._options.given), None)

    def observe(self, pair: Pair, instance: str) -> Observation:
        call = protocol.Observe(pair=pair, instance=instance, options=self._options.given)
        found: Observation = self._asked(call, Observation)
        if found.id != instance:
            raise DriverFailed(f"{found.id[:100]!r} was observed", why=f"{instance} was asked about")
        return found

    def _asked(self, call: Call, answer: Any, seconds: float = 0.0) -> Any:
        document = msgspec.json.encode(call) + b"\n"
        within = seconds or self._options.seconds
        ran = running.run(self._options.program, document, within, passed=self._options.passed)
        return _answered(ran, call, answer, self._options.program[0])


def _answered(ran: running.Ran, call: Call, answer: Any, program: str) -> Any:
    name = f"{program} {type(call).__struct_config__.tag}"
    words = _shown(ran.words)
    try:
        said = strict_json.read(ran.said, dict[str, msgspec.Raw | Any])
    except strict_json.NotStrictError as error:
        why = words or str(error)[:_SHOWN]
        raise DriverFailed(
            f"{name} ended with {ran.code} and no answer", why=why, advice="see docs/reference/driver-protocol.md"
        ) from error
    if set(said) == {"failed"}:
        try:
            failed = msgspec.convert(said["failed"], Failed)
        except msgspec.ValidationError as error:
            raise DriverFailed(f"{name} failed in words that are none", why=str(error)[:_SHOWN]) from error
        raise DriverFailed(_shown(failed.what.encode()), why=_shown(failed.why.encode()) or words, advice=_shown(failed.advice.encode()))
    if ran.code or set(said) != {"answer"}:
        raise DriverFailed(f"{name} ended with {ran.code} and gave no answer", why=words or f"it says {', '.join(said)[:_SHOWN]}")
    try:
        return msgspec.convert(said["answer"], type(None) if answer is None else answer)
    except msgspec.ValidationError as error:
        raise DriverFailed(
            f"{name} answers what is no answer", why=str(error)[:_SHOWN], advice="see driver-protocol.schema.json"
        ) from error


def _distinct(found: Sequence[Instance]) -> Sequence[Instance]:
    twice = [name for name, count in Counter(each.id for each in found).items() if count > 1 or not name]
    if twice:
        raise DriverFailed(f"{twice[0][:100]!r} names no single instance", why="ids are of one instance each")
    return found


def _shown(words: bytes) -> str:
    """The end of what somebody else wrote, without anything that moves a terminal."""
    text = words.decode("utf-8", "backslashreplace").strip()
    return "".join(letter if letter.isprintable() else " " for letter in text)[-_SHOWN:]


def _program(text: str) -> tuple[str, ...]:
    if not text:
        raise UsageError("the driver exec needs the option program", advice='program = "/usr/local/bin/my-driver", or a list in JSON')
    try:
        words = msgspec.convert(json.loads(text), tuple[str, ...]) if text.startswith("[") else (text,)
    except (ValueError, msgspec.ValidationError) as error:
        raise UsageError("the option program is no list of words", why=str(error)[:_SHOWN], advice='["/path", "word"]') from error
    if not words or not Path(words[0]).is_absolute() or any("\0" in word for word in words):
        raise UsageError(
            f"the option program is {text[:100]!r}", why="only an absolute path names one program", advice="write the whole path"
        )
    if not os.access(words[0], os.X_OK) or Path(words[0]).is_dir():
        raise EngineMissing(f"{words[0]} cannot be executed", why="it is not there, or no program", advice="install it, chmod +x")
    return words


def _seconds(options: Mapping[str, str], name: str, usual: float) -> float:
    try:
        found = float(options.get(name, usual))
    except ValueError:
        found = 0.0
    if not 0 < found <= 86_400:
        raise UsageError(f"the option {name} is {options[name][:50]!r}", why="seconds, more than 0 and at most a day")
    return found


assert set(ANSWERS) == set(protocol.AnyCall.__args__)  # noqa: S101 - a call without an answer is a defect
