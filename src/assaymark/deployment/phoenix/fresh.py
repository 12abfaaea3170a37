"""Whom to believe at this moment: newer trust and revocations are fetched before each question, where the folder names a server.

Guarantees: what is fetched is verified by TUF's rules before it is used (`distribution.updating`); when it cannot be fetched within
`SECONDS`, what is held counts for as long as it may (its timestamp, then the folder's grace), and the answer says so: a server that is
down, or answers a byte at a time, stops no rollback, and whoever holds newer revocations back does so no longer than that. After a failure
it is left alone for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from assaymark.advisories.download import ask_directly
from assaymark.deployment.phoenix.terms import Believe
from assaymark.endorsement.asking import believed
from assaymark.endorsement.asking.believed import Believed
from assaymark.endorsement.distribution import client
from assaymark.errors import AssayError, EngineMissing, UsageError
from assaymark.model.assessment import Instant

SECONDS = 10.0
"""For which a question waits for newer trust."""
PAUSE_SECONDS = 30.0
"""After a failure."""

Take = Callable[[Path, Instant], None]


def believing(terms: Believe, take: Take | None = None) -> Callable[[Instant], Believed]:
    """What to verify with, asked anew each time.

    Raises, when it is asked:
        UsageError: when there is nothing to believe, or it was damaged.
    """
    newest = _Newest(take or take_newest)

    def believed_at(now: Instant) -> Believed:
        if not terms.trust:
            raise UsageError("it is not said whom to believe", advice="write trust = … under [believe] in the terms")
        folder = Path(terms.trust)
        is_kept = terms.update and (folder / client.SETTINGS).is_file() and bool(client.keeping(folder).source)
        problem = newest.taken(folder, now) if is_kept else ""
        found = believed.from_place(terms.trust, terms.revocations, now)
        return replace(found, notes=(*found.notes, problem)) if problem else found

    return believed_at


class _Newest:
    """Fetches in a thread of its own, which may go on when nobody waits for it any more: a state is taken whole or not at all."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._thread: threading.Thread | None = None
        self._problem = ""
        self._left_alone_until = 0.0

    def taken(self, folder: Path, now: Instant) -> str:
        """Why newer trust was not taken; nothing when it was."""
        if time.monotonic() < self._left_alone_until:
            return self._problem
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, args=(folder, now), name="newer trust", daemon=True)
            self._thread.start()
        self._thread.join(SECONDS)
        if self._thread.is_alive():
            self._problem = f"newer trust was not taken: it did not come within {SECONDS:g} s"
        if self._problem:
            self._left_alone_until = time.monotonic() + PAUSE_SECONDS
        return self._problem

    def _run(self, folder: Path, now: Instant) -> None:
        try:
            self._take(folder, now)
        except AssayError as error:
            self._problem = f"newer trust was not taken: {error.what}{': ' if error.why else ''}{error.why}"
        else:
            self._problem = ""


def take_newest(folder: Path, now: Instant) -> None:
    """Fetch what the folder's server distributes.

    Raises:
        AssayError: when it cannot be fetched, or is not what the trusted keys signed.
    """
    try:
        from assaymark.endorsement.distribution import sources, updating  # noqa: PLC0415 - TUF's library is an extra
    except ImportError as error:
        raise EngineMissing("TUF's library is not installed", why=str(error), advice="pip install 'assaymark[trust]'") from error
    updating.take(folder, updating.server(client.keeping(folder).source, sources.Server(ask_directly)), now)
