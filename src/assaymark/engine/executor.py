"""The port through which work is done: by forked processes here (`pool`), by this process (`bench`, `trial`), by other machines one day.

Guarantees of every adapter: each input of the work is delivered once, with an outcome, unless the run is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from assaymark.engine.limits import Limits
from assaymark.engine.plan import InputRef
from assaymark.model.check import Check, Unchecked
from assaymark.model.digest import Digest
from assaymark.model.finding import CheckId
from assaymark.model.subject import Content, ReaderSpec


class Work(Struct, frozen=True):
    """What is to be found out, and with what."""

    inputs: tuple[InputRef, ...]
    """An input is named by its position here in everything that an executor says."""
    checks: Mapping[CheckId, Check]
    sources: Sequence[ReaderSpec]
    """Base's and head's reader; an input says which to ask first."""
    limits: Limits
    contents: Mapping[Digest, Content] = {}
    """Read already, see `bench.read_ahead`; what is not here is read by whoever does the work."""
    cancelled: Callable[[], bool] | None = None
    """Asked a few times a second; true ends the run with what is finished by then."""


class Sink(Protocol):
    """Takes results in as they come, in any order."""

    def deliver(self, index: int, encoded: bytes) -> None:
        """The outcome of an input, in the bytes of `outcome.encode`.

        Raises:
            msgspec.MsgspecError: when the bytes are no outcome; nothing was taken in.
        """
        ...

    def give_up(self, index: int, unchecked: Unchecked) -> None:
        """The engine's own word on an input that no check could speak about."""
        ...

    def spent(self, check: CheckId, seconds: float) -> None: ...

    def beat(self) -> None:
        """Called a few times a second while nothing else happens."""
        ...


class Executor(Protocol):
    """Does work."""

    def execute(self, work: Work, sink: Sink) -> None:
        """Returns when every input was delivered, given up, or the run was cancelled."""
        ...


def failure(check: str, kind: str, detail: str = "") -> Unchecked:
    """The engine's words for a failure that was pinned to one input. Names the exception's type at most, never its text: that may quote."""
    words = {
        "timeout": "did not finish in the time granted; raise the limit or leave the file out by policy",
        "memory": "needed more memory than it may have; raise the limit or leave the file out by policy",
        "engine-failed": "failed on this input; please report it with the file if it is not confidential",
        "engine-missing": "cannot run because a tool that it needs is not installed; `assay doctor` says which",
        "unreadable": "got no content, because reading failed; look at the repository with `git fsck`",
        "missing": "got no content, because it is not in the repository here; fetch it and run again",
        "changed": "got no content, because the file changed while it was being read; run again",
        "size": "does not read files of this size; raise the limit or leave the file out by policy",
        "cancelled": "was not run because the run was cancelled",
    }
    subject = f"check {check}" if check else "the engine"
    return Unchecked(reason_class=kind, reason=f"{subject} {words[kind]}" + (f" ({detail})" if detail else ""))
