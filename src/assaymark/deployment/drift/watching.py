"""Drift as it happens: the kernel tells which names changed, and only those are looked at again.

Guarantees
* watching begins before the first look at everything, so that nothing falls between;
* each drift is told once, with who did it where that is known; what was put back is told again when it drifts again;
* what is mounted below a tree is watched too, and what cannot be is said (``unseen``), unless it is data;
* when events were lost, that is a drift (``unseen``), and everything is looked at again;
* whatever is written how often: looking takes at most a fifth of a processor's time, since each look is followed by a rest of four times
  its own length (at most `MOST_REST` seconds); the last change is always looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from assaymark.deployment.drift import mounts
from assaymark.deployment.drift.drifted import Cause, Drift
from assaymark.deployment.drift.fanotify import NAMES, Fanotify
from assaymark.deployment.drift.spelling import spelled
from assaymark.deployment.drift.stance import Found
from assaymark.deployment.drift.tree import Expected, at_path
from assaymark.deployment.drift.upper import Shape, looked
from assaymark.errors import EngineMissing
from assaymark.model.assessment import Instant

REST, MOST_REST = 4, 10.0
LOST = Found(".", "unseen", "every change to be told", "the kernel dropped events; everything was looked at again")


class Look(Protocol):
    """Something that can be looked at as a whole and in part."""

    @property
    def root(self) -> str: ...

    def everything(self) -> Iterable[Found]: ...

    def mounted(self) -> Iterable[bytes]:
        """Paths below it at which other file systems begin."""

    def again(self, paths: Mapping[bytes, bool], known: Iterable[str]) -> tuple[set[str], Iterable[Found]]:
        """Which of the known paths this answers anew, and what is found at them now; True: with everything below the path."""


class TreeLook:
    """A tree against its manifest."""

    def __init__(self, root: str, expected: Expected, everything: Callable[[], Iterable[Found]]) -> None:
        self.root, self._expected, self._everything = root, expected, everything

    def everything(self) -> Iterable[Found]:
        return self._everything()

    def mounted(self) -> Iterable[bytes]:
        return filter(self._expected.counts, mounts.below(self.root))

    def again(self, paths: Mapping[bytes, bool], known: Iterable[str]) -> tuple[set[str], Iterable[Found]]:
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            looked_at, found = set[bytes](), list[Found]()
            for path, whole in paths.items():
                for each in (path, *(self._expected.below(fd, path) if whole else ())):
                    if each not in looked_at:
                        looked_at.add(each)
                        found += at_path(fd, self._expected, each)
        finally:
            os.close(fd)
        inside = tuple(spelled(path) + "/" for path, whole in paths.items() if whole)
        answered = {spelled(path) for path in looked_at} | {each for each in known if each.startswith(inside)}
        return answered, found


class UpperLook:
    """A container's own directory against the image's; so small that it is always looked at as a whole."""

    def __init__(self, upper: str, lowers: tuple[str, ...], subtracted: Mapping[bytes, Shape]) -> None:
        self.root, self._lowers, self._subtracted = upper, lowers, subtracted

    def everything(self) -> Iterable[Found]:
        from assaymark.deployment.drift.instance import changed  # noqa: PLC0415 - a word of observations, for their sake

        seen = looked(self.root, self._lowers, self._subtracted)
        yield from map(changed, seen.changes)
        yield from (Found(each.partition(":")[0], "unseen", "to be looked at", each) for each in seen.unseen)

    def mounted(self) -> Iterable[bytes]:
        return ()  # mounts of a container lie in its own namespace, and in no upper directory

    def again(self, paths: Mapping[bytes, bool], known: Iterable[str]) -> tuple[set[str], Iterable[Found]]:
        del paths
        found = list(self.everything())
        return {*known, *(each.what for each in found)}, found


def watch(look: Look, drift: Callable[[Found, Cause | None], Drift], rounds: Callable[[], float]) -> Iterator[list[Drift]]:
    """New drifts, round by round; the first are those that there are when it begins, an empty list is a quiet round.

    Args:
        look: what is watched.
        drift: what a difference means.
        rounds: how many seconds the next round waits at most; negative to end.

    Raises:
        EngineMissing: when it cannot be watched.
    """
    with Fanotify() as kernel:
        prefixes = {kernel.watch(look.root): b""}
        deaf = [drift(each, None) for each in _watch_mounts(kernel, look, prefixes)]
        state = _State(look, drift)
        yield [*deaf, *state.anew(look.everything())]
        while (seconds := rounds()) >= 0:
            kernel.wait(state.patience(seconds))
            lost = False
            for each in kernel.read():
                lost = lost or each.lost
                if each.path:
                    state.touched(
                        _path(prefixes[each.root], each.path), each.who.at(Instant(time.time_ns() // 1000)), whole=bool(each.mask & NAMES)
                    )
            if lost:
                yield [drift(LOST, None), *state.anew(look.everything())]
            else:
                yield state.due()


def _watch_mounts(kernel: Fanotify, look: Look, prefixes: dict[int, bytes]) -> Iterator[Found]:
    for path in look.mounted():
        try:
            prefixes[kernel.watch(os.path.join(os.fsencode(look.root), path))] = path  # noqa: PTH118 - bytes
        except (OSError, EngineMissing) as error:
            why = error.why if isinstance(error, EngineMissing) else error.strerror
            yield Found(spelled(path), "unseen", "every change to be told", f"what is mounted here is not watched: {why}")


def _path(prefix: bytes, path: bytes) -> bytes:
    if not prefix:
        return path
    return prefix if path == b"." else prefix + b"/" + path


class _State:
    """What was told, and what is to be looked at."""

    def __init__(self, look: Look, drift: Callable[[Found, Cause | None], Drift]) -> None:
        self._look, self._drift = look, drift
        self._told: dict[str, set[Found]] = {}
        self._touched: dict[bytes, bool] = {}
        self._causes: dict[str, Cause] = {}
        self._rests_until = 0.0

    def touched(self, path: bytes, cause: Cause, *, whole: bool) -> None:
        self._touched[path] = whole or self._touched.get(path, False)
        self._causes[spelled(path)] = cause

    def patience(self, seconds: float) -> float:
        """How long a round may wait: what rests is looked at when its rest is over."""
        return max(min(seconds, self._rests_until - time.monotonic()), 0.0) if self._touched else seconds

    def due(self) -> list[Drift]:
        """Look at what was touched, unless there is a rest."""
        began = time.monotonic()
        if not self._touched or began < self._rests_until:
            return []
        paths, self._touched = self._touched, {}
        answered, found = self._look.again(paths, self._told)
        told = self._tell(found, answered)
        ended = time.monotonic()
        self._rests_until = ended + min(REST * (ended - began), MOST_REST)
        return told

    def anew(self, found: Iterable[Found]) -> list[Drift]:
        """Everything was looked at."""
        self._touched.clear()
        return self._tell(found, set(self._told))

    def _tell(self, found: Iterable[Found], answered: set[str]) -> list[Drift]:
        now: dict[str, set[Found]] = {}
        for each in found:
            now.setdefault(each.what, set()).add(each)
        new = [each for what, all_of_it in now.items() for each in all_of_it if each not in self._told.get(what, set())]
        for what in answered:
            self._told.pop(what, None)
        self._told.update(now)
        told = [self._drift(each, self._cause(each.what)) for each in sorted(new, key=lambda each: (each.what, each.kind))]
        self._causes = {what: cause for what, cause in self._causes.items() if what in self._told}
        return told

    def _cause(self, what: str) -> Cause | None:
        """Who touched it last, or a folder that it lies in."""
        found = []
        while True:
            if what in self._causes:
                found.append(self._causes[what])
            if "/" not in what:
                return max(found, key=lambda each: each.at, default=None)
            what = what.rpartition("/")[0]
