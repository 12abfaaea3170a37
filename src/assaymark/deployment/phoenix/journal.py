"""The journal of a pair: a file that only grows, a lock, and how far a server was told.

Guarantees
* a step is on the disk (fsync) before `append` returns, and only what follows from the steps before it is ever written (`generation`);
* each line names the digest of the one before: what was lost, changed or moved in the middle is noticed and refused, never skipped. A last
  line that a kill cut short never happened;
* one deployer of a pair at a time on a machine: `open` takes a lock, which ends with the process, however that ends;
* no secret is written: of a configuration only a keyed digest, whose key lies beside (`configuration`).

Folders: ``<state>/key``, and for each pair ``<state>/<label>/`` with ``pair.json``, ``journal.jsonl``, ``lock``, ``told`` (the last step
that a server has). Whoever may write there may write another history: the file system says who, and a server keeps its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from msgspec import Struct

from assaymark.deployment.drivers.driver import Pair
from assaymark.deployment.drivers.naming import label
from assaymark.deployment.phoenix.configuration import key_in
from assaymark.deployment.phoenix.generation import Ledger, Step, after
from assaymark.errors import Busy, SubjectUnreadable, UsageError
from assaymark.formats.undecodable import UNDECODABLE

JOURNAL, PAIR, LOCK, TOLD = "journal.jsonl", "pair.json", "lock", "told"
MOST_BYTES = 64 << 20
"""Of one journal: some hundred thousand steps."""
_BEGINNING = "0" * 64


class _Line(Struct, frozen=True):
    after: str
    """SHA-256 of the line before."""
    step: Step


class Journal:
    """One pair's. Everything but `steps_of` needs it open."""

    def __init__(self, state: Path, pair: Pair) -> None:
        self.state, self.pair = state, pair
        self.folder = state / label(pair)
        self.ledger = Ledger(pair)
        self.steps: tuple[Step, ...] = ()
        self.watchers: list[Callable[[Step], None]] = []
        """Called with each step after it was written: to show it, and to tell a server. May not raise."""
        self._last, self._lock, self._file = _BEGINNING, -1, -1

    def open(self) -> Self:
        """Take the lock and read what was.

        Raises:
            Busy: when another process has it.
            SubjectUnreadable: when the journal was damaged.
            UsageError: when the folder cannot be used.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        try:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Busy(
                    f"{self.pair} is being deployed by another process", why=f"it holds {self.folder / LOCK}", advice="wait until it ends"
                ) from error
            self._begin()
        except BaseException:
            self.close()
            raise
        return self

    def read(self) -> Self:
        """Look without the lock, at what stands there now; nothing can be appended.

        Raises:
            SubjectUnreadable: when the journal was damaged.
        """
        self.steps = steps_of(self.state, self.pair)
        for step in self.steps:
            self.ledger = _followed(self.ledger, step, self.folder)
        return self

    def close(self) -> None:
        for number in (self._file, self._lock):
            if number >= 0:
                os.close(number)
        self._file = self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def append(self, step: Step) -> Ledger:
        """Write a step that follows from what is there; gives the ledger with it.

        Raises:
            UsageError: when it does not follow.
            SubjectUnreadable: when it cannot be written; it did not happen then.
        """
        ledger = after(self.ledger, step)
        data = msgspec.json.encode(_Line(self._last, step))
        end = os.lseek(self._file, 0, os.SEEK_END)
        try:
            _write(self._file, data + b"\n")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, end)
            raise SubjectUnreadable(f"{self.folder / JOURNAL} cannot be written", why=error.strerror or str(error)) from error
        self._last, self.ledger, self.steps = hashlib.sha256(data).hexdigest(), ledger, (*self.steps, step)
        for each in self.watchers:
            each(step)
        return ledger

    def key(self) -> bytes:
        """By which configurations of this state folder are hashed; made when there is none.

        Raises:
            UsageError: when it cannot be used.
        """
        return key_in(self.state)

    @property
    def told_to_server(self) -> int:
        """Number of the last step that a server has."""
        return told_of(self.folder)

    @told_to_server.setter
    def told_to_server(self, number: int) -> None:
        draft = self.folder / f".{TOLD}-{os.getpid()}"
        draft.write_text(f"{number}\n")
        draft.replace(self.folder / TOLD)

    def _begin(self) -> None:
        try:
            self._file = os.open(self.folder / JOURNAL, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_APPEND, 0o600)
            if not (self.folder / PAIR).exists():
                draft = self.folder / f".{PAIR}-{os.getpid()}"
                draft.write_bytes(msgspec.json.encode(self.pair))
                draft.replace(self.folder / PAIR)
            data = _content(self.folder / JOURNAL)
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) != len(data):  # killed while it wrote: that step never happened
                os.ftruncate(self._file, len(whole))
            _sync(self._file, self.folder, self.state)
        except OSError as error:
            raise _unusable(self.folder, error) from error
        steps = []
        for line, step in _lines(whole, self.folder):
            self.ledger = _followed(self.ledger, step, self.folder)
            self._last = line
            steps.append(step)
        self.steps = tuple(steps)


def pairs_of(state: Path) -> tuple[Pair, ...]:
    """All pairs that have a journal here.

    Raises:
        UsageError: when the folder cannot be read.
    """
    if not state.is_dir():
        return ()
    try:
        found = [msgspec.json.decode(path.read_bytes(), type=Pair) for path in state.glob(f"*/{PAIR}")]
    except (OSError, *UNDECODABLE) as error:
        raise UsageError(f"{state} cannot be read", why=str(error), advice="name the folder that `assay deploy` wrote") from error
    return tuple(sorted(found))


def steps_of(state: Path, pair: Pair) -> tuple[Step, ...]:
    """The steps as they stand now, without the lock: for whoever only looks.

    Raises:
        SubjectUnreadable: when the journal was damaged.
    """
    folder = state / label(pair)
    if not (folder / JOURNAL).exists():
        return ()
    try:
        data = _content(folder / JOURNAL)
    except OSError as error:
        raise SubjectUnreadable(f"{folder / JOURNAL} cannot be read", why=error.strerror or str(error)) from error
    return tuple(step for _, step in _lines(data[: data.rfind(b"\n") + 1], folder))


def told_of(folder: Path) -> int:
    """Number of the last step that a server has."""
    try:
        text = (folder / TOLD).read_text().strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0  # what is told twice does no harm


def _lines(data: bytes, folder: Path) -> Iterator[tuple[str, Step]]:
    before = _BEGINNING
    for number, line in enumerate(data.splitlines(), 1):
        try:
            found = msgspec.json.decode(line, type=_Line)
        except UNDECODABLE as error:
            raise _damaged(folder, number, str(error)) from error
        if found.after != before:
            raise _damaged(folder, number, "it does not follow the line before")
        before = hashlib.sha256(line).hexdigest()
        yield before, found.step


def _followed(ledger: Ledger, step: Step, folder: Path) -> Ledger:
    try:
        return after(ledger, step)
    except UsageError as error:
        raise _damaged(folder, step.number, f"{error.what}: {error.why}") from error


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} is too large", why=f"at most {MOST_BYTES} bytes are read", advice="lay the pair's folder aside")
    return data


def _write(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _sync(file: int, *folders: Path) -> None:
    os.fsync(file)
    for folder in folders:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _damaged(folder: Path, number: int, why: str) -> SubjectUnreadable:
    return SubjectUnreadable(
        f"line {number} of {folder / JOURNAL} makes no sense",
        why=why,
        advice="bring the file back from a backup, or lay the folder aside: the next deploy takes over what runs",
    )


def _unusable(folder: Path, error: OSError) -> UsageError:
    return UsageError(f"{folder} cannot be used", why=error.strerror or str(error), advice="name another folder as `state` in the terms")
